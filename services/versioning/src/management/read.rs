//! What was written, read from the database.

use chrono::{DateTime, Utc};

use super::PromptManagementService;
use crate::{
    AgentOverview, AgentType, Event, LiveVersion, NextVersions, PageCursor, PromptContent, Seen, Version, VersionPage,
    VersioningError,
};

impl PromptManagementService {
    /// A page of an agent's versions, newest first.
    ///
    /// # Errors
    /// There is no such agent.
    pub async fn get_versions(
        &self,
        agent_type: &AgentType,
        cursor: Option<PageCursor>,
        limit: u32,
    ) -> Result<VersionPage, VersioningError> {
        let mut versions = self.store.list_versions(agent_type, cursor, limit.saturating_add(1)).await?;
        if versions.is_empty() && !self.store.agent_exists(agent_type).await? {
            return Err(self.store.unknown_agent(agent_type).await);
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = versions.len() > limit;
        versions.truncate(limit);
        let next = versions
            .last()
            .filter(|_| has_more)
            .map(|last| PageCursor { created_at: last.created_at, version: last.version });
        Ok(VersionPage { versions, next })
    }

    /// One version with its text.
    ///
    /// # Errors
    /// There is no such agent or version.
    pub async fn get_prompt_content(
        &self,
        agent_type: &AgentType,
        version: Version,
    ) -> Result<PromptContent, VersioningError> {
        match self.store.find_version(agent_type, version).await? {
            Some(content) => Ok(content),
            None => Err(self.store.not_found(agent_type, version).await),
        }
    }

    /// What is active now, read from the database.
    ///
    /// # Errors
    /// The database is away.
    pub async fn active(&self, agent_type: &AgentType) -> Result<Option<PromptContent>, VersioningError> {
        self.store.find_active(agent_type).await
    }

    /// Whether any version of the agent was ever created.
    ///
    /// # Errors
    /// The database is away.
    pub async fn agent_exists(&self, agent_type: &AgentType) -> Result<bool, VersioningError> {
        self.store.agent_exists(agent_type).await
    }

    /// The refusal of an agent that does not exist, with those that may have been meant.
    pub async fn unknown_agent(&self, agent_type: &AgentType) -> VersioningError {
        self.store.unknown_agent(agent_type).await
    }

    /// What a writer who looks now sees: for [`NextVersion::seen`].
    ///
    /// # Errors
    /// The database is away.
    pub async fn seen(&self, agent_type: &AgentType) -> Result<Seen, VersioningError> {
        let active = self.active(agent_type).await?.map(|content| content.version.version);
        Ok(Seen { active, newest: self.store.newest_version(agent_type).await? })
    }

    /// What was live at a moment; none when nothing was.
    ///
    /// # Errors
    /// There is no such agent.
    pub async fn live_at(
        &self,
        agent_type: &AgentType,
        moment: DateTime<Utc>,
    ) -> Result<Option<PromptContent>, VersioningError> {
        match self.store.find_live_at(agent_type, moment).await? {
            None if !self.store.agent_exists(agent_type).await? => Err(self.store.unknown_agent(agent_type).await),
            found => Ok(found),
        }
    }

    /// The numbers that the next major, minor and patch version would have, counted from `from` or from the active
    /// version, whichever is higher (with neither, from the highest draft). All are free when this is said; an agent
    /// without versions begins with 1.0.0.
    ///
    /// # Errors
    /// The database is away.
    pub async fn next_versions(
        &self,
        agent_type: &AgentType,
        from: Option<Version>,
    ) -> Result<NextVersions, VersioningError> {
        let active = self.active(agent_type).await?.map(|content| content.version.version);
        let base = match active.max(from) {
            Some(base) => Some(base),
            None => self.store.highest_version(agent_type).await?,
        };
        let Some(base) = base else {
            let first = Some(Version::FIRST);
            return Ok(NextVersions { base, major: first, minor: first, patch: first });
        };
        Ok(self.store.numbers_after(agent_type, base).await?.next(base))
    }

    /// Every agent at a glance, by name.
    ///
    /// # Errors
    /// The database is away.
    pub async fn overview(&self) -> Result<Vec<AgentOverview>, VersioningError> {
        self.store.overview().await
    }

    /// Every agent and what is live, in no order.
    ///
    /// # Errors
    /// The database is away.
    pub async fn live(&self) -> Result<Vec<LiveVersion>, VersioningError> {
        self.store.live().await
    }

    /// The newest events over all agents, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn recent_events(&self, limit: u32) -> Result<Vec<Event>, VersioningError> {
        self.store.recent_events(limit).await
    }

    /// Every event of an agent, oldest first; none for an agent that does not exist.
    ///
    /// # Errors
    /// The database is away.
    pub async fn events_of(&self, agent_type: &AgentType) -> Result<Vec<Event>, VersioningError> {
        self.store.events_of(agent_type).await
    }
}
