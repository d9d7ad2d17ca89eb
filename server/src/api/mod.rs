//! The REST API under `/api/v1`, its OpenAPI document and the page at `/docs`.

use axum::{Router, extract::Request};
use http::StatusCode;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{observe, state::AppState};

pub mod agents;
pub mod calls;
pub mod conditional;
mod extract;
pub mod lab;
pub mod metrics;
pub mod problem;
pub mod prompts;
mod unavailable;

use problem::ApiError;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Verbatim",
        description = "A prompt registry that only moves forward: each agent type has its own line of semantic \
            versions, exactly one is active, and nothing is ever rolled back.\n\nEvery refusal is a problem document \
            (RFC 9457) whose `code` is stable. A write may name the version that it was based on; if that is no longer \
            current, the answer is 409 and nothing has changed.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "prompts", description = "Versions of prompts: create, promote, read."),
        (name = "cache", description = "The cache that active prompts are served from."),
        (name = "agents", description = "Agents at work: they answer with the prompt that is live."),
        (name = "lab", description = "Experiments: test cases, runs, results, verdicts, winners."),
    ),
)]
struct ApiDoc;

/// The routes, and the document that describes them. Each has its whole path: with a prefix that all are nested below, every
/// request would have its address taken apart and put together once more.
fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(prompts::create::create_version))
        .routes(routes!(prompts::create::create_patch))
        .routes(routes!(prompts::create::reissue))
        .routes(routes!(prompts::promote::promote))
        .routes(routes!(prompts::read::list_versions))
        .routes(routes!(prompts::read::get_active))
        .routes(routes!(prompts::read::get_version))
        .routes(routes!(prompts::events::follow))
        .routes(routes!(prompts::cache::clear_cache))
        .routes(routes!(prompts::cache::cache_stats))
        .routes(routes!(agents::respond))
        .routes(routes!(calls::record_calls))
        .routes(routes!(metrics::prompt_metrics))
        .routes(routes!(lab::sets::list_models))
        .routes(routes!(lab::sets::list_sets, lab::sets::create_set))
        .routes(routes!(lab::sets::get_set, lab::sets::rename_set, lab::sets::delete_set))
        .routes(routes!(lab::sets::import_cases))
        .routes(routes!(lab::sets::export_cases))
        .routes(routes!(lab::cases::add_case))
        .routes(routes!(lab::cases::replace_case, lab::cases::delete_case))
        .routes(routes!(lab::cases::duplicate_case))
        .routes(routes!(lab::cases::move_case))
        .routes(routes!(lab::runs::list_runs, lab::runs::start_run))
        .routes(routes!(lab::runs::dry_run))
        .routes(routes!(lab::runs::import_outputs))
        .routes(routes!(lab::runs::get_run))
        .routes(routes!(lab::runs::cancel_run))
        .routes(routes!(lab::results::get_results))
        .routes(routes!(lab::results::get_verdict))
        .routes(routes!(lab::results::export_results))
        .routes(routes!(lab::results::next_pair))
        .routes(routes!(lab::results::vote))
        .routes(routes!(lab::results::end_review))
        .routes(routes!(lab::results::choose_winner))
}

/// The OpenAPI 3.1 document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    parts().1
}

/// The routes, and the document with what holds for all of them.
fn parts() -> (Router<AppState>, utoipa::openapi::OpenApi) {
    let (api, mut document) = routes().split_for_parts();
    unavailable::declare(&mut document);
    (api, document)
}

/// The API and its documentation.
pub fn router(state: &AppState) -> Router {
    let (api, document) = parts();
    let docs = utoipa_swagger_ui::SwaggerUi::new("/docs").url("/api/v1/openapi.json", document);
    let api = api
        // The API's own answers for what it does not have; below /api nothing is a page.
        .route("/api", axum::routing::any(unknown_endpoint))
        .route("/api/", axum::routing::any(unknown_endpoint))
        .route("/api/{*path}", axum::routing::any(unknown_endpoint))
        .merge(docs)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(observe::api(state));
    api.with_state(state.clone())
}

async fn unknown_endpoint(request: Request) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "unknown_endpoint",
        format!("There is nothing at {}. /docs lists what there is.", request.uri().path()),
    )
}

async fn method_not_allowed(request: Request) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{} does not answer {}. /docs lists what does.", request.uri().path(), request.method()),
    )
}
