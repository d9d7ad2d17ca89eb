//! Agents, which answer with the prompt that is live ([`Agent`]), and the calls that they make.
//!
//! Calling language models: one trait ([`LanguageModel`]), one implementation over many providers ([`Models`]), what a
//! call costs ([`Prices`]), and when it is tried again ([`complete_with_retries`]).
//!
//! A model is named `provider::name`, such as `openai::gpt-4o-mini` or `ollama::llama3.2` ([`ModelName`]). What a
//! provider needs comes from the usual environment variables ([`ModelsSettings::from_env`]).
//!
//! Keys stay in here: they are [`Secret`]s, and no error, no `Debug` output and no log line of this crate has one.

mod agent;
mod calls;
mod completion;
mod error;
mod model;
mod models;
mod name;
mod prices;
mod reading;
mod recorder;
mod reply;
mod retries;
mod secret;
mod settings;

pub use agent::{Agent, AgentError, AgentLimits, AgentRuntime, Question, UsedPrompt};
pub use calls::{CallOutcome, CallRecord, CallSink, NoCallSink};
pub use completion::{Answer, MAX_ANSWER_BYTES, complete};
pub use error::{ModelError, ModelErrorKind};
pub use model::{Ending, LanguageModel, ModelRequest, Piece, ProviderState, Reachability, StopReason, Usage};
pub use models::{Models, ModelsSettings, install_tls};
pub use name::{InvalidModelName, ModelName, Provider};
pub use prices::{Price, Prices, PricesError, estimate_tokens};
pub use recorder::{CallRecorder, RecorderCounters};
pub use reply::Reply;
pub use retries::{LONGEST_RETRY_AFTER, Retries, Tried, complete_with_retries};
pub use secret::Secret;
pub use settings::{InvalidSetting, ModelSettings};
