//! An active prompt as it was read, and as it is handed out.

use std::{
    any::Any,
    sync::{Arc, OnceLock, atomic::Ordering},
    time::{Duration, Instant},
};

use super::counts::Slot;
use crate::{ActivePrompt, PromptContent, PromptSource};

/// An active prompt as it was read.
#[derive(Debug)]
pub(super) struct CachedPrompt {
    pub content: PromptContent,
    pub loaded_at: Instant,
    /// Until when it is served; without it, as long as the cache keeps it.
    pub expires_at: Option<Instant>,
    /// The generation of the agent in which it was read.
    pub generation: u64,
    /// How often the agent itself had been dropped by then.
    pub told: u64,
    pub slot: Arc<Slot>,
    derived: OnceLock<Box<dyn Any + Send + Sync>>,
    /// What agents in this process hold on to.
    shared: OnceLock<SharedPrompt>,
}

/// A prompt in a form that outlives the cache. It is made for the first agent that asks.
#[derive(Debug)]
struct SharedPrompt {
    text: Arc<str>,
    sha256: Arc<str>,
}

impl CachedPrompt {
    /// Something that was read now.
    pub fn new(
        content: PromptContent,
        slot: Arc<Slot>,
        [generation, told]: [u64; 2],
        expires_at: Option<Instant>,
    ) -> Self {
        Self {
            content,
            loaded_at: Instant::now(),
            expires_at,
            generation,
            told,
            slot,
            derived: OnceLock::new(),
            shared: OnceLock::new(),
        }
    }

    /// Whether it may be served without asking the database.
    pub fn is_current(&self) -> bool {
        self.generation == self.slot.generation.load(Ordering::Acquire)
            && self.expires_at.is_none_or(|expires_at| Instant::now() < expires_at)
    }

    /// Whether something was said of this very agent since: it is not merely old, there is something newer.
    pub fn is_outdated(&self) -> bool {
        self.told != self.slot.told.load(Ordering::Acquire)
    }
}

/// An active prompt: its text, version and digest, which always belong together.
#[derive(Debug, Clone)]
pub struct LoadedPrompt {
    pub(super) cached: Arc<CachedPrompt>,
    pub(super) source: PromptSource,
}

impl LoadedPrompt {
    /// The version and its text.
    pub fn content(&self) -> &PromptContent {
        &self.cached.content
    }

    /// Whether the database could not be asked: this was the active version when it last answered.
    pub fn is_stale(&self) -> bool {
        self.source == PromptSource::Stale
    }

    /// Whether it comes from memory or was read for this answer.
    pub fn source(&self) -> PromptSource {
        self.source
    }

    /// The same for an agent, who may keep it.
    pub fn active(&self) -> ActivePrompt {
        let PromptContent { version, prompt_text } = &self.cached.content;
        let shared = self
            .cached
            .shared
            .get_or_init(|| SharedPrompt { text: prompt_text.as_str().into(), sha256: version.sha256.as_str().into() });
        ActivePrompt {
            agent_type: version.agent_type.clone(),
            version: version.version,
            text: shared.text.clone(),
            sha256: shared.sha256.clone(),
            source: self.source,
            confirmed: self.cached.loaded_at,
            age_before: Duration::ZERO,
        }
    }

    /// How long ago it was read.
    pub fn age(&self) -> Duration {
        self.cached.loaded_at.elapsed()
    }

    /// A value made from the content, once for each time that it was read: a serialised form, a parsed template. It
    /// lives as long as the cached prompt. A process attaches one type of value; another type is made anew each time.
    pub fn derived<T: Clone + Send + Sync + 'static>(&self, make: impl Fn(&PromptContent) -> T) -> T {
        let value = self.cached.derived.get_or_init(|| Box::new(make(&self.cached.content)));
        value.downcast_ref::<T>().cloned().unwrap_or_else(|| make(&self.cached.content))
    }
}
