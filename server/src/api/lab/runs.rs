//! Runs: starting, watching and stopping them.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use lab::{DryRun, Run, RunCursor};

use super::{
    read::{Ids, OfList, OutputsBody, next_page, with_next},
    wire::StartRunRequest,
};
use crate::{
    api::{
        extract::{JsonBody, Parameters},
        problem::{ApiError, Problem},
    },
    state::AppState,
};

/// Messages that a dry run shows.
const SHOWN: usize = 20;

/// Start a run
///
/// It is durable: it goes on when the server is killed, and nodes share it. Ask for it again to see how far it is.
#[utoipa::path(
    post, path = "/api/v1/lab/runs", tag = "lab", operation_id = "start_run", request_body = StartRunRequest,
    responses(
        (status = 201, description = "The run.", body = Run),
        (status = 400, description = "A value breaks its rule, the set is empty, a variable has no value, or a judge is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such version or set.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or of the wrong type.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn start_run(
    State(state): State<AppState>,
    JsonBody(request): JsonBody<StartRunRequest>,
) -> Result<impl IntoResponse, ApiError> {
    refuse_outputs(&request)?;
    Ok(created(state.lab.start(request.try_into()?).await?))
}

/// Look at what a run would do
///
/// The exact messages, tokens and cost by estimate. Nothing is called and nothing is written.
#[utoipa::path(
    post, path = "/api/v1/lab/dry-run", tag = "lab", operation_id = "dry_run", request_body = StartRunRequest,
    responses(
        (status = 200, description = "What it would do.", body = DryRun),
        (status = 400, description = "As for a run.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such version or set.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or of the wrong type.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn dry_run(
    State(state): State<AppState>,
    JsonBody(request): JsonBody<StartRunRequest>,
) -> Result<Json<DryRun>, ApiError> {
    refuse_outputs(&request)?;
    Ok(Json(state.lab.dry_run(request.try_into()?, SHOWN).await?))
}

/// Bring your own outputs
///
/// A run of answers that were produced elsewhere: `outputs` has one JSON object a line, with `case`, `side` (`a` or `b`),
/// `output`, and as far as known `repeat`, `latency_ms`, `time_to_first_token_ms`, `input_tokens`, `output_tokens`, `cost_usd`.
#[utoipa::path(
    post, path = "/api/v1/lab/runs/outputs", tag = "lab", operation_id = "import_outputs", request_body = StartRunRequest,
    responses(
        (status = 201, description = "The run.", body = Run),
        (status = 400, description = "The outputs cannot be read: `detail` names line and column. Nothing was taken.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such version or set.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is larger than 32 MiB.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or of the wrong type.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn import_outputs(
    State(state): State<AppState>,
    OutputsBody(request, outputs): OutputsBody,
) -> Result<impl IntoResponse, ApiError> {
    Ok(created(state.lab.import_outputs(request.try_into()?, &outputs).await?))
}

/// List the runs
///
/// Latest first. If there are more, the header `Link` names the next page.
#[utoipa::path(
    get, path = "/api/v1/lab/runs", tag = "lab", operation_id = "list_runs",
    params(
        ("agent_type" = Option<String>, Query, description = "Of this agent alone.", example = "backend_dev"),
        ("limit" = Option<u32>, Query, description = "Runs on a page: 1 to 200, 50 if not given.", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "Where to go on, as the `Link` header of the previous page gave it."),
    ),
    responses(
        (status = 200, description = "The runs.", body = Vec<Run>,
            headers(("Link" = String, description = "`<…>; rel=\"next\"`: the next page, if there is one."))),
        (status = 400, description = "A parameter breaks its rule or is unknown.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn list_runs(State(state): State<AppState>, parameters: Parameters) -> Result<Response, ApiError> {
    let OfList { agent_type, limit, cursor } = OfList::<RunCursor>::of(parameters)?;
    let page = state.lab.runs(agent_type.as_ref(), cursor, limit).await?;
    let link = page.next.map(|next| next_page("runs", agent_type.as_ref(), limit, next));
    Ok(with_next(link, Json(page.runs)))
}

/// Get a run
///
/// How far it is, and what it cost so far.
#[utoipa::path(
    get, path = "/api/v1/lab/runs/{id}", tag = "lab", operation_id = "get_run",
    params(("id" = String, Path, description = "The run.")),
    responses(
        (status = 200, description = "The run.", body = Run),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn get_run(State(state): State<AppState>, Ids(id, _): Ids) -> Result<Json<Run>, ApiError> {
    Ok(Json(state.lab.run(id).await?))
}

/// Cancel a run
///
/// Calls under way are dropped; what was answered stays.
#[utoipa::path(
    post, path = "/api/v1/lab/runs/{id}/cancel", tag = "lab", operation_id = "cancel_run",
    params(("id" = String, Path, description = "The run.")),
    responses(
        (status = 200, description = "The run.", body = Run),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is over already.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn cancel_run(State(state): State<AppState>, Ids(id, _): Ids) -> Result<Json<Run>, ApiError> {
    Ok(Json(state.lab.cancel(id).await?))
}

fn created(run: Run) -> impl IntoResponse {
    let location = format!("/api/v1/lab/runs/{}", run.id);
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(run))
}

fn refuse_outputs(request: &StartRunRequest) -> Result<(), ApiError> {
    if request.outputs.is_none() {
        return Ok(());
    }
    let detail = "Answers that were produced elsewhere go to /api/v1/lab/runs/outputs; leave outputs out here.";
    Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", detail).in_field("outputs"))
}
