//! What an agent needs of a registry: its prompt. In the server's process it comes from the loading service, elsewhere from the
//! client of the REST API, and an agent cannot tell which.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::{AgentType, Version};

/// A future that a trait object can give. What is in memory comes without a box around it.
pub enum LoadFuture<'a> {
    /// It is there. None once it was taken.
    Ready(Option<Result<ActivePrompt, LoadError>>),
    /// It has to be waited for.
    Waiting(Pin<Box<dyn Future<Output = Result<ActivePrompt, LoadError>> + Send + 'a>>),
}

impl<'a> LoadFuture<'a> {
    /// What is there already.
    pub fn ready(loaded: Result<ActivePrompt, LoadError>) -> Self {
        Self::Ready(Some(loaded))
    }

    /// What has to be waited for.
    pub fn waiting(load: impl Future<Output = Result<ActivePrompt, LoadError>> + Send + 'a) -> Self {
        Self::Waiting(Box::pin(load))
    }
}

impl Future for LoadFuture<'_> {
    type Output = Result<ActivePrompt, LoadError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            // A future that has ended is not polled again.
            Self::Ready(loaded) => loaded.take().map_or(Poll::Pending, Poll::Ready),
            Self::Waiting(load) => load.as_mut().poll(context),
        }
    }
}

/// Something that knows which prompt is live.
pub trait PromptLoader: fmt::Debug + Send + Sync {
    /// The active prompt of an agent.
    ///
    /// # Errors
    /// See [`LoadErrorKind`].
    fn load<'a>(&'a self, agent_type: &'a AgentType) -> LoadFuture<'a>;
}

/// An active prompt: its text, version and digest, which always belong together. A clone costs a few pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivePrompt {
    /// Whose it is.
    pub agent_type: AgentType,
    /// Its number.
    pub version: Version,
    /// The text, word for word.
    pub text: Arc<str>,
    /// SHA-256 of the text's UTF-8 bytes, in lower-case hexadecimal.
    pub sha256: Arc<str>,
    /// Where the answer comes from.
    pub source: PromptSource,
    /// When this process was last told, by the registry or by the fallback file, that this is the active one.
    pub confirmed: Instant,
    /// How long ago the registry had said so then; zero unless it comes from a file, or from a registry that was away itself.
    pub age_before: Duration,
}

impl ActivePrompt {
    /// How long ago the registry last said that this is the active one.
    pub fn age(&self) -> Duration {
        self.confirmed.elapsed() + self.age_before
    }
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromptSource {
    /// The registry was asked for this answer.
    Fresh,
    /// From memory, and nothing speaks against it.
    Cache,
    /// From memory, because the registry could not be asked: it was the active one when it last answered.
    Stale,
    /// From the fallback file of an earlier process, because the registry could not be asked.
    File,
}

impl PromptSource {
    /// A stable name, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Cache => "cache",
            Self::Stale => "stale",
            Self::File => "file",
        }
    }
}

impl fmt::Display for PromptSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no prompt. The message is fit for a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoadError {
    /// What kind of failure it is.
    pub kind: LoadErrorKind,
    /// What happened, and what to do.
    pub message: String,
    /// The prompt that was live when the registry last answered, where that is known but too old to be served.
    pub last_known: Option<Box<ActivePrompt>>,
}

impl LoadError {
    /// A failure without anything to fall back on.
    pub fn new(kind: LoadErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), last_known: None }
    }
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoadErrorKind {
    /// There is no such agent, or nothing was promoted for it yet.
    NothingActive,
    /// The registry could not be asked, and the agent was never known here.
    Unavailable,
    /// The registry could not be asked for longer than the caller allows; see [`LoadError::last_known`].
    TooStale,
    /// The registry answered with something that is no prompt, or failed inside.
    Fault,
}
