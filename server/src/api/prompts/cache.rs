//! The cache that active prompts are served from.

use axum::{Json, extract::State};

use super::wire::{CacheClearedResponse, CacheStatsResponse};
use crate::{
    api::{
        extract::AgentPath,
        problem::{ApiError, Problem},
    },
    state::AppState,
};

/// Clear an agent's cache
///
/// On every node: the next answer is read from the database. Not needed after a promotion, which does it by itself.
#[utoipa::path(
    delete, path = "/api/v1/prompts/cache/{agent_type}", tag = "cache", operation_id = "clear_cache",
    params(("agent_type" = String, Path, description = "Whose prompt it is.", example = "backend_dev")),
    responses(
        (status = 200, description = "What was done.", body = CacheClearedResponse),
        (status = 400, description = "The agent type breaks its rule.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn clear_cache(
    State(state): State<AppState>,
    AgentPath(agent_type): AgentPath,
) -> Result<Json<CacheClearedResponse>, ApiError> {
    let cleared = state.services.management.clear_cache(&agent_type).await?;
    Ok(Json(CacheClearedResponse {
        agent_type: agent_type.to_string(),
        was_cached: cleared.was_cached,
        announced: cleared.announced,
    }))
}

/// Get the cache's statistics
///
/// Of this node, since its server started.
#[utoipa::path(
    get, path = "/api/v1/prompts/cache/stats", tag = "cache", operation_id = "cache_stats",
    responses((status = 200, description = "What the cache holds and did.", body = CacheStatsResponse)),
)]
pub async fn cache_stats(State(state): State<AppState>) -> Json<CacheStatsResponse> {
    Json(state.services.loading.get_cache_stats().into())
}
