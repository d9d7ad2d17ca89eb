//! From a prompt that is not in memory to an answer: a read, the last known value, or a refusal.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Instant,
};

use super::{
    CachedPrompt, LoadFailure, LoadedPrompt, Missing, Parts, Slot,
    flight::{Flight, Outcome},
};
use crate::{AgentType, ErrorKind, PromptSource, VersioningError};

impl Parts {
    pub(super) async fn load(self: &Arc<Self>, agent_type: &AgentType) -> Result<LoadedPrompt, VersioningError> {
        let called = Instant::now();
        let generation_of_all = self.generation_of_all.load(Ordering::Acquire);
        if let Some((generation, missing)) = self.missing.get(agent_type).await
            && generation == generation_of_all
        {
            self.counters.missing_hits.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(agent_type = %agent_type, "cache hit: no active version");
            return Err(missing.error(agent_type));
        }
        self.counters.misses.fetch_add(1, Ordering::Relaxed);
        let slot = self.find_slot(agent_type);
        if let Some(slot) = &slot {
            slot.misses.fetch_add(1, Ordering::Relaxed);
        }
        let answer = self.answer(agent_type, called, generation_of_all).await;
        if let Ok(loaded) = &answer
            && slot.is_none()
        {
            // Found for the first time: now there is something to count at.
            loaded.cached.slot.misses.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    async fn answer(
        self: &Arc<Self>,
        agent_type: &AgentType,
        called: Instant,
        generation_of_all: u64,
    ) -> Result<LoadedPrompt, VersioningError> {
        let known = self.last_known.get(agent_type).await;
        let is_outdated = known.as_ref().is_some_and(|known| known.is_outdated());
        let patience = match &known {
            None => None,
            Some(known) if self.contact.is_in_trouble() => {
                if !known.is_outdated() {
                    self.probe(agent_type);
                    return Ok(self.stale(known.clone()));
                }
                Some(self.settings.patience)
            }
            Some(known) if known.is_outdated() => Some(self.settings.patience_for_news),
            Some(_) => Some(self.settings.patience),
        };
        loop {
            let flight = self.join(agent_type);
            let begun = flight.begun;
            match flight.outcome(patience.map(|patience| begun + patience)).await {
                // A promotion while the read is under way makes its answer outdated. Unless it began after this call:
                // then it is as new as the caller can ask for.
                Some(Ok(cached)) if cached.is_current() || begun >= called => {
                    tracing::debug!(
                        agent_type = %agent_type, version = %cached.content.version.version, "cache miss"
                    );
                    return Ok(LoadedPrompt { cached, source: PromptSource::Fresh });
                }
                // The next one begins after this call, so that is all.
                Some(Ok(_)) => {}
                // The database may have come back since: somebody heard from it that there is something newer.
                Some(Err(LoadFailure::Unavailable)) if is_outdated && begun < called => {}
                Some(Err(failure)) => return self.recover(agent_type, generation_of_all, failure).await,
                None => return self.recover(agent_type, generation_of_all, LoadFailure::Unavailable).await,
            }
        }
    }

    /// What is answered when nothing could be read, or not soon enough.
    async fn recover(
        &self,
        agent_type: &AgentType,
        generation_of_all: u64,
        failure: LoadFailure,
    ) -> Result<LoadedPrompt, VersioningError> {
        if let LoadFailure::Missing(missing) = failure {
            self.missing.insert(agent_type.clone(), (generation_of_all, missing.clone())).await;
            tracing::debug!(agent_type = %agent_type, "cache miss: no active version");
            return Err(missing.error(agent_type));
        }
        if let Some(known) = self.last_known.get(agent_type).await {
            return Ok(self.stale(known));
        }
        Err(match failure {
            LoadFailure::Unavailable => VersioningError::Unavailable(sqlx::Error::PoolTimedOut),
            LoadFailure::Missing(_) | LoadFailure::Fault => {
                VersioningError::inconsistent("the active prompt could not be read; the cause was logged before")
            }
        })
    }

    fn stale(&self, cached: Arc<CachedPrompt>) -> LoadedPrompt {
        cached.slot.stale.fetch_add(1, Ordering::Relaxed);
        self.counters.stale.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(
            agent_type = %cached.content.version.agent_type, version = %cached.content.version.version, "stale answer"
        );
        LoadedPrompt { cached, source: PromptSource::Stale }
    }

    fn join(self: &Arc<Self>, agent_type: &AgentType) -> Flight {
        self.flights.join(agent_type, || {
            let (parts, agent_type) = (Arc::clone(self), agent_type.clone());
            async move { parts.read(&agent_type).await }
        })
    }

    /// Looks behind the callers whether the database is back: one read at a time, whatever agent it is for.
    fn probe(self: &Arc<Self>, agent_type: &AgentType) {
        if !self.contact.is_quiet() && self.flights.is_empty() {
            self.join(agent_type);
        }
    }

    /// Reads the row; what it says is known to all who ask from then on. A database that is away is left alone for a
    /// while, and a replica says what this process does not know.
    async fn read(&self, agent_type: &AgentType) -> Outcome {
        let failure = if self.contact.is_quiet() {
            LoadFailure::Unavailable
        } else {
            match self.read_database(agent_type).await {
                Ok(cached) => return Ok(cached),
                Err(failure) => failure,
            }
        };
        if let LoadFailure::Unavailable = failure {
            self.read_replica(agent_type).await;
        }
        Err(failure)
    }

    async fn read_database(&self, agent_type: &AgentType) -> Outcome {
        let limit = if self.contact.is_in_trouble() { self.settings.probe_limit } else { self.settings.read_limit };
        // Before the row is read: what happens from here on makes the answer outdated.
        let generation_of_all = self.generation_of_all.load(Ordering::Acquire);
        let slot = self.find_slot(agent_type);
        let generation = slot.as_ref().map_or([0, 0], |slot| slot.generations());
        // After the generation, which is raised once this node is deaf.
        let expires_at = self.contact.is_deaf().then(|| Instant::now() + self.settings.deaf_time_to_live);
        let found = match self.store.find_active_within(agent_type, limit).await {
            Ok(None) => self.missing(agent_type).await.map(Err),
            Ok(Some(content)) => Ok(Ok(content)),
            Err(error) => Err(error),
        };
        match found {
            Ok(Ok(content)) => {
                self.contact.works();
                let slot = slot.unwrap_or_else(|| self.slot(agent_type, generation_of_all));
                let cached = Arc::new(CachedPrompt::new(content, slot, generation, expires_at));
                self.last_known.insert(agent_type.clone(), cached.clone()).await;
                if cached.is_current() {
                    self.fresh.insert(agent_type.clone(), cached.clone()).await;
                }
                Ok(cached)
            }
            Ok(Err(missing)) => {
                self.contact.works();
                Err(LoadFailure::Missing(missing))
            }
            Err(error) => {
                tracing::warn!(
                    agent_type = %agent_type, error = &error as &dyn std::error::Error, "active prompt not read"
                );
                if error.kind() == ErrorKind::Unavailable {
                    self.contact.failed(self.settings.retry_after_failure);
                    Err(LoadFailure::Unavailable)
                } else {
                    Err(LoadFailure::Fault)
                }
            }
        }
    }

    /// Whether it is a version that is missing, or the agent.
    async fn missing(&self, agent_type: &AgentType) -> Result<Missing, VersioningError> {
        if self.store.agent_exists(agent_type).await? {
            return Ok(Missing::Version);
        }
        Ok(Missing::Agent(self.store.near_agents(agent_type).await.into()))
    }

    /// What a replica knows of an agent of which this process knows nothing. Never that instead of what was read here, which
    /// may be newer.
    async fn read_replica(&self, agent_type: &AgentType) {
        if self.last_known.contains_key(agent_type) {
            return;
        }
        let generation_of_all = self.generation_of_all.load(Ordering::Acquire);
        if let Some(content) = self.store.find_active_on_replica(agent_type, self.settings.probe_limit).await {
            let slot = self.slot(agent_type, generation_of_all);
            let generation = slot.generations();
            let cached = Arc::new(CachedPrompt::new(content, slot, generation, None));
            self.last_known.insert(agent_type.clone(), cached).await;
        }
    }

    pub(super) fn find_slot(&self, agent_type: &AgentType) -> Option<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(agent_type).cloned()
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
}
