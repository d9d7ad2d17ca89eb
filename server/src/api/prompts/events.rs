//! What is live, as it changes: for agents that keep their prompts in a memory of their own.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::State,
    response::{
        IntoResponse, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::stream;
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use utoipa::ToSchema;
use versioning::{AgentType, ErrorKind, PromptNotice, VersioningError};

use crate::{
    api::{
        extract::Parameters,
        problem::{ApiError, Problem},
    },
    standing::{Live, LiveAgent, Position},
    state::AppState,
};

/// Seconds of silence after which a stream says that it is there.
const HEARTBEAT: HeaderName = HeaderName::from_static("verbatim-heartbeat");

/// Asks a proxy such as nginx to pass events on as they come; one that collects them makes a stream look mute.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Agents that one stream can name.
const MAX_NAMED: usize = 100;

/// Microseconds by which a reader that comes back is told more than it may have missed: what went live first need not have been
/// committed first.
const MARGIN: Position = 60_000_000;

/// What an event `active` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActiveEvent {
    /// The agent.
    pub agent_type: String,
    /// What is live; none when nothing is, yet.
    pub version: Option<String>,
    /// Whether the database is away: this was live when it last answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

/// What an event `current` says: everything up to here was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CurrentEvent {
    /// Whether the stream went on from where the reader was: an agent that was not named is as it was.
    pub resumed: bool,
}

/// What the `data` of an event is: of `active` and `cleared` an `ActiveEvent`, of `current` a `CurrentEvent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PromptEvent {
    /// Of an agent.
    Active(ActiveEvent),
    /// Of all that the stream is about.
    Current(CurrentEvent),
}

