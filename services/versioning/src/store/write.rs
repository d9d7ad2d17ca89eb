//! Changes: transactions that hold the lock of one agent.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, Transaction};
use tracing::Instrument;

use super::{
    PromptStore,
    insert::{Insert, insert_version},
    queue::Turn,
    read::number,
    rows::{VersionRow, stored_version},
};
use crate::{AgentType, PromptVersion, Version, VersioningError, changes::NumbersInUse};

/// A transaction that holds the lock of one agent. Dropped without [`Change::commit`], it changes nothing.
pub(crate) struct Change {
    transaction: Transaction<'static, Postgres>,
    agent_type: AgentType,
    active: Option<Version>,
    _turn: Turn,
}

impl PromptStore {
    /// Queues behind the other writers of the agent and reads what is active. None when there is no such agent.
    pub(crate) async fn change(&self, agent_type: &AgentType) -> Result<Option<Change>, VersioningError> {
        let turn = self.queues.enter(agent_type).await;
        let (pool, agent_type) = (self.pool.clone(), agent_type.clone());
        to_the_end(async move {
            let mut transaction = pool.begin().await?;
            let active = lock(&mut transaction, &agent_type).await?;
            Ok(active.map(|active| Change { transaction, agent_type, active, _turn: turn }))
        })
        .await
    }

    /// As [`Self::change`], for an agent that is made if it is not there yet.
    pub(crate) async fn change_or_create(&self, agent_type: &AgentType) -> Result<Change, VersioningError> {
        let turn = self.queues.enter(agent_type).await;
        let (pool, agent_type) = (self.pool.clone(), agent_type.clone());
        to_the_end(async move {
            let mut transaction = pool.begin().await?;
            let active = match lock(&mut transaction, &agent_type).await? {
                Some(active) => active,
                None => {
                    sqlx::query!(
                        "insert into agents (agent_type) values ($1) on conflict do nothing",
                        agent_type.as_str()
                    )
                    .execute(&mut *transaction)
                    .await?;
                    // Somebody else may have made it in between, and gone on.
                    lock(&mut transaction, &agent_type)
                        .await?
                        .ok_or_else(|| VersioningError::inconsistent("an agent that was made just now is not there"))?
                }
            };
            Ok(Change { transaction, agent_type, active, _turn: turn })
        })
        .await
    }

