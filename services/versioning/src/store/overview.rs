//! All agents at a glance.

use chrono::{DateTime, Utc};

use super::{
    PromptStore,
    rows::{stored_agent_type, stored_count, stored_version},
};
use crate::{AgentOverview, VersionSummary, VersioningError};

struct OverviewRow {
    agent_type: String,
    active_version: Option<String>,
    active_created_at: Option<DateTime<Utc>>,
    active_created_by: Option<String>,
    active_activated_at: Option<DateTime<Utc>>,
    active_char_count: Option<i32>,
    active_line_count: Option<i32>,
    active_notes: Option<String>,
    latest_version: String,
    latest_created_at: DateTime<Utc>,
    latest_created_by: Option<String>,
    latest_activated_at: Option<DateTime<Utc>>,
    latest_char_count: i32,
    latest_line_count: i32,
    latest_notes: Option<String>,
    drafts: i64,
    versions: i64,
    last_change_at: Option<DateTime<Utc>>,
    last_change_by: Option<String>,
}

impl PromptStore {
    /// Every agent, by name.
    pub(crate) async fn overview(&self) -> Result<Vec<AgentOverview>, VersioningError> {
        let rows = sqlx::query_as!(
            OverviewRow,
            r#"select agents.agent_type,
                    active.version as "active_version?", active.created_at as "active_created_at?",
                    active.created_by as "active_created_by?", active.activated_at as "active_activated_at?",
                    active.char_count as "active_char_count?", active.line_count as "active_line_count?",
                    active.notes as "active_notes?",
                    latest.version as latest_version, latest.created_at as latest_created_at,
                    latest.created_by as latest_created_by, latest.activated_at as latest_activated_at,
                    latest.char_count as latest_char_count, latest.line_count as latest_line_count,
                    latest.notes as latest_notes,
                    drafts.count as "drafts!", versions.count as "versions!",
                    change.occurred_at as "last_change_at?", change.actor as "last_change_by?"
                from agents
                left join prompts active on active.agent_type = agents.agent_type and active.is_active
                cross join lateral (
                    select version, created_at, created_by, activated_at, char_count, line_count, notes
                    from prompts where agent_type = agents.agent_type
                    order by created_at desc, major desc, minor desc, patch desc limit 1
                ) latest
                cross join lateral (
                    select count(*) as count from prompts
                    where agent_type = agents.agent_type
                        and (major, minor, patch)
                            > (coalesce(active.major, -1), coalesce(active.minor, -1), coalesce(active.patch, -1))
                ) drafts
                cross join lateral (
                    select count(*) as count from prompts where agent_type = agents.agent_type
                ) versions
                left join lateral (
                    select occurred_at, actor from prompt_events
                    where agent_type = agents.agent_type and version is not null
                    order by occurred_at desc, id desc limit 1
                ) change on true
                order by agents.agent_type"#
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(AgentOverview::try_from).collect()
    }
}

impl TryFrom<OverviewRow> for AgentOverview {
    type Error = VersioningError;

    fn try_from(row: OverviewRow) -> Result<Self, VersioningError> {
        let active = match (row.active_version, row.active_created_at, row.active_char_count, row.active_line_count) {
            (Some(version), Some(created_at), Some(char_count), Some(line_count)) => Some(VersionSummary {
                version: stored_version(&version)?,
                created_at,
                created_by: row.active_created_by,
                activated_at: row.active_activated_at,
                char_count: stored_count(char_count)?,
                line_count: stored_count(line_count)?,
                notes: row.active_notes,
            }),
            _ => None,
        };
        Ok(Self {
            agent_type: stored_agent_type(&row.agent_type)?,
            active,
            last_change_at: row.last_change_at.unwrap_or(row.latest_created_at),
            last_change_by: row.last_change_by,
            latest: VersionSummary {
                version: stored_version(&row.latest_version)?,
                created_at: row.latest_created_at,
                created_by: row.latest_created_by,
                activated_at: row.latest_activated_at,
                char_count: stored_count(row.latest_char_count)?,
                line_count: stored_count(row.latest_line_count)?,
                notes: row.latest_notes,
            },
            drafts: stored_count(row.drafts)?,
            versions: stored_count(row.versions)?,
        })
    }
}
