//! The cases of a set, one at a time. What changes a case answers with it and its place: a set may have thousands.

use axum::{Json, extract::State};
use http::StatusCode;
use lab::PlacedCase;

use super::{
    read::Ids,
    wire::{CaseRequest, MoveCaseRequest},
};
use crate::{
    api::{
        extract::JsonBody,
        problem::{ApiError, Problem},
    },
    state::AppState,
};

/// Add a case
///
/// At the end of the set.
#[utoipa::path(
    post, path = "/api/v1/lab/sets/{id}/cases", tag = "lab", operation_id = "add_case",
    request_body = CaseRequest,
    params(("id" = String, Path, description = "The set.")),
    responses(
        (status = 201, description = "The case.", body = PlacedCase),
        (status = 400, description = "A value breaks its rule.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such set.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or of the wrong type.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn add_case(
    State(state): State<AppState>,
    Ids(id, _): Ids,
    JsonBody(case): JsonBody<CaseRequest>,
) -> Result<(StatusCode, Json<PlacedCase>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.lab.add_case(id, case.into()).await?)))
}

/// Replace a case
///
/// Its place in the set stays.
#[utoipa::path(
    put, path = "/api/v1/lab/sets/{id}/cases/{case_id}", tag = "lab", operation_id = "replace_case",
    request_body = CaseRequest,
    params(("id" = String, Path, description = "The set."), ("case_id" = String, Path, description = "The case.")),
    responses(
        (status = 200, description = "The case.", body = PlacedCase),
        (status = 400, description = "A value breaks its rule.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such set or case.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn replace_case(
    State(state): State<AppState>,
    Ids(id, case_id): Ids,
    JsonBody(case): JsonBody<CaseRequest>,
) -> Result<Json<PlacedCase>, ApiError> {
    Ok(Json(state.lab.replace_case(id, case_id, case.into()).await?))
}

/// Delete a case
///
/// Runs keep their copies.
#[utoipa::path(
    delete, path = "/api/v1/lab/sets/{id}/cases/{case_id}", tag = "lab", operation_id = "delete_case",
    params(("id" = String, Path, description = "The set."), ("case_id" = String, Path, description = "The case.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "There is no such set or case.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn delete_case(State(state): State<AppState>, Ids(id, case_id): Ids) -> Result<StatusCode, ApiError> {
    state.lab.delete_case(id, case_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Duplicate a case
///
/// The copy follows it, under a name of its own.
#[utoipa::path(
    post, path = "/api/v1/lab/sets/{id}/cases/{case_id}/duplicate", tag = "lab", operation_id = "duplicate_case",
    params(("id" = String, Path, description = "The set."), ("case_id" = String, Path, description = "The case.")),
    responses(
        (status = 201, description = "The copy.", body = PlacedCase),
        (status = 404, description = "There is no such set or case.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn duplicate_case(
    State(state): State<AppState>,
    Ids(id, case_id): Ids,
) -> Result<(StatusCode, Json<PlacedCase>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.lab.duplicate_case(id, case_id).await?)))
}

/// Move a case
#[utoipa::path(
    post, path = "/api/v1/lab/sets/{id}/cases/{case_id}/move", tag = "lab", operation_id = "move_case",
    request_body = MoveCaseRequest,
    params(("id" = String, Path, description = "The set."), ("case_id" = String, Path, description = "The case.")),
    responses(
        (status = 200, description = "The case.", body = PlacedCase),
        (status = 404, description = "There is no such set or case.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn move_case(
    State(state): State<AppState>,
    Ids(id, case_id): Ids,
    JsonBody(request): JsonBody<MoveCaseRequest>,
) -> Result<Json<PlacedCase>, ApiError> {
    Ok(Json(state.lab.move_case(id, case_id, usize::try_from(request.to).unwrap_or(usize::MAX)).await?))
}