    /// Writes the seeds in a transaction that is alone among its like, if the registry holds no agent. Tells whether it
    /// did.
    pub(crate) async fn seed(&self, seeds: &[(AgentType, Insert<'_>, bool)]) -> Result<bool, VersioningError> {
        if self.has_agents().await? {
            // The usual start: no need to wait for anybody.
            return Ok(false);
        }
        let mut transaction = self.pool.begin().await?;
        // Two nodes that start on one empty database: the second waits here, then finds agents.
        sqlx::query!("lock table agents in share row exclusive mode").execute(&mut *transaction).await?;
        let is_empty = sqlx::query_scalar!(r#"select not exists (select 1 from agents) as "is_empty!""#)
            .fetch_one(&mut *transaction)
            .await?;
        if !is_empty {
            return Ok(false);
        }
        for (agent_type, insert, promote) in seeds {
            sqlx::query!("insert into agents (agent_type) values ($1) on conflict do nothing", agent_type.as_str())
                .execute(&mut *transaction)
                .await?;
            let active = lock(&mut transaction, agent_type).await?.flatten();
            insert_version(&mut transaction, agent_type, active, insert).await?;
            if *promote {
                activate(&mut transaction, agent_type, active, insert.version, insert.created_by).await?;
            }
        }
        transaction.commit().await.map_err(uncommitted)?;
        Ok(true)
    }

    async fn has_agents(&self) -> Result<bool, VersioningError> {
        Ok(sqlx::query_scalar!(r#"select exists (select 1 from agents) as "has_agents!""#)
            .fetch_one(&self.pool)
            .await?)
    }

    /// Records that somebody cleared the agent's cache and tells every node. False when there is no such agent.
    pub(crate) async fn announce_cleared(&self, agent_type: &AgentType) -> Result<bool, VersioningError> {
        let announced = sqlx::query!(
            r#"with recorded as (
                    insert into prompt_events (kind, agent_type)
                    select 'cache_cleared', agent_type from agents where agent_type = $1
                    returning agent_type
                )
                select pg_notify(
                    'verbatim_prompts', json_build_object('kind', 'cache_cleared', 'agent_type', agent_type)::text
                ) as "notified!" from recorded"#,
            agent_type.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(announced.is_some())
    }
}

impl Change {
    /// The version that is active, as long as this change holds the lock.
    pub(crate) fn active(&self) -> Option<Version> {
        self.active
    }

    /// Whether the agent has this version.
    pub(crate) async fn has_version(&mut self, version: Version) -> Result<bool, VersioningError> {
        Ok(sqlx::query_scalar!(
            r#"select exists (select 1 from prompts where agent_type = $1 and version = $2) as "exists!""#,
            self.agent_type.as_str(),
            version.to_string()
        )
        .fetch_one(&mut *self.transaction)
        .await?)
    }

    /// One version, with its standing towards the version that is active under this lock.
    pub(crate) async fn find_version(&mut self, version: Version) -> Result<Option<PromptVersion>, VersioningError> {
        sqlx::query_as!(
            VersionRow,
            r#"select id, agent_type, version, $3::varchar as active_version, created_at, created_by, notes,
                    activated_at, sha256, char_count, line_count
                from prompts where agent_type = $1 and version = $2"#,
            self.agent_type.as_str(),
            version.to_string(),
            self.active.map(|active| active.to_string()),
        )
        .fetch_optional(&mut *self.transaction)
        .await?
        .map(PromptVersion::try_from)
        .transpose()
    }

    /// The text of a version.
    pub(crate) async fn find_text(&mut self, version: Version) -> Result<Option<String>, VersioningError> {
        Ok(sqlx::query_scalar!(
            "select prompt_text from prompts where agent_type = $1 and version = $2",
            self.agent_type.as_str(),
            version.to_string()
        )
        .fetch_optional(&mut *self.transaction)
        .await?)
    }

    /// The first patch number after `version` that is not in use in its line.
    pub(crate) async fn next_patch(&mut self, version: Version) -> Result<Version, VersioningError> {
        next_patch(&mut self.transaction, &self.agent_type, version).await
    }

    /// The numbers in use, seen from `base`.
    pub(crate) async fn numbers_after(&mut self, base: Version) -> Result<NumbersInUse, VersioningError> {
        numbers_after(&mut self.transaction, &self.agent_type, base).await
    }

    /// The version that was created last.
    pub(crate) async fn newest_version(&mut self) -> Result<Option<Version>, VersioningError> {
        newest_version(&mut *self.transaction, &self.agent_type).await
    }

    /// Adds a version, and the event of it.
    pub(crate) async fn insert(&mut self, insert: &Insert<'_>) -> Result<PromptVersion, VersioningError> {
        insert_version(&mut self.transaction, &self.agent_type, self.active, insert).await
    }

    /// Makes a version live in place of the one that is, and records the event of it.
    pub(crate) async fn activate(
        &mut self,
        version: Version,
        actor: Option<&str>,
    ) -> Result<DateTime<Utc>, VersioningError> {
        let at = activate(&mut self.transaction, &self.agent_type, self.active, version, actor).await?;
        self.active = Some(version);
        Ok(at)
    }

    /// What the change is written through: what others write here is part of it.
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Makes the change last. When the connection breaks here, nobody knows whether it did.
    pub(crate) async fn commit(self) -> Result<(), VersioningError> {
        self.transaction.commit().await.map_err(uncommitted)
    }
}

impl PromptStore {
    /// The numbers in use, seen from `base`.
    pub(crate) async fn numbers_after(
        &self,
        agent_type: &AgentType,
        base: Version,
    ) -> Result<NumbersInUse, VersioningError> {
        let mut connection = self.pool.acquire().await.map_err(VersioningError::from)?;
        numbers_after(&mut connection, agent_type, base).await
    }

    /// The version that was created last.
    pub(crate) async fn newest_version(&self, agent_type: &AgentType) -> Result<Option<Version>, VersioningError> {
        newest_version(&self.pool, agent_type).await
    }

    /// The highest version of the agent.
    pub(crate) async fn highest_version(&self, agent_type: &AgentType) -> Result<Option<Version>, VersioningError> {
        sqlx::query_scalar!(
            "select version from prompts where agent_type = $1 order by major desc, minor desc, patch desc limit 1",
            agent_type.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .as_deref()
        .map(stored_version)
        .transpose()
    }
}

/// Runs to its end what waits for the lock of an agent, even when the caller gives up: the database goes on waiting, on
/// a connection that nobody else can use. `work` has the turn, so that no other writer of the agent waits beside it.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, VersioningError>> + Send + 'static,
) -> Result<T, VersioningError> {
    tokio::spawn(work.in_current_span()).await.map_err(VersioningError::inconsistent)?
}

/// Locks the agent; none when it does not exist, else its active version, if any.
async fn lock(
    connection: &mut PgConnection,
    agent_type: &AgentType,
) -> Result<Option<Option<Version>>, VersioningError> {
    // Read anew once the lock is free: what the one who held it made active is seen.
    let active = sqlx::query_scalar!(
        "select active_version from agents where agent_type = $1 for no key update",
        agent_type.as_str()
    )
    .fetch_optional(connection)
    .await?;
    active.map(|active| active.as_deref().map(stored_version).transpose()).transpose()
}

async fn newest_version(
    executor: impl sqlx::PgExecutor<'_>,
    agent_type: &AgentType,
) -> Result<Option<Version>, VersioningError> {
    sqlx::query_scalar!(
        "select version from prompts where agent_type = $1
            order by created_at desc, major desc, minor desc, patch desc limit 1",
        agent_type.as_str()
    )
    .fetch_optional(executor)
    .await?
    .as_deref()
    .map(stored_version)
    .transpose()
}

async fn numbers_after(
    connection: &mut PgConnection,
    agent_type: &AgentType,
    base: Version,
) -> Result<NumbersInUse, VersioningError> {
    let free_patch = match next_patch(&mut *connection, agent_type, base).await {
        Ok(patch) => Some(patch),
        Err(VersioningError::NumbersExhausted { .. }) => None,
        Err(error) => return Err(error),
    };
    let highest = sqlx::query!(
        r#"select max(major) as "major!", max(minor) filter (where major = $2) as minor
            from prompts where agent_type = $1 having count(*) > 0"#,
        agent_type.as_str(),
        number(base.major()),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let (major, minor) = highest.map_or((0, None), |row| (row.major, row.minor));
    let part = |part: i64| u64::try_from(part).map_err(VersioningError::inconsistent);
    Ok(NumbersInUse { free_patch, highest_minor: part(minor.unwrap_or(0))?, highest_major: part(major)? })
}

async fn next_patch(
    connection: &mut PgConnection,
    agent_type: &AgentType,
    version: Version,
) -> Result<Version, VersioningError> {
    // The candidates are the numbers after each that is in use, beginning with that of `version` itself.
    let patch = sqlx::query_scalar!(
        r#"select min(used.patch) + 1 as "patch!" from (
                select $4::bigint as patch
                union all
                select patch from prompts where agent_type = $1 and major = $2 and minor = $3 and patch > $4
            ) used
            where not exists (
                select 1 from prompts
                where agent_type = $1 and major = $2 and minor = $3 and patch = used.patch + 1
            )"#,
        agent_type.as_str(),
        number(version.major()),
        number(version.minor()),
        number(version.patch()),
    )
    .fetch_one(connection)
    .await?;
    let patch = u64::try_from(patch).map_err(VersioningError::inconsistent)?;
    Version::new(version.major(), version.minor(), patch)
        .map_err(|_| VersioningError::NumbersExhausted { agent_type: agent_type.clone(), version })
}

async fn activate(
    connection: &mut PgConnection,
    agent_type: &AgentType,
    active: Option<Version>,
    version: Version,
    actor: Option<&str>,
) -> Result<DateTime<Utc>, VersioningError> {
    // Two statements: the index that allows one active row is checked row by row, so the old one steps down first.
    sqlx::query!("update prompts set is_active = false where agent_type = $1 and is_active", agent_type.as_str())
        .execute(&mut *connection)
        .await?;
    let activated = sqlx::query!(
        r#"with live as (
                update prompts set is_active = true where agent_type = $1 and version = $2
                returning activated_at
            ), recorded as (
                insert into prompt_events (occurred_at, kind, agent_type, version, actor, previous_active)
                select activated_at, 'promoted', $1, $2, $3, $4 from live
            )
            select activated_at as "activated_at!" from live"#,
        agent_type.as_str(),
        version.to_string(),
        actor,
        active.map(|version| version.to_string()),
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(|error| violation(error, agent_type, version, active))?
    .ok_or_else(|| VersioningError::UnknownVersion {
        agent_type: agent_type.clone(),
        version,
        near: Vec::new(),
    })?;
    Ok(activated.activated_at)
}

/// Why a commit failed. When the database answered, it was rolled back (the deferred rules are checked at that moment);
/// when the connection broke, nobody knows.
pub(super) fn uncommitted(error: sqlx::Error) -> VersioningError {
    match error {
        sqlx::Error::Database(_) => error.into(),
        _ => VersioningError::OutcomeUnknown(error),
    }
}

/// What a named constraint says in the terms of the domain.
pub(super) fn violation(
    error: sqlx::Error,
    agent_type: &AgentType,
    version: Version,
    active: Option<Version>,
) -> VersioningError {
    let constraint = error.as_database_error().and_then(|database| database.constraint());
    match (constraint, active) {
        (Some("prompts_agent_type_version_key" | "prompts_version_order"), _) => {
            VersioningError::VersionExists { agent_type: agent_type.clone(), version, free: None }
        }
        (Some("prompts_fix_forward"), Some(active)) => {
            VersioningError::FixForward { agent_type: agent_type.clone(), version, active }
        }
        _ => error.into(),
    }
}
