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
    /// Where it is all of them: the name of one, or a part that only one has. Whatever was typed.
    pub named: String,
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
    /// The agent that all versions are of; none when they are of any.
    pub agent: Option<String>,
    /// When what was typed is no agent's name: the agents that may have been meant. There are no versions then.
    pub meant: Option<Vec<String>>,
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

/// Agents that are offered where a part of a name is part of several.
#[cfg(feature = "ssr")]
const OFFERED: usize = 12;

/// A page of the history of one agent or of all.
///
/// # Errors
/// The agent of a history of its own does not exist, or the database is away.
#[server(name = ReadHistory, prefix = "/api/pages", endpoint = "history")]
pub async fn history(filter: HistoryFilter) -> Result<HistoryPage, AppError> {
    use versioning::{AgentType, HistoryOrder, HistoryQuery, VersionStatus};

    let management = services()?.management;
    let mut agent_type = optional(&filter.agent).map(|name| name.parse::<AgentType>()).transpose()?;
    if let (None, Some(typed)) = (&agent_type, optional(&filter.named)) {
        let agents = management.overview().await?;
        match named(&typed, agents.iter().map(|agent| agent.agent_type.as_str())) {
            Ok(name) => agent_type = Some(name.parse()?),
            Err(meant) => return Ok(HistoryPage::meaning(meant)),
        }
    }
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
        agent: agent_type.map(|agent_type| agent_type.to_string()),
        meant: None,
        rows: found.versions.into_iter().map(HistoryLine::from).collect(),
        total: found.total,
        pages: u32::try_from(found.total.div_ceil(u64::from(PAGE_SIZE))).unwrap_or(u32::MAX).max(1),
        spans: spans.into_iter().map(LiveSpan::from).collect(),
        spans_cut,
        now: chrono::Utc::now().into(),
    })
}

#[cfg(feature = "ssr")]
impl HistoryPage {
    /// Of no agent, because these may have been meant.
    fn meaning(agents: Vec<String>) -> Self {
        Self {
            agent: None,
            meant: Some(agents),
            rows: Vec::new(),
            total: 0,
            pages: 1,
            spans: Vec::new(),
            spans_cut: false,
            now: chrono::Utc::now().into(),
        }
    }
}

/// The agent that somebody means who types its name or a part of it; else those that may be meant: the ones with that part, or
/// the ones whose names are most like it.
#[cfg(feature = "ssr")]
fn named<'a>(typed: &str, agents: impl Iterator<Item = &'a str> + Clone) -> Result<&'a str, Vec<String>> {
    let typed = typed.trim().to_lowercase().replace([' ', '-'], "_");
    if let Some(exact) = agents.clone().find(|name| *name == typed) {
        return Ok(exact);
    }
    let with_it: Vec<&str> = agents.clone().filter(|name| name.contains(&typed)).take(OFFERED).collect();
    match with_it[..] {
        [one] => Ok(one),
        [] => Err(versioning::nearest(&typed, agents).into_iter().map(str::to_owned).collect()),
        _ => Err(with_it.into_iter().map(str::to_owned).collect()),
    }
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

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_name_finds_its_agent() {
        let agents = ["back", "backend_dev", "frontend_dev", "qa_engineer"];
        let find = |typed: &str| named(typed, agents.into_iter());
        for (typed, name) in
            [("back", "back"), (" QA ", "qa_engineer"), ("Frontend Dev", "frontend_dev"), ("front", "frontend_dev")]
        {
            assert_eq!(find(typed), Ok(name), "{typed}");
        }
        assert_eq!(find("dev"), Err(vec!["backend_dev".into(), "frontend_dev".into()]));
        assert_eq!(find("qa_enginer"), Err(vec!["qa_engineer".into()]));
        assert_eq!(find("<zzz>"), Err(Vec::new()));
    }
}
