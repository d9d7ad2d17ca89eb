//! Trying a text on a model before it is saved.

use std::collections::BTreeMap;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::{agent_runtime, services};
use crate::AppError;

/// What can be asked, and who answers when nobody chooses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialModels {
    /// The models that can be reached, as `provider::name`.
    pub reachable: Vec<String>,
    /// The server's own choice; else the first that can be reached; empty when there is none.
    pub preferred: String,
}

/// What a text and, if that was wished, the live version answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The text that is written.
    pub written: Tried,
    /// The version that is live.
    pub live: Option<Tried>,
}

/// What a prompt answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// The version; none for the text that is written.
    pub version: Option<String>,
    /// The answer, or why there is none.
    pub answer: Result<String, String>,
    /// What it took, for people; empty when there is no answer.
    pub took: String,
}

/// Which models can be asked.
///
/// # Errors
/// The page is rendered outside a request.
#[server(name = ReadTrialModels, prefix = "/api/pages", endpoint = "trial-models")]
pub async fn trial_models() -> Result<TrialModels, AppError> {
    let (agents, preferred) = agent_runtime()?;
    let providers = agents.model().catalogue().await;
    let reachable: Vec<String> = providers
        .into_iter()
        .filter(|provider| provider.state == agents::Reachability::Reachable)
        .flat_map(|provider| provider.models)
        .collect();
    let preferred = preferred.map(|model| model.to_string()).or_else(|| reachable.first().cloned()).unwrap_or_default();
    Ok(TrialModels { reachable, preferred })
}

/// Asks a model with a text that nobody saved, the way an agent asks it. Nothing is recorded of the text; the call with the live
/// version beside it counts as one of that version.
///
/// # Errors
/// The name of the model or of the agent is none. What a model does not answer is said in its place.
#[server(name = TryPrompt, prefix = "/api/pages", endpoint = "try", input = leptos::server_fn::codec::Json)]
pub async fn try_prompt(
    agent_type: String,
    text: String,
    values: BTreeMap<String, String>,
    input: String,
    model: String,
    beside_live: bool,
) -> Result<Trial, AppError> {
    use agents::{Question, UsedPrompt};

    let (agents, _) = agent_runtime()?;
    let model = model
        .trim()
        .parse()
        .map_err(|error: agents::InvalidModelName| AppError::refused("invalid_model", error.message))?;
    // A value of nothing is no value: the form has a field for each variable.
    let variables: BTreeMap<String, String> = values.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let question = Question { input, variables, model, settings: agents::ModelSettings::default() };
    // A new agent has no name yet.
    let name = if agent_type.is_empty() { "new_agent" } else { agent_type.as_str() };
    let agent = agents.agent(name.parse::<versioning::AgentType>()?);
    let written = UsedPrompt { version: None, text: text.into(), source: None };
    let live = async {
        let is_live = beside_live && services()?.management.active(agent.agent_type()).await?.is_some();
        Ok::<_, AppError>(if is_live { Some(tried(agent.ask(&question).await).await) } else { None })
    };
    let written = async { tried(agent.ask_with(written, &question).await).await };
    let (written, live) = futures_util::future::join(written, live).await;
    Ok(Trial { written, live: live? })
}

#[cfg(feature = "ssr")]
async fn tried(reply: Result<agents::Reply, agents::AgentError>) -> Tried {
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => return Tried { version: None, answer: Err(error.to_string()), took: String::new() },
    };
    let version = reply.prompt().version.map(|version| version.to_string());
    match reply.whole().await {
        Ok((answer, cost)) => {
            let tokens = answer.usage.output_tokens.map(|tokens| format!(" · {tokens} tokens")).unwrap_or_default();
            let cost = cost.map(|cost| format!(" · ${cost:.5}")).unwrap_or_default();
            let cut = if answer.stop == agents::StopReason::Length { " · cut off by the limit" } else { "" };
            let took = format!("{} ms{tokens}{cost}{cut}", answer.latency.as_millis());
            Tried { version, answer: Ok(answer.text), took }
        }
        Err(error) => Tried { version, answer: Err(error.to_string()), took: String::new() },
    }
}
