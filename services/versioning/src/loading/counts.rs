//! What the cache holds and did. An answer from memory is a hit and every other one a miss, for one agent as for all: also a stale
//! answer, and a failure to get one.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{AgentType, Version};

/// What is counted over all agents.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub missing_hits: AtomicU64,
    pub misses: AtomicU64,
    pub stale: AtomicU64,
    pub invalidations: AtomicU64,
}

/// What is counted for one agent.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// Raised by whatever makes the cached prompt one that is not to be served.
    pub generation: AtomicU64,
    /// Raised when something is said of this agent: it was promoted, or its cache was cleared.
    pub told: AtomicU64,
    pub hits: AtomicU64,
    pub misses: AtomicU64,
    pub stale: AtomicU64,
}

impl Slot {
    /// What a read that begins now notes of [`Self::generation`] and [`Self::told`].
    pub fn generations(&self) -> [u64; 2] {
        [self.generation.load(Ordering::Acquire), self.told.load(Ordering::Acquire)]
    }

    pub fn counts(&self) -> CacheCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheCounts { hits: count(&self.hits), misses: count(&self.misses), stale: count(&self.stale) }
    }
}

/// What the cache holds and did, since this process started.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheStats {
    /// How long an entry is served.
    pub time_to_live: Duration,
    /// The agents that are cached, by name.
    pub entries: Vec<AgentCacheStats>,
    /// The sums over all agents.
    pub counters: LoadingCounters,
}

/// What was counted over all agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadingCounters {
    /// Answers from memory.
    pub hits: u64,
    /// All others: those that had to wait for the database, those that were stale, and failures to get one.
    pub misses: u64,
    /// The misses that were answered with the last known value, because the database was away.
    pub stale: u64,
    /// Entries dropped because of a promotion, by hand, or after the database had been away.
    pub invalidations: u64,
}

impl LoadingCounters {
    /// Hits among all answers, 0 to 1; none before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        rate(self.hits, self.hits + self.misses)
    }
}

/// An agent in the cache.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentCacheStats {
    /// The agent.
    pub agent_type: AgentType,
    /// The version that is served.
    pub version: Version,
    /// How long ago it was read.
    pub age: Duration,
    /// Answers from memory.
    pub hits: u64,
    /// All others, as in [`LoadingCounters::misses`].
    pub misses: u64,
    /// The misses that were answered with the last known value.
    pub stale: u64,
}

impl AgentCacheStats {
    /// Hits among all answers, 0 to 1; none before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        rate(self.hits, self.hits + self.misses)
    }
}

/// What the cache did for an agent since this process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheCounts {
    /// Answers from memory.
    pub hits: u64,
    /// All others, as in [`LoadingCounters::misses`].
    pub misses: u64,
    /// The misses that were answered with the last known value.
    pub stale: u64,
}

impl CacheCounts {
    /// Hits among all answers, 0 to 1; none before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        rate(self.hits, self.hits + self.misses)
    }
}

fn rate(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^52")]
    (whole > 0).then(|| part as f64 / whole as f64)
}
