//! What every request handler can reach.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use sqlx::PgPool;
use versioning::Services;

use crate::metrics::Metrics;

/// What every request handler can reach. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The services that pages, REST and agents share.
    pub services: Services,
    /// The pool, for the readiness probe and the pool's own metrics; queries go through the services.
    pub pool: PgPool,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where the pages' scripts and styles lie.
    pub leptos_options: LeptosOptions,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// Set when the server has been told to stop: from then on it is not ready for new work.
    pub draining: Arc<AtomicBool>,
}

impl AppState {
    /// A state over a migrated database.
    pub fn new(services: Services, pool: PgPool, leptos_options: LeptosOptions, request_timeout: Duration) -> Self {
        let metrics = Arc::new(Metrics::new(services.clone(), pool.clone()));
        Self { services, pool, metrics, leptos_options, request_timeout, draining: Arc::default() }
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
