//! Reading test cases from files: all of a file, or nothing.

mod csv;
mod csv_places;
mod json_lines;
mod promptfoo;
mod promptfoo_cells;
mod promptfoo_checks;
mod yaml;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

pub(super) use json_lines::filled_lines;

use super::{CaseFormat, FieldProblem, MAX_CASES, TestCase, quoted, validate::too_many_cases};

/// Names of variables that stand for what the user says where a file has no place of its own for it, the likeliest first.
const INPUT_NAMES: [&str; 5] = ["input", "question", "message", "query", "prompt"];

/// Where a file cannot be read, and why. Nothing was taken from it then; who shows this says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportProblem {
    /// The line, counted from 1.
    pub line: usize,
    /// The character of the line, counted from 1, where it is known.
    pub column: Option<usize>,
    /// Full sentences: what is wrong there, and what would be right.
    pub message: String,
}

impl ImportProblem {
    pub(super) fn new(line: usize, column: impl Into<Option<usize>>, message: impl Into<String>) -> Self {
        Self { line, column: column.into(), message: message.into() }
    }

    /// What the JSON parser says about a line, with `expected` as the way forward.
    pub(super) fn of_json(line: usize, text: &str, error: &serde_json::Error, expected: &str) -> Self {
        // The parser counts bytes, people count characters. It points at the byte it stopped at, or behind the last one.
        let byte = error.column().saturating_sub(1);
        let column = text.char_indices().take_while(|(at, _)| *at < byte).count() + 1;
        let place = format!(" at line {} column {}", error.line(), error.column());
        let said = error.to_string();
        let said = said.strip_suffix(&place).unwrap_or(&said);
        Self::new(line, column, format!("The line cannot be read: {}. {expected}", shortened(said)))
    }
}

impl fmt::Display for ImportProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "Line {}, column {column}: {}", self.line, self.message),
            None => write!(f, "Line {}: {}", self.line, self.message),
        }
    }
}

impl std::error::Error for ImportProblem {}

/// Reads test cases. What is returned is valid, each case and all together; a byte order mark and CR LF are no trouble.
///
/// - **CSV**: a header row names the columns. `name`, `input`, `expected`, `tags` (between commas), `checks` (one a line within
///   the cell, as in the form) and `variables` (a JSON object) are what they say; `var:NAME`, and any other name, is the
///   variable of this name, and an empty cell there means that the case does not have it. `__expected` is read as promptfoo
///   does: a plain text must be the answer, `contains: text` is that check.
/// - **JSON Lines**: one [`TestCase`] a line; blank lines are skipped.
/// - **promptfoo**: the `tests` of a configuration, or such a list alone, with `defaultTest`. Of a test, `description` is the
///   name, `vars` are the variables, `assert` are the checks, and `metadata.tags` are the tags; everything else is ignored.
///   `similar` means edit similarity here, where promptfoo compares embeddings.
///
/// Where a file has no place for the input (a CSV without this column, and promptfoo), it is the value of the first variable
/// of `input`, `question`, `message`, `query` and `prompt` that there is; it stays a variable too. A case without a name is
/// called `Case N` by its place.
///
/// # Errors
/// The first line that cannot be read or breaks a rule; or that there is no case at all.
pub fn import(format: CaseFormat, text: &str) -> Result<Vec<TestCase>, ImportProblem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let cases = match format {
        CaseFormat::Csv => csv::read(text),
        CaseFormat::JsonLines => json_lines::read(text),
        CaseFormat::Promptfoo => promptfoo::read(text),
    }?;
    if cases.is_empty() {
        return Err(ImportProblem::new(1, None, "There are no test cases in the file. Choose one that has some."));
    }
    Ok(cases)
}

/// What a parser says, short enough for a message: it may quote what it met, all of it.
fn shortened(said: &str) -> String {
    const SHOWN: usize = 300;
    let mut shown: String = said.chars().take(SHOWN).collect();
    if said.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// The cases of a file so far.
#[derive(Debug, Default)]
struct Collected {
    cases: Vec<TestCase>,
    /// On which line a name was given.
    names: HashMap<String, usize>,
}

impl Collected {
    /// Adds a case that begins on `line`, unless it breaks a rule.
    fn add(&mut self, line: usize, mut case: TestCase) -> Result<(), FieldProblem> {
        if self.cases.len() == MAX_CASES {
            return Err(too_many_cases());
        }
        case.name = match case.name.trim() {
            "" => format!("Case {}", self.cases.len() + 1),
            name => name.to_owned(),
        };
        case.expected = case.expected.filter(|expected| !expected.trim().is_empty());
        if let Err(problems) = case.validate() {
            // The first one is enough: a file is corrected and read again.
            return Err(problems
                .into_iter()
                .next()
                .unwrap_or_else(|| FieldProblem::new("cases", "The case is not valid.")));
        }
        if let Some(first) = self.names.insert(case.name.clone(), line) {
            let message = format!(
                "The case on line {first} is called {} already. Give each case a name of its own: results are told apart by it.",
                quoted(&case.name)
            );
            return Err(FieldProblem::new("name", message));
        }
        self.cases.push(case);
        Ok(())
    }
}

/// The input of a case that only has variables.
fn input_among(variables: &BTreeMap<String, String>) -> Option<&String> {
    INPUT_NAMES.iter().find_map(|name| variables.get(*name))
}

/// Tags between commas.
pub(super) fn tags_of(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}
