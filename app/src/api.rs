//! What the pages ask the server, and what they get.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::AppError;

/// All agents and what happened last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// Every agent, by name.
    pub agents: Vec<AgentRow>,
    /// The newest events over all agents, newest first.
    pub events: Vec<EventRow>,
    /// The server's time. Ages are reckoned from it, so that both sides render the same.
    pub now: Moment,
}

/// An agent at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRow {
    /// Its name.
    pub agent_type: String,
    /// What it is served; none if nothing was promoted yet.
    pub active: Option<ActiveVersion>,
    /// The version that was created last.
    pub latest: String,
    /// Versions above the active one.
    pub drafts: u32,
    /// All versions.
    pub versions: u32,
    /// When anything last happened to it.
    pub changed_at: Moment,
    /// Who did that.
    pub changed_by: Option<String>,
}

/// The version that an agent is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveVersion {
    /// Its number.
    pub version: String,
    /// When it went live.
    pub since: Moment,
    /// Unicode scalar values.
    pub char_count: u32,
    /// Lines.
    pub line_count: u32,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// The position in the log.
    pub id: i64,
    /// When.
    pub at: Moment,
    /// What: `created`, `promoted`, `reissued` or `cache_cleared`.
    pub kind: String,
    /// To whom.
    pub agent_type: String,
    /// To which version.
    pub version: Option<String>,
    /// By whom.
    pub actor: Option<String>,
    /// From which base.
    pub base_version: Option<String>,
    /// What was live before.
    pub previous_active: Option<String>,
}

/// A moment, for people and for arithmetic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// RFC 3339 in UTC, to the second.
    pub text: String,
    /// Seconds since 1970.
    pub seconds: i64,
}

#[cfg(feature = "ssr")]
impl From<chrono::DateTime<chrono::Utc>> for Moment {
    fn from(moment: chrono::DateTime<chrono::Utc>) -> Self {
        Self { text: moment.to_rfc3339_opts(chrono::SecondsFormat::Secs, true), seconds: moment.timestamp() }
    }
}

/// Events on the overview.
#[cfg(feature = "ssr")]
const RECENT_EVENTS: u32 = 12;

/// All agents and what happened last.
///
/// # Errors
/// The database is away.
#[server(name = ReadOverview, prefix = "/api/pages", endpoint = "overview")]
pub async fn overview() -> Result<Overview, AppError> {
    let services = services()?;
    let agents = services.management.overview().await?;
    let events = services.management.recent_events(RECENT_EVENTS).await?;
    Ok(Overview {
        agents: agents.into_iter().map(AgentRow::from).collect(),
        events: events.into_iter().map(EventRow::from).collect(),
        now: chrono::Utc::now().into(),
    })
}

#[cfg(feature = "ssr")]
fn services() -> Result<versioning::Services, AppError> {
    use_context().ok_or_else(|| AppError {
        code: "internal".into(),
        message: "The server is not ready yet. Try again in a moment.".into(),
        request_id: None,
    })
}

#[cfg(feature = "ssr")]
impl From<versioning::AgentOverview> for AgentRow {
    fn from(agent: versioning::AgentOverview) -> Self {
        Self {
            agent_type: agent.agent_type.to_string(),
            active: agent.active.map(|active| ActiveVersion {
                version: active.version.to_string(),
                since: active.activated_at.unwrap_or(active.created_at).into(),
                char_count: active.char_count,
                line_count: active.line_count,
            }),
            latest: agent.latest.version.to_string(),
            drafts: agent.drafts,
            versions: agent.versions,
            changed_at: agent.last_change_at.into(),
            changed_by: agent.last_change_by,
        }
    }
}

#[cfg(feature = "ssr")]
impl From<versioning::Event> for EventRow {
    fn from(event: versioning::Event) -> Self {
        let text = |version: Option<versioning::Version>| version.map(|version| version.to_string());
        Self {
            id: event.id,
            at: event.occurred_at.into(),
            kind: event.kind.as_str().into(),
            agent_type: event.agent_type.to_string(),
            version: text(event.version),
            actor: event.actor,
            base_version: text(event.base_version),
            previous_active: text(event.previous_active),
        }
    }
}
