//! What goes live: promotions, and earlier texts that come back as the next patch.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sqlx::PgConnection;

use super::PromptManagementService;
use crate::{
    AgentType, Author, Notes, Promotion, PromptVersion, Reissue, Version, VersionStatus, VersioningError,
    store::{Change, Insert, Origin},
};

impl PromptManagementService {
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
        let (mut change, mut promoted) = self.change_of_version(&agent_type, version).await?;
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
        self.note_promoted(&agent_type, version, active);
        Ok(promoted)
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

    /// Makes the text of a version live, by the way that there is: a version above the active one is promoted, one
    /// below it is brought back as the next free patch, and what is active stays. `decide` is told what is live by it
    /// and writes what led to it into the same transaction: both happen, or neither.
    ///
    /// # Errors
    /// There is no such version; no number is left; what `decide` says.
    pub async fn make_live<E: From<VersioningError>>(
        &self,
        reissue: Reissue,
        decide: impl for<'a> FnOnce(&'a mut PgConnection, Version) -> BoxFuture<'a, Result<(), E>> + Send,
    ) -> Result<Version, E> {
        let Reissue { agent_type, version, created_by, notes } = reissue;
        let (mut change, found) = self.change_of_version(&agent_type, version).await?;
        let (previous, by) = (change.active(), created_by.as_ref().map(Author::as_str));
        let mut created = None;
        let live = match (found.status, previous) {
            (VersionStatus::Active, _) => version,
            (VersionStatus::Superseded, Some(active)) => {
                let text = change.find_text(version).await?;
                let text = text.ok_or_else(|| VersioningError::inconsistent("a version without its text"))?;
                let patch = change.next_patch(active).await?;
                let origin = Origin::Reissued { of: version };
                let notes = notes.as_ref().map(Notes::as_str);
                let insert = Insert { version: patch, prompt_text: &text, created_by: by, notes, origin };
                created = Some(change.insert(&insert).await?);
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
        if let Some(created) = &created {
            self.note_created(created);
        }
        if previous != Some(live) {
            self.note_promoted(&agent_type, live, previous);
        }
        Ok(live)
    }

    /// The lock of an agent, and one of its versions. It is read under the lock: once the change is committed, nothing
    /// may fail any more.
    async fn change_of_version(
        &self,
        agent_type: &AgentType,
        version: Version,
    ) -> Result<(Change, PromptVersion), VersioningError> {
        let Some(mut change) = self.store.change(agent_type).await? else {
            return Err(self.store.unknown_agent(agent_type).await);
        };
        match change.find_version(version).await? {
            Some(found) => Ok((change, found)),
            None => {
                drop(change);
                Err(self.store.unknown_version(agent_type, version).await)
            }
        }
    }

    /// The lock of an agent that has an active version.
    pub(super) async fn change_of_active(&self, agent_type: &AgentType) -> Result<(Change, Version), VersioningError> {
        let Some(change) = self.store.change(agent_type).await? else {
            return Err(self.store.unknown_agent(agent_type).await);
        };
        match change.active() {
            Some(active) => Ok((change, active)),
            None => Err(VersioningError::NoActiveVersion { agent_type: agent_type.clone() }),
        }
    }

    /// Commits a change that makes a version live, and forgets the cached one. In a task of its own: a caller that goes
    /// away in the middle must not leave the one without the other.
    pub(super) async fn commit_live(&self, change: Change, agent_type: &AgentType) -> Result<(), VersioningError> {
        let (loading, agent_type) = (Arc::clone(&self.loading), agent_type.clone());
        let committed = tokio::spawn(async move {
            let committed = change.commit().await;
            if committed.is_ok() {
                loading.database_answered();
            }
            // Even when the outcome is unknown: a load too many is nothing, an old prompt is wrong.
            loading.invalidate(&agent_type).await;
            committed
        });
        committed.await.map_err(VersioningError::inconsistent)?
    }

    /// Adds the next free patch after `active` and makes it live, in the transaction of `change`.
    pub(super) async fn issue(
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
        self.note_created(&created);
        self.note_promoted(agent_type, version, Some(active));
        Ok(created)
    }
}
