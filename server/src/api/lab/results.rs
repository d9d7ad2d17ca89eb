//! What a run found out, and what is made of it.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use lab::{BlindPair, Chosen, Report, ResultFilter, ResultFormat, Results, Run};
use versioning::{Author, InvalidInput};

use super::{
    read::Ids,
    wire::{ChooseWinnerRequest, VoteRequest, author},
};
use crate::{
    api::{
        extract::{JsonBody, Parameters},
        problem::{ApiError, Problem},
    },
    state::AppState,
};

/// Get the results
///
/// Case by case, with both answers, their checks and what judges said.
#[utoipa::path(
    get, path = "/api/v1/lab/runs/{id}/results", tag = "lab", operation_id = "get_results",
    params(
        ("id" = String, Path, description = "The run."),
        ("filter" = Option<String>, Query, description = "`all` (if not given), `differs`, `a_fails`, `b_fails` or `flipped`."),
        ("page" = Option<u32>, Query, description = "From 1.", minimum = 1),
        ("per_page" = Option<u32>, Query, description = "1 to 100, 20 if not given.", minimum = 1, maximum = 100),
    ),
    responses(
        (status = 200, description = "A page of results.", body = Results),
        (status = 400, description = "A parameter breaks its rule or is unknown.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn get_results(
    State(state): State<AppState>,
    Ids(id, _): Ids,
    parameters: Parameters,
) -> Result<Json<Results>, ApiError> {
    let parameters = parameters.only(&["filter", "page", "per_page"])?;
    let filter: ResultFilter = parameters.get("filter").map_or(Ok(ResultFilter::All), str::parse)?;
    let page = parameters.number("page", 1..=100_000, 1)?;
    let per_page = parameters.number("per_page", 1..=100, 20)?;
    Ok(Json(state.lab.results(id, filter, page, per_page).await?))
}

/// Get the verdict
///
/// What may be said, the evidence in one sentence, and every figure that it rests on.
#[utoipa::path(
    get, path = "/api/v1/lab/runs/{id}/verdict", tag = "lab", operation_id = "get_verdict",
    params(("id" = String, Path, description = "The run.")),
    responses(
        (status = 200, description = "The verdict.", body = Report),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn get_verdict(State(state): State<AppState>, Ids(id, _): Ids) -> Result<Json<Report>, ApiError> {
    Ok(Json(state.lab.report(id).await?))
}

/// Export the results
///
/// Every answer with its figures.
#[utoipa::path(
    get, path = "/api/v1/lab/runs/{id}/export", tag = "lab", operation_id = "export_results",
    params(
        ("id" = String, Path, description = "The run."),
        ("format" = Option<String>, Query, description = "`csv`, or `jsonl` (if not given)."),
    ),
    responses(
        (status = 200, description = "The file.", body = String, content_type = "application/jsonl"),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn export_results(
    State(state): State<AppState>,
    Ids(id, _): Ids,
    parameters: Parameters,
) -> Result<impl IntoResponse, ApiError> {
    let parameters = parameters.only(&["format"])?;
    let format: ResultFormat = parameters.get("format").map_or(Ok(ResultFormat::JsonLines), str::parse)?;
    let text = state.lab.export_results(id, format).await?;
    let file = format!("attachment; filename=\"run-{id}.{}\"", format.extension());
    let file = HeaderValue::try_from(file).unwrap_or(HeaderValue::from_static("attachment"));
    let media_type = HeaderValue::from_static(format.media_type());
    Ok(([(header::CONTENT_TYPE, media_type), (header::CONTENT_DISPOSITION, file)], text))
}

/// Get the next pair to review
///
/// Two answers whose versions are hidden, in an order and with sides of the reviewer's own.
#[utoipa::path(
    get, path = "/api/v1/lab/runs/{id}/review", tag = "lab", operation_id = "next_pair",
    params(("id" = String, Path, description = "The run."), ("reviewer" = String, Query, description = "Who reviews.")),
    responses(
        (status = 200, description = "The pair.", body = BlindPair),
        (status = 204, description = "The reviewer has seen them all."),
        (status = 400, description = "The reviewer is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run is not over, or its review has ended.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn next_pair(
    State(state): State<AppState>,
    Ids(id, _): Ids,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let parameters = parameters.only(&["reviewer"])?;
    let reviewer = reviewer(parameters.get("reviewer"))?;
    Ok(match state.lab.next_pair(id, &reviewer).await? {
        Some(pair) => Json(pair).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Vote on a pair
///
/// Until the review ends, a second vote of a reviewer on a pair replaces the first.
#[utoipa::path(
    post, path = "/api/v1/lab/runs/{id}/votes", tag = "lab", operation_id = "vote", request_body = VoteRequest,
    params(("id" = String, Path, description = "The run.")),
    responses(
        (status = 204, description = "The vote is kept."),
        (status = 400, description = "The reviewer is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run or pair.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run is not over, or its review has ended.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn vote(
    State(state): State<AppState>,
    Ids(id, _): Ids,
    JsonBody(request): JsonBody<VoteRequest>,
) -> Result<StatusCode, ApiError> {
    let reviewer = reviewer(Some(&request.reviewer))?;
    state.lab.vote(id, &reviewer, (request.case_number, request.repeat), request.better).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End the review
///
/// For everybody, and for good: what was voted is counted and shown from then on, and nobody votes any more. Where votes
/// decide, every pair needs one first.
#[utoipa::path(
    post, path = "/api/v1/lab/runs/{id}/review/end", tag = "lab", operation_id = "end_review",
    params(("id" = String, Path, description = "The run.")),
    responses(
        (status = 200, description = "The run.", body = Run),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run is not over, its review has ended, or pairs have no vote yet.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn end_review(State(state): State<AppState>, Ids(id, _): Ids) -> Result<Json<Run>, ApiError> {
    Ok(Json(state.lab.end_review(id).await?))
}

/// Choose the winner
///
/// A person decides, once, with a reason. If it is to go live, it is promoted when it is above the active version; else its text
/// becomes the next patch.
#[utoipa::path(
    post, path = "/api/v1/lab/runs/{id}/winner", tag = "lab", operation_id = "choose_winner",
    request_body = ChooseWinnerRequest,
    params(("id" = String, Path, description = "The run.")),
    responses(
        (status = 201, description = "The choice, and what is live by it.", body = Chosen),
        (status = 400, description = "The reason is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run is not over, a winner was chosen already, or the registry refuses the promotion.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn choose_winner(
    State(state): State<AppState>,
    Ids(id, _): Ids,
    JsonBody(request): JsonBody<ChooseWinnerRequest>,
) -> Result<(StatusCode, Json<Chosen>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.lab.choose(id, request.try_into()?).await?)))
}

fn reviewer(name: Option<&str>) -> Result<Author, InvalidInput> {
    author(name, "reviewer")?.ok_or_else(|| {
        InvalidInput::new(
            "reviewer",
            "reviewer_missing",
            "Say who reviews: everybody has an order of their own, and votes are counted by name.",
        )
    })
}
