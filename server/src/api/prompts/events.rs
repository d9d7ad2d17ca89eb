//! What is live, as it changes: for agents that keep their prompts in a memory of their own.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    extract::{RawQuery, State},
    response::{
        IntoResponse, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::stream;
use http::StatusCode;
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use utoipa::ToSchema;
use versioning::{AgentType, ErrorKind, PromptNotice, VersioningError};

use crate::{
    api::problem::{ApiError, Problem},
    state::AppState,
};

/// A comment is sent when nothing else was for so long, so that both ends know that the other is there.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Agents that one stream can name.
const MAX_NAMED: usize = 100;

/// What an event `active` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActiveEvent {
    /// The agent.
    pub agent_type: String,
    /// What is live; none when nothing is, yet.
    pub version: Option<String>,
}

/// Follow what is live
///
/// A stream of server-sent events. It begins with an event `active` for each agent: what is live now. From then on there is one for
/// each promotion, on whatever node it was made. So a reader that was away misses nothing: it is told again how things stand, which
/// also happens in an open stream when events may have been missed. `cleared` asks to read an agent's prompt anew although its
/// version is the same. A comment comes after 15 seconds without anything else.
#[utoipa::path(
    get, path = "/prompts/events", tag = "prompts", operation_id = "follow_prompts",
    params(("agent_type" = Option<String>, Query, description = "The agents, with commas between or several times; all without it.")),
    responses(
        (status = 200, description = "The stream; each `data` is an `ActiveEvent`.", body = ActiveEvent, content_type = "text/event-stream"),
        (status = 400, description = "A name is none, or there are more than 100.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such agent.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn follow(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<impl IntoResponse, ApiError> {
    let named = named(query.as_deref().unwrap_or_default())?;
    for agent_type in &named {
        if !state.services.management.agent_exists(agent_type).await? {
            return Err(VersioningError::UnknownAgent { agent_type: agent_type.clone() }.into());
        }
    }
    // First listen, then look: nothing falls between the two.
    let notices = state.services.notices.subscribe();
    let mut reader = Reader { state, named, notices, waiting: VecDeque::new() };
    reader.look().await?;
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// The agents that a query names.
fn named(query: &str) -> Result<Vec<AgentType>, ApiError> {
    let mut named = Vec::new();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if name != "agent_type" {
            continue;
        }
        let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
        for name in value.split(',').filter(|name| !name.is_empty()) {
            let agent_type: AgentType = name.parse()?;
            if !named.contains(&agent_type) {
                named.push(agent_type);
            }
        }
    }
    if named.len() > MAX_NAMED {
        let detail = format!("One stream can name {MAX_NAMED} agents. Name fewer, or none to follow all.");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "too_many_agents", detail).in_field("agent_type"));
    }
    Ok(named)
}

/// One who follows.
struct Reader {
    state: AppState,
    /// Whom; all when there is nobody.
    named: Vec<AgentType>,
    notices: Receiver<PromptNotice>,
    waiting: VecDeque<Event>,
}

impl Reader {
    /// How things stand.
    async fn look(&mut self) -> Result<(), VersioningError> {
        let services = &self.state.services;
        let mut found = Vec::new();
        if self.named.is_empty() {
            found.extend(self.state.standing.read(&services.management).await?.iter().cloned());
        } else {
            for agent_type in &self.named {
                let version = match services.loading.get_active_prompt(agent_type).await {
                    Ok(loaded) => Some(loaded.content().version.version),
                    Err(error) if error.kind() == ErrorKind::NotFound => None,
                    Err(error) => return Err(error),
                };
                found.push((agent_type.clone(), version));
            }
        }
        self.waiting.extend(found.into_iter().map(|(agent_type, version)| {
            let version = version.map(|version| version.to_string());
            event("active", &ActiveEvent { agent_type: agent_type.to_string(), version })
        }));
        Ok(())
    }

    /// The next event; none when the server stops, or cannot say how things stand. Then the reader comes back.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let state = self.state.clone();
            let stopping = state.stopping.notified();
            if state.is_draining() {
                return None;
            }
            let notice = tokio::select! {
                notice = self.notices.recv() => notice,
                () = stopping => return None,
            };
            match notice {
                Ok(PromptNotice::Promoted { agent_type, version }) if self.follows(&agent_type) => {
                    let version = Some(version.to_string());
                    return Some(event("active", &ActiveEvent { agent_type: agent_type.to_string(), version }));
                }
                Ok(PromptNotice::Cleared { agent_type }) if self.follows(&agent_type) => {
                    return Some(event("cleared", &ActiveEvent { agent_type: agent_type.to_string(), version: None }));
                }
                Ok(PromptNotice::Promoted { .. } | PromptNotice::Cleared { .. }) => {}
                Ok(PromptNotice::Gap) | Err(RecvError::Lagged(_)) => {
                    if let Err(error) = self.look().await {
                        tracing::debug!(%error, "a stream of prompts ends, because it cannot be said what is live");
                        return None;
                    }
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn follows(&self, agent_type: &AgentType) -> bool {
        self.named.is_empty() || self.named.contains(agent_type)
    }
}

fn event(name: &str, data: &ActiveEvent) -> Event {
    // Texts always have a JSON form.
    Event::default().event(name).json_data(data).unwrap_or_default()
}
