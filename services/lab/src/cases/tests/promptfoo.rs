use serde_json::{Value, json};

use super::*;

const FORMAT: CaseFormat = CaseFormat::Promptfoo;

#[test]
fn a_configuration_is_read() {
    let text = "\
# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json
description: Support
prompts: [file://prompt.txt]
providers: [{id: openai:gpt-4.1, config: {temperature: 0}}]
defaultTest:
  vars: {tone: kind, lang: en}
  assert:
    - type: latency
      threshold: 2000
tests:
  - description: >
      Where is
      my order?
    vars:
      question: Where is it?
      order: 0012.50
      lang: de
      nothing:
      urgent: no
    assert:
      - type: contains
        value: 42
        weight: 2
      - type: equals
        value: 'Order {{ order }} is {{unknown}}'
    metadata:
      tags: [shipping, 2024]
      owner: ada
    options: {transform: output.trim()}
  - vars:
      input: |
        Two
        lines
";
    let cases = import(FORMAT, text).unwrap();
    let first = TestCase {
        variables: variables([
            ("tone", "kind"),
            ("lang", "de"),
            ("question", "Where is it?"),
            ("order", "0012.50"),
            ("nothing", ""),
            ("urgent", "no"),
        ]),
        tags: vec!["shipping".into(), "2024".into()],
        checks: vec![
            Check::Latency { threshold: 2_000.0 },
            Check::Contains { value: "42".into() },
            Check::Equals { value: Some("Order 0012.50 is {{unknown}}".into()) },
        ],
        ..case("Where is my order?", "Where is it?")
    };
    let second = TestCase {
        variables: variables([("tone", "kind"), ("lang", "en"), ("input", "Two\nlines\n")]),
        checks: vec![Check::Latency { threshold: 2_000.0 }],
        ..case("Case 2", "Two\nlines\n")
    };
    assert_eq!(cases, [first, second]);
}

#[test]
fn a_list_is_enough() {
    let cases = import(
        FORMAT,
        "\u{feff}- vars: {input: a}\r\n  metadata: {tags: 'x, y'}\r\n- vars: {message: b, prompt: c}\r\n",
    )
    .unwrap();
    let first =
        TestCase { variables: variables([("input", "a")]), tags: vec!["x".into(), "y".into()], ..case("Case 1", "a") };
    let second = TestCase { variables: variables([("message", "b"), ("prompt", "c")]), ..case("Case 2", "b") };
    assert_eq!(cases, [first, second]);
}

#[test]
fn anchors_and_merges_are_followed() {
    let text = "\
tests:
  - vars: &common {input: a, big: 12345678901234567890123, x: 1.10}
    assert: &checks [{type: is-json}]
  - vars: {<<: *common, input: b}
    assert: *checks
";
    let cases = import(FORMAT, text).unwrap();
    let vars = |input| variables([("input", input), ("big", "12345678901234567890123"), ("x", "1.10")]);
    assert_eq!(cases[0].variables, vars("a"));
    assert_eq!(cases[1].variables, vars("b"));
    assert_eq!(cases[1].checks, [Check::IsJson {}]);
}

#[test]
fn what_is_not_yaml_is_pointed_at() {
    assert_refused(FORMAT, "tests:\n  - vars: {input: a\n  - vars: {input: b}\n", 3, 9, &["This is not YAML"]);
    assert_refused(FORMAT, "tests:\n\t- vars: {}\n", 2, 2, &["This is not YAML"]);
    assert_refused(FORMAT, "tests: []\ntests: []\n", 2, 1, &["tests"]);
    assert_refused(FORMAT, "tests: []\n---\ntests: []\n", 3, 1, &["second document"]);
    assert_refused(FORMAT, "- *unknown\n", 1, 3, &[]);
    assert_refused(FORMAT, "- &a [*a]\n", 1, 7, &["aliases"]);
}

#[test]
fn what_is_not_tests_is_pointed_at() {
    assert_refused(FORMAT, "", 1, 1, &["There is no list of tests"]);
    assert_refused(FORMAT, "prompts: [a]\n", 1, 1, &["There is no list of tests"]);
    assert_refused(FORMAT, "just a text", 1, 1, &["There is no list of tests"]);
    assert_refused(FORMAT, "prompts: [a]\ntests: file://tests.csv\n", 2, 8, &["a text, not a list", "choosing it"]);
    assert_refused(FORMAT, "tests:\n  - file://a.yaml\n", 2, 5, &["a text, not a mapping"]);
    assert_refused(FORMAT, "defaultTest: file://a.yaml\ntests: []\n", 1, 14, &["Put it here"]);
}

#[test]
fn variables_are_pointed_at() {
    assert_refused(
        FORMAT,
        "- vars: {input: a}\n- vars:\n    name: b\n",
        3,
        5,
        &["Call it input, question, message, query or prompt"],
    );
    assert_refused(FORMAT, "- description: a\n", 1, 3, &["Call it input"]);
    assert_refused(FORMAT, "- vars: file://vars.yaml\n", 1, 9, &["a text, not a mapping"]);
    assert_refused(FORMAT, "- vars:\n    input: [a, b]\n", 2, 12, &["\"input\" is a list", "Write a test for each"]);
    assert_refused(FORMAT, "- vars:\n    input: a\n    user: {name: b}\n", 3, 11, &["\"user\" is a mapping"]);
    assert_refused(FORMAT, "- vars:\n    input: file://a.txt\n", 2, 12, &["Write its text here"]);
    assert_refused(FORMAT, "- vars:\n    input: a\n    order no: b\n", 3, 15, &["\"order no\""]);
    assert_refused(FORMAT, "defaultTest: {vars: {1a: b}}\ntests: [{vars: {input: a}}]\n", 1, 26, &["\"1a\""]);
}

#[test]
fn broken_rules_are_pointed_at() {
    assert_refused(FORMAT, "- vars:\n    input: ''\n", 2, 5, &["The input is empty"]);
    assert_refused(
        FORMAT,
        "- {description: a, vars: {input: b}}\n- vars: {input: c}\n  description: a\n",
        3,
        16,
        &["on line 1 is called \"a\" already"],
    );
    assert_refused(FORMAT, "- vars: {input: a}\n  metadata: {tags: [{a: b}]}\n", 2, 21, &["a mapping, not a text"]);
    assert_refused(FORMAT, "- vars: {input: a}\n  metadata: {tags: {a: b}}\n", 2, 20, &["a list of words"]);
    assert_refused(FORMAT, "- vars: {input: a}\n  description: [a]\n", 2, 16, &["a list, not a text"]);
}

#[test]
fn an_export_is_a_configuration_of_promptfoo() {
    let full = TestCase {
        variables: variables([("lang", "de")]),
        expected: Some("c".into()),
        tags: vec!["t".into()],
        checks: vec![Check::Equals { value: None }, Check::MaxLength { threshold: 5 }],
        ..case("a", "b")
    };
    let text = export(FORMAT, &[full, case("d", "e")]);
    let tests: Vec<Value> =
        text.lines().skip(1).map(|line| serde_json::from_str(line.strip_prefix("- ").unwrap()).unwrap()).collect();
    let first = json!({
        "description": "a",
        "vars": {"input": "b", "lang": "de"},
        "assert": [
            {"type": "equals", "value": "c", "metric": "expected answer"},
            {"type": "javascript", "value": "[...output].length <= 5"},
        ],
        "metadata": {"tags": ["t"], "verbatim": {"expected": "c"}},
    });
    assert!(text.starts_with("tests:\n- {"));
    assert_eq!(tests, [first, json!({"description": "d", "vars": {"input": "e"}, "metadata": {"verbatim": {}}})]);
    assert_eq!(export(FORMAT, &[]), "tests: []\n");
}

#[test]
fn an_export_can_be_edited() {
    let full = TestCase { expected: Some("c".into()), checks: vec![Check::Equals { value: None }], ..case("a", "b") };
    let text = export(FORMAT, &[full])
        .replace("\"value\":\"c\"", "\"value\":\"d\"")
        .replace("\"input\":\"b\"", "\"input\":\"x\"");
    let edited = import(FORMAT, &text).unwrap().remove(0);
    assert_eq!(edited.input, "x");
    assert_eq!(edited.variables, variables([]));
    assert_eq!(edited.checks, [Check::Equals { value: Some("d".into()) }]);
}
