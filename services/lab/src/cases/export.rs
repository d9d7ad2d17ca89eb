//! Writing test cases as files.

use std::{collections::BTreeMap, collections::BTreeSet, fmt::Write as _};

use csv::WriterBuilder;
use serde_json::{Map, Value, json};

use super::{CaseFormat, TestCase};
use crate::checks::{Check, checks_to_lines};

/// How many variables have columns of their own; the others share one. Without a limit, a set whose cases have nothing in common
/// would become a table of millions of empty cells.
const MAX_COLUMNS: usize = 100;

/// The `metric` of a promptfoo check whose text is the expected answer of the case.
pub(super) const EXPECTED_ANSWER: &str = "expected answer";

/// Writes test cases, so that [`import`](super::import()) reads the same ones back.
///
/// - **CSV**: cells are what the cases hold. One that begins with `=`, `+`, `-` or `@` is not altered, though a spreadsheet may
///   take it for a formula: what is changed on the way out would come back changed. Whoever opens a file of somebody else's
///   cases in a spreadsheet imports its columns as text.
/// - **JSON Lines**: one [`TestCase`] a line.
/// - **promptfoo**: a configuration with `tests`, each of them JSON, which is YAML. What promptfoo has no place for is under
///   `metadata.verbatim`, which also says that `vars.input` is the input and not a variable (unless the input stands there
///   too). The length of an answer is checked by a line of JavaScript. A variable or a value that begins with `file://` is a
///   file to promptfoo, and is refused when it is read back.
pub fn export(format: CaseFormat, cases: &[TestCase]) -> String {
    match format {
        CaseFormat::Csv => csv(cases),
        CaseFormat::JsonLines => lines(cases.iter().map(|case| json!(case))),
        CaseFormat::Promptfoo if cases.is_empty() => "tests: []\n".into(),
        CaseFormat::Promptfoo => {
            let tests = lines(cases.iter().map(promptfoo_test));
            tests.lines().fold("tests:\n".to_owned(), |mut text, test| {
                text.push_str("- ");
                escape_for_yaml(test, &mut text);
                text.push('\n');
                text
            })
        }
    }
}

fn lines(values: impl Iterator<Item = Value>) -> String {
    values.fold(String::new(), |mut text, value| {
        text.push_str(&value.to_string());
        text.push('\n');
        text
    })
}

fn csv(cases: &[TestCase]) -> String {
    let names: BTreeSet<&String> = cases.iter().flat_map(|case| case.variables.keys()).collect();
    let columns: Vec<&String> = names.into_iter().take(MAX_COLUMNS).collect();
    // An empty cell is a variable that a case does not have; one that it has, and that is empty, is written among the others.
    let has_column = |name: &String, value: &String| !value.is_empty() && columns.binary_search(&name).is_ok();
    let others = |case: &TestCase| -> BTreeMap<String, String> {
        case.variables
            .iter()
            .filter(|(name, value)| !has_column(name, value))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect()
    };
    let has_others = cases.iter().any(|case| case.variables.iter().any(|(name, value)| !has_column(name, value)));

    let mut header: Vec<String> = ["name", "input", "expected", "tags", "checks"].map(str::to_owned).into();
    header.extend(columns.iter().map(|name| format!("var:{name}")));
    header.extend(has_others.then(|| "variables".to_owned()));
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    let mut write = |row: &[String]| {
        // Nothing that is written to memory fails, and all rows have the columns of the header.
        debug_assert_eq!(row.len(), header.len());
        let _ = writer.write_record(row);
    };
    write(&header);
    for case in cases {
        let mut row = vec![
            case.name.clone(),
            case.input.clone(),
            case.expected.clone().unwrap_or_default(),
            case.tags.join(", "),
            checks_to_lines(&case.checks),
        ];
        row.extend(columns.iter().map(|name| case.variables.get(*name).cloned().unwrap_or_default()));
        if has_others {
            let others = others(case);
            row.push(if others.is_empty() { String::new() } else { json!(others).to_string() });
        }
        write(&row);
    }
    // Every cell was a text, so the table is one.
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn promptfoo_test(case: &TestCase) -> Value {
    let mut variables = case.variables.clone();
    let mut ours = Map::new();
    if variables.contains_key("input") {
        ours.insert("input".into(), case.input.clone().into());
    } else {
        variables.insert("input".into(), case.input.clone());
    }
    if let Some(expected) = &case.expected {
        ours.insert("expected".into(), expected.clone().into());
    }
    let mut metadata = Map::new();
    if !case.tags.is_empty() {
        metadata.insert("tags".into(), json!(case.tags));
    }
    metadata.insert("verbatim".into(), ours.into());
    let mut test = Map::new();
    test.insert("description".into(), case.name.clone().into());
    test.insert("vars".into(), json!(variables));
    if !case.checks.is_empty() {
        test.insert(
            "assert".into(),
            case.checks.iter().map(|check| assertion(check, case.expected.as_deref())).collect(),
        );
    }
    test.insert("metadata".into(), metadata.into());
    test.into()
}

fn assertion(check: &Check, expected: Option<&str>) -> Value {
    match check {
        Check::Equals { value: None } => json!({"type": "equals", "value": expected, "metric": EXPECTED_ANSWER}),
        Check::Similar { value: None, threshold } => {
            json!({"type": "similar", "value": expected, "threshold": threshold, "metric": EXPECTED_ANSWER})
        }
        Check::JsonSchema { value } => json!({"type": "is-json", "value": value}),
        // Spread, a text becomes its characters; its own length counts some of them twice.
        Check::MaxLength { threshold } => {
            json!({"type": "javascript", "value": format!("[...output].length <= {threshold}")})
        }
        Check::Contains { .. }
        | Check::Icontains { .. }
        | Check::NotContains { .. }
        | Check::StartsWith { .. }
        | Check::Regex { .. }
        | Check::Equals { value: Some(_) }
        | Check::Similar { value: Some(_), .. }
        | Check::IsJson {}
        | Check::Latency { .. }
        | Check::Cost { .. }
        | Check::LlmRubric { .. } => json!(check),
    }
}

/// JSON is YAML, but for characters that YAML wants escaped and JSON does not. They only stand within its texts.
fn escape_for_yaml(json: &str, yaml: &mut String) {
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                // Writing to a String does not fail.
                let _ = write!(yaml, "\\u{:04x}", u32::from(c));
            }
            c => yaml.push(c),
        }
    }
}
