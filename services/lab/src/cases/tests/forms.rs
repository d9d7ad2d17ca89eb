use proptest::prelude::*;

use super::*;

fn form() -> CaseForm {
    CaseForm { name: "a".into(), input: "b".into(), ..CaseForm::default() }
}

/// The fields and messages of what is wrong.
fn problems(form: &CaseForm) -> Vec<(String, String)> {
    form.parse().unwrap_err().into_iter().map(|problem| (problem.field, problem.message)).collect()
}

#[test]
fn a_form_is_a_case() {
    let form = CaseForm {
        name: "  a ".into(),
        input: "two\r\nlines".into(),
        variables: "lang: de\r\n\r\n url : https://a.b/c\r\nempty:\r\nlines: \"x\\r\\ny\"\r\n".into(),
        expected: " \r\n".into(),
        tags: "x, y z,,".into(),
        checks: "is-json\r\n\r\n".into(),
    };
    let expected = TestCase {
        variables: variables([("lang", "de"), ("url", "https://a.b/c"), ("empty", ""), ("lines", "x\r\ny")]),
        tags: vec!["x".into(), "y z".into()],
        checks: vec![Check::IsJson {}],
        ..case("a", "two\nlines")
    };
    assert_eq!(form.parse(), Ok(expected));
}

#[test]
fn lines_are_named() {
    let wrong = CaseForm { variables: "a: b\nno colon\na: c\nd: \"e\" f\n1: g".into(), ..form() };
    let problems = problems(&wrong);
    assert!(problems.iter().all(|(field, _)| field == "variables"));
    for (problem, says) in problems.iter().zip([
        "Line 2: \"no colon\" has no colon.",
        "Line 3: The variable \"a\" has a value already.",
        "Line 4: A value that begins with a quote is a JSON string and ends with one. To have quotes in the value, write \
         \"\\\"e\\\" f\".",
        "\"1\" cannot be the name",
    ]) {
        assert!(problem.1.starts_with(says), "{problem:?}");
    }
    assert_eq!(problems.len(), 4);
}

#[test]
fn everything_is_told_at_once() {
    let wrong = CaseForm {
        variables: "x".into(),
        tags: "t".repeat(51),
        checks: "is-json\nnonsense\n".into(),
        expected: "\0".into(),
        ..CaseForm::default()
    };
    let fields: Vec<String> = problems(&wrong).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["variables", "checks", "name", "input", "expected", "tags"]);
    assert!(problems(&wrong)[1].1.starts_with("Line 2: "));
}

#[test]
fn a_broken_pattern_is_named_at_the_checks() {
    let problems = problems(&CaseForm { checks: "is-json\nregex: (".into(), ..form() });
    assert!(problems.iter().all(|(field, _)| field == "checks") && problems.len() == 1, "{problems:?}");
}

proptest! {
    #[test]
    fn a_case_goes_through_the_form(case in round_trips::cases().prop_map(|mut cases| cases.remove(0))) {
        // Forms have no CR.
        let without = |text: &str| text.replace('\r', "");
        let case = TestCase {
            input: format!("i{}", without(&case.input)),
            expected: case.expected.map(|expected| format!("e{}", without(&expected))),
            ..case
        };
        prop_assert_eq!(CaseForm::of(&case).parse(), Ok(case));
    }
}
