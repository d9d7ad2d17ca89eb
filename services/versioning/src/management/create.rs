//! New versions: with a number of the writer's own, with the next one, as a patch, and those of an empty registry.

use super::PromptManagementService;
use crate::{
    AgentType, Author, NewPatch, NewVersion, NextVersion, Notes, PromptVersion, SeedVersion, Version, VersionStatus,
    VersioningError,
    store::{Change, Insert, Origin},
};

impl PromptManagementService {
    /// Creates a version as a draft.
    ///
    /// # Errors
    /// The number exists, or is below the active version; the base does not exist, or has been superseded.
    pub async fn create_version(&self, new: NewVersion) -> Result<PromptVersion, VersioningError> {
        let insert = written(&new);
        let created = match self.store.insert_above_active(&new.agent_type, &insert).await {
            Ok(None) => self.insert_with_care(&new, &insert).await,
            Ok(Some(created)) => Ok(created),
            Err(error) => Err(error),
        };
        match created {
            Ok(created) => {
                self.note_created(&created);
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
        } else {
            change.commit().await?;
        }
        self.note_created(&created);
        if next.promote {
            self.note_promoted(agent_type, version, active);
        }
        Ok(created)
    }

    /// Fills an empty registry, all or nothing. Tells whether it did; a registry with any agent in it is left alone.
    ///
    /// # Errors
    /// A seed breaks a rule, or the database is away.
    pub async fn seed(&self, seeds: &[SeedVersion]) -> Result<bool, VersioningError> {
        let inserts: Vec<_> =
            seeds.iter().map(|SeedVersion { new, promote }| (new.agent_type.clone(), written(new), *promote)).collect();
        self.store.seed(&inserts).await
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

/// A text of its own, to be inserted.
fn written(new: &NewVersion) -> Insert<'_> {
    Insert {
        version: new.version,
        prompt_text: new.prompt_text.as_str(),
        created_by: new.created_by.as_ref().map(Author::as_str),
        notes: new.notes.as_ref().map(Notes::as_str),
        origin: Origin::Written { base: new.base_version },
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
