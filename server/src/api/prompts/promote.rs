//! Making a version live.

use axum::{Json, extract::State};

use super::wire::{PromoteRequest, VersionResponse, parsed};
use crate::{
    api::{
        extract::JsonBody,
        problem::{ApiError, Problem},
    },
    state::AppState,
};

/// Promote a version
///
/// The version becomes the active one, in place of the one that is. It must be above everything that was active
/// before; to bring back an earlier text, reissue it. Promoting the active version again changes nothing and succeeds.
#[utoipa::path(
    post, path = "/api/v1/prompts/promote", tag = "prompts", operation_id = "promote",
    request_body = PromoteRequest,
    responses(
        (status = 200, description = "The version, which is active.", body = VersionResponse),
        (status = 400, description = "A value breaks its rule.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such agent or version.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The version is below the active one (fix forward), or another one is active than was expected.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 2 MiB.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or of the wrong type.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn promote(
    State(state): State<AppState>,
    JsonBody(request): JsonBody<PromoteRequest>,
) -> Result<Json<VersionResponse>, ApiError> {
    let promoted = state.services.management.promote_to_active(parsed(request)?).await?;
    Ok(Json((&promoted).into()))
}
