//! The heart of Verbatim: what a prompt version is, and the two services over it.
//!
//! Without the `server` feature this crate is pure logic that also compiles to WebAssembly: identifiers and versions
//! that are valid by construction, the texts that belong to a version, and the rules for numbering. With `server` it
//! adds [`PromptManagementService`] (every change), [`PromptLoadingService`] (every read that an agent makes) and the
//! store, which holds all SQL about prompts.
//!
//! Start reading at [`version`] and [`agent_type`], then `management` and `loading`.

pub mod agent_type;
pub mod invalid;
pub mod text;
pub mod version;

#[cfg(feature = "server")]
pub mod changes;
#[cfg(feature = "server")]
pub mod error;
#[cfg(feature = "server")]
pub mod loading;
#[cfg(feature = "server")]
pub mod management;
#[cfg(feature = "server")]
pub mod model;
#[cfg(feature = "server")]
mod notifications;
#[cfg(feature = "server")]
mod store;
#[cfg(feature = "server")]
pub mod transfer;

pub use agent_type::AgentType;
pub use invalid::InvalidInput;
pub use text::{Author, Notes, PromptText};
pub use version::{Bump, Version, VersionStatus};

#[cfg(feature = "server")]
pub use {
    changes::{CacheCleared, NewPatch, NewVersion, NextVersions, Promotion, Reissue, SeedVersion},
    error::{ErrorKind, VersioningError},
    loading::{AgentCacheStats, CacheStats, LoadedPrompt, LoadingCounters, LoadingSettings, PromptLoadingService},
    management::{ManagementCounters, PromptManagementService},
    model::{AgentOverview, Event, EventKind, PageCursor, PromptContent, PromptVersion, VersionPage, VersionSummary},
    notifications::{Listener, listen},
    store::{MIGRATOR, PromptStore},
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
}

#[cfg(feature = "server")]
impl Services {
    /// Both services over one store.
    pub fn new(store: PromptStore, settings: LoadingSettings) -> Self {
        let loading = std::sync::Arc::new(PromptLoadingService::new(store.clone(), settings));
        let management = std::sync::Arc::new(PromptManagementService::new(store, loading.clone()));
        Self { management, loading }
    }
}
