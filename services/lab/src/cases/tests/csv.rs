use super::*;

const FORMAT: CaseFormat = CaseFormat::Csv;

fn contains(value: &str) -> Check {
    Check::Contains { value: value.into() }
}

fn equals(value: &str) -> Check {
    Check::Equals { value: Some(value.into()) }
}

#[test]
fn columns_are_what_they_are_called() {
    let text = "\u{feff}Name, Input ,EXPECTED,tags,checks,var:lang,tone,variables\r\n\
                a,\"say \"\"hi\"\",\r\nplease\",Hi,\"x, y,,\",\"is-json\r\ncontains: hi\",de,,\"{\"\"empty\"\": \"\"\"\"}\"\r\n\
                \r\n,b,,,,,formal,\r\n,,,,,,,\r\n";
    let cases = import(FORMAT, text).unwrap();
    let first = TestCase {
        expected: Some("Hi".into()),
        tags: vec!["x".into(), "y".into()],
        checks: vec![Check::IsJson {}, contains("hi")],
        variables: variables([("lang", "de"), ("empty", "")]),
        ..case("a", "say \"hi\",\r\nplease")
    };
    assert_eq!(cases, [first, TestCase { variables: variables([("tone", "formal")]), ..case("Case 2", "b") }]);
}

#[test]
fn a_question_is_an_input() {
    let cases = import(FORMAT, "prompt,question\nbe kind,why?\n").unwrap();
    assert_eq!(
        cases,
        [TestCase { variables: variables([("prompt", "be kind"), ("question", "why?")]), ..case("Case 1", "why?") }]
    );
}

#[test]
fn promptfoo_columns_are_checks() {
    let read = |cell: &str| {
        let text = format!("input,__expected\na,\"{}\"\n", cell.replace('"', "\"\""));
        import(FORMAT, &text).map(|mut cases| cases.remove(0).checks)
    };
    assert_eq!(read("Paris").unwrap(), [equals("Paris")]);
    assert_eq!(read("note: it is Paris").unwrap(), [equals("note: it is Paris")]);
    assert_eq!(read("two\nlines").unwrap(), [equals("two\nlines")]);
    assert_eq!(read("contains: Paris").unwrap(), [contains("Paris")]);
    assert_eq!(read("contains:Paris").unwrap(), [contains("Paris")]);
    assert_eq!(read("is-json").unwrap(), [Check::IsJson {}]);
    assert_eq!(read("similar(0.9): Paris").unwrap(), [Check::Similar { value: Some("Paris".into()), threshold: 0.9 }]);
    assert_eq!(read("latency(1000)").unwrap(), [Check::Latency { threshold: 1_000.0 }]);
    assert_eq!(read("").unwrap(), []);
    for other in [
        "contains-any: a, b",
        "javascript: output.length",
        "fn: true",
        "grade: is kind",
        "levenshtein(5): a",
        "not-equals: a",
    ] {
        let problem = read(other).unwrap_err();
        assert_eq!((problem.line, problem.column), (2, Some(3)), "{problem}");
        assert!(problem.message.contains("is not known here"), "{problem}");
    }
    let both = import(FORMAT, "input,checks,__expected1,__expected2\na,is-json,b,contains: c\n").unwrap();
    assert_eq!(both[0].checks, [Check::IsJson {}, equals("b"), contains("c")]);
}

#[test]
fn headers_are_refused_where_they_are_wrong() {
    assert_refused(FORMAT, "name,expected\na,b", 1, 1, &["call one of them input"]);
    assert_refused(FORMAT, "\n\"name\",input,order no\n", 2, 14, &["\"order no\"", "Rename the column"]);
    assert_refused(FORMAT, "name,input,é,Name\n", 1, 12, &["\"é\""]);
    assert_refused(FORMAT, "input,x,var:x\n", 1, 9, &["\"var:x\""]);
    assert_refused(FORMAT, "input,Input\n", 1, 7, &["\"Input\""]);
    assert_refused(FORMAT, "name;input\na;b\n", 1, 1, &["with commas"]);
    assert_refused(FORMAT, "name\tinput\na\tb\n", 1, 1, &["with commas"]);
    // A spreadsheet's empty columns are no trouble, until somebody writes there.
    assert_eq!(import(FORMAT, "input,,\na,,\n").unwrap(), [case("Case 1", "a")]);
    assert_refused(FORMAT, "input,,\na,,b\n", 2, 4, &["without a heading"]);
}

#[test]
fn rows_are_refused_where_they_are_wrong() {
    assert_refused(FORMAT, "name,input\r\na,b\r\n\r\nc\r\n", 4, 1, &["1 cell", "has 2"]);
    assert_refused(FORMAT, "name,input\n\"a\nb\",c\nd,e,f\n", 2, 1, &["control character"]);
    assert_refused(FORMAT, "name,input\na,\"x\ny\"\nd,e,f\n", 4, 1, &["3 cells"]);
    assert_refused(FORMAT, "name,input\na,\"b\n\nc,d\n", 2, 3, &["never closed"]);
    assert_refused(FORMAT, "name,input\né,\"b\" c\n", 2, 6, &["follows the quote"]);
    assert_refused(FORMAT, "name,input\ra,b\rc\r", 3, 1, &["1 cell"]);
    assert_eq!(import(FORMAT, "input\n5\" pipe\n").unwrap(), [case("Case 1", "5\" pipe")]);
}

#[test]
fn cells_are_refused_where_they_are_wrong() {
    assert_refused(FORMAT, "name,input\na,b\nc,\n", 3, 3, &["The input is empty"]);
    assert_refused(FORMAT, "name,input\na,b\n a ,c\n", 3, 1, &["on line 2 is called \"a\" already"]);
    let long = format!("input,tags\nb,{}\n", "x".repeat(51));
    assert_refused(FORMAT, &long, 2, 3, &["cannot be a tag"]);
    assert_refused(FORMAT, "input,checks\na,\"is-json\nnonsense\"\n", 3, None, &[]);
    assert_refused(FORMAT, "input,checks\na,nonsense\n", 2, 3, &[]);
    assert_refused(FORMAT, "input,checks\na,regex: (\n", 2, 3, &[]);
    assert_refused(FORMAT, "input,variables\na,{\n", 2, 3, &["JSON object"]);
    assert_refused(FORMAT, "input,variables\na,\"{\"\"1\"\": \"\"\"\"}\"\n", 2, 3, &["\"1\""]);
    assert_refused(FORMAT, "input,checks\na,equals\n", 2, 3, &["Write the expected answer"]);
}

#[test]
fn cells_are_not_altered_for_spreadsheets() {
    let cases =
        ["=1+1", "+1", "-1", "@a", "'=a", "\tb"].map(|input| case(&format!("n{input}").replace('\t', ""), input));
    let text = export(FORMAT, &cases);
    assert!(text.contains(",=1+1,"), "{text}");
    assert_eq!(import(FORMAT, &text).unwrap(), cases);
}

#[test]
fn cases_with_nothing_in_common_do_not_make_a_wide_table() {
    let cases: Vec<TestCase> = (0..200)
        .map(|number| TestCase {
            variables: (0..100).map(|variable| (format!("v{number}_{variable}"), "x".to_owned())).collect(),
            ..case(&number.to_string(), "a")
        })
        .collect();
    let text = export(FORMAT, &cases);
    assert_eq!(text.lines().next().unwrap().split(',').count(), 106);
    assert_eq!(import(FORMAT, &text).unwrap(), cases);
}
