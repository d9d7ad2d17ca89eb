use super::*;
use crate::Side;

fn cases() -> [TestCase; 2] {
    [case("Refund", "a"), case("Order", "b")]
}

#[track_caller]
fn assert_refused(text: &str, line: usize, column: impl Into<Option<usize>>, says: &[&str]) {
    let problem = read_outputs(text, &cases()).unwrap_err();
    assert_eq!((problem.line, problem.column), (line, column.into()), "{problem}");
    for said in says {
        assert!(problem.message.contains(said), "{problem}");
    }
}

fn line(case: &str, side: &str, repeat: u32) -> String {
    format!("{{\"case\": {case:?}, \"side\": {side:?}, \"output\": \"x\", \"repeat\": {repeat}}}\n")
}

#[test]
fn answers_are_read() {
    let text = "\u{feff}{\"case\": \"Refund\", \"side\": \"a\", \"output\": \"\"}\r\n\r\n\
                {\"case\": \"Order\", \"side\": \"b\", \"output\": \"y\", \"repeat\": 1, \"latency_ms\": 1.5, \"time_to_first_token_ms\": 0, \
                \"input_tokens\": 3, \"output_tokens\": 4, \"cost_usd\": 0.001}\n"
        .to_owned()
        + &line("Order", "a", 1)
        + &line("Refund", "b", 1);
    let outputs = read_outputs(&text, &cases()).unwrap();
    let bare = |case: &str, side, output: &str| OutsideOutput {
        case: case.into(),
        side,
        output: output.into(),
        repeat: 1,
        latency_ms: None,
        time_to_first_token_ms: None,
        input_tokens: None,
        output_tokens: None,
        cost_usd: None,
    };
    let measured = OutsideOutput {
        latency_ms: Some(1.5),
        time_to_first_token_ms: Some(0.0),
        input_tokens: Some(3),
        output_tokens: Some(4),
        cost_usd: Some(0.001),
        ..bare("Order", Side::B, "y")
    };
    let expected = [bare("Refund", Side::A, ""), measured, bare("Order", Side::A, "x"), bare("Refund", Side::B, "x")];
    assert_eq!(outputs, expected);
}

#[test]
fn lines_are_refused_where_they_are_wrong() {
    assert_refused("", 1, None, &["no answers in the file", "\"side\": \"a\""]);
    assert_refused("\n{\"case\": \"Refund\"", 2, 17, &["EOF"]);
    assert_refused(
        "{\"case\": \"Refund\", \"side\": \"c\", \"output\": \"x\"}",
        1,
        30,
        &["unknown variant `c`", "`a`"],
    );
    assert_refused("{\"case\": \"Refund\", \"side\": \"a\"}", 1, 31, &["missing field `output`"]);
    let with = |field: &str| format!("{{\"case\": \"Refund\", \"side\": \"a\", \"output\": \"x\", {field}}}");
    assert_refused(&with("\"repeat\": 0"), 1, None, &["from 1 to 50"]);
    assert_refused(&with("\"repeat\": 51"), 1, None, &["from 1 to 50"]);
    assert_refused(&with("\"latency_ms\": -1"), 1, None, &["latency_ms is below 0"]);
    assert_refused(&with("\"cost_usd\": -0.1"), 1, None, &["cost_usd is below 0"]);
    assert_refused(&with("\"input_tokens\": -1"), 1, 65, &["u64"]);
    assert_refused(&with("\"cost\": 1"), 1, 53, &["unknown field `cost`", "`cost_usd`"]);
    assert_refused("{\"case\": \"Refund\", \"side\": \"a\", \"output\": \"\\u0000\"}", 1, None, &["NUL"]);
}

#[test]
fn unknown_cases_get_the_nearest_name() {
    assert_refused(&line("refunds", "a", 1), 1, None, &["no case \"refunds\"", "Did you mean \"Refund\"?"]);
    assert_refused(&line("Weather", "a", 1), 1, None, &["no case \"Weather\"", "its export lists them"]);
    assert_refused(&line(&"x".repeat(1_000_000), "a", 1), 1, None, &["its export lists them"]);
}

#[test]
fn duplicates_are_named() {
    let text = line("Refund", "a", 1) + &line("Refund", "b", 1) + &line("Refund", "a", 1);
    assert_refused(&text, 3, None, &["side a to \"Refund\", repeat 1,", "on line 1 already"]);
}

#[test]
fn missing_answers_are_named() {
    let refund = line("Refund", "a", 1) + &line("Refund", "b", 1);
    assert_refused(&refund, 2, None, &["\"Order\" has no answers in repeat 1 of 1"]);
    assert_refused(
        &(refund.clone() + &line("Order", "b", 1)),
        3,
        None,
        &["\"Order\" has an answer of side b and none of side a"],
    );
    let whole = refund + &line("Order", "b", 1) + &line("Order", "a", 1);
    assert!(read_outputs(&whole, &cases()).is_ok());
    assert_refused(&(whole.clone() + &line("Order", "a", 2)), 5, None, &["\"Refund\" has no answers in repeat 2 of 2"]);
    let text = line("Order", "a", 3) + &whole;
    assert_refused(&text, 5, None, &["\"Refund\" has no answers in repeat 2 of 3"]);
}
