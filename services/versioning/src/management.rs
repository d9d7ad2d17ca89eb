//! [`PromptManagementService`]: every change to a prompt.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use sqlx::PgConnection;

use crate::{
    AgentOverview, AgentType, Author, CacheCleared, Event, LiveVersion, NewPatch, NewVersion, NextVersion,
    NextVersions, Notes, PageCursor, Promotion, PromptContent, PromptLoadingService, PromptStore, PromptVersion,
    Reissue, SeedVersion, Seen, Version, VersionPage, VersionStatus, VersioningError,
    store::{Change, Insert, Origin},
};

/// Creates, promotes and lists the versions of prompts.
///
/// Every change runs in one transaction that holds the lock of its agent, so writers of one agent queue and writers of
/// different agents never meet. After a promotion this process forgets its cached copy at once; other nodes hear of it
/// from the database.
#[derive(Debug)]
pub struct PromptManagementService {
    store: PromptStore,
    loading: Arc<PromptLoadingService>,
    versions_created: AtomicU64,
    promotions: AtomicU64,
}

/// What this service changed since the process started. What happened before, or elsewhere, the events tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagementCounters {
    /// Versions created: drafts, patches, reissues.
    pub versions_created: u64,
    /// Versions that went live.
    pub promotions: u64,
}

impl PromptManagementService {
    /// The service over a store; `loading` is told of what it changes.
    pub fn new(store: PromptStore, loading: Arc<PromptLoadingService>) -> Self {
        Self { store, loading, versions_created: AtomicU64::new(0), promotions: AtomicU64::new(0) }
    }

    /// What was changed through this service.
    pub fn counters(&self) -> ManagementCounters {
        ManagementCounters {
            versions_created: self.versions_created.load(Ordering::Relaxed),
            promotions: self.promotions.load(Ordering::Relaxed),
        }
    }

