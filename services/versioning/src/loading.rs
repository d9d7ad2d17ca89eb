//! [`PromptLoadingService`]: what agents read, from memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use moka::future::Cache;

use crate::{
    AgentType, ErrorKind, LoadError, LoadErrorKind, LoadFuture, PromptLoader, PromptSource, PromptStore, Version,
    VersioningError,
};

mod contact;
mod counts;
mod flight;
mod prompt;
mod read;

pub use counts::{AgentCacheStats, CacheCounts, CacheStats, LoadingCounters};
pub use prompt::LoadedPrompt;

use contact::Contact;
use counts::{Counters, Slot};
use flight::{Flights, LoadFailure, Missing};
use prompt::CachedPrompt;

/// How the cache behaves.
#[derive(Debug, Clone, Copy)]
pub struct LoadingSettings {
    /// How long an answer is served without asking the database: the safety net, should a notification be missed.
    pub time_to_live: Duration,
    /// The same while this node is to hear of promotions and does not, because the connection that listens was lost.
    pub deaf_time_to_live: Duration,
    /// How long it is remembered that an agent has no active version.
    pub missing_time_to_live: Duration,
    /// How long the database is left alone after it could not be reached, at most; until then the last known values are
    /// served.
    pub retry_after_failure: Duration,
    /// How long a read may take. Whoever waits for it has nothing else to go by.
    pub read_limit: Duration,
    /// The same for a read that finds out whether the database is back. Nobody waits for it who knows something.
    pub probe_limit: Duration,
    /// How long a caller waits for a read when the last known value could be told instead.
    pub patience: Duration,
    /// The same when this node knows that there is something newer than that.
    pub patience_for_news: Duration,
    /// How many bytes of prompts are kept.
    pub max_bytes: u64,
}

impl Default for LoadingSettings {
    fn default() -> Self {
        Self {
            time_to_live: Duration::from_secs(5 * 60),
            deaf_time_to_live: Duration::from_secs(1),
            missing_time_to_live: Duration::from_secs(2),
            retry_after_failure: Duration::from_millis(500),
            read_limit: Duration::from_secs(2),
            probe_limit: Duration::from_secs(1),
            patience: Duration::from_millis(250),
            patience_for_news: Duration::from_secs(1),
            max_bytes: 256 * 1024 * 1024,
        }
    }
}

/// Serves active prompts from an in-process cache: 5 minutes, per agent, with one read at most on its way for an agent.
///
/// A promotion is heard from the database (see [`crate::listen`]) and drops the entry at once. When the database is
/// away, the last known value is served at once and marked stale, while one read at a time looks whether it is back.
///
/// What keeps an old text from outliving a promotion: every agent has a *generation* that each invalidation raises, and
/// an answer carries the generation it was read in. A read that began before the promotion may finish after it, but its
/// answer is of an older generation and is never served from the cache.
#[derive(Debug)]
pub struct PromptLoadingService(Arc<Parts>);

/// What the service and the reads behind it share.
#[derive(Debug)]
struct Parts {
    store: PromptStore,
    settings: LoadingSettings,
    /// What may be served.
    fresh: Cache<AgentType, Arc<CachedPrompt>>,
    /// What was read last, for when the database is away. Shares its texts with `fresh`. Reads of an agent follow each
    /// other, so it never goes back to an older version.
    last_known: Cache<AgentType, Arc<CachedPrompt>>,
    /// What the database does not have, and the generation of all agents in which that was found.
    missing: Cache<AgentType, (u64, Missing)>,
    /// One for each agent that was ever found; agents are never removed, so this is as small as the registry.
    slots: RwLock<HashMap<AgentType, Arc<Slot>>>,
    /// Raised by every invalidation of any agent.
    generation_of_all: AtomicU64,
    flights: Arc<Flights>,
    contact: Contact,
    counters: Counters,
}

impl PromptLoadingService {
    /// A service with an empty cache.
    pub fn new(store: PromptStore, settings: LoadingSettings) -> Self {
        let by_size = || {
            Cache::builder().max_capacity(settings.max_bytes).weigher(|_: &AgentType, prompt: &Arc<CachedPrompt>| {
                // The text stands three times at most: as it is, in a derived form, and shared with agents.
                u32::try_from(prompt.content.prompt_text.len() * 3 + 512).unwrap_or(u32::MAX)
            })
        };
        Self(Arc::new(Parts {
            store,
            settings,
            fresh: by_size().time_to_live(settings.time_to_live).build(),
            last_known: by_size().build(),
            missing: Cache::builder().max_capacity(10_000).time_to_live(settings.missing_time_to_live).build(),
            slots: RwLock::default(),
            generation_of_all: AtomicU64::new(0),
            flights: Arc::default(),
            contact: Contact::default(),
            counters: Counters::default(),
        }))
    }

    /// The active prompt of an agent.
    ///
    /// # Errors
    /// There is no such agent, or nothing is active for it; or the database is away and the agent was never known to
    /// this process.
    pub async fn get_active_prompt(&self, agent_type: &AgentType) -> Result<LoadedPrompt, VersioningError> {
        if let Some(hit) = self.hit(agent_type) {
            return Ok(hit);
        }
        // In a box of its own: who is answered from memory need not carry the room that a read takes.
        Box::pin(async {
            // While the cache tidies up, it could not be asked at once.
            match self.current(agent_type).await {
                Some(cached) => Ok(Self::counted(cached)),
                None => self.0.load(agent_type).await,
            }
        })
        .await
    }

    /// What is served from memory, if it may be, and if nothing has to be waited for.
    fn hit(&self, agent_type: &AgentType) -> Option<LoadedPrompt> {
        self.0.fresh.get(agent_type).now_or_never().flatten().filter(|cached| cached.is_current()).map(Self::counted)
    }

