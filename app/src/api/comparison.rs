//! Two versions, side by side.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use versioning::{counts::Counts, outline::SectionChanges};

use super::Moment;
#[cfg(feature = "ssr")]
use super::services;
use crate::{AppError, html::ServerHtml};

/// What an address of a comparison leads to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Compared {
    /// The comparison.
    Whole(Box<Comparison>),
    /// An address that names both versions: what stands for one that is not named changes as versions come, and a page that
    /// follows would show the difference of two and offer to promote a third.
    At(String),
}

/// What the address of a comparison asks for, as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparisonQuery {
    /// The agent of the page.
    pub agent: String,
    /// A version of it, or `agent@version`; what is live if not given.
    pub base: String,
    /// The same; the newest version if not given.
    pub head: String,
    /// `split` or `unified`.
    pub view: String,
    /// `ignore` to let white space differ.
    pub ws: String,
    /// The folds that are open, by their first lines, with commas between; or `all`.
    pub open: String,
}

/// Two versions and what differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The one at the left.
    pub base: Side,
    /// The one at the right.
    pub head: Side,
    /// The lines.
    pub lines: ServerHtml,
    /// Lines that only the head has.
    pub added: u32,
    /// Lines that only the base has.
    pub removed: u32,
    /// Of the added lines, those that only moved.
    pub moved: u32,
    /// Whether the texts differ, to the letter.
    pub is_same: bool,
    /// Whether the lines of the one end with CR LF where those of the other do not.
    pub ends_differ: bool,
    /// Whether the search for the smallest difference was cut short.
    pub is_simplified: bool,
    /// Changed lines beyond what is shown.
    pub hidden: u32,
    /// Variables of the head alone.
    pub variables_added: Vec<String>,
    /// Variables of the base alone.
    pub variables_removed: Vec<String>,
    /// What happened to the sections.
    pub sections: SectionChanges,
    /// The newest versions of the page's agent with their status, to choose from.
    pub versions: Vec<(String, String)>,
    /// The server's time.
    pub now: Moment,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
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
    /// How much text it is.
    pub counts: Counts,
    /// What recorded calls say.
    pub performance: Vec<PerformanceRow>,
}

/// The figures of a version with one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerformanceRow {
    /// `agent_call` or `lab_run`.
    pub source: String,
    /// The model.
    pub model: String,
    /// Calls.
    pub calls: u64,
    /// The share without an answer, from 0 to 1.
    pub error_rate: f64,
    /// Milliseconds that half of the calls did not exceed.
    pub p50_ms: Option<f64>,
    /// Milliseconds that nineteen of twenty did not exceed.
    pub p95_ms: Option<f64>,
    /// Tokens answered, for an average call; none when nobody counted them.
    pub output_tokens: Option<f64>,
    /// US dollars, for an average call; none when the price is not known.
    pub cost_usd: Option<f64>,
    /// The average score, from 0 to 1.
    pub score: Option<f64>,
}

/// Versions to choose from.
#[cfg(feature = "ssr")]
pub(super) const CHOICES: u32 = 100;

/// Compares two versions.
#[cfg(feature = "ssr")]
async fn compare(query: ComparisonQuery) -> Result<Comparison, AppError> {
    use std::collections::BTreeSet;

    use versioning::{
        diff::{Diff, DiffOptions},
        outline, template,
    };

    use crate::render::{DiffLinks, DiffView, diff_lines};

    let services = services()?;
    let (base, head) = both_versions(&services, &query).await?;
    let (old, new) = (base.prompt_text.clone(), head.prompt_text.clone());
    let options = DiffOptions { ignore_whitespace: query.ws == "ignore", ..DiffOptions::default() };
    let names = |text: &str| template::variables(text).into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    let (before, after) = (names(&old), names(&new));
    let links = DiffLinks::of(&query);
    let view = if query.view == "unified" { DiffView::Unified } else { DiffView::Split };
    // It can take its whole deadline, which is too long for a thread that serves others.
    let (drawn, stats, is_simplified, sections, old, new) = versioning::aside(move || {
        let diff = Diff::new(&old, &new, options);
        let drawn = diff_lines(&diff, view, &links);
        let (stats, is_simplified) = (diff.stats, diff.is_simplified || drawn.is_simplified);
        let sections = outline::changes(&old, &new);
        (drawn, stats, is_simplified, sections, old, new)
    })
    .await?;
    let agent: versioning::AgentType = query.agent.parse()?;
    let versions = services.management.get_versions(&agent, None, CHOICES).await?.versions;
    Ok(Comparison {
        base: side(&services, base, &old).await?,
        head: side(&services, head, &new).await?,
        lines: drawn.html,
        hidden: drawn.hidden,
        added: stats.added,
        removed: stats.removed,
        moved: stats.moved,
        is_same: old == new,
        ends_differ: line_ends(&old) != line_ends(&new),
        is_simplified,
        variables_added: after.difference(&before).cloned().collect(),
        variables_removed: before.difference(&after).cloned().collect(),
        sections,
        versions: versions
            .into_iter()
            .map(|version| (version.version.to_string(), version.status.as_str().to_owned()))
            .collect(),
        now: chrono::Utc::now().into(),
    })
}

