//! Files that are made to take long, or to take the server with them.

use std::fmt::Write as _;

use super::*;

const TEN_MB: usize = 10 * 1024 * 1024;

/// Every format, and the answers of others: whatever a file holds, it is refused. What is not linear would take hours here.
#[track_caller]
fn assert_refused_by_all(text: &str) {
    for format in CaseFormat::ALL {
        assert!(import(format, text).is_err(), "{format}");
        CaseFormat::guess(None, text);
    }
    assert!(read_outputs(text, &[case("a", "b")]).is_err());
}

#[test]
fn ten_megabytes_of_anything() {
    for piece in [",", "\"", "\n", "[", "- "] {
        assert_refused_by_all(&piece.repeat(TEN_MB / piece.len()));
    }
}

#[test]
fn a_megabyte_of_anything_else() {
    for piece in ["a", "\r", "{", "{\"a\":", "- - ", "a: ", "&a [", "*a ", "é", "\0", "\\", "\t", "#", "!", "%", "? "]
    {
        assert_refused_by_all(&piece.repeat(TEN_MB / 10 / piece.len()));
    }
}

#[test]
fn ten_megabytes_in_one_place() {
    let long = "x".repeat(TEN_MB);
    for (format, text) in [
        (CaseFormat::Csv, format!("name,input\na,{long}\n")),
        (CaseFormat::Csv, format!("name,{long}\na,b\n")),
        (CaseFormat::Csv, format!("input\n\"{}\"\n", "\"\"".repeat(TEN_MB / 2))),
        (CaseFormat::JsonLines, format!("{{\"name\": \"a\", \"input\": \"{long}\"}}")),
        (CaseFormat::JsonLines, format!("{{\"name\": \"{long}\", \"input\": \"b\"}}")),
        (CaseFormat::JsonLines, format!("{{\"{long}\": \"b\"}}")),
        (CaseFormat::Promptfoo, format!("- vars: {{input: \"{long}\"}}\n")),
        (CaseFormat::Promptfoo, format!("- vars:\n    input: |\n      {}\n", "x\n      ".repeat(TEN_MB / 8))),
        (CaseFormat::Promptfoo, format!("- vars: {{input: a, {long}: b}}\n")),
        (CaseFormat::Promptfoo, format!("- vars: {{input: a}}\n  assert: [{{type: {long}}}]\n")),
    ] {
        let problem = import(format, &text).unwrap_err();
        assert!(problem.message.len() < 2_000, "{format}: {}", problem.message.len());
    }
}

#[test]
fn a_hundred_thousand_commas() {
    let commas = ",".repeat(100_000);
    assert_refused(CaseFormat::Csv, &format!("name,input\n{commas}x"), 2, 1, &["100,001 cells"]);
    assert_refused(CaseFormat::Csv, &format!("name,input\na,b\n{commas}x\n"), 3, 1, &[]);
    assert_refused(CaseFormat::Csv, &commas, 1, 1, &["100,001 columns", "1,000"]);
}

#[test]
fn deep_nesting() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    for text in [deep("[", "]"), deep("{a: ", "}"), deep("- ", ""), deep("{\"a\":", "}")] {
        assert_refused_by_all(&text);
    }
    let json = |schema: &str| {
        format!(
            "{{\"name\": \"a\", \"input\": \"b\", \"checks\": [{{\"type\": \"json-schema\", \"value\": {schema}}}]}}"
        )
    };
    let yaml = |schema: &str| format!("- {{vars: {{input: a}}, assert: [{{type: is-json, value: {schema}}}]}}");
    let schema = deep("{\"not\":", "}");
    assert!(import(CaseFormat::JsonLines, &json(&schema)).unwrap_err().message.contains("recursion limit"));
    let problem = import(CaseFormat::Promptfoo, &yaml(&schema)).unwrap_err();
    assert!(problem.message.contains("too deep") && problem.line == 1, "{problem}");
    // As deep as it may be, it is no trouble either.
    let schema = |depth: usize| "{\"not\":".repeat(depth) + "{}" + &"}".repeat(depth);
    assert!(import(CaseFormat::JsonLines, &json(&schema(120))).is_ok());
    assert!(import(CaseFormat::Promptfoo, &yaml(&schema(26))).is_ok());
}

#[test]
fn bombs_of_aliases() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let _ = writeln!(laughs, "a{level}: &a{level} [{}]", format!("*a{}, ", level - 1).repeat(10));
    }
    let problem = import(CaseFormat::Promptfoo, &laughs).unwrap_err();
    assert!(problem.message.contains("aliases"), "{problem}");
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1024 * 1024), "*a, ".repeat(5_000));
    let problem = import(CaseFormat::Promptfoo, &text).unwrap_err();
    assert!(problem.message.contains("aliases"), "{problem}");
    let merges = format!(
        "a: &a {{{}}}\nb: [{}]\n",
        (0..1_000).map(|key| format!("k{key}: v, ")).collect::<String>(),
        "{<<: *a}, ".repeat(5_000)
    );
    let problem = import(CaseFormat::Promptfoo, &merges).unwrap_err();
    assert!(problem.message.contains("aliases"), "{problem}");
}

#[test]
fn more_cases_than_a_set_has() {
    let csv: String = "input\n".to_owned() + &"a\n".repeat(1_000_000);
    assert_refused(CaseFormat::Csv, &csv, 5_002, None, &["at most 5,000"]);
    let lines: String = (0..6_000).map(|number| format!("{{\"name\": \"{number}\", \"input\": \"a\"}}\n")).collect();
    assert_refused(CaseFormat::JsonLines, &lines, 5_001, None, &["at most 5,000"]);
    assert_refused(CaseFormat::Promptfoo, &"- vars: {input: a}\n".repeat(6_000), 5_001, 3, &["at most 5,000"]);
}

#[test]
fn the_largest_set_goes_through() {
    let cases: Vec<TestCase> = (0..MAX_CASES)
        .map(|number| TestCase {
            variables: (0..20).map(|variable| (format!("v{variable}"), "x".repeat(20))).collect(),
            checks: vec![Check::IsJson {}; 3],
            ..case(&number.to_string(), "a")
        })
        .collect();
    for format in CaseFormat::ALL {
        assert_eq!(import(format, &export(format, &cases)).unwrap(), cases, "{format}");
    }
}
