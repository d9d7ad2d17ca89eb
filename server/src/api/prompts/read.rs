//! Reading: the history, the active version, any version.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, header};
use versioning::{InvalidInput, PageCursor};

use super::wire::{PromptContentResponse, VersionResponse};
use crate::{
    api::{
        conditional::{IfNoneMatch, Representation},
        extract::{AgentPath, Parameters, VersionPath},
        problem::{ApiError, Problem},
    },
    state::AppState,
};

/// Versions on a page of the history, unless the client asks for another number.
const DEFAULT_LIMIT: u32 = 50;
/// Versions on a page of the history at most.
const MAX_LIMIT: u32 = 200;

/// Tells a client that the answer is the last one known, because the database is away.
const STALE: HeaderName = HeaderName::from_static("verbatim-stale");

/// List the versions of an agent
///
/// Newest first, without their texts. If there are more, the header `Link` names the next page.
#[utoipa::path(
    get, path = "/api/v1/prompts/{agent_type}/versions", tag = "prompts", operation_id = "list_versions",
    params(
        ("agent_type" = String, Path, description = "Whose prompt it is.", example = "backend_dev"),
        ("limit" = Option<u32>, Query, description = "Versions on a page: 1 to 200, 50 if not given.", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "Where to go on, as the `Link` header of the previous page gave it."),
    ),
    responses(
        (status = 200, description = "The versions.", body = Vec<VersionResponse>,
            headers(("Link" = String, description = "`<…>; rel=\"next\"`: the next page, if there is one."))),
        (status = 400, description = "A parameter breaks its rule or is unknown.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such agent.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn list_versions(
    State(state): State<AppState>,
    AgentPath(agent_type): AgentPath,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let (limit, cursor) = page(parameters)?;
    let page = state.services.management.get_versions(&agent_type, cursor, limit).await?;
    let versions: Vec<_> = page.versions.iter().map(VersionResponse::from).collect();
    let mut response = Json(versions).into_response();
    if let Some(next) = page.next {
        let link = format!("</api/v1/prompts/{agent_type}/versions?limit={limit}&cursor={next}>; rel=\"next\"");
        if let Ok(link) = HeaderValue::try_from(link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}

fn page(parameters: Parameters) -> Result<(u32, Option<PageCursor>), ApiError> {
    let parameters = parameters.only(&["limit", "cursor"])?;
    let limit = parameters.get("limit").map_or(Ok(DEFAULT_LIMIT), |limit| {
        limit.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
            let message = format!("The limit must be a whole number from 1 to {MAX_LIMIT}.");
            InvalidInput::new("limit", "invalid_limit", message)
        })
    })?;
    Ok((limit, parameters.get("cursor").map(str::parse).transpose()?))
}

/// Get the active prompt
///
/// Served from memory. Send the `ETag` of the last answer as `If-None-Match`: if nothing has changed, the answer is
/// 304 without a body. The header `Verbatim-Stale: true` says that the database is away and this is the last version
/// known to be active.
#[utoipa::path(
    get, path = "/api/v1/prompts/{agent_type}/active", tag = "prompts", operation_id = "get_active",
    params(
        ("agent_type" = String, Path, description = "Whose prompt it is.", example = "backend_dev"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer."),
    ),
    responses(
        (status = 200, description = "The active version with its text.", body = PromptContentResponse,
            headers(("ETag" = String, description = "Changes whenever the answer does."))),
        (status = 304, description = "The client has it already."),
        (status = 400, description = "The agent type breaks its rule.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nothing is active for the agent, or there is no such agent.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away, and this node never knew the prompt.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn get_active(
    State(state): State<AppState>,
    AgentPath(agent_type): AgentPath,
    known: IfNoneMatch,
) -> Result<Response, ApiError> {
    let prompt = state.services.loading.get_active_prompt(&agent_type).await?;
    let mut response = prompt.derived(|content| Representation::from(content)).respond(&known);
    if prompt.is_stale() {
        response.headers_mut().insert(STALE, HeaderValue::from_static("true"));
        response.headers_mut().insert(header::AGE, prompt.age().as_secs().into());
    }
    Ok(response)
}

/// Get a version
///
/// Any version with its text.
#[utoipa::path(
    get, path = "/api/v1/prompts/{agent_type}/{version}", tag = "prompts", operation_id = "get_version",
    params(
        ("agent_type" = String, Path, description = "Whose prompt it is.", example = "backend_dev"),
        ("version" = String, Path, description = "`major.minor.patch`", example = "1.0.0"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer."),
    ),
    responses(
        (status = 200, description = "The version with its text.", body = PromptContentResponse,
            headers(("ETag" = String, description = "Changes whenever the answer does: when the status does."))),
        (status = 304, description = "The client has it already."),
        (status = 400, description = "The agent type or the version breaks its rule.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such agent or version.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn get_version(
    State(state): State<AppState>,
    VersionPath(agent_type, version): VersionPath,
    known: IfNoneMatch,
) -> Result<Response, ApiError> {
    let content = state.services.management.get_prompt_content(&agent_type, version).await?;
    Ok(Representation::from(&content).respond(&known))
}
