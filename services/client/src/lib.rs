//! For agents outside the server: the active prompts of a registry, from memory.
//!
//! [`PromptClient`] keeps what an agent asked for, hears of promotions over a stream of server-sent events, and goes on with what it
//! knows when the registry or the network does not: marked [`Stale`](versioning::PromptSource::Stale), or
//! [`File`](versioning::PromptSource::File) after a cold start. It is a [`PromptLoader`](versioning::PromptLoader) like the one in
//! the server's own process.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use client::{ClientSettings, PromptClient};
//! use versioning::PromptLoader;
//!
//! let settings = ClientSettings { fallback_file: Some("prompts.json".into()), ..ClientSettings::new("http://127.0.0.1:3000") };
//! let prompts = PromptClient::new(settings)?;
//! let prompt = prompts.load(&"backend_dev".parse()?).await?;
//! println!("{} ({}): {}", prompt.version, prompt.source, prompt.text);
//! # Ok(())
//! # }
//! ```
//!
//! What it promises:
//! - a prompt that is known is answered from memory: no request is waited for, whatever the network does;
//! - one request at most is under way for an agent, and no lock is held meanwhile;
//! - an older version never follows a newer one;
//! - a promotion is heard of at once while a stream of events is open. While none is, a prompt counts as known for a second, or
//!   `time_to_live` if that is less; after that it is served as stale, and the registry is asked behind it. A network that goes mute
//!   is noticed after [`ClientSettings::silence`]; until then its prompts count as known;
//! - no answer is older than [`ClientSettings::max_staleness`] without the caller being told
//!   ([`LoadErrorKind::TooStale`](versioning::LoadErrorKind::TooStale), with what was known last).

mod client;
mod entry;
mod events;
mod file;
mod follow;
mod registry;

use std::{path::PathBuf, time::Duration};

pub use client::PromptClient;
pub use events::{EventLines, ServerEvent};

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Where the registry is, as `http://host:port`.
    pub registry: String,
    /// How long a prompt is served without asking whether it still is the active one, while a stream of events tells of promotions at
    /// once. Without a stream it is a second at most.
    pub time_to_live: Duration,
    /// How old an answer may be, from when the registry last said that it is the active one. Beyond, the caller gets an error that
    /// carries it.
    pub max_staleness: Duration,
    /// Where prompts are kept for a start without a registry.
    pub fallback_file: Option<PathBuf>,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How long the registry is left alone after it could not be reached.
    pub retry_after_failure: Duration,
    /// How long the stream of events may be silent before the network counts as mute. Without it, two and a half times as long as
    /// the registry says that it is ever silent: 12.5 seconds, unless the registry is set otherwise.
    pub silence: Option<Duration>,
}

impl ClientSettings {
    /// Settings for a registry: five minutes to live, an hour of staleness, no file.
    pub fn new(registry: impl Into<String>) -> Self {
        Self {
            registry: registry.into(),
            time_to_live: Duration::from_secs(5 * 60),
            max_staleness: Duration::from_secs(60 * 60),
            fallback_file: None,
            request_timeout: Duration::from_secs(5),
            retry_after_failure: Duration::from_millis(500),
            silence: None,
        }
    }
}

/// Settings that cannot be used. The message is fit for a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(pub(crate) String);
