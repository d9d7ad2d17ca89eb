//! Agents at work: what they answer.

use std::{collections::BTreeMap, time::Duration};

use agents::Reply;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use versioning::{AgentType, PromptSource};

mod ask;
mod stream;

use super::{
    extract::{AgentPath, JsonBody},
    problem::{ApiError, Problem},
};
use crate::state::AppState;

/// What an agent is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RespondRequest {
    /// What the user says.
    #[schema(example = "My parcel is late.")]
    pub input: String,
    /// Values for the template variables of the prompt.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Who answers, as `provider::name`. Without it, the server's own choice (`VERBATIM_MODEL`).
    #[schema(example = "openai::gpt-4o-mini")]
    pub model: Option<String>,
    /// Another version than the one that is live.
    #[schema(example = "1.2.0")]
    pub version: Option<String>,
    /// A text that is no version yet, in place of the prompt that is live. Its call is not recorded.
    pub prompt_text: Option<String>,
    /// From 0 to 2.
    pub temperature: Option<f64>,
    /// Above 0, at most 1.
    pub top_p: Option<f64>,
    /// Tokens that the answer may have.
    pub max_tokens: Option<u32>,
    /// The model's seed.
    pub seed: Option<u64>,
}

/// What an agent answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RespondResponse {
    /// The agent.
    pub agent_type: String,
    /// The version that was used; none for a text that is no version.
    pub version: Option<String>,
    /// Where the prompt came from: `fresh`, `cache` or `stale`; none for one that was named.
    pub source: Option<&'static str>,
    /// Who answered.
    pub model: String,
    /// The answer; of a stream, in its last event, empty.
    pub answer: String,
    /// Why it ended: `finished`, `length`, `filtered` or `other`.
    pub stop: &'static str,
    /// Tokens of the prompt, if the provider counted them.
    pub input_tokens: Option<u32>,
    /// Tokens of the answer, if the provider counted them.
    pub output_tokens: Option<u32>,
    /// US dollars, if the price is known.
    pub cost_usd: Option<f64>,
    /// Milliseconds until the answer was whole.
    pub latency_ms: f64,
    /// Milliseconds until its first text.
    pub first_token_ms: Option<f64>,
}

/// Ask an agent
///
/// It answers with the prompt that is live, and says which version that was. With `Accept: text/event-stream` the answer streams:
/// an event `prompt` with the version, any number of events `text`, and one `end` or `error`.
#[utoipa::path(
    post, path = "/api/v1/agents/{agent_type}/respond", tag = "agents", operation_id = "respond", request_body = RespondRequest,
    params(("agent_type" = String, Path, description = "The agent.")),
    responses(
        (status = 200, description = "The answer.", body = RespondResponse),
        (status = 400, description = "A setting breaks its rule.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such agent, version or model, or nothing is live.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A variable has no value, no model is named, or a field is of the wrong type.", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "The model gave no answer.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many calls are under way, or the model asks to be left alone.", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The model took too long.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn respond(
    State(state): State<AppState>,
    AgentPath(agent_type): AgentPath,
    headers: HeaderMap,
    JsonBody(request): JsonBody<RespondRequest>,
) -> Result<Response, ApiError> {
    let reply = ask::ask(&state, &agent_type, request).await?;
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/event-stream") {
        return Ok(stream::answer(state, &agent_type, reply).into_response());
    }
    let mut response = RespondResponse::begin(&agent_type, &reply);
    let model = reply.model().clone();
    let (answer, cost) = match reply.whole().await {
        Ok(whole) => whole,
        Err(error) => return Err(ask::model_failed(&state, &model, error).await),
    };
    response.answer = answer.text;
    response.stop = answer.stop.as_str();
    (response.input_tokens, response.output_tokens) = (answer.usage.input_tokens, answer.usage.output_tokens);
    response.cost_usd = cost;
    response.latency_ms = milliseconds(answer.latency);
    response.first_token_ms = answer.time_to_first_token.map(milliseconds);
    Ok(Json(response).into_response())
}

impl RespondResponse {
    /// What is known before the answer is.
    fn begin(agent_type: &AgentType, reply: &Reply) -> Self {
        Self {
            agent_type: agent_type.to_string(),
            version: reply.prompt().version.map(|version| version.to_string()),
            source: reply.prompt().source.map(PromptSource::as_str),
            model: reply.model().to_string(),
            answer: String::new(),
            stop: "other",
            input_tokens: None,
            output_tokens: None,
            cost_usd: None,
            latency_ms: 0.0,
            first_token_ms: None,
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
