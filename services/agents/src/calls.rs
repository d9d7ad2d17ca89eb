//! What is recorded of a call, and where it goes.

use std::{fmt::Debug, time::Duration};

use chrono::{DateTime, Utc};
use versioning::{AgentType, Version};

use crate::{ModelErrorKind, ModelName, Price};

/// Where calls are recorded. It never waits: a call is not to take longer for being counted.
pub trait CallSink: Debug + Send + Sync {
    /// Takes the record of a call that has ended.
    fn record(&self, call: CallRecord);
}

/// Records nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCallSink;

impl CallSink for NoCallSink {
    fn record(&self, _: CallRecord) {}
}

/// A call that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// Whose prompt it was.
    pub agent_type: AgentType,
    /// Which version.
    pub version: Version,
    /// The model, as `provider::name`.
    pub model: String,
    /// What came of it.
    pub outcome: CallOutcome,
    /// How long it took, whatever came of it.
    pub latency: Duration,
    /// How long the first text took; none when there was none.
    pub time_to_first_token: Option<Duration>,
    /// Tokens sent, if the provider counted them.
    pub input_tokens: Option<u32>,
    /// Tokens answered, if the provider counted them.
    pub output_tokens: Option<u32>,
    /// US dollars, if the price is known.
    pub cost_usd: Option<f64>,
    /// When it ended.
    pub at: DateTime<Utc>,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// A whole answer.
    Answered,
    /// None, and why.
    Failed(ModelErrorKind),
    /// Whoever asked went away.
    Cancelled,
}

impl CallOutcome {
    /// Why there was no answer, as a stable name; none when there was one.
    pub fn error_kind(self) -> Option<&'static str> {
        match self {
            Self::Answered => None,
            Self::Failed(kind) => Some(kind.as_str()),
            Self::Cancelled => Some("cancelled"),
        }
    }
}

/// What a record is about, known before the call.
#[derive(Debug, Clone)]
pub(crate) struct CallSubject {
    pub agent_type: AgentType,
    pub version: Option<Version>,
    pub model: ModelName,
    pub price: Option<Price>,
}
