//! What can go wrong with a call.

use std::{fmt, time::Duration};

/// A call that gave no answer.
///
/// The message is fit for a user: a sentence, with the way forward where there is one. It has no key, no credentials of
/// an address, and of what the provider wrote at most 300 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct ModelError {
    /// What kind of failure it is.
    pub kind: ModelErrorKind,
    /// What went wrong.
    pub message: String,
    /// How long the provider asks to be left alone. Longer than [`LONGEST_RETRY_AFTER`](crate::LONGEST_RETRY_AFTER) nothing waits.
    pub retry_after: Option<Duration>,
    /// Whether a part of the answer had come.
    pub after_text: bool,
}

impl ModelError {
    /// A failure.
    pub fn new(kind: ModelErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, after_text: false }
    }

    /// The same, after a part of the answer.
    #[must_use]
    pub fn after_text(self) -> Self {
        Self { after_text: true, ..self }
    }

    /// Whether the provider may bill for it: it had begun to answer, or may well have done.
    pub fn may_cost(&self) -> bool {
        use ModelErrorKind::{Broken, Timeout, TooLong};
        self.after_text || matches!(self.kind, Timeout | Broken | TooLong)
    }

    /// The same, with what the provider said about when to come back.
    #[must_use]
    pub fn with_retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }
}

/// What kind of failure it is: whether it is tried again follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModelErrorKind {
    /// Too many requests (429).
    RateLimited,
    /// The provider failed (5xx).
    Overloaded,
    /// No whole answer within the time that was allowed.
    Timeout,
    /// No connection.
    Unreachable,
    /// The key is missing, wrong, or not allowed to do this (401, 403).
    Unauthorized,
    /// The provider has no such model (404).
    UnknownModel,
    /// The provider does not take the request (any other 4xx), or has no credit left for it.
    Refused,
    /// The answer was cut off, malformed or not UTF-8.
    Broken,
    /// The answer is longer than [`MAX_ANSWER_BYTES`](crate::MAX_ANSWER_BYTES).
    TooLong,
    /// What this provider needs is not set.
    NotConfigured,
}

impl ModelErrorKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::RateLimited,
        Self::Overloaded,
        Self::Timeout,
        Self::Unreachable,
        Self::Unauthorized,
        Self::UnknownModel,
        Self::Refused,
        Self::Broken,
        Self::TooLong,
        Self::NotConfigured,
    ];

    /// A stable name, for programs and for the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Unauthorized => "unauthorized",
            Self::UnknownModel => "unknown_model",
            Self::Refused => "refused",
            Self::Broken => "broken",
            Self::TooLong => "too_long",
            Self::NotConfigured => "not_configured",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether the same request may well succeed in a moment: 429, 5xx and time-outs. An answer that is broken is a result, and
    /// was paid for; an address where nobody is stays so for the next thousand calls.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::RateLimited | Self::Overloaded | Self::Timeout)
    }
}

impl fmt::Display for ModelErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names_of_their_own() {
        for kind in ModelErrorKind::ALL {
            assert_eq!(ModelErrorKind::from_name(kind.as_str()), Some(kind));
        }
        assert_eq!(ModelErrorKind::from_name("RateLimited"), None);
    }

    #[test]
    fn what_cannot_change_is_not_tried_again() {
        let transient: Vec<_> = ModelErrorKind::ALL.into_iter().filter(|kind| kind.is_transient()).collect();
        use ModelErrorKind::{Overloaded, RateLimited, Timeout};
        assert_eq!(transient, [RateLimited, Overloaded, Timeout]);
    }

    #[test]
    fn what_the_provider_worked_for_may_cost() {
        let may_cost = |kind| ModelError::new(kind, "It failed.").may_cost();
        let costly: Vec<_> = ModelErrorKind::ALL.into_iter().filter(|kind| may_cost(*kind)).collect();
        use ModelErrorKind::{Broken, Overloaded, Timeout, TooLong};
        assert_eq!(costly, [Timeout, Broken, TooLong]);
        assert!(ModelError::new(Overloaded, "It broke off.").after_text().may_cost());
    }
}
