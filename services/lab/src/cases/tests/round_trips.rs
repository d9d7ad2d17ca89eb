//! What is written is read back as it was.

use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use serde_json::{Value, json};

use super::*;

/// Texts with everything that has a meaning in one of the formats.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ,;:'\"\\\\{}\\[\\]#&*!|>%@`=+?~<\r\n\t-]{0,20}",
        "(?s).{0,12}",
        "[\u{1}-\u{1f}\u{7f}-\u{a0}\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}\u{10ffff}a \"]{0,8}",
        prop::sample::select(vec![
            "null",
            "~",
            "true",
            "no",
            "0012",
            "1.10",
            "0x1F",
            "1e3",
            ".inf",
            "2024-01-01",
            "- a",
            "a: b",
            "---",
            "...",
            "# a",
            "{{input}}",
            "=1+1",
            "\"",
            "\"\"",
            "\"a\"",
            "contains: a",
            " a ",
            "\n",
            "<<",
        ])
        .prop_map(str::to_owned),
    ]
    .prop_map(|text| text.replace('\0', "0"))
}

fn filled_text() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.trim().is_empty() { format!("x{text}") } else { text })
}

fn value() -> impl Strategy<Value = String> {
    text().prop_map(|text| if text.starts_with("file://") { String::new() } else { text })
}

fn schema() -> impl Strategy<Value = Value> {
    (filled_text(), vec(filled_text(), 0..3), any::<i32>(), -1.0e3..1.0e3, any::<bool>()).prop_map(
        |(description, values, minimum, maximum, extra)| {
            json!({
                "description": description, "enum": values, "minimum": minimum, "maximum": maximum,
                "properties": {"a": {"type": "string"}}, "additionalProperties": extra, "default": null,
            })
        },
    )
}

/// A check; those that compare with the expected answer only where there is one.
fn check(has_expected: bool) -> impl Strategy<Value = Check> {
    let own = move |text: String| if has_expected && text.len().is_multiple_of(2) { None } else { Some(text) };
    let share = (0_u32..=1_000).prop_map(|share| f64::from(share) / 1_000.0);
    let amount = (1_u32..1_000_000).prop_map(|amount| f64::from(amount) / 1_000.0);
    prop_oneof![
        filled_text().prop_map(move |text| Check::Equals { value: own(text) }),
        filled_text().prop_map(|value| Check::Contains { value }),
        filled_text().prop_map(|value| Check::Icontains { value }),
        filled_text().prop_map(|value| Check::NotContains { value }),
        filled_text().prop_map(|value| Check::StartsWith { value }),
        "[a-z]{1,5}( |\\\\d|[.]|\n)[a-z\"]{0,5}".prop_map(|value| Check::Regex { value }),
        Just(Check::IsJson {}),
        schema().prop_map(|value| Check::JsonSchema { value }),
        (filled_text(), share.clone())
            .prop_map(move |(text, threshold)| Check::Similar { value: own(text), threshold }),
        (1_u32..1_000_000).prop_map(|threshold| Check::MaxLength { threshold }),
        amount.clone().prop_map(|threshold| Check::Latency { threshold }),
        amount.prop_map(|threshold| Check::Cost { threshold }),
        (filled_text(), option::of(share)).prop_map(|(value, threshold)| Check::LlmRubric { value, threshold }),
    ]
}

fn test_case() -> impl Strategy<Value = TestCase> {
    let names = vec!["input", "question", "a", "_b", "name", "C3", "__expected", "variables"];
    let variables = (subsequence(names, 0..5), vec(value(), 5))
        .prop_map(|(names, values)| names.into_iter().map(str::to_owned).zip(values).collect::<BTreeMap<_, _>>());
    let tags = vec("[a-z\"é#:]( ?[a-z'-]){0,5}", 0..3);
    let expected = option::of(filled_text());
    (filled_text(), variables, expected, tags).prop_flat_map(|(input, variables, expected, tags)| {
        vec(check(expected.is_some()), 0..4).prop_map(move |checks| TestCase {
            input: input.clone(),
            variables: variables.clone(),
            expected: expected.clone(),
            tags: tags.clone(),
            checks,
            ..case("", "")
        })
    })
}

/// Valid cases with names of their own.
pub(super) fn cases() -> impl Strategy<Value = Vec<TestCase>> {
    vec((test_case(), "[a-z,:\"'#é\\[{=-]( {0,2}[a-z,:\"'#-]){0,6}"), 1..4).prop_map(|cases| {
        let named =
            |(number, (case, name)): (usize, (TestCase, String))| TestCase { name: format!("{name}{number}"), ..case };
        let cases: Vec<TestCase> = cases.into_iter().enumerate().map(named).collect();
        for case in &cases {
            assert_eq!(case.validate(), Ok(()), "{case:?}");
        }
        cases
    })
}

proptest! {
    #[test]
    fn cases_are_read_back(cases in cases()) {
        for format in CaseFormat::ALL {
            let text = export(format, &cases);
            prop_assert_eq!(import(format, &text).map_err(|problem| format!("{problem}\n{text}")), Ok(cases.clone()), "{}", format);
        }
    }

    #[test]
    fn an_export_does_not_mind_crlf(cases in cases()) {
        // What a mail or a spreadsheet does to line breaks must not change what a line is.
        let count = cases.len();
        let text = export(CaseFormat::JsonLines, &cases).replace('\n', "\r\n");
        prop_assert_eq!(import(CaseFormat::JsonLines, &text), Ok(cases.clone()));
        let text = export(CaseFormat::Csv, &cases).replace('\n', "\r\n");
        prop_assert_eq!(import(CaseFormat::Csv, &text).map(|cases| cases.len()), Ok(count));
    }

    #[test]
    fn nothing_makes_an_import_panic(text in "[a-z,:\"'\\n\\r{}\\[\\]&*-]{0,80}") {
        for format in CaseFormat::ALL {
            if let Ok(cases) = import(format, &text) {
                prop_assert!(cases.iter().all(|case| case.validate().is_ok()));
                prop_assert_eq!(validate_set(&cases), Ok(()));
            }
        }
        let _ = read_outputs(&text, &[]);
    }
}
