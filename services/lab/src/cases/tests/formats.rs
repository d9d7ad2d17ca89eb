use super::*;

#[test]
fn names_are_read_back() {
    for format in CaseFormat::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
        assert_eq!(CaseFormat::guess(Some(&format!("a.b.{}", format.extension().to_uppercase())), ""), format);
        assert!(format.media_type().contains('/'));
    }
    let error = "xml".parse::<CaseFormat>().unwrap_err();
    assert_eq!(error.to_string(), "\"xml\" is not a format of test cases. Use csv, json-lines or promptfoo.");
}

#[test]
fn a_format_is_seen_by_the_text() {
    let guess = |text| CaseFormat::guess(None, text);
    assert_eq!(guess("name,input\na,b"), CaseFormat::Csv);
    assert_eq!(guess("\u{feff}\"name\",\"input\"\r\n"), CaseFormat::Csv);
    assert_eq!(guess("input: a,b"), CaseFormat::Csv);
    assert_eq!(guess(""), CaseFormat::Csv);
    assert_eq!(guess("\n{\"name\": \"a\", \"input\": \"b\"}\r\n{"), CaseFormat::JsonLines);
    for yaml in [
        "tests:\n",
        "# Cases\ntests:",
        "- vars:",
        "-\n  vars:",
        "---\ntests: []",
        "[\n{}]",
        "{\n\"tests\": []}",
        "description: a",
    ] {
        assert_eq!(guess(yaml), CaseFormat::Promptfoo, "{yaml:?}");
    }
    assert_eq!(CaseFormat::guess(Some("tests.txt"), "- vars:"), CaseFormat::Promptfoo);
    assert_eq!(CaseFormat::guess(Some("tests.json"), "{\n\"tests\": []}"), CaseFormat::Promptfoo);
    assert_eq!(CaseFormat::guess(Some("csv"), "- vars:"), CaseFormat::Promptfoo);
}

#[test]
fn exports_are_guessed_right() {
    let cases = [TestCase { variables: variables([("input", "x")]), ..case("a: b", "c") }];
    for format in CaseFormat::ALL {
        assert_eq!(CaseFormat::guess(None, &export(format, &cases)), format);
    }
}

#[test]
fn a_problem_says_where() {
    let problem = ImportProblem { line: 3, column: Some(7), message: "No. Yes.".into() };
    assert_eq!(problem.to_string(), "Line 3, column 7: No. Yes.");
    assert_eq!(ImportProblem { column: None, ..problem }.to_string(), "Line 3: No. Yes.");
}

#[test]
fn a_file_without_cases_is_refused() {
    for (format, texts) in [
        (CaseFormat::Csv, &["", "\u{feff}", "\r\n\r\n", "name,input", "name,input\n,\n"][..]),
        (CaseFormat::JsonLines, &["", "\n \r\n"]),
        (CaseFormat::Promptfoo, &["tests: []", "[]"]),
    ] {
        for text in texts {
            assert_refused(format, text, 1, None, &["no test cases"]);
        }
    }
}