    /// Creates a version as a draft.
    ///
    /// # Errors
    /// The number exists, or is below the active version; the base does not exist, or has been superseded.
    pub async fn create_version(&self, new: NewVersion) -> Result<PromptVersion, VersioningError> {
        let insert = Insert {
            version: new.version,
            prompt_text: new.prompt_text.as_str(),
            created_by: new.created_by.as_ref().map(Author::as_str),
            notes: new.notes.as_ref().map(Notes::as_str),
            origin: Origin::Written { base: new.base_version },
        };
        let created = match self.store.insert_above_active(&new.agent_type, &insert).await {
            Ok(None) => self.insert_with_care(&new, &insert).await,
            Ok(Some(created)) => Ok(created),
            Err(error) => Err(error),
        };
        match created {
            Ok(created) => {
                self.versions_created.fetch_add(1, Ordering::Relaxed);
                tracing::info!(
                    agent_type = %new.agent_type, version = %new.version, sha256 = created.sha256, "version created"
                );
                Ok(created)
            }
            Err(VersioningError::VersionExists { agent_type, version, .. }) => {
                let free = self.first_free(&agent_type, version).await.ok();
                Err(VersioningError::VersionExists { agent_type, version, free })
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// A new version that is not the common case: the agent's first, one from another base, or one to be refused.
    async fn insert_with_care(&self, new: &NewVersion, insert: &Insert<'_>) -> Result<PromptVersion, VersioningError> {
        let mut change = self.store.change_or_create(&new.agent_type).await?;
        check_new_version(&mut change, new).await?;
        let created = change.insert(insert).await?;
        change.commit().await?;
        Ok(created)
    }

    /// Creates the next free patch of the active version's line, live at once, in one transaction.
    ///
    /// # Errors
    /// Nothing is active; the base is not the active version any more; no number is left.
    pub async fn create_patch(&self, new: NewPatch) -> Result<PromptVersion, VersioningError> {
        let (mut change, active) = self.change_of_active(&new.agent_type).await?;
        if let Some(base) = new.base_version
            && base != active
        {
            if !change.has_version(base).await? {
                return Err(VersioningError::UnknownBase { agent_type: new.agent_type, base });
            }
            return Err(VersioningError::StaleBase { agent_type: new.agent_type, base, active: Some(active) });
        }
        self.issue(
            change,
            &new.agent_type,
            active,
            new.prompt_text.as_str(),
            (new.created_by.as_ref(), new.notes.as_ref()),
            // A patch is always made from what is active, whether the caller said so or not.
            Origin::Written { base: Some(active) },
        )
        .await
    }

    /// Brings an earlier text back as the next free patch of the active version's line, live at once: the way to undo.
    ///
    /// # Errors
    /// There is no such version; nothing is active; no number is left.
    pub async fn reissue(&self, reissue: Reissue) -> Result<PromptVersion, VersioningError> {
        self.reissue_if(reissue, None).await
    }

    /// The same, but only while `expected` is active: checked under the lock, so that nobody can come in between.
    ///
    /// # Errors
    /// As [`Self::reissue`]; something else is active than was expected.
    pub async fn reissue_expecting(
        &self,
        reissue: Reissue,
        expected: Option<Version>,
    ) -> Result<PromptVersion, VersioningError> {
        self.reissue_if(reissue, Some(expected)).await
    }

    async fn reissue_if(
        &self,
        reissue: Reissue,
        expected: Option<Option<Version>>,
    ) -> Result<PromptVersion, VersioningError> {
        let (mut change, active) = self.change_of_active(&reissue.agent_type).await?;
        if let Some(expected) = expected
            && expected != Some(active)
        {
            // Who expected nothing to be live has nothing older to name than the version itself.
            let base = expected.unwrap_or(reissue.version);
            return Err(VersioningError::StaleBase { agent_type: reissue.agent_type, base, active: Some(active) });
        }
        let Some(text) = change.find_text(reissue.version).await? else {
            drop(change);
            return Err(self.store.unknown_version(&reissue.agent_type, reissue.version).await);
        };
        self.issue(
            change,
            &reissue.agent_type,
            active,
            &text,
            (reissue.created_by.as_ref(), reissue.notes.as_ref()),
            Origin::Reissued { of: reissue.version },
        )
        .await
    }

    /// Makes a version live. Promoting the active version again changes nothing and succeeds, so a caller that lost the
    /// answer can ask again.
    ///
    /// # Errors
    /// There is no such version; it is below the active one (fix forward); another one is active than was expected.
    pub async fn promote_to_active(&self, promotion: Promotion) -> Result<PromptVersion, VersioningError> {
        let expected = promotion.expected_active.map(Some);
        self.promote_if(promotion, expected).await
    }

    /// The same for a caller who expects that nothing is live yet, which [`Promotion`] cannot say.
    ///
    /// # Errors
    /// As [`Self::promote_to_active`].
    pub async fn promote_first(&self, promotion: Promotion) -> Result<PromptVersion, VersioningError> {
        self.promote_if(promotion, Some(None)).await
    }

    async fn promote_if(
        &self,
        promotion: Promotion,
        expected: Option<Option<Version>>,
    ) -> Result<PromptVersion, VersioningError> {
        let Promotion { agent_type, version, promoted_by, .. } = promotion;
        let Some(mut change) = self.store.change(&agent_type).await? else {
            return Err(self.store.unknown_agent(&agent_type).await);
        };
        // Read under the lock: once it is committed, nothing may fail any more.
        let Some(mut promoted) = change.find_version(version).await? else {
            drop(change);
            return Err(self.store.unknown_version(&agent_type, version).await);
        };
        let active = change.active();
        if active == Some(version) {
            return Ok(promoted);
        }
        if let Some(expected) = expected
            && active != expected
        {
            return Err(VersioningError::StaleBase { agent_type, base: expected.unwrap_or(version), active });
        }
        if let Some(active) = active
            && version < active
        {
            return Err(VersioningError::FixForward { agent_type, version, active });
        }
        promoted.activated_at = Some(change.activate(version, promoted_by.as_ref().map(Author::as_str)).await?);
        promoted.status = VersionStatus::Active;
        self.commit_live(change, &agent_type).await?;
        self.promotions.fetch_add(1, Ordering::Relaxed);
        tracing::info!(
            agent_type = %agent_type, version = %version,
            previous = active.map(tracing::field::display), "version promoted"
        );
        Ok(promoted)
    }

    /// Makes the text of a version live, by the way that there is: a version above the active one is promoted, one below it is
    /// brought back as the next free patch, and what is active stays. `decide` is told what is live by it and writes what led to it
    /// into the same transaction: both happen, or neither.
    ///
    /// # Errors
    /// There is no such version; no number is left; what `decide` says.
    pub async fn make_live<E: From<VersioningError>>(
        &self,
        reissue: Reissue,
        decide: impl for<'a> FnOnce(&'a mut PgConnection, Version) -> BoxFuture<'a, Result<(), E>> + Send,
    ) -> Result<Version, E> {
        let Reissue { agent_type, version, created_by, notes } = reissue;
        let Some(mut change) = self.store.change(&agent_type).await? else {
            return Err(self.store.unknown_agent(&agent_type).await.into());
        };
        let Some(found) = change.find_version(version).await? else {
            drop(change);
            return Err(self.store.unknown_version(&agent_type, version).await.into());
        };
        let (previous, by) = (change.active(), created_by.as_ref().map(Author::as_str));
        let live = match (found.status, previous) {
            (VersionStatus::Active, _) => version,
            (VersionStatus::Superseded, Some(active)) => {
                let text = change.find_text(version).await?;
                let text = text.ok_or_else(|| VersioningError::inconsistent("a version without its text"))?;
                let patch = change.next_patch(active).await?;
                let origin = Origin::Reissued { of: version };
                let notes = notes.as_ref().map(Notes::as_str);
                let insert = Insert { version: patch, prompt_text: &text, created_by: by, notes, origin };
                change.insert(&insert).await?;
                change.activate(patch, by).await?;
                patch
            }
            _ => {
                change.activate(version, by).await?;
                version
            }
        };
        decide(change.connection(), live).await?;
        self.commit_live(change, &agent_type).await?;
        if live != version {
            self.versions_created.fetch_add(1, Ordering::Relaxed);
        }
        if previous != Some(live) {
            self.promotions.fetch_add(1, Ordering::Relaxed);
            let previous = previous.map(tracing::field::display);
            tracing::info!(agent_type = %agent_type, version = %live, previous, "version promoted");
        }
        Ok(live)
    }

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

    /// The numbers that the next major, minor and patch version would have, counted from `from` or from the active version,
    /// whichever is higher (with neither, from the highest draft). All are free when this is said; an agent without versions
    /// begins with 1.0.0.
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

    /// Creates the version that `bump` gives, and promotes it if that was asked for, in one transaction.
    ///
    /// # Errors
    /// The base does not exist; somebody promoted or saved another version since the writer looked; no number is left.
    pub async fn create_next(&self, next: NextVersion) -> Result<PromptVersion, VersioningError> {
        let agent_type = &next.agent_type;
        let mut change = self.store.change_or_create(agent_type).await?;
        let active = change.active();
        let newest = change.newest_version().await?;
        if let Some(base) = next.base_version
            && !change.has_version(base).await?
        {
            return Err(VersioningError::UnknownBase { agent_type: agent_type.clone(), base });
        }
        if active != next.seen.active
            && let Some(base) = next.seen.active.or(next.base_version)
        {
            return Err(VersioningError::StaleBase { agent_type: agent_type.clone(), base, active });
        }
        if let Some(version) = newest
            && next.seen.newest != newest
        {
            return Err(VersioningError::SavedMeanwhile { agent_type: agent_type.clone(), version });
        }
        let version =
            match active.max(next.base_version).or(newest) {
                None => Version::FIRST,
                Some(from) => change.numbers_after(from).await?.next(from).of(next.bump).ok_or_else(|| {
                    VersioningError::NumbersExhausted { agent_type: agent_type.clone(), version: from }
                })?,
            };
        let author = next.created_by.as_ref().map(Author::as_str);
        let insert = Insert {
            version,
            prompt_text: next.prompt_text.as_str(),
            created_by: author,
            notes: next.notes.as_ref().map(Notes::as_str),
            origin: Origin::Written { base: next.base_version },
        };
        let mut created = change.insert(&insert).await?;
        if next.promote {
            created.activated_at = Some(change.activate(version, author).await?);
            created.status = VersionStatus::Active;
            self.commit_live(change, agent_type).await?;
            self.promotions.fetch_add(1, Ordering::Relaxed);
        } else {
            change.commit().await?;
        }
        self.versions_created.fetch_add(1, Ordering::Relaxed);
        tracing::info!(agent_type = %agent_type, version = %version, sha256 = created.sha256, "version created");
        if next.promote {
            let previous = active.map(tracing::field::display);
            tracing::info!(agent_type = %agent_type, version = %version, previous, "version promoted");
        }
        Ok(created)
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

    /// Makes every node read the agent's active version anew, and records that somebody did.
    ///
    /// This node drops its copy in any case. When the database is away the others cannot be told; they hear nothing
    /// from it either, and drop everything as soon as they reach it again.
    ///
    /// # Errors
    /// Only for a fault of Verbatim itself.
    pub async fn clear_cache(&self, agent_type: &AgentType) -> Result<CacheCleared, VersioningError> {
        let was_cached = self.loading.clear_cache(agent_type).await;
        let announced = match self.store.announce_cleared(agent_type).await {
            Ok(announced) => announced,
            Err(VersioningError::Unavailable(error)) => {
                tracing::warn!(agent_type = %agent_type, %error, "cache cleared on this node only");
                false
            }
            Err(fault) => return Err(fault),
        };
        tracing::info!(agent_type = %agent_type, was_cached, announced, "cache cleared");
        Ok(CacheCleared { was_cached, announced })
    }

    /// Fills an empty registry, all or nothing. Tells whether it did; a registry with any agent in it is left alone.
    ///
    /// # Errors
    /// A seed breaks a rule, or the database is away.
    pub async fn seed(&self, seeds: &[SeedVersion]) -> Result<bool, VersioningError> {
        let inserts: Vec<_> = seeds
            .iter()
            .map(|SeedVersion { new, promote }| {
                let insert = Insert {
                    version: new.version,
                    prompt_text: new.prompt_text.as_str(),
                    created_by: new.created_by.as_ref().map(Author::as_str),
                    notes: new.notes.as_ref().map(Notes::as_str),
                    origin: Origin::Written { base: new.base_version },
                };
                (new.agent_type.clone(), insert, *promote)
            })
            .collect();
        self.store.seed(&inserts).await
    }

    /// Whether the database answers and every migration that this binary knows has been applied.
    ///
    /// # Errors
    /// The database is away.
    pub async fn is_migrated(&self) -> Result<bool, VersioningError> {
        self.store.is_migrated().await
    }

    /// The store, for exports and imports.
    pub(crate) fn store(&self) -> &PromptStore {
        &self.store
    }

    /// The lock of an agent that has an active version.
    async fn change_of_active(&self, agent_type: &AgentType) -> Result<(Change, Version), VersioningError> {
        let Some(change) = self.store.change(agent_type).await? else {
            return Err(self.store.unknown_agent(agent_type).await);
        };
        match change.active() {
            Some(active) => Ok((change, active)),
            None => Err(VersioningError::NoActiveVersion { agent_type: agent_type.clone() }),
        }
    }

    /// Commits a change that makes a version live, and forgets the cached one. In a task of its own: a caller that goes away
    /// in the middle must not leave the one without the other.
    async fn commit_live(&self, change: Change, agent_type: &AgentType) -> Result<(), VersioningError> {
        let (loading, agent_type) = (Arc::clone(&self.loading), agent_type.clone());
        let committed = tokio::spawn(async move {
            let committed = change.commit().await;
            // Even when the outcome is unknown: a load too many is nothing, an old prompt is wrong.
            loading.invalidate(&agent_type).await;
            committed
        });
        committed.await.map_err(VersioningError::inconsistent)?
    }

    /// Adds the next free patch after `active` and makes it live, in the transaction of `change`.
    async fn issue(
        &self,
        mut change: Change,
        agent_type: &AgentType,
        active: Version,
        prompt_text: &str,
        (author, notes): (Option<&Author>, Option<&Notes>),
        origin: Origin,
    ) -> Result<PromptVersion, VersioningError> {
        let version = change.next_patch(active).await?;
        let author = author.map(Author::as_str);
        let mut created = change
            .insert(&Insert { version, prompt_text, created_by: author, notes: notes.map(Notes::as_str), origin })
            .await?;
        created.activated_at = Some(change.activate(version, author).await?);
        created.status = VersionStatus::Active;
        self.commit_live(change, agent_type).await?;
        self.versions_created.fetch_add(1, Ordering::Relaxed);
        self.promotions.fetch_add(1, Ordering::Relaxed);
        tracing::info!(agent_type = %agent_type, version = %version, sha256 = created.sha256, "version created");
        tracing::info!(agent_type = %agent_type, version = %version, previous = %active, "version promoted");
        Ok(created)
    }

    /// A number that can be used in place of one that is taken: the next free patch, above the active version.
    async fn first_free(&self, agent_type: &AgentType, taken: Version) -> Result<Version, VersioningError> {
        let active = self.store.find_active(agent_type).await?.map(|content| content.version.version);
        let from = active.map_or(taken, |active| active.max(taken));
        self.store
            .numbers_after(agent_type, from)
            .await?
            .free_patch
            .ok_or_else(|| VersioningError::NumbersExhausted { agent_type: agent_type.clone(), version: from })
    }
}

/// Rules 5, 6 and 10 of the design for a version that is to be created.
async fn check_new_version(change: &mut Change, new: &NewVersion) -> Result<(), VersioningError> {
    let active = change.active();
    if let Some(base) = new.base_version {
        if !change.has_version(base).await? {
            return Err(VersioningError::UnknownBase { agent_type: new.agent_type.clone(), base });
        }
        // A draft above the active version is as good a base as the active one; what is below it has moved on.
        if let Some(active) = active
            && base < active
        {
            return Err(VersioningError::StaleBase { agent_type: new.agent_type.clone(), base, active: Some(active) });
        }
    }
    if let Some(active) = active
        && new.version <= active
    {
        return Err(if change.has_version(new.version).await? {
            VersioningError::VersionExists { agent_type: new.agent_type.clone(), version: new.version, free: None }
        } else {
            VersioningError::FixForward { agent_type: new.agent_type.clone(), version: new.version, active }
        });
    }
    Ok(())
}
