//! Single versions, lists of them, and the time line.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio::time::timeout_at;

use super::{
    PromptStore,
    rows::{ContentRow, EventRow, VersionRow},
};
use crate::{AgentType, Event, PageCursor, PromptContent, PromptVersion, Version, VersioningError};

impl PromptStore {
    /// The active version and its text, read in one statement.
    pub(crate) async fn find_active(&self, agent_type: &AgentType) -> Result<Option<PromptContent>, VersioningError> {
        Self::find_active_in(&mut *self.pool.acquire().await?, agent_type).await
    }

    /// The same, given up after a time. The limit holds on this side: a network that has gone mute tells nobody that a
    /// statement took too long.
    pub(crate) async fn find_active_within(
        &self,
        agent_type: &AgentType,
        limit: Duration,
    ) -> Result<Option<PromptContent>, VersioningError> {
        let ends_at = tokio::time::Instant::now() + limit;
        let mut connection =
            timeout_at(ends_at, self.pool.acquire()).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
        if let Ok(found) = timeout_at(ends_at, Self::find_active_in(&mut connection, agent_type)).await {
            return found;
        }
        // Not given back: the pool would wait for it to answer.
        drop(connection.detach());
        Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into())
    }

    /// The same over a connection.
    pub(super) async fn find_active_in(
        connection: &mut PgConnection,
        agent_type: &AgentType,
    ) -> Result<Option<PromptContent>, VersioningError> {
        sqlx::query_as!(
            ContentRow,
            r#"select id, agent_type, version, version as "active_version?", created_at, created_by, notes,
                    activated_at, sha256, char_count, line_count, prompt_text
                from prompts where agent_type = $1 and is_active"#,
            agent_type.as_str(),
        )
        .fetch_optional(connection)
        .await?
        .map(PromptContent::try_from)
        .transpose()
    }

    /// One version and its text.
    pub(crate) async fn find_version(
        &self,
        agent_type: &AgentType,
        version: Version,
    ) -> Result<Option<PromptContent>, VersioningError> {
        sqlx::query_as!(
            ContentRow,
            r#"select id, agent_type, version,
                    (select version from prompts where agent_type = $1 and is_active) as active_version,
                    created_at, created_by, notes, activated_at, sha256, char_count, line_count, prompt_text
                from prompts where agent_type = $1 and version = $2"#,
            agent_type.as_str(),
            version.to_string(),
        )
        .fetch_optional(&self.pool)
        .await?
        .map(PromptContent::try_from)
        .transpose()
    }

    /// Whether any version of the agent was ever created.
    pub(crate) async fn agent_exists(&self, agent_type: &AgentType) -> Result<bool, VersioningError> {
        Ok(sqlx::query_scalar!(
            r#"select exists (select 1 from agents where agent_type = $1) as "exists!""#,
            agent_type.as_str()
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// Up to `limit` versions after `cursor`, newest first; versions created in the same microsecond, highest first.
    pub(crate) async fn list_versions(
        &self,
        agent_type: &AgentType,
        cursor: Option<PageCursor>,
        limit: u32,
    ) -> Result<Vec<PromptVersion>, VersioningError> {
        // One statement for the first page and one for the others: with a condition that is only sometimes there the
        // planner could not walk the index from the right place.
        let rows = match cursor {
            None => {
                sqlx::query_as!(
                    VersionRow,
                    r#"select id, agent_type, version,
                            (select version from prompts where agent_type = $1 and is_active) as active_version,
                            created_at, created_by, notes, activated_at, sha256, char_count, line_count
                        from prompts where agent_type = $1
                        order by created_at desc, major desc, minor desc, patch desc limit $2"#,
                    agent_type.as_str(),
                    i64::from(limit),
                )
                .fetch_all(&self.pool)
                .await?
            }
            Some(PageCursor { created_at, version }) => {
                sqlx::query_as!(
                    VersionRow,
                    r#"select id, agent_type, version,
                            (select version from prompts where agent_type = $1 and is_active) as active_version,
                            created_at, created_by, notes, activated_at, sha256, char_count, line_count
                        from prompts
                        where agent_type = $1 and (created_at, major, minor, patch) < ($3, $4, $5, $6)
                        order by created_at desc, major desc, minor desc, patch desc limit $2"#,
                    agent_type.as_str(),
                    i64::from(limit),
                    created_at,
                    number(version.major()),
                    number(version.minor()),
                    number(version.patch()),
                )
                .fetch_all(&self.pool)
                .await?
            }
        };
        rows.into_iter().map(PromptVersion::try_from).collect()
    }

    /// What was live at a moment, with its text: the last version that went live at or before it. Its status is that
    /// of now.
    pub(crate) async fn find_live_at(
        &self,
        agent_type: &AgentType,
        moment: DateTime<Utc>,
    ) -> Result<Option<PromptContent>, VersioningError> {
        sqlx::query_as!(
            ContentRow,
            r#"select id, agent_type, version,
                    (select version from prompts where agent_type = $1 and is_active) as active_version,
                    created_at, created_by, notes, activated_at, sha256, char_count, line_count, prompt_text
                from prompts where agent_type = $1 and activated_at <= $2
                order by activated_at desc limit 1"#,
            agent_type.as_str(),
            moment,
        )
        .fetch_optional(&self.pool)
        .await?
        .map(PromptContent::try_from)
        .transpose()
    }

    /// The newest events over all agents.
    pub(crate) async fn recent_events(&self, limit: u32) -> Result<Vec<Event>, VersioningError> {
        sqlx::query_as!(
            EventRow,
            "select id, occurred_at, kind, agent_type, version, actor, base_version, previous_active, details
                from prompt_events order by occurred_at desc, id desc limit $1",
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Event::try_from)
        .collect()
    }

    /// Every event of an agent, oldest first.
    pub(crate) async fn events_of(&self, agent_type: &AgentType) -> Result<Vec<Event>, VersioningError> {
        sqlx::query_as!(
            EventRow,
            "select id, occurred_at, kind, agent_type, version, actor, base_version, previous_active, details
                from prompt_events where agent_type = $1 order by occurred_at, id",
            agent_type.as_str()
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Event::try_from)
        .collect()
    }
}

/// A number of a version as the database keeps it. A version has at most 16 digits a number, so it always fits.
pub(super) fn number(part: u64) -> i64 {
    i64::try_from(part).unwrap_or(i64::MAX)
}
