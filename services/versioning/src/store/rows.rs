//! Rows as the database gives them, and what they become.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{AgentType, Event, EventKind, PromptContent, PromptVersion, Version, VersionStatus, VersioningError};

/// A row of `prompts` without its text.
#[derive(sqlx::FromRow)]
pub(super) struct VersionRow {
    pub id: Uuid,
    pub agent_type: String,
    pub version: String,
    /// The active version of the agent in the same snapshot.
    pub active_version: Option<String>,
    pub created_at: DateTime<Utc>,
    pub created_by: Option<String>,
    pub notes: Option<String>,
    pub activated_at: Option<DateTime<Utc>>,
    pub sha256: String,
    pub char_count: i32,
    pub line_count: i32,
}

impl TryFrom<VersionRow> for PromptVersion {
    type Error = VersioningError;

    fn try_from(row: VersionRow) -> Result<Self, VersioningError> {
        let version = stored_version(&row.version)?;
        let active = row.active_version.as_deref().map(stored_version).transpose()?;
        Ok(Self {
            id: row.id,
            agent_type: stored_agent_type(&row.agent_type)?,
            version,
            status: VersionStatus::of(version, active),
            created_at: row.created_at,
            created_by: row.created_by,
            notes: row.notes,
            activated_at: row.activated_at,
            sha256: row.sha256,
            char_count: stored_count(row.char_count)?,
            line_count: stored_count(row.line_count)?,
        })
    }
}

/// A row of `prompts` with its text.
pub(super) struct ContentRow {
    pub id: Uuid,
    pub agent_type: String,
    pub version: String,
    pub active_version: Option<String>,
    pub created_at: DateTime<Utc>,
    pub created_by: Option<String>,
    pub notes: Option<String>,
    pub activated_at: Option<DateTime<Utc>>,
    pub sha256: String,
    pub char_count: i32,
    pub line_count: i32,
    pub prompt_text: String,
}

impl TryFrom<ContentRow> for PromptContent {
    type Error = VersioningError;

    fn try_from(row: ContentRow) -> Result<Self, VersioningError> {
        Ok(Self {
            prompt_text: row.prompt_text,
            version: VersionRow {
                id: row.id,
                agent_type: row.agent_type,
                version: row.version,
                active_version: row.active_version,
                created_at: row.created_at,
                created_by: row.created_by,
                notes: row.notes,
                activated_at: row.activated_at,
                sha256: row.sha256,
                char_count: row.char_count,
                line_count: row.line_count,
            }
            .try_into()?,
        })
    }
}

/// A row of `prompt_events`.
pub(super) struct EventRow {
    pub id: i64,
    pub occurred_at: DateTime<Utc>,
    pub kind: String,
    pub agent_type: String,
    pub version: Option<String>,
    pub actor: Option<String>,
    pub base_version: Option<String>,
    pub previous_active: Option<String>,
    pub details: Option<serde_json::Value>,
}

impl TryFrom<EventRow> for Event {
    type Error = VersioningError;

    fn try_from(row: EventRow) -> Result<Self, VersioningError> {
        let version = |text: Option<String>| text.as_deref().map(stored_version).transpose();
        Ok(Self {
            id: row.id,
            occurred_at: row.occurred_at,
            kind: EventKind::from_name(&row.kind)
                .ok_or_else(|| VersioningError::inconsistent(format!("event kind {}", row.kind)))?,
            agent_type: stored_agent_type(&row.agent_type)?,
            version: version(row.version)?,
            actor: row.actor,
            base_version: version(row.base_version)?,
            previous_active: version(row.previous_active)?,
            details: row.details,
        })
    }
}

/// A version that the constraints let in; another one is a fault of the data.
pub(super) fn stored_version(text: &str) -> Result<Version, VersioningError> {
    text.parse().map_err(VersioningError::inconsistent)
}

/// An agent type that the constraints let in.
pub(super) fn stored_agent_type(text: &str) -> Result<AgentType, VersioningError> {
    text.parse().map_err(VersioningError::inconsistent)
}

/// A count that cannot be negative.
pub(super) fn stored_count(count: impl TryInto<u32>) -> Result<u32, VersioningError> {
    count.try_into().map_err(|_| VersioningError::inconsistent("a negative count"))
}
