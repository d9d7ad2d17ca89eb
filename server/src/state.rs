//! What every request handler can reach.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::extract::FromRef;
use lab::Lab;
use leptos::config::LeptosOptions;
use sqlx::PgPool;
use versioning::Services;

use crate::metrics::Metrics;

/// What every request handler can reach. One pointer: it is cloned several times for each request.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Parts>);

/// What stands behind an [`AppState`].
#[derive(Debug)]
pub struct Parts {
    /// The services that pages, REST and agents share.
    pub services: Services,
    /// The A/B lab.
    pub lab: Lab,
    /// What is counted.
    pub metrics: Metrics,
    /// Where the pages' scripts and styles lie.
    pub leptos_options: LeptosOptions,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// Set when the server has been told to stop: from then on it is not ready for new work.
    pub draining: Arc<AtomicBool>,
}

impl std::ops::Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl AppState {
    /// A state over a migrated database. The pool is only counted; queries go through the services.
    pub fn new(
        services: Services,
        lab: Lab,
        pool: PgPool,
        leptos_options: LeptosOptions,
        request_timeout: Duration,
    ) -> Self {
        let metrics = Metrics::new(services.clone(), pool);
        Self(Arc::new(Parts { services, lab, metrics, leptos_options, request_timeout, draining: Arc::default() }))
    }

    /// Whether the server has been told to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos_options.clone()
    }
}
