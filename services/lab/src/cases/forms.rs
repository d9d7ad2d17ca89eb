//! A test case as the page's form has it: texts, one to a field.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FieldProblem, TestCase, import::tags_of, quoted};
use crate::checks::{checks_from_lines, checks_to_lines};

/// What the form sends, and what it is filled with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaseForm {
    /// The name; white space around it is dropped.
    pub name: String,
    /// What the user says.
    pub input: String,
    /// One `name: value` a line. White space around the value is dropped; a value with line breaks, or one that begins with a
    /// quote, is a JSON string in quotes.
    pub variables: String,
    /// A good answer; blank when none is known.
    pub expected: String,
    /// Tags between commas.
    pub tags: String,
    /// One check a line, as [`checks_from_lines`] reads them.
    pub checks: String,
}

impl CaseForm {
    /// The case, if every field is as it should be. Line breaks become LF: browsers send all of them as CR LF.
    ///
    /// # Errors
    /// Everything that is wrong, with the number of the line where a field has several.
    pub fn parse(&self) -> Result<TestCase, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let variables = variables_of(&unix(&self.variables), &mut problems);
        let checks = checks_from_lines(&unix(&self.checks)).unwrap_or_else(|wrong| {
            let say = |line: usize, message: &str| FieldProblem::new("checks", format!("Line {line}: {message}"));
            problems.extend(wrong.iter().map(|problem| say(problem.line, &problem.message)));
            Vec::new()
        });
        let case = TestCase {
            name: self.name.trim().to_owned(),
            input: unix(&self.input),
            variables,
            expected: Some(unix(&self.expected)).filter(|expected| !expected.trim().is_empty()),
            tags: tags_of(&self.tags),
            checks,
        };
        if let Err(broken) = case.validate() {
            problems.extend(broken);
        }
        if problems.is_empty() { Ok(case) } else { Err(problems) }
    }

    /// The form, filled with a case.
    pub fn of(case: &TestCase) -> Self {
        Self {
            name: case.name.clone(),
            input: case.input.clone(),
            variables: case.variables.iter().map(|(name, value)| format!("{name}: {}\n", written(value))).collect(),
            expected: case.expected.clone().unwrap_or_default(),
            tags: case.tags.join(", "),
            checks: checks_to_lines(&case.checks),
        }
    }
}

/// A text with LF for every CR LF.
fn unix(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// A value as it is written on a line.
fn written(value: &str) -> String {
    let is_plain = value.trim() == value && !value.starts_with('"') && !value.contains(char::is_control);
    if is_plain { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

fn variables_of(lines: &str, problems: &mut Vec<FieldProblem>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (number, line) in (1..).zip(lines.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let mut say =
            |message: String| problems.push(FieldProblem::new("variables", format!("Line {number}: {message}")));
        let Some((name, value)) = line.split_once(':') else {
            say(format!("{} has no colon. Write `name: value`.", quoted(line.trim())));
            continue;
        };
        match read_value(value.trim()) {
            Ok(value) => {
                if variables.insert(name.trim().to_owned(), value).is_some() {
                    say(format!("The variable {} has a value already. Keep one of them.", quoted(name.trim())));
                }
            }
            Err(message) => say(message),
        }
    }
    variables
}

fn read_value(value: &str) -> Result<String, String> {
    if !value.starts_with('"') {
        return Ok(value.to_owned());
    }
    serde_json::from_str(value).map_err(|_| {
        format!(
            "A value that begins with a quote is a JSON string and ends with one. To have quotes in the value, write {}.",
            serde_json::Value::from(value)
        )
    })
}
