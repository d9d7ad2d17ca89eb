//! What versions are compared by.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use versioning::InvalidInput;

use crate::statistics::Better;

/// What versions are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The share of answers that pass all checks of their case.
    PassRate,
    /// The mean score of an answer's checks, from 0 to 1.
    Score,
    /// How often the pairwise judge prefers an answer, a verdict that flips with the order being a tie.
    Preference,
    /// How often people who do not know the versions prefer an answer.
    Votes,
    /// Milliseconds to the whole answer.
    Latency,
    /// Milliseconds to the first token.
    FirstToken,
    /// Tokens of the answer.
    OutputTokens,
    /// US dollars of the call.
    Cost,
}

impl Metric {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::PassRate,
        Self::Score,
        Self::Preference,
        Self::Votes,
        Self::Latency,
        Self::FirstToken,
        Self::OutputTokens,
        Self::Cost,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PassRate => "pass_rate",
            Self::Score => "score",
            Self::Preference => "preference",
            Self::Votes => "votes",
            Self::Latency => "latency",
            Self::FirstToken => "first_token",
            Self::OutputTokens => "output_tokens",
            Self::Cost => "cost",
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::PassRate => "pass rate",
            Self::Score => "score",
            Self::Preference => "judge's preference",
            Self::Votes => "votes",
            Self::Latency => "latency",
            Self::FirstToken => "time to first token",
            Self::OutputTokens => "output tokens",
            Self::Cost => "cost",
        }
    }

    /// Which values are better.
    pub fn better(self) -> Better {
        match self {
            Self::PassRate | Self::Score | Self::Preference | Self::Votes => Better::Higher,
            Self::Latency | Self::FirstToken | Self::OutputTokens | Self::Cost => Better::Lower,
        }
    }

    /// A difference between two values, a margin or a noise floor, for people. Between shares it is in percentage points: `12.5
    /// points`.
    pub fn difference_in_words(self, value: f64) -> String {
        match self {
            Self::PassRate | Self::Preference | Self::Votes => format!("{:.1} points", value * 100.0),
            _ => self.in_words(value),
        }
    }

    /// A value of this metric, for people: `12.5 %`, `340 ms`, `$0.0021`.
    pub fn in_words(self, value: f64) -> String {
        let places = |value: f64| if value.abs() < 10.0 { 1 } else { 0 };
        match self {
            Self::PassRate | Self::Preference | Self::Votes => format!("{:.1} %", value * 100.0),
            Self::Score => format!("{value:.3}"),
            Self::Latency | Self::FirstToken => format!("{value:.0$} ms", places(value)),
            Self::OutputTokens => format!("{value:.0$} tokens", places(value)),
            Self::Cost => format!("${value:.6}"),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Metric {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|metric| metric.as_str()).collect();
            InvalidInput::new(
                "primary",
                "unknown_metric",
                format!("{text:?} is not a metric. Choose one of {}.", names.join(", ")),
            )
        })
    }
}
