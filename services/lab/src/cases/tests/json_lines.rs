use super::*;

const FORMAT: CaseFormat = CaseFormat::JsonLines;

#[test]
fn lines_are_cases() {
    let text = "\u{feff}\n{\"name\": \" a \", \"input\": \"b\", \"variables\": {\"x\": \"y\"}, \"expected\": \"\", \"tags\": [\"t\"]}\r\n \r\n\
                {\"name\": \"\", \"input\": \"c\", \"checks\": [{\"type\": \"is-json\"}]}";
    let cases = import(FORMAT, text).unwrap();
    let first = TestCase { variables: variables([("x", "y")]), tags: vec!["t".into()], ..case("a", "b") };
    assert_eq!(cases, [first, TestCase { checks: vec![Check::IsJson {}], ..case("Case 2", "c") }]);
}

#[test]
fn what_is_not_json_is_pointed_at() {
    assert_refused(
        FORMAT,
        "{\"name\": \"a\", \"input\": \"b\"}\n\n{\"name\": \"é\" \"input\"}",
        3,
        14,
        &["expected `,` or `}`", "{\"name\": \"Refund\""],
    );
    assert_refused(FORMAT, "{\"name\": ", 1, 9, &["EOF"]);
    assert_refused(FORMAT, "[\n", 1, None.or(Some(1)), &["A line is one test case"]);
    assert_refused(FORMAT, "{\"name\": \"a\"}", 1, 13, &["missing field `input`"]);
    assert_refused(FORMAT, "{\"name\": \"a\", \"inputs\": 5}", 1, 22, &["unknown field `inputs`", "`input`"]);
    assert_refused(FORMAT, "{\"name\": \"a\", \"input\": 5}", 1, 24, &["invalid type", "string"]);
}

#[test]
fn broken_rules_have_a_line() {
    let text = "{\"name\": \"a\", \"input\": \"b\"}\n\n{\"name\": \"a\", \"input\": \"c\"}";
    assert_refused(FORMAT, text, 3, None, &["on line 1 is called \"a\" already"]);
    assert_refused(FORMAT, "{\"name\": \"a\", \"input\": \"\"}", 1, None, &["The input is empty."]);
    let check = "{\"name\": \"a\", \"input\": \"b\", \"checks\": [{\"type\": \"regex\", \"value\": \"(\"}]}";
    assert_refused(FORMAT, check, 1, None, &["Check 1"]);
}
