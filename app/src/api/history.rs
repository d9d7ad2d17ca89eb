//! The history: filtered, sorted, in pages, with what was live when.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::Moment;
#[cfg(feature = "ssr")]
use super::{optional, services};
use crate::AppError;

/// What the address of a history asks for. Everything is text as it stands in the address; what is not understood counts as
/// not given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryFilter {
    /// One agent; else all of them.
    pub agent: String,
    /// A part of the author's name.
    pub author: String,
    /// `active`, `draft` or `superseded`.
    pub status: String,
    /// A part of the notes or the text.
    pub q: String,
    /// `created` or `version`.
    pub sort: String,
    /// `asc` or `desc`.
    pub dir: String,
    /// From 1.
    pub page: u32,
}

/// A page of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The versions.
    pub rows: Vec<HistoryLine>,
    /// How many there are in all pages.
    pub total: u64,
    /// The number of pages.
    pub pages: u32,
    /// What was live when, newest first; only for one agent.
    pub spans: Vec<LiveSpan>,
    /// Whether there are earlier ones that are not among them.
    pub spans_cut: bool,
    /// The server's time.
    pub now: Moment,
}

/// A version in a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// The agent.
    pub agent_type: String,
    /// The number.
    pub version: String,
    /// `active`, `draft` or `superseded`.
    pub status: String,
    /// When it was created.
    pub created_at: Moment,
    /// By whom.
    pub created_by: Option<String>,
    /// What changed and why.
    pub notes: Option<String>,
    /// Unicode scalar values.
    pub char_count: u32,
    /// The change of that against the version below; none for the lowest.
    pub char_change: Option<i64>,
}

/// A stretch of time in which a version was live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSpan {
    /// The version.
    pub version: String,
    /// When it went live.
    pub from: Moment,
    /// When the next one did.
    pub until: Option<Moment>,
    /// Who promoted it.
    pub by: Option<String>,
}

/// Versions on a page.
#[cfg(feature = "ssr")]
const PAGE_SIZE: u32 = 50;

/// Stretches on the time line.
#[cfg(feature = "ssr")]
const SPANS: usize = 200;

/// A page of the history of one agent or of all.
///
/// # Errors
/// There is no such agent, or the database is away.
#[server(name = ReadHistory, prefix = "/api/pages", endpoint = "history")]
pub async fn history(filter: HistoryFilter) -> Result<HistoryPage, AppError> {
    use versioning::{AgentType, HistoryOrder, HistoryQuery, VersionStatus};

    let management = services()?.management;
    let agent_type = optional(&filter.agent).map(|name| name.parse::<AgentType>()).transpose()?;
    let page = filter.page.clamp(1, 1_000_000);
    let query = HistoryQuery {
        agent_type: agent_type.clone(),
        author: optional(&filter.author),
        status: match filter.status.as_str() {
            "active" => Some(VersionStatus::Active),
            "draft" => Some(VersionStatus::Draft),
            "superseded" => Some(VersionStatus::Superseded),
            _ => None,
        },
        text: optional(&filter.q),
        order: if filter.sort == "version" { HistoryOrder::Version } else { HistoryOrder::Created },
        ascending: filter.dir == "asc",
        offset: (page - 1) * PAGE_SIZE,
        limit: PAGE_SIZE,
    };
    let found = management.history(&query).await?;
    let mut spans = match &agent_type {
        // One more tells whether there are more.
        Some(agent_type) => management.activations(agent_type, SPANS as u32 + 1).await?,
        None => Vec::new(),
    };
    let spans_cut = spans.len() > SPANS;
    spans.truncate(SPANS);
    Ok(HistoryPage {
        rows: found.versions.into_iter().map(HistoryLine::from).collect(),
        total: found.total,
        pages: u32::try_from(found.total.div_ceil(u64::from(PAGE_SIZE))).unwrap_or(u32::MAX).max(1),
        spans: spans.into_iter().map(LiveSpan::from).collect(),
        spans_cut,
        now: chrono::Utc::now().into(),
    })
}

#[cfg(feature = "ssr")]
impl From<versioning::HistoryRow> for HistoryLine {
    fn from(row: versioning::HistoryRow) -> Self {
        let version = row.version;
        Self {
            agent_type: version.agent_type.to_string(),
            version: version.version.to_string(),
            status: version.status.as_str().into(),
            created_at: version.created_at.into(),
            created_by: version.created_by,
            notes: version.notes,
            char_count: version.char_count,
            char_change: row.previous_char_count.map(|before| i64::from(version.char_count) - i64::from(before)),
        }
    }
}

#[cfg(feature = "ssr")]
impl From<versioning::Activation> for LiveSpan {
    fn from(activation: versioning::Activation) -> Self {
        Self {
            version: activation.version.to_string(),
            from: activation.from.into(),
            until: activation.until.map(Moment::from),
            by: activation.by,
        }
    }
}