/// Follow what is live
///
/// A stream of server-sent events. It begins with an event `active` for each agent: what is live now. Then comes `current`: everything
/// up to here was told. From then on there is an `active` for each promotion, on whatever node it was made. Each of them has an `id`;
/// a reader that was away sends the last one as `Last-Event-ID`, to any node, and is told only what changed since (perhaps more, never
/// less) before `current`. How things stand is also told in an open stream when events may have been missed. A reader that is too
/// slow is disconnected and goes on in this way. `cleared` asks to read an agent's prompt anew although its version is the same. While the
/// database is away, a stream that names agents begins with what this node knew last, marked as stale, and `current` comes when the
/// database is back. A comment comes after some seconds without anything else (5, unless the server is
/// set otherwise); `Verbatim-Heartbeat` says after how many, so that a reader can tell a network that has gone mute.
#[utoipa::path(
    get, path = "/api/v1/prompts/events", tag = "prompts", operation_id = "follow_prompts",
    params(
        ("agent_type" = Option<String>, Query, description = "The agents, with commas between or several times; all without it."),
        ("Last-Event-ID" = Option<String>, Header, description = "The last `id` that was read; one that is none is ignored."),
    ),
    responses(
        (status = 200, description = "The stream; each `data` is an `ActiveEvent`, that of `current` a `CurrentEvent`.", content(
            (PromptEvent = "text/event-stream"),
        ), headers(("Verbatim-Heartbeat" = f64, description = "Seconds of silence after which a comment comes."))),
        (status = 400, description = "A name is none, there are more than 100, or a parameter is unknown.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such agent.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away, and this node knows none of the agents.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn follow(
    State(state): State<AppState>,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    let named = named(&parameters.only(&["agent_type"])?)?;
    let since = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    // First listen, then look: nothing falls between the two.
    let notices = state.services.notices.subscribe();
    let heartbeat = state.heartbeat;
    let mut reader = Reader { state, named, notices, telling: None };
    reader.begin(since).await?;
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let told = [(HEARTBEAT, heartbeat.as_secs_f64().to_string()), (BUFFERING, "no".to_owned())];
    Ok((told, Sse::new(events).keep_alive(KeepAlive::new().interval(heartbeat))))
}

/// The agents that a query names.
fn named(parameters: &Parameters) -> Result<Vec<AgentType>, ApiError> {
    let mut named = Vec::new();
    for value in parameters.all("agent_type") {
        // A value without any name is refused: it would follow all.
        let has_none = value.bytes().all(|byte| byte == b',');
        let names = value.split(',').filter(|name| !name.is_empty() || has_none);
        for name in names {
            let agent_type: AgentType = name.parse()?;
            if !named.contains(&agent_type) {
                named.push(agent_type);
            }
            if named.len() > MAX_NAMED {
                let detail = format!("One stream can name {MAX_NAMED} agents. Name fewer, or none to follow all.");
                return Err(ApiError::new(StatusCode::BAD_REQUEST, "too_many_agents", detail).in_field("agent_type"));
            }
        }
    }
    Ok(named)
}

/// One who follows.
struct Reader {
    state: AppState,
    /// Whom; all when there is nobody.
    named: Vec<AgentType>,
    notices: Receiver<PromptNotice>,
    telling: Option<Telling>,
}

/// How things stand, while it is told. What is told is made when it is its turn: readers are many, and may be slow.
struct Telling {
    live: Arc<Live>,
    /// Whom to tell of, in order.
    rest: Box<dyn Iterator<Item = usize> + Send>,
    /// What is said at the end; nothing when the database is away.
    end: Option<CurrentEvent>,
}

impl Telling {
    fn next(&mut self) -> Option<Event> {
        if let Some(LiveAgent { agent_type, live }) = self.rest.next().and_then(|index| self.live.agents().get(index)) {
            let said = ActiveEvent {
                agent_type: agent_type.to_string(),
                version: live.map(|(version, _)| version.to_string()),
                stale: self.end.is_none(),
            };
            // Up to where a reader was told is not known before the database is back.
            let position = live.map(|(_, position)| position).filter(|_| !said.stale);
            return Some(event("active", position, &PromptEvent::Active(said)));
        }
        let end = self.end.take()?;
        Some(event("current", self.live.newest(), &PromptEvent::Current(end)))
    }
}

impl Reader {
    /// How things stand at the beginning, to somebody who was told up to a position.
    async fn begin(&mut self, since: Option<Position>) -> Result<(), VersioningError> {
        let management = &self.state.services.management;
        match self.state.standing.read(management).await {
            Ok(live) => {
                for agent_type in &self.named {
                    if live.find(agent_type).is_none() {
                        return Err(management.unknown_agent(agent_type).await);
                    }
                }
                // What is from a time to come was not told here.
                let since = since.filter(|since| Some(*since) <= live.newest());
                self.tell(live, since);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => self.tell_what_was_known(error).await,
            Err(error) => Err(error),
        }
    }

    /// Begins to tell how things stand, and ends with `current`.
    fn tell(&mut self, live: Arc<Live>, since: Option<Position>) {
        let first = since.map_or(0, |since| live.first_since(since.saturating_sub(MARGIN)));
        let rest: Box<dyn Iterator<Item = usize> + Send> = if self.named.is_empty() {
            Box::new(first..live.agents().len())
        } else {
            let mut found: Vec<_> = self.named.iter().filter_map(|agent_type| live.find(agent_type)).collect();
            found.retain(|index| *index >= first);
            found.sort_unstable();
            Box::new(found.into_iter())
        };
        self.telling = Some(Telling { live, rest, end: Some(CurrentEvent { resumed: since.is_some() }) });
    }

    /// Without the database: what this node knows of those who are named. Of the others it is told when the database is back.
    async fn tell_what_was_known(&mut self, error: VersioningError) -> Result<(), VersioningError> {
        let mut known = Vec::new();
        for agent_type in &self.named {
            if let Ok(loaded) = self.state.services.loading.get_active_prompt(agent_type).await {
                let found = &loaded.content().version;
                let position = found.activated_at.map_or(0, |activated_at| activated_at.timestamp_micros());
                known.push(LiveAgent { agent_type: agent_type.clone(), live: Some((found.version, position)) });
            }
        }
        if known.is_empty() {
            return Err(error);
        }
        let rest = Box::new(0..known.len());
        self.telling = Some(Telling { live: Arc::new(Live::new(known)), rest, end: None });
        Ok(())
    }

    /// The next event; none when the server stops, cannot say how things stand, or the reader is too slow. Then it comes back.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let state = self.state.clone();
            let stopping = state.stopping.notified();
            if state.is_draining() {
                return None;
            }
            if let Some(telling) = &mut self.telling {
                match telling.next() {
                    Some(event) => return Some(event),
                    None => self.telling = None,
                }
            }
            let notice = tokio::select! {
                notice = self.notices.recv() => notice,
                () = stopping => return None,
            };
            match notice {
                Ok(PromptNotice::Promoted { agent_type, version }) if self.follows(&agent_type) => {
                    let loading = &state.services.loading;
                    let position = state.standing.position_of(loading, &agent_type, version).await;
                    let version = Some(version.to_string());
                    let said = ActiveEvent { agent_type: agent_type.to_string(), version, stale: false };
                    return Some(event("active", position, &PromptEvent::Active(said)));
                }
                Ok(PromptNotice::Cleared { agent_type }) if self.follows(&agent_type) => {
                    let said = ActiveEvent { agent_type: agent_type.to_string(), version: None, stale: false };
                    return Some(event("cleared", None, &PromptEvent::Active(said)));
                }
                Ok(PromptNotice::Promoted { .. } | PromptNotice::Cleared { .. }) => {}
                Ok(PromptNotice::Gap) => {
                    let management = &state.services.management;
                    let found = match state.standing.read(management).await {
                        // Somebody may have asked while the database was away, and is only now told so.
                        Err(error) if error.kind() == ErrorKind::Unavailable => state.standing.read(management).await,
                        found => found,
                    };
                    match found {
                        Ok(live) => self.tell(live, None),
                        Err(error) => {
                            tracing::debug!(%error, "a stream of prompts ends, because it cannot be said what is live");
                            return None;
                        }
                    }
                }
                Err(RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "a stream of prompts ends, because its reader is too slow");
                    return None;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn follows(&self, agent_type: &AgentType) -> bool {
        self.named.is_empty() || self.named.contains(agent_type)
    }
}

fn event(name: &str, position: Option<Position>, data: &PromptEvent) -> Event {
    // What is said always has a JSON form.
    let event = Event::default().event(name).json_data(data).unwrap_or_default();
    match position {
        Some(position) => event.id(position.to_string()),
        None => event,
    }
}
