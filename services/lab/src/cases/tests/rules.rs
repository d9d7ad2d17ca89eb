use serde_json::json;

use super::*;

/// The fields that are refused, and that each message is a sentence or more.
fn refused(case: &TestCase) -> Vec<String> {
    let problems = case.validate().err().unwrap_or_default();
    assert!(
        problems.iter().all(|problem| problem.message.ends_with('.') && problem.message.contains(". ")),
        "{problems:?}"
    );
    problems.into_iter().map(|problem| problem.field).collect()
}

fn check(check: serde_json::Value) -> Check {
    serde_json::from_value(check).unwrap()
}

#[test]
fn names_are_one_line() {
    assert!(refused(&case(&"é".repeat(200), "a")).is_empty());
    for name in ["", " \t", "a\nb", "a\0", "a\u{2028}b", " a", "a ", &"é".repeat(201)] {
        assert_eq!(refused(&case(name, "a")), ["name"], "{name:?}");
    }
}

#[test]
fn inputs_say_something() {
    assert!(refused(&case("a", " ")).is_empty());
    assert!(refused(&case("a", &"é".repeat(100_000))).is_empty());
    for input in ["", "a\0b", &"é".repeat(100_001)] {
        assert_eq!(refused(&case("a", input)), ["input"]);
    }
}

#[test]
fn variables_are_those_of_prompts() {
    let with = |variables| TestCase { variables, ..case("a", "a") };
    let long = "x".repeat(64);
    assert!(refused(&with(variables([("a", ""), ("_b1", "{{a}}"), (&long, &"v".repeat(100_000))]))).is_empty());
    for name in ["", "1a", "a b", " a", "ä", "a-b", "}}{{a", &"x".repeat(65)] {
        assert_eq!(refused(&with(variables([(name, "v")]))), ["variables"], "{name:?}");
    }
    for value in ["\0", &"v".repeat(100_001)] {
        assert_eq!(refused(&with(variables([("a", value)]))), ["variables"]);
    }
    let many = |count: usize| with((0..count).map(|number| (format!("v{number}"), String::new())).collect());
    assert!(refused(&many(100)).is_empty());
    assert_eq!(refused(&many(101)), ["variables"]);
}

#[test]
fn tags_are_words() {
    let with = |tags: &[&str]| TestCase { tags: tags.iter().map(|&tag| tag.to_owned()).collect(), ..case("a", "a") };
    assert!(refused(&with(&["a b", &"é".repeat(50)])).is_empty());
    for tag in ["", "a,b", " a", "a\nb", "\0", &"é".repeat(51)] {
        assert_eq!(refused(&with(&[tag])), ["tags"], "{tag:?}");
    }
    assert!(refused(&with(&["a"; 20])).is_empty());
    assert_eq!(refused(&with(&["a"; 21])), ["tags"]);
}

#[test]
fn expected_answers_are_something() {
    let with = |expected: &str| TestCase { expected: Some(expected.into()), ..case("a", "a") };
    assert!(refused(&with("yes")).is_empty());
    for expected in ["", " \n", "a\0", &"e".repeat(200_001)] {
        assert_eq!(refused(&with(expected)), ["expected"]);
    }
}

#[test]
fn checks_work_before_they_are_saved() {
    let with = |checks: Vec<Check>| TestCase { checks, ..case("a", "a") };
    assert!(refused(&with(vec![Check::IsJson {}; 50])).is_empty());
    assert_eq!(refused(&with(vec![Check::IsJson {}; 51])), ["checks"]);
    let broken = with(vec![
        Check::IsJson {},
        check(json!({"type": "regex", "value": "("})),
        check(json!({"type": "json-schema", "value": {"type": 5}})),
        check(json!({"type": "contains", "value": "a\0"})),
    ]);
    let problems = broken.validate().unwrap_err();
    assert!(problems.iter().all(|problem| problem.field == "checks"));
    for number in ["Check 2", "Check 3", "Check 4"] {
        assert!(problems.iter().any(|problem| problem.message.starts_with(number)), "{problems:?}");
    }
}

#[test]
fn a_check_against_nothing_is_refused() {
    let mut against = TestCase { checks: vec![Check::Equals { value: None }], ..case("a", "a") };
    let problems = against.validate().unwrap_err();
    assert_eq!(problems[0].field, "checks");
    assert!(problems[0].message.contains("Write the expected answer"), "{problems:?}");
    against.expected = Some("b".into());
    assert_eq!(against.validate(), Ok(()));
}

#[test]
fn all_problems_are_told_at_once() {
    let broken = TestCase {
        variables: variables([("1", "v")]),
        expected: Some(String::new()),
        tags: vec![String::new()],
        ..case("", "")
    };
    assert_eq!(refused(&broken), ["name", "input", "variables", "expected", "tags"]);
}

#[test]
fn a_set_has_one_case_of_a_name_and_5000_in_all() {
    let mut cases: Vec<TestCase> = (0..MAX_CASES).map(|number| case(&number.to_string(), "a")).collect();
    assert_eq!(validate_set(&cases), Ok(()));
    cases.push(case("one more", "a"));
    let problem = validate_set(&cases).unwrap_err();
    assert_eq!((problem.case, problem.problem.field.as_str()), (5_000, "cases"));
    assert!(problem.problem.message.contains("5,000"));
    let problem = validate_set(&[case("a", "x"), case("b", "x"), case("a", "y")]).unwrap_err();
    assert_eq!((problem.case, problem.problem.field.as_str()), (2, "name"));
    assert!(problem.problem.message.starts_with("Case 1 has the name \"a\" already."), "{problem:?}");
}
