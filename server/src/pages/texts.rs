//! What pages link to and that is no page: a prompt as it is kept, a patch, and a comparison over all agents.

use axum::{
    Router,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use http::{HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use versioning::{AgentType, PromptContent, Version, VersioningError, diff::unified_patch};

use crate::{api::problem::ApiError, observe::Refused, state::AppState};

/// Their addresses.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/agents/{agent_type}/versions/{version}/raw", get(raw))
        .route("/agents/{agent_type}/compare.patch", get(patch))
        .route("/compare", get(compare))
}

/// The two versions of a comparison: `version`, or `agent@version`.
#[derive(Debug, Deserialize)]
struct Both {
    #[serde(default)]
    base: String,
    #[serde(default)]
    head: String,
}

async fn raw(State(state): State<AppState>, Path((agent, version)): Path<(String, String)>) -> Response {
    let content = async { state.services.management.get_prompt_content(&agent.parse()?, version.parse()?).await };
    match content.await {
        Ok(content) => text("text/plain; charset=utf-8", None, content.prompt_text),
        Err(error) => refusal(error, &agent, &version),
    }
}

async fn patch(State(state): State<AppState>, Path(agent): Path<String>, Query(both): Query<Both>) -> Response {
    let contents = async {
        let agent: AgentType = agent.parse()?;
        Ok((find(&state, &agent, &both.base).await?, find(&state, &agent, &both.head).await?))
    };
    let (base, head) = match contents.await {
        Ok(both) => both,
        Err(error) => return refusal(error, &agent, &both.head),
    };
    let name = |content: &PromptContent| (content.version.agent_type.clone(), content.version.version);
    let ((old_agent, old), (new_agent, new)) = (name(&base), name(&head));
    let file = format!("{new_agent}-{old}-{new}.patch");
    let made = versioning::aside(move || {
        let names = (format!("a/{old_agent}.md"), format!("b/{new_agent}.md"));
        unified_patch((&names.0, &base.prompt_text), (&names.1, &head.prompt_text))
    });
    match made.await {
        Ok(patch) => text("text/x-patch; charset=utf-8", Some(&file), patch),
        Err(error) => refusal(error, &agent, &both.head),
    }
}

async fn find(state: &AppState, agent: &AgentType, name: &str) -> Result<PromptContent, VersioningError> {
    let (agent, version) = match name.split_once('@') {
        Some((other, version)) => (other.parse()?, version),
        None => (agent.clone(), name),
    };
    let version: Version = version.parse()?;
    state.services.management.get_prompt_content(&agent, version).await
}

/// Leads to the comparison's page, which belongs to the agent of the head.
async fn compare(Query(both): Query<Both>) -> Response {
    match both.head.split_once('@') {
        Some((agent, version)) if agent.parse::<AgentType>().is_ok() && version.parse::<Version>().is_ok() => {
            let same = both.base.strip_prefix(agent).and_then(|rest| rest.strip_prefix('@'));
            const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'.').remove(b'_');
            let base = utf8_percent_encode(same.unwrap_or(&both.base), &PLAIN);
            Redirect::to(&format!("/agents/{agent}/compare?base={base}&head={version}")).into_response()
        }
        _ => Redirect::to("/history").into_response(),
    }
}

fn text(kind: &'static str, file: Option<&str>, body: String) -> Response {
    let mut response = ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response();
    let headers = response.headers_mut();
    // What looks like a page in it must not become one.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(Ok(name)) = file.map(|file| HeaderValue::try_from(format!("attachment; filename=\"{file}\""))) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

fn refusal(error: VersioningError, agent: &str, version: &str) -> Response {
    let refused = ApiError::from(error).about(agent, Some(version));
    let answer = (refused.status(), refused.detail().to_owned()).into_response();
    Refused::in_answer(refused, answer)
}
