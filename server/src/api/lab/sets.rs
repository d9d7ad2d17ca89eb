//! Models, and sets of test cases.

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use lab::{
    SetCursor, SetSummary, TestSet,
    cases::{CaseFormat, TestCase},
};
use versioning::InvalidInput;

use super::{
    read::{Ids, OfList, next_page, text, with_next},
    wire::{CreateSetRequest, ImportedResponse, ProviderResponse, RenameSetRequest},
};
use crate::{
    api::{
        extract::{JsonBody, Parameters},
        problem::{ApiError, Problem},
    },
    state::AppState,
};

/// The largest file of test cases, in bytes.
const MAX_IMPORT: usize = 10 * 1024 * 1024;

/// List the models
///
/// Which providers can be reached, with their models, and how to configure those that cannot.
#[utoipa::path(
    get, path = "/api/v1/lab/models", tag = "lab", operation_id = "list_models",
    responses((status = 200, description = "Every provider.", body = Vec<ProviderResponse>)),
)]
pub async fn list_models(State(state): State<AppState>) -> Json<Vec<ProviderResponse>> {
    Json(state.lab.models().await.into_iter().map(Into::into).collect())
}

/// List the sets
///
/// By agent and name. If there are more, the header `Link` names the next page.
#[utoipa::path(
    get, path = "/api/v1/lab/sets", tag = "lab", operation_id = "list_sets",
    params(
        ("agent_type" = Option<String>, Query, description = "Of this agent alone.", example = "backend_dev"),
        ("limit" = Option<u32>, Query, description = "Sets on a page: 1 to 200, 50 if not given.", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "Where to go on, as the `Link` header of the previous page gave it."),
    ),
    responses(
        (status = 200, description = "The sets, without their cases.", body = Vec<SetSummary>,
            headers(("Link" = String, description = "`<…>; rel=\"next\"`: the next page, if there is one."))),
        (status = 400, description = "A parameter breaks its rule or is unknown.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn list_sets(State(state): State<AppState>, parameters: Parameters) -> Result<Response, ApiError> {
    let OfList { agent_type, limit, cursor } = OfList::<SetCursor>::of(parameters)?;
    let page = state.lab.sets(agent_type.as_ref(), cursor.as_ref(), limit).await?;
    let link = page.next.map(|next| next_page("sets", agent_type.as_ref(), limit, next));
    Ok(with_next(link, Json(page.sets)))
}

/// Create a set
#[utoipa::path(
    post, path = "/api/v1/lab/sets", tag = "lab", operation_id = "create_set", request_body = CreateSetRequest,
    responses(
        (status = 201, description = "The set.", body = TestSet),
        (status = 400, description = "A value breaks its rule; `detail` names the case.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such agent.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or of the wrong type.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn create_set(
    State(state): State<AppState>,
    JsonBody(request): JsonBody<CreateSetRequest>,
) -> Result<impl IntoResponse, ApiError> {
    let cases: Vec<TestCase> = request.test_cases.into_iter().map(Into::into).collect();
    let set = state.lab.create_set(&request.agent_type.parse()?, &request.name, &cases).await?;
    let location = format!("/api/v1/lab/sets/{}", set.summary.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(set)))
}

/// Get a set
///
/// With its cases, in order, page by page: if there are more, the header `Link` names the next page.
#[utoipa::path(
    get, path = "/api/v1/lab/sets/{id}", tag = "lab", operation_id = "get_set",
    params(
        ("id" = String, Path, description = "The set."),
        ("limit" = Option<u32>, Query, description = "Cases on a page: 1 to 200, 50 if not given.", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "Where to go on, as the `Link` header of the previous page gave it."),
    ),
    responses(
        (status = 200, description = "The set.", body = TestSet,
            headers(("Link" = String, description = "`<…>; rel=\"next\"`: the next page, if there is one."))),
        (status = 400, description = "A parameter breaks its rule or is unknown.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such set.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn get_set(
    State(state): State<AppState>,
    Ids(id, _): Ids,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let parameters = parameters.only(&["limit", "cursor"])?;
    let limit = parameters.number("limit", 1..=200, 50)?;
    // Where the page begins; to clients it is only what the last answer gave them.
    let from = parameters.get("cursor").map_or(Ok(0), |cursor| {
        cursor.parse::<u32>().map_err(|_| {
            let message = "The cursor is not one that this server gave out. Take it from the Link header of the previous page, or \
                           leave it out to begin with the first case.";
            InvalidInput::new("cursor", "invalid_cursor", message)
        })
    })?;
    let set = state.lab.set_page(id, from, limit).await?;
    let next = from.saturating_add(limit);
    let link = (next < set.summary.cases).then(|| format!("/api/v1/lab/sets/{id}?limit={limit}&cursor={next}"));
    Ok(with_next(link, Json(set)))
}

/// Rename a set
#[utoipa::path(
    patch, path = "/api/v1/lab/sets/{id}", tag = "lab", operation_id = "rename_set", request_body = RenameSetRequest,
    params(("id" = String, Path, description = "The set.")),
    responses(
        (status = 200, description = "The set, without its cases.", body = SetSummary),
        (status = 400, description = "The name breaks its rule.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such set.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn rename_set(
    State(state): State<AppState>,
    Ids(id, _): Ids,
    JsonBody(request): JsonBody<RenameSetRequest>,
) -> Result<Json<SetSummary>, ApiError> {
    state.lab.rename_set(id, &request.name).await?;
    Ok(Json(state.lab.set_summary(id).await?))
}

/// Delete a set
///
/// Runs keep their copies of its cases.
#[utoipa::path(
    delete, path = "/api/v1/lab/sets/{id}", tag = "lab", operation_id = "delete_set",
    params(("id" = String, Path, description = "The set.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "There is no such set.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn delete_set(State(state): State<AppState>, Ids(id, _): Ids) -> Result<StatusCode, ApiError> {
    state.lab.delete_set(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Import cases
///
/// Adds the cases of a file at the end of a set, all or none. The format is that of `Content-Type` (`text/csv`,
/// `application/jsonl`, `application/yaml` for the `tests:` of promptfoo), or of `format`.
#[utoipa::path(
    post, path = "/api/v1/lab/sets/{id}/import", tag = "lab", operation_id = "import_cases",
    request_body(content((String = "text/csv"), (String = "application/jsonl"), (String = "application/yaml"))),
    params(
        ("id" = String, Path, description = "The set."),
        ("format" = Option<String>, Query, description = "`csv`, `json-lines` or `promptfoo`."),
    ),
    responses(
        (status = 200, description = "How many cases were added.", body = ImportedResponse),
        (status = 400, description = "The file cannot be read: `detail` names line and column. Nothing was added.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such set.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A name is taken.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The file is larger than 10 MiB.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn import_cases(
    State(state): State<AppState>,
    Ids(id, _): Ids,
    parameters: Parameters,
    request: Request,
) -> Result<Json<ImportedResponse>, ApiError> {
    let parameters = parameters.only(&["format"])?;
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let named = match media_type.as_str() {
        "text/csv" => Some(CaseFormat::Csv),
        "application/jsonl" | "application/x-ndjson" | "application/ndjson" | "application/json-lines" => {
            Some(CaseFormat::JsonLines)
        }
        "application/yaml" | "text/yaml" | "application/x-yaml" => Some(CaseFormat::Promptfoo),
        _ => None,
    };
    let asked = parameters.get("format").map(format_of).transpose()?;
    let text = text(request.into_body(), MAX_IMPORT).await?;
    let format = asked.or(named).unwrap_or_else(|| CaseFormat::guess(None, &text));
    let imported = state.lab.import_cases(id, format, &text).await?;
    Ok(Json(ImportedResponse { imported: imported.cases }))
}

/// Export cases
#[utoipa::path(
    get, path = "/api/v1/lab/sets/{id}/export", tag = "lab", operation_id = "export_cases",
    params(
        ("id" = String, Path, description = "The set."),
        ("format" = Option<String>, Query, description = "`csv`, `json-lines` (if not given) or `promptfoo`."),
    ),
    responses(
        (status = 200, description = "The file.", body = String, content_type = "application/jsonl"),
        (status = 404, description = "There is no such set.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn export_cases(
    State(state): State<AppState>,
    Ids(id, _): Ids,
    parameters: Parameters,
) -> Result<impl IntoResponse, ApiError> {
    let parameters = parameters.only(&["format"])?;
    let format = parameters.get("format").map_or(Ok(CaseFormat::JsonLines), format_of)?;
    let text = state.lab.export_cases(id, format).await?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()))], text))
}

fn format_of(name: &str) -> Result<CaseFormat, ApiError> {
    // By how its files end, too.
    let by_extension = CaseFormat::ALL.into_iter().find(|format| format.extension() == name);
    by_extension.map_or_else(|| name.parse(), Ok).map_err(|_| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "unknown_format",
            format!("{name:?} is not a format of test cases. Choose csv, json-lines or promptfoo."),
        )
        .in_field("format")
    })
}
