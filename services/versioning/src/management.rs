//! [`PromptManagementService`]: every change to a prompt.
//!
//! `create` adds versions, `live` makes them live, `read` answers what was written.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{AgentType, CacheCleared, PromptLoadingService, PromptStore, PromptVersion, Version, VersioningError};

mod create;
mod live;
mod read;

/// Creates, promotes and lists the versions of prompts.
///
/// Every change runs in one transaction that holds the lock of its agent, so writers of one agent queue and writers of
/// different agents never meet. After a promotion this process forgets its cached copy at once; other nodes hear of it
/// from the database.
#[derive(Debug)]
pub struct PromptManagementService {
    store: PromptStore,
    loading: Arc<PromptLoadingService>,
    versions_created: AtomicU64,
    promotions: AtomicU64,
}

/// What this service changed since the process started. What happened before, or elsewhere, the events tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagementCounters {
    /// Versions created: drafts, patches, reissues.
    pub versions_created: u64,
    /// Versions that went live.
    pub promotions: u64,
}

impl PromptManagementService {
    /// The service over a store; `loading` is told of what it changes.
    pub fn new(store: PromptStore, loading: Arc<PromptLoadingService>) -> Self {
        Self { store, loading, versions_created: AtomicU64::new(0), promotions: AtomicU64::new(0) }
    }

    /// What was changed through this service.
    pub fn counters(&self) -> ManagementCounters {
        ManagementCounters {
            versions_created: self.versions_created.load(Ordering::Relaxed),
            promotions: self.promotions.load(Ordering::Relaxed),
        }
    }

    /// Makes every node read the agent's active version anew, and records that somebody did.
    ///
    /// This node drops its copy in any case. When the database is away the others cannot be told; they hear nothing
    /// from it either, and drop everything as soon as they reach it again.
    ///
    /// # Errors
    /// Only for a fault of Verbatim itself.
    pub async fn clear_cache(&self, agent_type: &AgentType) -> Result<CacheCleared, VersioningError> {
        let was_cached = self.loading.clear_cache(agent_type).await;
        let announced = match self.store.announce_cleared(agent_type).await {
            Ok(announced) => announced,
            Err(VersioningError::Unavailable(error)) => {
                tracing::warn!(agent_type = %agent_type, %error, "cache cleared on this node only");
                false
            }
            Err(fault) => return Err(fault),
        };
        tracing::info!(agent_type = %agent_type, was_cached, announced, "cache cleared");
        Ok(CacheCleared { was_cached, announced })
    }

    /// Whether the database answers and every migration that this binary knows has been applied.
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_migrated(&self) -> Result<bool, VersioningError> {
        self.store.is_migrated().await
    }

    /// The store, for exports and imports.
    pub(crate) fn store(&self) -> &PromptStore {
        &self.store
    }

    /// Counts and logs a version that was created.
    fn note_created(&self, created: &PromptVersion) {
        self.versions_created.fetch_add(1, Ordering::Relaxed);
        tracing::info!(
            agent_type = %created.agent_type, version = %created.version, sha256 = created.sha256, "version created"
        );
    }

    /// Counts and logs a version that went live in place of `previous`.
    fn note_promoted(&self, agent_type: &AgentType, version: Version, previous: Option<Version>) {
        self.promotions.fetch_add(1, Ordering::Relaxed);
        let previous = previous.map(tracing::field::display);
        tracing::info!(agent_type = %agent_type, version = %version, previous, "version promoted");
    }
}
