//! Reading a history: filtered, sorted and in pages, with what a table of versions shows beside each.

use chrono::{DateTime, Utc};

use crate::{AgentType, Event, PromptManagementService, PromptVersion, Version, VersionStatus, VersioningError};

/// What of the history is asked for.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    /// One agent's versions; else those of all agents.
    pub agent_type: Option<AgentType>,
    /// Only versions whose author's name contains this, in any case.
    pub author: Option<String>,
    /// Only versions of this status.
    pub status: Option<VersionStatus>,
    /// Only versions whose notes or text contain this, in any case.
    pub text: Option<String>,
    /// The order.
    pub order: HistoryOrder,
    /// Whether the order is turned around: oldest or lowest first.
    pub ascending: bool,
    /// Versions to skip.
    pub offset: u32,
    /// Versions to give at most.
    pub limit: u32,
}

/// What a history is sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HistoryOrder {
    /// The time of creation.
    #[default]
    Created,
    /// The version, by its numbers; over all agents, by agent first.
    Version,
}

/// A page of a history.
#[derive(Debug, Clone)]
pub struct History {
    /// The versions, in the order asked for.
    pub versions: Vec<HistoryRow>,
    /// How many there are in all pages.
    pub total: u64,
}

/// A version in a history.
#[derive(Debug, Clone)]
pub struct HistoryRow {
    /// All about it but its text.
    pub version: PromptVersion,
    /// The characters of the version below it, in version order; none for the lowest.
    pub previous_char_count: Option<u32>,
}

/// A stretch of time in which a version was live.
#[derive(Debug, Clone)]
pub struct Activation {
    /// The version.
    pub version: Version,
    /// When it went live.
    pub from: DateTime<Utc>,
    /// When the next one did; none for the one that is live.
    pub until: Option<DateTime<Utc>>,
    /// Who promoted it, if they said.
    pub by: Option<String>,
}

/// Where a search found its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// The agent.
    pub agent_type: AgentType,
    /// The version; none when the agent's name was found.
    pub version: Option<Version>,
    /// Where.
    pub place: SearchPlace,
    /// The words around what was found, cut at [`HIT_START`] and [`HIT_END`].
    pub excerpt: String,
}

/// What a search looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchPlace {
    /// The name of an agent.
    Name,
    /// A text that is live.
    LiveText,
    /// A text that waits to be promoted.
    DraftText,
    /// The notes of any version.
    Notes,
}

/// Stands before each word that was found. A character for private use: a text that holds it shows a mark too many.
pub const HIT_START: char = '\u{e000}';
/// Stands after each word that was found.
pub const HIT_END: char = '\u{e001}';

impl PromptManagementService {
    /// A page of the history.
    ///
    /// # Errors
    /// There is no such agent.
    pub async fn history(&self, query: &HistoryQuery) -> Result<History, VersioningError> {
        if let Some(agent_type) = &query.agent_type
            && !self.store().agent_exists(agent_type).await?
        {
            return Err(self.store().unknown_agent(agent_type).await);
        }
        self.store().history(query).await
    }

    /// What was live when, the newest first, at most `limit` stretches.
    ///
    /// # Errors
    /// The database is away.
    pub async fn activations(&self, agent_type: &AgentType, limit: u32) -> Result<Vec<Activation>, VersioningError> {
        self.store().activations(agent_type, limit).await
    }

    /// When a version was live; none if it never was.
    ///
    /// # Errors
    /// The database is away.
    pub async fn activation_of(
        &self,
        agent_type: &AgentType,
        version: Version,
    ) -> Result<Option<Activation>, VersioningError> {
        self.store().activation_of(agent_type, version).await
    }

    /// What happened to one version, oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn events_of_version(
        &self,
        agent_type: &AgentType,
        version: Version,
    ) -> Result<Vec<Event>, VersioningError> {
        self.store().events_of_version(agent_type, version).await
    }

    /// The versions next below and next above, in version order.
    ///
    /// # Errors
    /// The database is away.
    pub async fn neighbours(
        &self,
        agent_type: &AgentType,
        version: Version,
    ) -> Result<(Option<Version>, Option<Version>), VersioningError> {
        self.store().neighbours(agent_type, version).await
    }

    /// The template variables of the agent's newest versions, by name.
    ///
    /// # Errors
    /// The database is away.
    pub async fn known_variables(&self, agent_type: &AgentType) -> Result<Vec<String>, VersioningError> {
        let texts = self.store().newest_texts(agent_type, 50).await?;
        // They can be 50 MiB, through which no thread that serves is to go.
        crate::aside(move || {
            let mut names: Vec<String> =
                texts.iter().flat_map(|text| crate::template::variables(text)).map(Into::into).collect();
            names.sort();
            names.dedup();
            names
        })
        .await
    }

    /// Finds words in the names of agents, in texts that are live or wait, and in the notes of all versions; the best first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn search(&self, words: &str, limit: u32) -> Result<Vec<SearchHit>, VersioningError> {
        self.store().search(words, limit).await
    }

    /// How many events each agent had on each of the last `days` days, today last; agents without any are left out.
    ///
    /// # Errors
    /// The database is away.
    pub async fn daily_activity(&self, days: u32) -> Result<Vec<(AgentType, Vec<u32>)>, VersioningError> {
        self.store().daily_activity(days).await
    }

    /// The newest events after the one with this id, oldest first; only the last `limit` of them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn events_after(&self, id: i64, limit: u32) -> Result<Vec<Event>, VersioningError> {
        self.store().events_after(id, limit).await
    }
}
