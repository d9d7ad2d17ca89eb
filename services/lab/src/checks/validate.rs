//! Whether a check can be made at all: said when its case is saved.

use jsonschema::{PatternOptions, Validator};
use regex::{Regex, RegexBuilder};

use super::{
    Check,
    schema_work::{MAX_VISITS, ORDINARY_DEPTH, most_visits},
};

/// The longest text of a check, in characters.
const MAX_TEXT: usize = 20_000;

/// Memory that a regular expression may take, in bytes.
const MAX_EXPRESSION: usize = 1024 * 1024;

/// Why a check cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidCheck {
    /// `value` or `threshold`.
    pub field: &'static str,
    /// What is wrong, and the way forward.
    pub message: String,
}

impl Check {
    /// Checks the check.
    ///
    /// # Errors
    /// Its text is empty, too long, or no expression or schema; its threshold is none.
    pub fn validate(&self) -> Result<(), InvalidCheck> {
        let kind = self.kind();
        match self {
            Self::Contains { value }
            | Self::Icontains { value }
            | Self::NotContains { value }
            | Self::StartsWith { value } => text(kind, value),
            Self::Equals { value } => value.as_ref().map_or(Ok(()), |value| length(kind, value)),
            Self::Regex { value } => {
                text(kind, value)?;
                expression(value).map(|_| ())
            }
            Self::IsJson {} => Ok(()),
            Self::JsonSchema { value } => {
                length(kind, &value.to_string())?;
                schema(value).map(|_| ())
            }
            Self::Similar { value, threshold } => {
                share(kind, *threshold)?;
                value.as_ref().map_or(Ok(()), |value| text(kind, value))
            }
            Self::MaxLength { .. } => Ok(()),
            Self::Latency { threshold } => positive(kind, *threshold, "milliseconds, such as 2000"),
            Self::Cost { threshold } => positive(kind, *threshold, "US dollars, such as 0.01"),
            Self::LlmRubric { value, threshold } => {
                text(kind, value)?;
                threshold.map_or(Ok(()), |threshold| share(kind, threshold))
            }
        }
    }

    /// Whether it compares with the expected answer of its case, so that the case needs one.
    pub fn needs_expected(&self) -> bool {
        matches!(self, Self::Equals { value: None } | Self::Similar { value: None, .. })
    }
}

fn invalid<T>(field: &'static str, message: String) -> Result<T, InvalidCheck> {
    Err(InvalidCheck { field, message })
}

fn length(kind: &str, value: &str) -> Result<(), InvalidCheck> {
    if value.chars().nth(MAX_TEXT).is_some() {
        return invalid("value", format!("The text of {kind} has more than {MAX_TEXT} characters. Shorten it."));
    }
    if value.contains('\0') {
        return invalid("value", format!("The text of {kind} has a NUL character, which cannot be stored. Remove it."));
    }
    Ok(())
}

fn text(kind: &str, value: &str) -> Result<(), InvalidCheck> {
    if value.is_empty() {
        return invalid("value", format!("{kind} needs a text, such as {kind}: hello."));
    }
    length(kind, value)
}

fn share(kind: &str, threshold: f64) -> Result<(), InvalidCheck> {
    if (0.0..=1.0).contains(&threshold) {
        return Ok(());
    }
    invalid("threshold", format!("The threshold of {kind} is a number from 0 to 1, such as 0.8."))
}

fn positive(kind: &str, threshold: f64, unit: &str) -> Result<(), InvalidCheck> {
    if threshold > 0.0 && threshold.is_finite() {
        return Ok(());
    }
    invalid("threshold", format!("The threshold of {kind} is a number above 0, in {unit}."))
}

/// The expression of a check, compiled. It matches in linear time, whatever it is.
pub(super) fn expression(value: &str) -> Result<Regex, InvalidCheck> {
    RegexBuilder::new(value).size_limit(MAX_EXPRESSION).build().map_err(|error| {
        let message = match error {
            regex::Error::CompiledTooBig(_) => {
                "The regular expression takes too much memory. Repeat less, or shorter pieces.".into()
            }
            // What is said points at the place, over several lines.
            other => format!("The regular expression cannot be read. {other}"),
        };
        InvalidCheck { field: "value", message }
    })
}

/// The schema of a check, compiled. What it refers to has to be in it: nothing is fetched. Its work is bounded for answers that
/// nest as they usually do.
pub(super) fn schema(value: &serde_json::Value) -> Result<Validator, InvalidCheck> {
    let visits = most_visits(value, ORDINARY_DEPTH);
    if visits.is_some_and(|visits| visits > MAX_VISITS) {
        return too_much_work();
    }
    let validator = compiled(value)?;
    // What cannot be counted is not used, even if the library can.
    if visits.is_none() { too_much_work() } else { Ok(validator) }
}

fn too_much_work<T>() -> Result<T, InvalidCheck> {
    invalid(
        "value",
        format!(
            "The JSON schema cannot be used: it could look at one place of an answer more than {MAX_VISITS} times. Apply a \
             recursive schema to a place once only, and shorten chains of references that fork."
        ),
    )
}

fn compiled(value: &serde_json::Value) -> Result<Validator, InvalidCheck> {
    jsonschema::options().with_pattern_options(PatternOptions::regex().size_limit(MAX_EXPRESSION)).build(value).map_err(
        |error| InvalidCheck {
            field: "value",
            message: format!(
                "The JSON schema cannot be used: {error}{}. Correct it; what it refers to has to be in it.",
                match error.instance_path().to_string() {
                    path if path.is_empty() => String::new(),
                    path => format!(" (at {path})"),
                }
            ),
        },
    )
}
