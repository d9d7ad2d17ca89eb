//! What every request handler can reach.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use agents::{AgentLimits, AgentRuntime, CallRecorder, ModelName};
use axum::extract::FromRef;
use lab::Lab;
use leptos::config::LeptosOptions;
use sqlx::PgPool;
use tokio::sync::Notify;
use versioning::Services;

use crate::{metrics::Metrics, standing::Standing};

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
    /// The agents, and what they share.
    pub agents: AgentRuntime,
    /// What is known of their calls.
    pub calls: Arc<CallRecorder>,
    /// The model that answers when nobody names one.
    pub default_model: Option<ModelName>,
    /// A stream of promotions says something when it was silent for so long, so that both ends know that the other is
    /// there.
    pub heartbeat: Duration,
    /// What is counted.
    pub metrics: Metrics,
    /// Where the pages' scripts and styles lie.
    pub leptos_options: LeptosOptions,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// Set when the server has been told to stop: from then on it is not ready for new work.
    pub draining: Arc<AtomicBool>,
    /// What is live, for streams that begin.
    pub standing: Standing,
    /// Told when the server is told to stop: streams end then.
    pub stopping: Arc<Notify>,
}

/// How often a stream that agents follow says that it is there, unless it is set otherwise.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// How agents answer, and are told of promotions, on this server.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// How many calls are made at once, and how long they may take.
    pub limits: AgentLimits,
    /// The model that answers when nobody names one.
    pub default_model: Option<ModelName>,
    /// How long a stream of promotions may be silent.
    pub heartbeat: Duration,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self { limits: AgentLimits::default(), default_model: None, heartbeat: HEARTBEAT }
    }
}

impl std::ops::Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl AppState {
    /// A state over a migrated database. The pool is only counted; queries go through the services. Agents answer with
    /// the models of the lab. To be called inside an asynchronous runtime.
    pub fn new(
        services: Services,
        lab: Lab,
        pool: PgPool,
        leptos_options: LeptosOptions,
        request_timeout: Duration,
    ) -> Self {
        Self::with_agents(services, lab, pool, leptos_options, request_timeout, AgentSettings::default())
    }

    /// The same with settings for the agents.
    pub fn with_agents(
        services: Services,
        lab: Lab,
        pool: PgPool,
        leptos_options: LeptosOptions,
        request_timeout: Duration,
        settings: AgentSettings,
    ) -> Self {
        let calls = Arc::new(CallRecorder::new(services.performance.clone()));
        let metrics = Metrics::new(services.clone(), pool, calls.clone());
        let agents = AgentRuntime::new(
            services.loading.clone(),
            lab.language_model().clone(),
            lab.prices().clone(),
            calls.clone(),
            settings.limits,
        );
        Self(Arc::new(Parts {
            services,
            lab,
            agents,
            calls,
            default_model: settings.default_model,
            heartbeat: settings.heartbeat,
            metrics,
            leptos_options,
            request_timeout,
            draining: Arc::default(),
            stopping: Arc::default(),
            standing: Standing::default(),
        }))
    }

    /// Begins to stop: nothing new is begun, and streams end.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.stopping.notify_waiters();
    }

    /// Whether the server has been told to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos_options.clone()
    }
}
