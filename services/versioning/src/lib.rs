//! The heart of Verbatim: what a prompt version is, and the two services over it.
//!
//! Without the `server` feature this crate is pure logic that also compiles to WebAssembly: identifiers and versions
//! that are valid by construction, the texts that belong to a version, and the rules for numbering. With `server` it
//! adds [`PromptManagementService`] (every change), [`PromptLoadingService`] (every read that an agent makes) and the
//! store, which holds all SQL about prompts.
//!
//! Start reading at [`version`] and [`agent_type`], then `management` and `loading`.

pub mod agent_type;
pub mod counts;
pub mod diff;
pub mod invalid;
pub mod loader;
pub mod merge;
pub mod nearest;
pub mod outline;
pub mod template;
pub mod text;
pub mod version;

#[cfg(feature = "server")]
mod activity;
#[cfg(feature = "server")]
pub mod changes;
#[cfg(feature = "server")]
pub mod error;
#[cfg(feature = "server")]
pub mod history;
#[cfg(feature = "server")]
pub mod loading;
#[cfg(feature = "server")]
pub mod management;
#[cfg(feature = "server")]
pub mod metrics;
#[cfg(feature = "server")]
pub mod model;
#[cfg(feature = "server")]
mod notifications;
#[cfg(feature = "server")]
pub mod performance;
#[cfg(feature = "server")]
mod store;
#[cfg(feature = "server")]
pub mod transfer;

pub use agent_type::AgentType;
pub use invalid::InvalidInput;
pub use loader::{ActivePrompt, LoadError, LoadErrorKind, LoadFuture, PromptLoader, PromptSource};
pub use nearest::nearest;
pub use text::{Author, Notes, PromptText};
pub use version::{Bump, Version, VersionStatus};

#[cfg(feature = "server")]
pub use {
    activity::Activity,
    changes::{CacheCleared, NewPatch, NewVersion, NextVersion, NextVersions, Promotion, Reissue, SeedVersion, Seen},
    error::{ErrorKind, VersioningError},
    history::{Activation, History, HistoryOrder, HistoryQuery, HistoryRow, SearchHit, SearchPlace},
    loading::{
        AgentCacheStats, CacheCounts, CacheStats, LoadedPrompt, LoadingCounters, LoadingSettings, PromptLoadingService,
    },
    management::{ManagementCounters, PromptManagementService},
    metrics::{MetricsRange, MetricsService, PromptMetrics},
    model::{
        AgentOverview, Event, EventKind, LiveVersion, PageCursor, PromptContent, PromptVersion, VersionPage,
        VersionSummary,
    },
    notifications::{Listener, PromptNotice, PromptNotices, listen},
    performance::{CallBatchId, CallSource, Latency, Performance, PerformanceService, RecordedCall},
    store::{MIGRATOR, PromptStore, ReplicaLimits},
    transfer::{ImportError, ImportSummary},
};

/// The services that pages, REST and agents share: one instance of each in a process.
#[cfg(feature = "server")]
#[derive(Debug, Clone)]
pub struct Services {
    /// Every change to a prompt.
    pub management: std::sync::Arc<PromptManagementService>,
    /// Every read of an active prompt.
    pub loading: std::sync::Arc<PromptLoadingService>,
    /// What recorded calls say of versions.
    pub performance: PerformanceService,
    /// How the registry is used, over time.
    pub metrics: MetricsService,
    /// What happens, as it happens.
    pub activity: std::sync::Arc<Activity>,
    /// What this node hears of promotions.
    pub notices: std::sync::Arc<PromptNotices>,
}

#[cfg(feature = "server")]
impl Services {
    /// All services over one store. To be called inside an asynchronous runtime.
    pub fn new(store: PromptStore, settings: LoadingSettings) -> Self {
        let loading = std::sync::Arc::new(PromptLoadingService::new(store.clone(), settings));
        let performance = PerformanceService::new(store.clone());
        let metrics = MetricsService::new(store.clone(), loading.clone());
        let activity = std::sync::Arc::new(Activity::watch(store.clone()));
        let management = std::sync::Arc::new(PromptManagementService::new(store, loading.clone()));
        Self { management, loading, performance, metrics, activity, notices: std::sync::Arc::default() }
    }
}

/// Runs work that takes a processor for a while, such as the comparison of two long texts, away from the threads that serve.
///
/// # Errors
/// The work panicked.
#[cfg(feature = "server")]
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, VersioningError> {
    tokio::task::spawn_blocking(work).await.map_err(VersioningError::inconsistent)
}
