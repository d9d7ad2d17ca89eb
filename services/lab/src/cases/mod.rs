//! Test cases: what both versions are asked.
//!
//! A case comes from a form ([`CaseForm`]), a file ([`import()`]) or the REST API; whichever it was, it is kept only when
//! [`TestCase::validate`] has nothing to say. [`export()`] writes files that [`import()`] reads back as they were.

mod export;
mod format;
mod forms;
mod import;
mod outputs;
mod validate;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::checks::Check;

pub use export::export;
pub use format::{CaseFormat, UnknownCaseFormat};
pub use forms::CaseForm;
pub use import::{ImportProblem, import};
pub use outputs::{OutsideOutput, read_outputs};
pub use validate::{FieldProblem, MAX_CASES, SetProblem, validate_set};

/// A test case: an input, and what is known of a good answer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    /// What people call it: 1 to 200 characters on one line, not the name of another case of the set.
    pub name: String,
    /// What the user says: the message after the system prompt.
    pub input: String,
    /// The values of the prompt's variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// A good answer, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What its answers are checked for. Without any, every answer passes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

/// The start of a text, short enough to be quoted in a message, with control characters made visible.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// The number as people write it: 1,000,000.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
