use serde_json::json;

use super::*;

const FORMAT: CaseFormat = CaseFormat::Promptfoo;

fn read(assert: &str) -> Result<Check, ImportProblem> {
    let text = format!("- vars: {{input: a}}\n  assert:\n    - {assert}\n");
    import(FORMAT, &text).map(|mut cases| cases.remove(0).checks.remove(0))
}

#[test]
fn assertions_are_checks() {
    let value = |value: &str| value.to_owned();
    for (assert, check) in [
        ("{type: equals, value: b}", Check::Equals { value: Some(value("b")) }),
        ("{type: contains, value: true}", Check::Contains { value: value("true") }),
        ("{type: icontains, value: 1.50}", Check::Icontains { value: value("1.50") }),
        ("{type: not-contains, value: '007'}", Check::NotContains { value: value("007") }),
        ("{type: starts-with, value: 0x1F}", Check::StartsWith { value: value("0x1F") }),
        ("{type: regex, value: '^\\d+$'}", Check::Regex { value: value("^\\d+$") }),
        ("{type: is-json}", Check::IsJson {}),
        ("{type: is-json, value: {type: object}}", Check::JsonSchema { value: json!({"type": "object"}) }),
        ("{type: is-json, value: '{\"minimum\": 1.5}'}", Check::JsonSchema { value: json!({"minimum": 1.5}) }),
        ("{type: similar, value: b}", Check::Similar { value: Some(value("b")), threshold: 0.75 }),
        ("{type: similar, value: b, threshold: '0.9'}", Check::Similar { value: Some(value("b")), threshold: 0.9 }),
        ("{type: latency, threshold: 500}", Check::Latency { threshold: 500.0 }),
        ("{type: cost, threshold: 0.002}", Check::Cost { threshold: 0.002 }),
        ("{type: llm-rubric, value: is kind}", Check::LlmRubric { value: value("is kind"), threshold: None }),
        (
            "{type: llm-rubric, value: is kind, threshold: 0.5}",
            Check::LlmRubric { value: value("is kind"), threshold: Some(0.5) },
        ),
        ("{type: javascript, value: output.length <= 200}", Check::MaxLength { threshold: 200 }),
        ("{type: contains, value: 'see {{input}}'}", Check::Contains { value: value("see a") }),
    ] {
        assert_eq!(read(assert).unwrap(), check, "{assert}");
    }
}

#[test]
fn other_assertions_are_refused_by_name() {
    for (assert, column, says) in [
        ("{type: contains-any, value: [a]}", 7, "\"contains-any\" is not known here"),
        ("{type: not-equals, value: a}", 7, "\"not-equals\""),
        ("{type: levenshtein, value: a}", 7, "Use similar"),
        ("{type: javascript, value: 'output.includes(1)'}", 7, "JavaScript is not run"),
        ("{value: a}", 7, "does not say what it checks"),
        ("contains a", 7, "does not say what it checks"),
        ("{type: contains}", 7, "contains has no `value`"),
        ("{type: contains, value: [a]}", 31, "a list, not a text"),
        ("{type: equals, value: {a: b}}", 29, "a mapping, not a text"),
        ("{type: contains, value: file://a.txt}", 31, "in a file"),
        ("{type: is-json, value: file://a.json}", 30, "not JSON"),
        ("{type: latency}", 7, "latency has no `threshold`"),
        ("{type: latency, threshold: soon}", 34, "not a number"),
        ("{type: cost, threshold: .inf}", 31, "not a number"),
        ("{type: regex, value: '('}", 7, ""),
        ("{type: is-json, value: {type: 5}}", 7, ""),
        ("{type: similar, value: a, threshold: 2}", 7, ""),
    ] {
        let problem = read(assert).unwrap_err();
        assert_eq!((problem.line, problem.column), (3, Some(column)), "{assert}: {problem}");
        assert!(problem.message.contains(says), "{problem}");
    }
    assert_refused(FORMAT, "- vars: {input: a}\n  assert: {type: is-json}\n", 2, 11, &["a mapping, not a list"]);
}
