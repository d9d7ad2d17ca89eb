//! The rules of test cases. They are checked when cases are saved, so that a run never meets a broken one.

use std::collections::{HashMap, hash_map::Entry};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use versioning::template;

use super::{TestCase, grouped, quoted};

/// How many cases a set has at most.
pub const MAX_CASES: usize = 5_000;

/// The longest name, in characters.
const MAX_NAME: usize = 200;
/// The longest input, and the longest expected answer, in bytes.
const MAX_TEXT: usize = 200_000;
/// How many variables a case has at most.
const MAX_VARIABLES: usize = 100;
/// The longest value of a variable, in bytes.
const MAX_VALUE: usize = 100_000;
/// How many tags a case has at most.
const MAX_TAGS: usize = 20;
/// The longest tag, in characters.
const MAX_TAG: usize = 50;
/// How many checks a case has at most.
const MAX_CHECKS: usize = 50;

/// A rule that a test case breaks: at which field, and the way forward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// `name`, `input`, `variables`, `expected`, `tags` or `checks`; `cases` where it is about how many there are.
    pub field: String,
    /// Full sentences: what is wrong, and what would be right.
    pub message: String,
}

impl FieldProblem {
    /// A problem of a field.
    pub fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into() }
    }
}

/// A rule that cases break together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetProblem {
    /// The case where it shows, counted from 0.
    pub case: usize,
    /// What is wrong there.
    pub problem: FieldProblem,
}

/// Checks what no case can break alone: there are at most [`MAX_CASES`], and no two have one name.
///
/// # Errors
/// The first case that is one too many, or that has the name of an earlier one.
pub fn validate_set(cases: &[TestCase]) -> Result<(), SetProblem> {
    if cases.len() > MAX_CASES {
        return Err(SetProblem { case: MAX_CASES, problem: too_many_cases() });
    }
    let mut names = HashMap::with_capacity(cases.len());
    for (place, case) in cases.iter().enumerate() {
        match names.entry(case.name.as_str()) {
            Entry::Vacant(free) => {
                free.insert(place);
            }
            Entry::Occupied(first) => {
                let message = format!(
                    "Case {} has the name {} already. Choose another: answers and results are told apart by it.",
                    first.get() + 1,
                    quoted(&case.name)
                );
                return Err(SetProblem { case: place, problem: FieldProblem::new("name", message) });
            }
        }
    }
    Ok(())
}

pub(super) fn too_many_cases() -> FieldProblem {
    let most = grouped(MAX_CASES);
    FieldProblem::new("cases", format!("A set has at most {most} cases. Put the others into a set of their own."))
}

impl TestCase {
    /// Checks the rules of a case, all of them.
    ///
    /// # Errors
    /// Every rule that it breaks, in the order of its fields.
    pub fn validate(&self) -> Result<(), Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let mut say = |field: &str, message: String| problems.push(FieldProblem::new(field, message));
        name_problem(&self.name).into_iter().for_each(|message| say("name", message));
        if self.input.is_empty() {
            say("input", "The input is empty. Write what the user says.".into());
        }
        text_problem("The input", &self.input, MAX_TEXT).into_iter().for_each(|message| say("input", message));
        self.variable_problems().into_iter().for_each(|message| say("variables", message));
        if let Some(expected) = &self.expected {
            if expected.trim().is_empty() {
                say("expected", "The expected answer is empty. Write one, or leave it out.".into());
            }
            text_problem("The expected answer", expected, MAX_TEXT)
                .into_iter()
                .for_each(|message| say("expected", message));
        }
        self.tag_problems().into_iter().for_each(|message| say("tags", message));
        self.check_problems().into_iter().for_each(|message| say("checks", message));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn variable_problems(&self) -> Vec<String> {
        if self.variables.len() > MAX_VARIABLES {
            let count = grouped(self.variables.len());
            return vec![format!("There are {count} variables; a case has at most {MAX_VARIABLES}. Leave some out.")];
        }
        let mut problems = Vec::new();
        for (name, value) in &self.variables {
            problems.extend(variable_name_problem(name));
            problems.extend(text_problem(&format!("The value of {}", quoted(name)), value, MAX_VALUE));
        }
        problems
    }

    fn tag_problems(&self) -> Vec<String> {
        if self.tags.len() > MAX_TAGS {
            return vec![format!("There are {} tags; a case has at most {MAX_TAGS}. Leave some out.", self.tags.len())];
        }
        self.tags.iter().filter(|tag| !is_tag(tag)).map(|tag| tag_problem(tag)).collect()
    }

    fn check_problems(&self) -> Vec<String> {
        if self.checks.len() > MAX_CHECKS {
            let count = grouped(self.checks.len());
            return vec![format!("There are {count} checks; a case has at most {MAX_CHECKS}. Leave some out.")];
        }
        let mut problems = Vec::new();
        for (place, check) in self.checks.iter().enumerate() {
            let number = place + 1;
            if let Err(invalid) = check.validate() {
                problems.push(format!("Check {number}: {}", invalid.message));
            } else if check.needs_expected() && self.expected.is_none() {
                problems.push(format!(
                    "Check {number} compares with the expected answer, and the case has none. Write the expected answer, or give the \
                     check a text of its own."
                ));
            } else if serde_json::to_value(check).is_ok_and(|value| holds_nul(&value)) {
                problems
                    .push(format!("Check {number} holds a NUL character (U+0000), which cannot be stored. Remove it."));
            }
        }
        problems
    }
}

fn name_problem(name: &str) -> Option<String> {
    // Line and paragraph separators break a line as well, though they are not control characters.
    let is_broken = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if name.trim().is_empty() {
        Some("The case has no name. Give it one, so that results can say which case they are about.".into())
    } else if name.chars().count() > MAX_NAME {
        Some(format!("The name is longer than {MAX_NAME} characters. Shorten it."))
    } else if name.contains(is_broken) {
        Some("The name holds a control character, such as a line break. Write it on one line.".into())
    } else if name.trim() != name {
        Some("The name begins or ends with white space. Remove it: two such names would look the same.".into())
    } else {
        None
    }
}

/// What is wrong with the name of a variable.
pub(super) fn variable_name_problem(name: &str) -> Option<String> {
    // Asking the template itself keeps one rule in one place.
    (template::variables(&format!("{{{{{name}}}}}")) != [name]).then(|| {
        format!(
            "{} cannot be the name of a variable. Use letters from a to z, digits and underscores, no digit first, at most 64.",
            quoted(name)
        )
    })
}

fn text_problem(what: &str, text: &str, most: usize) -> Option<String> {
    if text.len() > most {
        Some(format!("{what} has {} bytes; at most {} are kept. Shorten it.", grouped(text.len()), grouped(most)))
    } else if text.contains('\0') {
        Some(format!("{what} holds a NUL character (U+0000), which cannot be stored. Remove it."))
    } else {
        None
    }
}

fn is_tag(tag: &str) -> bool {
    !tag.is_empty()
        && tag.chars().count() <= MAX_TAG
        && tag.trim() == tag
        && !tag.contains(|c: char| c == ',' || c.is_control())
}

fn tag_problem(tag: &str) -> String {
    format!(
        "{} cannot be a tag. A tag has 1 to {MAX_TAG} characters on one line, no comma, and no white space around it.",
        quoted(tag)
    )
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
