//! What is live, of all agents: asked for by many readers at once, so it reads no more than that.

use chrono::{DateTime, Utc};

use super::{
    PromptStore,
    rows::{stored_agent_type, stored_version},
};
use crate::{LiveVersion, VersioningError};

struct LiveRow {
    agent_type: String,
    version: Option<String>,
    activated_at: Option<DateTime<Utc>>,
}

impl PromptStore {
    /// Every agent, and what is live.
    pub(crate) async fn live(&self) -> Result<Vec<LiveVersion>, VersioningError> {
        let rows = sqlx::query_as!(
            LiveRow,
            r#"select agents.agent_type, active.version as "version?", active.activated_at as "activated_at?"
                from agents left join prompts active on active.agent_type = agents.agent_type and active.is_active"#
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let version = row.version.as_deref().map(stored_version).transpose()?;
                Ok(LiveVersion { agent_type: stored_agent_type(&row.agent_type)?, live: version.zip(row.activated_at) })
            })
            .collect()
    }
}
