//! Probes: whether the process lives, whether it can do its work, and what it counted.

use std::time::Duration;

use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use http::{StatusCode, header};
use serde::Serialize;

use crate::{observe, state::AppState};

/// How long the database may take to answer the probe.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// `/healthz`, `/readyz` and `/metrics`.
pub fn router(state: &AppState) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .layer(observe::api(state))
        .with_state(state.clone())
}

/// Whether the node can take requests, and what keeps it from it.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    database: &'static str,
    migrations: &'static str,
    /// Whether the replica answers, if there is one. Without it the node works on: the database answers instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    replica: Option<&'static str>,
    /// Whether promotions are heard of as they happen. Without it the node works on, and looks after them itself.
    listening: bool,
    draining: bool,
}

async fn ready(State(state): State<AppState>) -> impl IntoResponse {
    let is_migrated = state.services.management.is_migrated();
    let is_migrated = tokio::time::timeout(PROBE_LIMIT, is_migrated);
    let (is_migrated, replica) = tokio::join!(is_migrated, state.services.loading.replica_answers());
    let (database, migrations) = match is_migrated {
        Ok(Ok(true)) => ("ok", "ok"),
        Ok(Ok(false)) => ("ok", "pending"),
        Ok(Err(_)) | Err(_) => ("unavailable", "unknown"),
    };
    let replica = replica.map(|answers| if answers { "ok" } else { "unavailable" });
    let listening = state.services.loading.is_listening();
    let draining = state.is_draining();
    let ready = migrations == "ok" && !draining;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, database, migrations, replica, listening, draining }))
}

async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    match state.metrics.encode() {
        Ok(text) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
            text,
        ),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], String::new()),
    }
}
