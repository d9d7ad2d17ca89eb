//! From a request to an agent that answers, or a refusal that says the way forward.

use agents::{AgentError, ModelError, ModelErrorKind, ModelName, ModelSettings, Question, Reply, UsedPrompt};
use http::StatusCode;
use versioning::{AgentType, LoadErrorKind, Version};

use super::RespondRequest;
use crate::{api::problem::ApiError, state::AppState};

/// Asks, and gives the answer as it comes.
pub(super) async fn ask(state: &AppState, agent_type: &AgentType, request: RespondRequest) -> Result<Reply, ApiError> {
    let model = match &request.model {
        Some(name) => name.parse().map_err(|error: agents::InvalidModelName| {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_model", error.message).in_field("model")
        })?,
        None => state.default_model.clone().ok_or_else(|| {
            ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "model_missing",
                "Name a model, such as openai::gpt-4o-mini, or have the server started with VERBATIM_MODEL.",
            )
            .in_field("model")
        })?,
    };
    let question = Question {
        input: request.input,
        variables: request.variables,
        model,
        settings: ModelSettings {
            temperature: request.temperature,
            top_p: request.top_p,
            max_tokens: request.max_tokens,
            seed: request.seed,
        },
    };
    let agent = state.agents.agent(agent_type.clone());
    let prompt = match (&request.prompt_text, &request.version) {
        (Some(_), Some(_)) => {
            return Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "two_prompts",
                "Give a version or a prompt_text, not both.",
            )
            .in_field("prompt_text"));
        }
        (Some(text), None) => Some(UsedPrompt { version: None, text: text.as_str().into(), source: None }),
        (None, Some(version)) => {
            let version: Version = version.parse()?;
            let content = state.services.management.get_prompt_content(agent_type, version).await?;
            Some(UsedPrompt { version: Some(version), text: content.prompt_text.into(), source: None })
        }
        (None, None) => None,
    };
    let reply = match prompt {
        Some(prompt) => agent.ask_with(prompt, &question).await,
        None => agent.ask(&question).await,
    };
    match reply {
        Ok(reply) => {
            let version = reply.prompt().version.map(tracing::field::display);
            tracing::info!(agent_type = %agent_type, version, model = %reply.model(), "agent asked");
            Ok(reply)
        }
        Err(AgentError::Load(error)) if error.kind == LoadErrorKind::NothingActive => {
            Err(nothing_active(state, agent_type, error.message).await)
        }
        Err(error) => Err(refused(error)),
    }
}

/// Nothing is live, or there is no such agent: said as everywhere else, with the names that may have been meant.
async fn nothing_active(state: &AppState, agent_type: &AgentType, message: String) -> ApiError {
    match state.services.loading.get_active_prompt(agent_type).await {
        Err(error) => error.into(),
        // Something was promoted in between; the next question is answered.
        Ok(_) => ApiError::new(StatusCode::NOT_FOUND, "no_active_version", message),
    }
}

fn refused(error: AgentError) -> ApiError {
    let detail = error.to_string();
    let answer = |status, code| ApiError::new(status, code, detail.clone());
    match error {
        AgentError::Load(error) => match error.kind {
            LoadErrorKind::NothingActive => answer(StatusCode::NOT_FOUND, "no_active_version"),
            LoadErrorKind::Unavailable | LoadErrorKind::TooStale => {
                answer(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            LoadErrorKind::Fault => answer(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        },
        AgentError::MissingVariables { .. } => {
            answer(StatusCode::UNPROCESSABLE_ENTITY, "missing_variables").in_field("variables")
        }
        AgentError::Setting(error) => answer(StatusCode::BAD_REQUEST, "invalid_setting").in_field(error.field),
        AgentError::Busy { .. } => answer(StatusCode::SERVICE_UNAVAILABLE, "busy"),
        AgentError::Model(error) => failure(&error, detail),
    }
}

fn failure(error: &ModelError, detail: String) -> ApiError {
    let (status, code) = match error.kind {
        ModelErrorKind::RateLimited | ModelErrorKind::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "model_busy"),
        ModelErrorKind::Timeout => (StatusCode::GATEWAY_TIMEOUT, "model_timeout"),
        ModelErrorKind::UnknownModel => (StatusCode::NOT_FOUND, "unknown_model"),
        ModelErrorKind::NotConfigured => (StatusCode::UNPROCESSABLE_ENTITY, "model_not_configured"),
        _ => (StatusCode::BAD_GATEWAY, "model_failed"),
    };
    let answer = ApiError::new(status, code, detail);
    if status.is_client_error() { answer.in_field("model") } else { answer }
}

/// A model gave no answer.
pub(super) async fn model_failed(state: &AppState, model: &ModelName, error: ModelError) -> ApiError {
    failure(&error, detail(state, model, &error).await)
}

/// Why a model gave no answer. Of one that does not exist, with the names that may have been meant.
pub(super) async fn detail(state: &AppState, model: &ModelName, error: &ModelError) -> String {
    let mut detail = error.message.clone();
    if error.kind == ModelErrorKind::UnknownModel {
        let providers = state.agents.model().catalogue().await;
        let known = providers.into_iter().find(|provider| provider.provider == model.provider());
        let known = known.map(|provider| provider.models).unwrap_or_default();
        // The provider is the same in all of them, and would make them all alike.
        let names = known.iter().filter_map(|known| Some(known.split_once("::")?.1));
        let near = versioning::nearest(model.name(), names);
        if !near.is_empty() {
            let near: Vec<_> = near.iter().map(|name| format!("{}::{name}", model.provider())).collect();
            detail = format!("{detail} Perhaps {} is meant.", near.join(" or "));
        }
    }
    detail
}
