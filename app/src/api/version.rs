//! One version, whole.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use versioning::counts::Counts;

#[cfg(feature = "ssr")]
use super::services;
use super::{EventRow, LiveSpan, Moment};
use crate::{AppError, html::ServerHtml};

/// All about a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionPage {
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
    /// SHA-256 of the text, in hexadecimal.
    pub sha256: String,
    /// The text, line by line.
    pub text: ServerHtml,
    /// How much text it is.
    pub counts: Counts,
    /// Its variables, in order of first appearance.
    pub variables: Vec<String>,
    /// When it was live.
    pub span: Option<LiveSpan>,
    /// What happened to it, oldest first.
    pub events: Vec<EventRow>,
    /// The version below it in version order.
    pub below: Option<String>,
    /// The version above it.
    pub above: Option<String>,
    /// What is live now.
    pub active: Option<String>,
    /// The server's time.
    pub now: Moment,
}

/// One version with its text.
///
/// # Errors
/// There is no such version, or the database is away.
#[server(name = ReadVersion, prefix = "/api/pages", endpoint = "version")]
pub async fn version_page(agent_type: String, version: String) -> Result<VersionPage, AppError> {
    use versioning::{AgentType, Version, template::variables};

    let management = services()?.management;
    let agent: AgentType = agent_type.parse()?;
    let number: Version = version.parse()?;
    let content = management.get_prompt_content(&agent, number).await?;
    let (below, above) = management.neighbours(&agent, number).await?;
    let events = management.events_of_version(&agent, number).await?;
    let span = match content.version.activated_at {
        Some(_) => management.activation_of(&agent, number).await?.map(LiveSpan::from),
        None => None,
    };
    let active = management.active(&agent).await?.map(|active| active.version.version.to_string());
    let text = |version: Option<Version>| version.map(|version| version.to_string());
    let meta = content.version;
    Ok(VersionPage {
        agent_type,
        version,
        status: meta.status.as_str().into(),
        created_at: meta.created_at.into(),
        created_by: meta.created_by,
        notes: meta.notes,
        sha256: meta.sha256,
        text: crate::render::numbered_lines(&content.prompt_text),
        counts: Counts::of(&content.prompt_text),
        variables: variables(&content.prompt_text).into_iter().map(Into::into).collect(),
        span,
        events: events.into_iter().map(EventRow::from).collect(),
        below: text(below),
        above: text(above),
        active,
        now: chrono::Utc::now().into(),
    })
}
