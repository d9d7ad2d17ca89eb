//! What a language model is to the rest of Verbatim.

use std::{fmt::Debug, time::Duration};

use futures_util::{future::BoxFuture, stream::BoxStream};
use serde::{Deserialize, Serialize};

use crate::{ModelError, ModelName, ModelSettings, Provider};

/// Something that answers a prompt.
pub trait LanguageModel: Debug + Send + Sync {
    /// Asks. The request is sent when the stream is first polled, and given up when the stream is dropped.
    ///
    /// A whole answer is any number of [`Piece::Text`] and then one [`Piece::End`]. An error is the last item, and a
    /// stream that ends without either was cut off.
    fn stream(&self, request: &ModelRequest) -> BoxStream<'static, Result<Piece, ModelError>>;

    /// Which models can be asked now, one entry for each provider. It takes two seconds at most.
    fn catalogue(&self) -> BoxFuture<'_, Vec<ProviderState>>;
}

/// One question to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRequest {
    /// Who is asked.
    pub model: ModelName,
    /// The system prompt. When it is empty, none is sent.
    pub system: String,
    /// What the user says.
    pub user: String,
    /// How the model is asked.
    pub settings: ModelSettings,
    /// How long the whole call may take.
    pub timeout: Duration,
}

/// A part of an answer, as soon as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// More text.
    Text(String),
    /// The answer is whole.
    End(Ending),
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The tokens that the provider counted.
    pub usage: Usage,
    /// Why it stopped.
    pub stop: StopReason,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had said everything.
    Finished,
    /// The answer reached the most tokens: it is cut off there.
    Length,
    /// The provider's filter stopped it.
    Filtered,
    /// Another reason, or none was given.
    Other,
}

impl StopReason {
    /// A stable name, for programs and for the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Length => "length",
            Self::Filtered => "filtered",
            Self::Other => "other",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Finished, Self::Length, Self::Filtered, Self::Other].into_iter().find(|reason| reason.as_str() == name)
    }
}

/// The tokens of a call as the provider counted them, if it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: Option<u32>,
    /// Tokens of the answer, with those that a model spends on reasoning.
    pub output_tokens: Option<u32>,
}

/// Whether a provider can be asked, and which of its models are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderState {
    /// The provider.
    pub provider: Provider,
    /// Full names (`provider::name`) to choose from. Others may well work: a provider has more than are listed.
    pub models: Vec<String>,
    /// Whether it can be asked.
    pub state: Reachability,
}

/// Whether a provider can be asked. The texts are fit for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reachability {
    /// It can be asked.
    Reachable,
    /// Something has to be set first.
    NotConfigured {
        /// What to set, and to what.
        how: String,
    },
    /// It is set, but does not answer.
    Unreachable {
        /// What happened, and what to look at.
        why: String,
    },
}
