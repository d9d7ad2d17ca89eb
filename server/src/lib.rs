//! Verbatim's server: configuration, database, REST API, pages and command line.
//!
//! [`main`](../verbatim/index.html) is a thin shell over [`commands`]; tests and benches use [`router`] and
//! [`state::AppState`] directly, which is all that a request ever sees.

mod accept;
pub mod agent_command;
pub mod api;
pub mod commands;
pub mod config;
pub mod database;
mod descriptors;
pub mod health;
pub mod lab_command;
pub mod metrics;
pub mod observe;
pub mod origin;
pub mod pages;
pub mod postgres;
pub mod retention;
pub mod seeds;
pub mod serve;
pub mod standing;
pub mod state;
pub mod telemetry;
mod write_limit;

use axum::Router;
use state::AppState;

/// Everything that the server answers: the API, the probes and the pages.
pub fn router(state: AppState) -> Router {
    Router::new().merge(api::router(&state)).merge(health::router(&state)).merge(pages::router(&state))
}
