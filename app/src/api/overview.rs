//! All agents at a glance, what happened last, and the search over them.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::Moment;
#[cfg(feature = "ssr")]
use super::{optional, services};
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
    /// Events on each of the last days, today last.
    pub activity: Vec<u32>,
}

/// The version that an agent is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveVersion {
    /// Its number.
    pub version: String,
    /// When it went live.
    pub since: Moment,
    /// Who created it.
    pub created_by: Option<String>,
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
    /// What: `created`, `promoted`, `reissued`, `cache_cleared` or `winner_chosen`.
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
    /// Of a winner: the run in the lab that was decided.
    pub run: Option<String>,
}

/// Where a search found its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHit {
    /// The agent.
    pub agent_type: String,
    /// The version; none when the agent's name was found.
    pub version: Option<String>,
    /// Where: `name`, `live`, `draft` or `notes`.
    pub place: String,
    /// The words around it, in pieces; those that were found are marked.
    pub excerpt: Vec<(String, bool)>,
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
    let mut agents: Vec<_> = services.management.overview().await?.into_iter().map(AgentRow::from).collect();
    for (agent_type, days) in services.management.daily_activity(DAYS).await? {
        if let Ok(index) = agents.binary_search_by(|agent| agent.agent_type.as_str().cmp(agent_type.as_str())) {
            agents[index].activity = days;
        }
    }
    let events = services.management.recent_events(RECENT_EVENTS).await?;
    Ok(Overview { agents, events: events.into_iter().map(EventRow::from).collect(), now: chrono::Utc::now().into() })
}

/// Days on an agent's spark line.
#[cfg(feature = "ssr")]
const DAYS: u32 = 14;

/// Hits that a search shows.
pub const SEARCH_HITS: usize = 30;

/// Finds words in agents, texts and notes. No words, no hits.
///
/// # Errors
/// The database is away.
#[server(name = Search, prefix = "/api/pages", endpoint = "search")]
pub async fn search(words: String) -> Result<Vec<SearchHit>, AppError> {
    let Some(words) = optional(&words) else { return Ok(Vec::new()) };
    let hits = services()?.management.search(&words, SEARCH_HITS as u32).await?;
    Ok(hits.into_iter().map(SearchHit::from).collect())
}

#[cfg(feature = "ssr")]
impl From<versioning::SearchHit> for SearchHit {
    fn from(hit: versioning::SearchHit) -> Self {
        use versioning::{SearchPlace, history::HIT_END, history::HIT_START};

        let mut excerpt = Vec::new();
        for (position, part) in hit.excerpt.split(HIT_START).enumerate() {
            match part.split_once(HIT_END).filter(|_| position > 0) {
                Some((found, rest)) => {
                    excerpt.push((found.to_owned(), true));
                    excerpt.push((rest.to_owned(), false));
                }
                None => excerpt.push((part.to_owned(), false)),
            }
        }
        excerpt.retain(|(text, _)| !text.is_empty());
        Self {
            agent_type: hit.agent_type.to_string(),
            version: hit.version.map(|version| version.to_string()),
            place: match hit.place {
                SearchPlace::Name => "name",
                SearchPlace::LiveText => "live",
                SearchPlace::DraftText => "draft",
                SearchPlace::Notes => "notes",
            }
            .into(),
            excerpt,
        }
    }
}

#[cfg(feature = "ssr")]
impl From<versioning::AgentOverview> for AgentRow {
    fn from(agent: versioning::AgentOverview) -> Self {
        Self {
            agent_type: agent.agent_type.to_string(),
            active: agent.active.map(|active| ActiveVersion {
                version: active.version.to_string(),
                since: active.activated_at.unwrap_or(active.created_at).into(),
                created_by: active.created_by,
                char_count: active.char_count,
                line_count: active.line_count,
            }),
            latest: agent.latest.version.to_string(),
            drafts: agent.drafts,
            versions: agent.versions,
            changed_at: agent.last_change_at.into(),
            changed_by: agent.last_change_by,
            activity: vec![0; DAYS as usize],
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
            run: event.details.and_then(|details| Some(details.get("run")?.as_str()?.to_owned())),
        }
    }
}
