//! Adding a version, together with the event of it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    PromptStore,
    rows::{stored_count, stored_version},
    write::{to_the_end, violation},
};
use crate::{AgentType, EventKind, PromptVersion, Version, VersionStatus, VersioningError};

/// Where the text of a new version comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin {
    /// A text of its own, written from `base` if the writer named one.
    Written { base: Option<Version> },
    /// The text of the earlier version `of`.
    Reissued { of: Version },
}

impl Origin {
    fn event(self) -> (EventKind, Option<Version>) {
        match self {
            Self::Written { base } => (EventKind::Created, base),
            Self::Reissued { of } => (EventKind::Reissued, Some(of)),
        }
    }
}

/// A version to be inserted.
pub(crate) struct Insert<'a> {
    pub version: Version,
    pub prompt_text: &'a str,
    pub created_by: Option<&'a str>,
    pub notes: Option<&'a str>,
    pub origin: Origin,
}

impl PromptStore {
    /// The common case of a new version in one round trip: the agent exists, the version is above the active one, and
    /// the base, if there is one, is the active one. None when any of that is not so, and nothing was done then; a
    /// [`Change`] finds out why.
    pub(crate) async fn insert_above_active(
        &self,
        agent_type: &AgentType,
        insert: &Insert<'_>,
    ) -> Result<Option<PromptVersion>, VersioningError> {
        let turn = self.queues.enter(agent_type).await;
        let id = Uuid::now_v7();
        let (kind, base) = insert.origin.event();
        let (pool, name, version) = (self.pool.clone(), agent_type.clone(), insert.version);
        let prompt_text = insert.prompt_text.to_owned();
        let (created_by, notes) = (insert.created_by.map(str::to_owned), insert.notes.map(str::to_owned));
        let created = to_the_end(async move {
            let _turn = turn;
            let mut connection = pool.acquire().await?;
            let row = sqlx::query!(
                r#"with locked as materialized (
                    select active_version from agents
                    where agent_type = $2
                        and (active_version is null
                            or string_to_array($3, '.')::bigint[] > string_to_array(active_version, '.')::bigint[])
                        and ($8::varchar is null or $8 = active_version)
                    for no key update
                ), created as (
                    insert into prompts (id, agent_type, version, prompt_text, created_at, created_by, notes)
                    select $1, $2, $3, $4, clock_timestamp(), $5, $6 from locked
                    returning created_at, sha256, char_count, line_count
                ), recorded as (
                    insert into prompt_events
                        (occurred_at, kind, agent_type, version, actor, base_version, previous_active)
                    select created_at, $7, $2, $3, $5, $8, active_version from created, locked
                )
                select active_version, created_at as "created_at!", sha256 as "sha256!",
                    char_count as "char_count!", line_count as "line_count!"
                from created, locked"#,
                id,
                name.as_str(),
                version.to_string(),
                prompt_text,
                created_by,
                notes,
                kind.as_str(),
                base.map(|version| version.to_string()),
            )
            .fetch_optional(&mut *connection)
            .await
            .map_err(|error| match error {
                sqlx::Error::Database(_) => violation(error, &name, version, None),
                // The statement commits by itself: when the connection breaks, nobody knows whether it did.
                _ => VersioningError::OutcomeUnknown(error),
            })?;
            Ok(row.map(|row| {
                let derived = Derived {
                    created_at: row.created_at,
                    sha256: row.sha256,
                    char_count: row.char_count,
                    line_count: row.line_count,
                };
                (row.active_version, derived)
            }))
        })
        .await?;
        created
            .map(|(active, derived)| {
                let active = active.as_deref().map(stored_version).transpose()?;
                inserted(id, agent_type, active, insert, derived)
            })
            .transpose()
    }
}

/// Adds a version under the lock of its agent.
pub(super) async fn insert_version(
    connection: &mut PgConnection,
    agent_type: &AgentType,
    active: Option<Version>,
    insert: &Insert<'_>,
) -> Result<PromptVersion, VersioningError> {
    let id = Uuid::now_v7();
    let (kind, base) = insert.origin.event();
    // The time is read under the lock, so that it rises with the versions; `now()` is that of the transaction's start.
    // The event is a part of the same statement: one round trip less.
    let derived = sqlx::query_as!(
        Derived,
        r#"with created as (
                insert into prompts (id, agent_type, version, prompt_text, created_at, created_by, notes)
                values ($1, $2, $3, $4, clock_timestamp(), $5, $6)
                returning created_at, sha256, char_count, line_count
            ), recorded as (
                insert into prompt_events
                    (occurred_at, kind, agent_type, version, actor, base_version, previous_active)
                select created_at, $7, $2, $3, $5, $8, $9 from created
            )
            select created_at as "created_at!", sha256 as "sha256!", char_count as "char_count!",
                line_count as "line_count!"
            from created"#,
        id,
        agent_type.as_str(),
        insert.version.to_string(),
        insert.prompt_text,
        insert.created_by,
        insert.notes,
        kind.as_str(),
        base.map(|version| version.to_string()),
        active.map(|version| version.to_string()),
    )
    .fetch_one(connection)
    .await
    .map_err(|error| violation(error, agent_type, insert.version, active))?;
    inserted(id, agent_type, active, insert, derived)
}

/// What the database adds to a version that is inserted.
struct Derived {
    created_at: DateTime<Utc>,
    sha256: String,
    char_count: i32,
    line_count: i32,
}

/// The version that was inserted.
fn inserted(
    id: Uuid,
    agent_type: &AgentType,
    active: Option<Version>,
    insert: &Insert<'_>,
    derived: Derived,
) -> Result<PromptVersion, VersioningError> {
    Ok(PromptVersion {
        id,
        agent_type: agent_type.clone(),
        version: insert.version,
        status: VersionStatus::of(insert.version, active),
        created_at: derived.created_at,
        created_by: insert.created_by.map(Into::into),
        notes: insert.notes.map(Into::into),
        activated_at: None,
        sha256: derived.sha256,
        char_count: stored_count(derived.char_count)?,
        line_count: stored_count(derived.line_count)?,
    })
}
