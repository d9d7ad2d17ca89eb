//! [`PromptLoadingService`]: what agents read, from memory.

use std::{
    any::Any,
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use moka::future::Cache;

use crate::{
    ActivePrompt, AgentType, ErrorKind, LoadError, LoadErrorKind, LoadFuture, PromptContent, PromptLoader,
    PromptSource, PromptStore, Version, VersioningError,
};

/// How the cache behaves.
#[derive(Debug, Clone, Copy)]
pub struct LoadingSettings {
    /// How long an answer is served without asking the database: the safety net, should a notification be missed.
    pub time_to_live: Duration,
    /// How long it is remembered that an agent has no active version.
    pub missing_time_to_live: Duration,
    /// How long the database is left alone after it could not be reached; until then the last known values are served.
    pub retry_after_failure: Duration,
    /// How many bytes of prompts are kept.
    pub max_bytes: u64,
}

impl Default for LoadingSettings {
    fn default() -> Self {
        Self {
            time_to_live: Duration::from_secs(5 * 60),
            missing_time_to_live: Duration::from_secs(2),
            retry_after_failure: Duration::from_millis(500),
            max_bytes: 256 * 1024 * 1024,
        }
    }
}

/// Serves active prompts from an in-process cache: 5 minutes, per agent, with one read at most on its way for an agent.
///
/// A promotion is heard from the database (see [`crate::listen`]) and drops the entry at once. When the database is
/// away, the last known value is served and marked stale.
///
/// What keeps an old text from outliving a promotion: every agent has a *generation* that each invalidation raises, and
/// an answer carries the generation it was read in. A read that began before the promotion may finish after it, but its
/// answer is of an older generation and is never served from the cache.
#[derive(Debug)]
pub struct PromptLoadingService {
    store: PromptStore,
    settings: LoadingSettings,
    /// What may be served.
    fresh: Cache<AgentType, Arc<CachedPrompt>>,
    /// What was served last, for when the database is away. Shares its texts with `fresh`.
    last_known: Cache<AgentType, Arc<CachedPrompt>>,
    /// Agents without an active version, and the generation of all agents in which that was found.
    missing: Cache<AgentType, u64>,
    /// One for each agent that was ever found; agents are never removed, so this is as small as the registry.
    slots: RwLock<HashMap<AgentType, Arc<Slot>>>,
    /// Raised by every invalidation of any agent.
    generation_of_all: AtomicU64,
    /// Until when the database is left alone.
    quiet_until: Mutex<Option<Instant>>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    missing_hits: AtomicU64,
    misses: AtomicU64,
    stale: AtomicU64,
    invalidations: AtomicU64,
}

/// What is counted for one agent.
#[derive(Debug, Default)]
struct Slot {
    generation: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    stale: AtomicU64,
}

/// An active prompt as it was read.
#[derive(Debug)]
struct CachedPrompt {
    content: PromptContent,
    loaded_at: Instant,
    generation: u64,
    slot: Arc<Slot>,
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

/// An active prompt: its text, version and digest, which always belong together.
#[derive(Debug, Clone)]
pub struct LoadedPrompt {
    cached: Arc<CachedPrompt>,
    source: PromptSource,
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
            age: self.age(),
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
    /// Answers that had to wait for the database, and failures to get one.
    pub misses: u64,
    /// Answers with the last known value, because the database was away.
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
    /// Answers that had to wait for the database.
    pub misses: u64,
    /// Answers with the last known value.
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
    /// Answers that had to wait for the database.
    pub misses: u64,
    /// Answers with the last known value.
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

/// Why a read gave nothing: told to every caller that waited for it.
#[derive(Debug, Clone, Copy)]
enum LoadFailure {
    /// Nothing is active.
    Missing,
    /// The database is away, or was just now.
    Unavailable,
    /// Another fault; it was logged where it happened.
    Fault,
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
        Self {
            store,
            settings,
            fresh: by_size().time_to_live(settings.time_to_live).build(),
            last_known: by_size().build(),
            missing: Cache::builder().max_capacity(10_000).time_to_live(settings.missing_time_to_live).build(),
            slots: RwLock::default(),
            generation_of_all: AtomicU64::new(0),
            quiet_until: Mutex::new(None),
            counters: Counters::default(),
        }
    }

    /// The active prompt of an agent.
    ///
    /// # Errors
    /// Nothing is active for the agent (or there is no such agent); or the database is away and the agent was never
    /// known to this process.
    pub async fn get_active_prompt(&self, agent_type: &AgentType) -> Result<LoadedPrompt, VersioningError> {
        if let Some(cached) = self.fresh.get(agent_type).await
            && cached.generation == cached.slot.generation.load(Ordering::Acquire)
        {
            cached.slot.hits.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(agent_type = %agent_type, version = %cached.content.version.version, "cache hit");
            return Ok(LoadedPrompt { cached, source: PromptSource::Cache });
        }
        self.load(agent_type).await
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
            .fresh
            .iter()
            .filter(|(_, cached)| cached.is_current())
            .map(|(agent_type, cached)| AgentCacheStats {
                agent_type: agent_type.as_ref().clone(),
                version: cached.content.version.version,
                age: cached.loaded_at.elapsed(),
                hits: cached.slot.hits.load(Ordering::Relaxed),
                misses: cached.slot.misses.load(Ordering::Relaxed),
                stale: cached.slot.stale.load(Ordering::Relaxed),
            })
            .collect();
        entries.sort_by(|one, other| one.agent_type.cmp(&other.agent_type));
        CacheStats { time_to_live: self.settings.time_to_live, entries, counters: self.counters() }
    }

    /// What was counted for each agent that was ever found, in no order.
    pub fn counts_by_agent(&self) -> Vec<(AgentType, CacheCounts)> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots
            .iter()
            .map(|(agent_type, slot)| {
                let counts =
                    CacheCounts { hits: count(&slot.hits), misses: count(&slot.misses), stale: count(&slot.stale) };
                (agent_type.clone(), counts)
            })
            .collect()
    }

    /// The sums over all agents, without a look at the entries.
    pub fn counters(&self) -> LoadingCounters {
        let known: u64 = self
            .slots
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .map(|slot| slot.hits.load(Ordering::Relaxed))
            .sum();
        LoadingCounters {
            hits: known + self.counters.missing_hits.load(Ordering::Relaxed),
            misses: self.counters.misses.load(Ordering::Relaxed),
            stale: self.counters.stale.load(Ordering::Relaxed),
            invalidations: self.counters.invalidations.load(Ordering::Relaxed),
        }
    }

    /// The agent's prompt is not to be served again without asking the database.
    pub(crate) async fn invalidate(&self, agent_type: &AgentType) {
        self.generation_of_all.fetch_add(1, Ordering::AcqRel);
        if let Some(slot) = self.slots.read().unwrap_or_else(PoisonError::into_inner).get(agent_type) {
            slot.generation.fetch_add(1, Ordering::AcqRel);
        }
        if self.fresh.remove(agent_type).await.is_some() {
            self.counters.invalidations.fetch_add(1, Ordering::Relaxed);
        }
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
        self.generation_of_all.fetch_add(1, Ordering::AcqRel);
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        for slot in slots.values() {
            slot.generation.fetch_add(1, Ordering::AcqRel);
        }
        self.counters.invalidations.fetch_add(self.fresh.entry_count(), Ordering::Relaxed);
        self.fresh.invalidate_all();
    }

    /// The database answered: it need not be left alone any longer.
    pub(crate) fn database_is_back(&self) {
        *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The entry that would be served now.
    async fn current(&self, agent_type: &AgentType) -> Option<Arc<CachedPrompt>> {
        self.fresh.get(agent_type).await.filter(|cached| cached.is_current())
    }

    async fn load(&self, agent_type: &AgentType) -> Result<LoadedPrompt, VersioningError> {
        let generation_of_all = self.generation_of_all.load(Ordering::Acquire);
        if self.missing.get(agent_type).await == Some(generation_of_all) {
            self.counters.missing_hits.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(agent_type = %agent_type, "cache hit: no active version");
            return Err(VersioningError::NoActiveVersion { agent_type: agent_type.clone() });
        }
        self.counters.misses.fetch_add(1, Ordering::Relaxed);
        // A promotion while the read is under way makes its answer outdated; then it is read again. The bound is for an
        // agent that is promoted faster than it can be read.
        for _ in 0..8 {
            let read = self.fresh.entry_by_ref(agent_type).or_try_insert_with(self.read(agent_type)).await;
            match read.map(moka::Entry::into_value) {
                Ok(cached) if cached.is_current() => return Ok(missed(cached)),
                Ok(_) => self.fresh.invalidate(agent_type).await,
                Err(failure) => return self.recover(agent_type, generation_of_all, *failure).await,
            }
        }
        // An own read begins now, so its answer is at least as new as this call.
        match self.read(agent_type).await {
            Ok(cached) => Ok(missed(cached)),
            Err(failure) => self.recover(agent_type, generation_of_all, failure).await,
        }
    }

    /// Reads the row, once for all who wait for it.
    async fn read(&self, agent_type: &AgentType) -> Result<Arc<CachedPrompt>, LoadFailure> {
        if self.is_quiet() {
            return Err(LoadFailure::Unavailable);
        }
        // Before the row is read: what happens from here on makes the answer outdated.
        let generation_of_all = self.generation_of_all.load(Ordering::Acquire);
        let slot = self.slots.read().unwrap_or_else(PoisonError::into_inner).get(agent_type).cloned();
        let generation = slot.as_ref().map_or(0, |slot| slot.generation.load(Ordering::Acquire));
        match self.store.find_active(agent_type).await {
            Ok(Some(content)) => {
                self.database_is_back();
                let slot = slot.unwrap_or_else(|| self.slot(agent_type, generation_of_all));
                let cached = Arc::new(CachedPrompt {
                    content,
                    loaded_at: Instant::now(),
                    generation,
                    slot,
                    derived: OnceLock::new(),
                    shared: OnceLock::new(),
                });
                self.last_known.insert(agent_type.clone(), cached.clone()).await;
                Ok(cached)
            }
            Ok(None) => {
                self.database_is_back();
                Err(LoadFailure::Missing)
            }
            Err(error) => {
                tracing::warn!(
                    agent_type = %agent_type, error = &error as &dyn std::error::Error, "active prompt not read"
                );
                if error.kind() == ErrorKind::Unavailable {
                    let until = Instant::now() + self.settings.retry_after_failure;
                    *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
                    Err(LoadFailure::Unavailable)
                } else {
                    Err(LoadFailure::Fault)
                }
            }
        }
    }

    /// The slot of an agent that is found for the first time. If anything was invalidated since `generation_of_all`,
    /// it may have been this agent, which nobody could note: the slot then begins one generation ahead of the answer.
    fn slot(&self, agent_type: &AgentType, generation_of_all: u64) -> Arc<Slot> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(agent_type.clone()).or_default().clone();
        if self.generation_of_all.load(Ordering::Acquire) != generation_of_all {
            slot.generation.fetch_add(1, Ordering::AcqRel);
        }
        slot
    }

    /// What is answered when nothing could be read.
    async fn recover(
        &self,
        agent_type: &AgentType,
        generation_of_all: u64,
        failure: LoadFailure,
    ) -> Result<LoadedPrompt, VersioningError> {
        if let LoadFailure::Missing = failure {
            self.missing.insert(agent_type.clone(), generation_of_all).await;
            tracing::debug!(agent_type = %agent_type, "cache miss: no active version");
            return Err(VersioningError::NoActiveVersion { agent_type: agent_type.clone() });
        }
        if let Some(cached) = self.last_known(agent_type, generation_of_all, failure).await {
            cached.slot.stale.fetch_add(1, Ordering::Relaxed);
            self.counters.stale.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(agent_type = %agent_type, version = %cached.content.version.version, "stale answer");
            return Ok(LoadedPrompt { cached, source: PromptSource::Stale });
        }
        Err(match failure {
            LoadFailure::Unavailable => VersioningError::Unavailable(sqlx::Error::PoolTimedOut),
            LoadFailure::Missing | LoadFailure::Fault => {
                VersioningError::inconsistent("the active prompt could not be read; the cause was logged before")
            }
        })
    }

    /// What is known of an agent that cannot be read: what this process read last; else, when the database is away, what a
    /// replica has. Never that instead of what was read here, which may be newer.
    async fn last_known(
        &self,
        agent_type: &AgentType,
        generation_of_all: u64,
        failure: LoadFailure,
    ) -> Option<Arc<CachedPrompt>> {
        if let Some(cached) = self.last_known.get(agent_type).await {
            return Some(cached);
        }
        let LoadFailure::Unavailable = failure else { return None };
        let read = async {
            let content = self.store.find_active_on_replica(agent_type).await?;
            let slot = self.slot(agent_type, generation_of_all);
            Some(Arc::new(CachedPrompt {
                content,
                loaded_at: Instant::now(),
                generation: slot.generation.load(Ordering::Acquire),
                slot,
                derived: OnceLock::new(),
                shared: OnceLock::new(),
            }))
        };
        self.last_known.entry_by_ref(agent_type).or_optionally_insert_with(read).await.map(moka::Entry::into_value)
    }

    fn is_quiet(&self) -> bool {
        self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }
}

impl PromptLoader for PromptLoadingService {
    fn load<'a>(&'a self, agent_type: &'a AgentType) -> LoadFuture<'a> {
        Box::pin(async move {
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

impl CachedPrompt {
    fn is_current(&self) -> bool {
        self.generation == self.slot.generation.load(Ordering::Acquire)
    }
}

/// An answer that was read for this call.
fn missed(cached: Arc<CachedPrompt>) -> LoadedPrompt {
    cached.slot.misses.fetch_add(1, Ordering::Relaxed);
    tracing::debug!(
        agent_type = %cached.content.version.agent_type, version = %cached.content.version.version, "cache miss"
    );
    LoadedPrompt { cached, source: PromptSource::Fresh }
}
