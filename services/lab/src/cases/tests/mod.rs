//! The tests of test cases: the rules, each kind of file with everything it refuses, and that what is written is read back.

mod csv;
mod formats;
mod forms;
mod hostile;
mod json_lines;
mod outputs;
mod promptfoo;
mod promptfoo_checks;
mod round_trips;
mod rules;

use std::collections::BTreeMap;

use super::*;

/// A case with a name, an input, and nothing else.
fn case(name: &str, input: &str) -> TestCase {
    TestCase {
        name: name.into(),
        input: input.into(),
        variables: BTreeMap::new(),
        expected: None,
        tags: Vec::new(),
        checks: Vec::new(),
    }
}

fn variables<const N: usize>(entries: [(&str, &str); N]) -> BTreeMap<String, String> {
    entries.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The line and the column at which a file is refused, and whether the message says all of this.
#[track_caller]
fn assert_refused(format: CaseFormat, text: &str, line: usize, column: impl Into<Option<usize>>, says: &[&str]) {
    let problem = import(format, text).unwrap_err();
    assert_eq!((problem.line, problem.column), (line, column.into()), "{problem}");
    for said in says {
        assert!(problem.message.contains(said), "{problem}");
    }
}