    /// Something that is served from memory.
    fn counted(cached: Arc<CachedPrompt>) -> LoadedPrompt {
        cached.slot.hits.fetch_add(1, Ordering::Relaxed);
        let version = &cached.content.version;
        tracing::debug!(agent_type = %version.agent_type, version = %version.version, "cache hit");
        LoadedPrompt { cached, source: PromptSource::Cache }
    }

    /// Forgets an agent's prompt, so that the next answer is read from the database. What was known stays in reserve
    /// for the case that the database is away. Tells whether anything was cached.
    pub async fn clear_cache(&self, agent_type: &AgentType) -> bool {
        let was_cached = self.current(agent_type).await.is_some();
        self.invalidate(agent_type).await;
        was_cached
    }

    /// What the cache holds and did.
    pub fn get_cache_stats(&self) -> CacheStats {
        let mut entries: Vec<_> = self
            .0
            .fresh
            .iter()
            .filter(|(_, cached)| cached.is_current())
            .map(|(agent_type, cached)| {
                let CacheCounts { hits, misses, stale } = cached.slot.counts();
                let version = cached.content.version.version;
                let age = cached.loaded_at.elapsed();
                AgentCacheStats { agent_type: agent_type.as_ref().clone(), version, age, hits, misses, stale }
            })
            .collect();
        entries.sort_by(|one, other| one.agent_type.cmp(&other.agent_type));
        CacheStats { time_to_live: self.0.settings.time_to_live, entries, counters: self.counters() }
    }

    /// What was counted for each agent that was ever found, in no order.
    pub fn counts_by_agent(&self) -> Vec<(AgentType, CacheCounts)> {
        let slots = self.0.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().map(|(agent_type, slot)| (agent_type.clone(), slot.counts())).collect()
    }

    /// The sums over all agents, without a look at the entries.
    pub fn counters(&self) -> LoadingCounters {
        let known: u64 = self
            .0
            .slots
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .map(|slot| slot.hits.load(Ordering::Relaxed))
            .sum();
        let counters = &self.0.counters;
        LoadingCounters {
            hits: known + counters.missing_hits.load(Ordering::Relaxed),
            misses: counters.misses.load(Ordering::Relaxed),
            stale: counters.stale.load(Ordering::Relaxed),
            invalidations: counters.invalidations.load(Ordering::Relaxed),
        }
    }

    /// Whether this node hears of promotions. While it does not, entries are served for a second only.
    pub fn is_listening(&self) -> bool {
        self.0.contact.hears()
    }

    /// Whether the replica answers; none if there is no replica. What it would say is asked of the database otherwise.
    pub async fn replica_answers(&self) -> Option<bool> {
        self.0.store.replica_answers().await
    }

    /// The agent's prompt is not to be served again without asking the database.
    pub(crate) async fn invalidate(&self, agent_type: &AgentType) {
        self.0.generation_of_all.fetch_add(1, Ordering::AcqRel);
        if let Some(slot) = self.0.find_slot(agent_type) {
            slot.told.fetch_add(1, Ordering::AcqRel);
            slot.generation.fetch_add(1, Ordering::AcqRel);
        }
        if self.0.fresh.remove(agent_type).await.is_some() {
            self.0.counters.invalidations.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The database took a write: it is asked again at once, even if a read failed just before.
    pub(crate) fn database_answered(&self) {
        self.0.contact.works();
    }

    /// A notification: `version` of the agent is live. What is cached may be that already.
    pub(crate) async fn learn_of_promotion(&self, agent_type: &AgentType, version: Version) {
        let cached = self.current(agent_type).await;
        if cached.is_none_or(|cached| cached.content.version.version < version) {
            self.invalidate(agent_type).await;
        }
    }

    /// Notifications may have been missed: nothing is to be served again without asking the database.
    pub(crate) fn invalidate_all(&self) {
        self.0.generation_of_all.fetch_add(1, Ordering::AcqRel);
        let slots = self.0.slots.read().unwrap_or_else(PoisonError::into_inner);
        for slot in slots.values() {
            slot.generation.fetch_add(1, Ordering::AcqRel);
        }
        self.0.counters.invalidations.fetch_add(self.0.fresh.entry_count(), Ordering::Relaxed);
        self.0.fresh.invalidate_all();
    }

    /// From now on this node hears of promotions. Of those before, nobody told.
    pub(crate) fn begin_to_hear(&self) {
        self.0.contact.begin_to_hear();
        self.invalidate_all();
    }

    /// This node does not hear of promotions any more, or not yet.
    pub(crate) fn lose_hearing(&self) {
        // In this order: what is read from here on lives shortly, and what was read before is dropped.
        self.0.contact.lose_hearing();
        self.invalidate_all();
    }

    /// The entry that would be served now.
    async fn current(&self, agent_type: &AgentType) -> Option<Arc<CachedPrompt>> {
        self.0.fresh.get(agent_type).await.filter(|cached| cached.is_current())
    }
}

impl PromptLoader for PromptLoadingService {
    fn load<'a>(&'a self, agent_type: &'a AgentType) -> LoadFuture<'a> {
        if let Some(hit) = self.hit(agent_type) {
            return LoadFuture::ready(Ok(hit.active()));
        }
        LoadFuture::waiting(async move {
            let loaded = self.get_active_prompt(agent_type).await.map_err(|error| {
                let kind = match error.kind() {
                    ErrorKind::NotFound => LoadErrorKind::NothingActive,
                    ErrorKind::Unavailable => LoadErrorKind::Unavailable,
                    ErrorKind::Conflict | ErrorKind::Invalid | ErrorKind::Internal => LoadErrorKind::Fault,
                };
                LoadError::new(kind, error.to_string())
            })?;
            Ok(loaded.active())
        })
    }
}