/// Compares the two versions of a page's address, or chooses those that it does not name and leads the browser to the address
/// that does, with everything else that it said.
///
/// # Errors
/// One of them does not exist, or the database is away.
#[server(name = Compare, prefix = "/api/pages", endpoint = "compare")]
pub async fn open_comparison(query: ComparisonQuery, rest: Vec<(String, String)>) -> Result<Compared, AppError> {
    use leptos_router::params::ParamsMap;

    let is_named = !(query.base.trim().is_empty() || query.head.trim().is_empty());
    // A form that was refused is shown where it was sent to: elsewhere, what was written would be lost.
    if is_named || use_context::<super::RefusedPromotion>().is_some() {
        return Ok(Compared::Whole(Box::new(compare(query).await?)));
    }
    let (base, head) = both_versions(&services()?, &query).await?;
    let name = |content: versioning::PromptContent| {
        let version = content.version;
        if version.agent_type.as_str() == query.agent {
            version.version.to_string()
        } else {
            format!("{}@{}", version.agent_type, version.version)
        }
    };
    let mut named: ParamsMap = rest.into_iter().collect();
    for (side, content) in [("base", base), ("head", head)] {
        named.remove(side);
        named.remove(&format!("other_{side}"));
        named.insert(side, name(content));
    }
    // A dot means nothing in a query, and versions read better with it.
    let named = named.to_query_string().replace("%2E", ".");
    let address = format!("/agents/{}/compare{named}", query.agent);
    crate::error::lead_to(&address);
    Ok(Compared::At(address))
}

/// How the lines of a text end: some with CR LF, some with LF alone.
#[cfg(feature = "ssr")]
fn line_ends(text: &str) -> (bool, bool) {
    let both = text.matches("\r\n").count();
    (both > 0, text.matches('\n').count() > both)
}

/// Both versions of an address, with what stands for one that is not named: the newest for the head, and what is live for the
/// base, or the version below the head when that is what is live.
#[cfg(feature = "ssr")]
async fn both_versions(
    services: &versioning::Services,
    query: &ComparisonQuery,
) -> Result<(versioning::PromptContent, versioning::PromptContent), AppError> {
    let management = &services.management;
    let agent: versioning::AgentType = query.agent.parse()?;
    let head = match super::optional(&query.head) {
        Some(head) => named(&agent, &head)?,
        None => match management.seen(&agent).await?.newest {
            Some(newest) => (agent.clone(), newest),
            None => return Err(management.unknown_agent(&agent).await.into()),
        },
    };
    let base = match super::optional(&query.base) {
        Some(base) => named(&agent, &base)?,
        None => {
            let active = management.active(&agent).await?.map(|active| active.version.version);
            let below = management.neighbours(&head.0, head.1).await?.0;
            (agent.clone(), active.filter(|&active| (&agent, active) != (&head.0, head.1)).or(below).unwrap_or(head.1))
        }
    };
    Ok((management.get_prompt_content(&base.0, base.1).await?, management.get_prompt_content(&head.0, head.1).await?))
}

/// `version`, or `agent@version`.
#[cfg(feature = "ssr")]
fn named(agent: &versioning::AgentType, text: &str) -> Result<(versioning::AgentType, versioning::Version), AppError> {
    Ok(match text.split_once('@') {
        Some((other, version)) => (other.parse()?, version.parse()?),
        None => (agent.clone(), text.parse()?),
    })
}

#[cfg(feature = "ssr")]
async fn side(
    services: &versioning::Services,
    content: versioning::PromptContent,
    text: &str,
) -> Result<Side, AppError> {
    let version = content.version;
    let performance = services.performance.of_version(&version.agent_type, version.version).await?;
    Ok(Side {
        agent_type: version.agent_type.to_string(),
        version: version.version.to_string(),
        status: version.status.as_str().into(),
        created_at: version.created_at.into(),
        created_by: version.created_by,
        counts: Counts::of(text),
        performance: performance.into_iter().map(PerformanceRow::from).collect(),
    })
}

#[cfg(feature = "ssr")]
impl From<versioning::Performance> for PerformanceRow {
    fn from(performance: versioning::Performance) -> Self {
        Self {
            source: performance.source.as_str().into(),
            model: performance.model,
            calls: performance.calls,
            error_rate: performance.error_rate,
            p50_ms: performance.latency.map(|latency| latency.p50_ms),
            p95_ms: performance.latency.map(|latency| latency.p95_ms),
            output_tokens: performance.output_tokens,
            cost_usd: performance.cost_usd,
            score: performance.score.map(|(score, _)| score),
        }
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn ends_of_lines_are_told_apart() {
        assert_ne!(line_ends("a\nb\n"), line_ends("a\r\nb\r\n"));
        assert_ne!(line_ends("a\nb\n"), line_ends("a\nb\r\n"));
        assert_eq!(line_ends("a\r\n"), line_ends("b\r\nc"));
    }
}
