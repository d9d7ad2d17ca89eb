//! What is said about input that breaks a rule.

/// Input that breaks a rule: which field, which rule, and how to put it right.
///
/// The message is a full sentence fit for a user; the code is stable, for programs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidInput {
    /// The field as the REST API and the forms call it.
    pub field: &'static str,
    /// A stable identifier of the rule, such as `invalid_version`.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
}

impl InvalidInput {
    /// A broken rule of `field`.
    pub fn new(field: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { field, code, message: message.into() }
    }

    /// The same rule, broken in another field: a version is also what `base_version` holds.
    #[must_use]
    pub fn in_field(self, field: &'static str) -> Self {
        Self { field, ..self }
    }
}

/// The start of `text`, short enough to be quoted in a message, with control characters made visible.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("{shown:?}")
}
