//! New versions: drafts, patches, reissues.

use axum::{Json, extract::State, response::IntoResponse};
use http::StatusCode;
use versioning::PromptVersion;

use super::wire::{CreatePatchRequest, CreateVersionRequest, ReissueRequest, VersionResponse, parsed};
use crate::{
    api::{
        extract::JsonBody,
        problem::{ApiError, Problem},
    },
    state::AppState,
};

/// Create a version
///
/// The version is a draft until it is promoted. An agent that does not exist yet begins with it.
#[utoipa::path(
    post, path = "/api/v1/prompts/versions", tag = "prompts", operation_id = "create_version",
    request_body = CreateVersionRequest,
    responses(
        (status = 201, description = "The version that was created.", body = VersionResponse),
        (status = 400, description = "A value breaks its rule, or the version exists already.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The version is below the active one (fix forward), or the base was superseded.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 2 MiB.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or of the wrong type.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn create_version(
    State(state): State<AppState>,
    JsonBody(request): JsonBody<CreateVersionRequest>,
) -> Result<impl IntoResponse, ApiError> {
    let created = state.services.management.create_version(parsed(request)?).await?;
    Ok(answer(&created))
}

/// Create a patch
///
/// The next free patch number of the active version's line. It is active at once.
#[utoipa::path(
    post, path = "/api/v1/prompts/patch", tag = "prompts", operation_id = "create_patch",
    request_body = CreatePatchRequest,
    responses(
        (status = 201, description = "The patch, which is active.", body = VersionResponse),
        (status = 400, description = "A value breaks its rule.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nothing is active for the agent.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another version than the base is active by now.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 2 MiB.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or of the wrong type.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn create_patch(
    State(state): State<AppState>,
    JsonBody(request): JsonBody<CreatePatchRequest>,
) -> Result<impl IntoResponse, ApiError> {
    let created = state.services.management.create_patch(parsed(request)?).await?;
    Ok(answer(&created))
}

/// Reissue an earlier text
///
/// The way to undo: the text of an earlier version becomes the next free patch, active at once.
#[utoipa::path(
    post, path = "/api/v1/prompts/reissue", tag = "prompts", operation_id = "reissue",
    request_body = ReissueRequest,
    responses(
        (status = 201, description = "The new version, which is active.", body = VersionResponse),
        (status = 400, description = "A value breaks its rule.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such version, or nothing is active.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "No patch number is left in the line of the active version.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 2 MiB.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or of the wrong type.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn reissue(
    State(state): State<AppState>,
    JsonBody(request): JsonBody<ReissueRequest>,
) -> Result<impl IntoResponse, ApiError> {
    let created = state.services.management.reissue(parsed(request)?).await?;
    Ok(answer(&created))
}

fn answer(created: &PromptVersion) -> impl IntoResponse + use<> {
    let location = format!("/api/v1/prompts/{}/{}", created.agent_type, created.version);
    (StatusCode::CREATED, [(http::header::LOCATION, location)], Json(VersionResponse::from(created)))
}
