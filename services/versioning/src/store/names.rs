//! Names and numbers that may have been meant by somebody who asked for what does not exist.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::{PromptStore, read::number, rows::stored_version};
use crate::{AgentType, Version, VersioningError, nearest};

/// How long the list of names is gone by. Whoever asks for many unknown names costs one statement a second.
const RENEWED_AFTER: Duration = Duration::from_secs(1);

/// How long a refusal waits for the names.
const PATIENCE: Duration = Duration::from_millis(250);

/// Names that are looked through at most, so that a refusal stays cheap.
const NAMES: i64 = 500;

/// Refusals of a batch that come with names and neighbours.
const EXPLAINED: usize = 20;

/// The names of the agents as they were a moment ago.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Option<(Instant, Arc<[AgentType]>)>>);

impl PromptStore {
    /// The agents that may have been meant, the best first. None when the database does not answer at once: the names are a help,
    /// not the answer.
    pub(crate) async fn near_agents(&self, agent_type: &AgentType) -> Vec<AgentType> {
        let known = match tokio::time::timeout(PATIENCE, self.names()).await {
            Ok(Ok(known)) => known,
            Ok(Err(_)) | Err(_) => return Vec::new(),
        };
        nearest(agent_type.as_str(), known.iter().map(AgentType::as_str))
            .into_iter()
            .filter_map(|name| name.parse().ok())
            .collect()
    }

    async fn names(&self) -> Result<Arc<[AgentType]>, VersioningError> {
        // Held while it is read: a crowd reads once.
        let mut known = self.names.0.lock().await;
        if let Some((at, names)) = known.as_ref()
            && at.elapsed() < RENEWED_AFTER
        {
            return Ok(Arc::clone(names));
        }
        let names = sqlx::query_scalar!("select agent_type from agents order by agent_type limit $1", NAMES)
            .fetch_all(&self.pool)
            .await?;
        let names: Arc<[AgentType]> = names.into_iter().filter_map(|name| name.parse().ok()).collect();
        *known = Some((Instant::now(), Arc::clone(&names)));
        Ok(names)
    }

    /// The highest version below a number and the lowest one above it, as far as there are.
    async fn near_versions(&self, agent_type: &AgentType, version: Version) -> Result<Vec<Version>, VersioningError> {
        let rows = sqlx::query_scalar!(
            r#"(select version as "version!" from prompts where agent_type = $1 and (major, minor, patch) < ($2, $3, $4)
                    order by major desc, minor desc, patch desc limit 1)
                union all
                (select version from prompts where agent_type = $1 and (major, minor, patch) > ($2, $3, $4)
                    order by major, minor, patch limit 1)"#,
            agent_type.as_str(),
            number(version.major()),
            number(version.minor()),
            number(version.patch()),
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|version| stored_version(version)).collect()
    }

    /// The refusal of an agent that does not exist, with those that may have been meant.
    pub(crate) async fn unknown_agent(&self, agent_type: &AgentType) -> VersioningError {
        VersioningError::UnknownAgent { agent_type: agent_type.clone(), near: self.near_agents(agent_type).await }
    }

    /// The refusal of a version that its agent does not have, with its neighbours.
    pub(crate) async fn unknown_version(&self, agent_type: &AgentType, version: Version) -> VersioningError {
        let near = self.near_versions(agent_type, version);
        let near = tokio::time::timeout(PATIENCE, near).await.ok().and_then(Result::ok).unwrap_or_default();
        VersioningError::UnknownVersion { agent_type: agent_type.clone(), version, near }
    }

    /// The refusals of versions that were not found, each as [`Self::not_found`] gives it. Names and neighbours are looked up for the
    /// first few only: a batch of nonsense is not to cost a statement for each of its rows.
    pub(crate) async fn all_not_found(
        &self,
        versions: BTreeSet<(AgentType, Version)>,
    ) -> Result<BTreeMap<(AgentType, Version), VersioningError>, VersioningError> {
        let names: BTreeSet<_> = versions.iter().map(|(agent_type, _)| agent_type.to_string()).collect();
        let names: Vec<_> = names.into_iter().collect();
        let known = sqlx::query_scalar!("select agent_type from agents where agent_type = any($1)", &names)
            .fetch_all(&self.pool)
            .await?;
        let known: BTreeSet<_> = known.into_iter().collect();
        let mut refusals = BTreeMap::new();
        for (place, (agent_type, version)) in versions.into_iter().enumerate() {
            let is_explained = place < EXPLAINED;
            let is_known = known.contains(agent_type.as_str());
            let refusal = match (is_known, is_explained) {
                (true, true) => self.unknown_version(&agent_type, version).await,
                (false, true) => self.unknown_agent(&agent_type).await,
                (true, false) => {
                    VersioningError::UnknownVersion { agent_type: agent_type.clone(), version, near: Vec::new() }
                }
                (false, false) => VersioningError::UnknownAgent { agent_type: agent_type.clone(), near: Vec::new() },
            };
            refusals.insert((agent_type, version), refusal);
        }
        Ok(refusals)
    }

    /// The refusal of a version that was not found: its agent may not exist either.
    pub(crate) async fn not_found(&self, agent_type: &AgentType, version: Version) -> VersioningError {
        match self.agent_exists(agent_type).await {
            Ok(true) => self.unknown_version(agent_type, version).await,
            Ok(false) => self.unknown_agent(agent_type).await,
            Err(error) => error,
        }
    }
}
