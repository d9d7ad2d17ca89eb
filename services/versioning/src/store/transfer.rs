//! The rows of an export, in one snapshot, and their way back in one transaction.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use super::{
    PromptStore,
    rows::{stored_agent_type, stored_version},
    write::uncommitted,
};
use crate::{
    AgentType, VersioningError,
    transfer::{AgentRecord, EventRecord, VersionRecord},
};

/// Rows that are held in memory at once; a text can have a megabyte.
const BATCH: i64 = 50;

/// Numbers below those of every version.
const BEFORE_ALL: (i64, i64, i64) = (-1, -1, -1);

/// A reading transaction that sees one moment.
pub(crate) struct Export {
    transaction: Transaction<'static, Postgres>,
    /// The agents whose versions are still to come.
    agents: VecDeque<AgentType>,
    versions: VecDeque<VersionRecord>,
    /// The numbers of the last version that was read of the first of them.
    last_version: (i64, i64, i64),
    events: VecDeque<(i64, EventRecord)>,
    last_event: i64,
}

/// A writing transaction.
pub(crate) struct Import {
    transaction: Transaction<'static, Postgres>,
}

/// Why a record was not taken.
pub(crate) enum ImportRefusal {
    /// It breaks a rule of the database; what the rule says.
    Rule(String),
    /// The database is away.
    Failed(VersioningError),
}

impl From<sqlx::Error> for ImportRefusal {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            // 22 data, 23 integrity constraints: what the file says cannot be stored.
            Some(database) if database.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23")) => {
                Self::Rule(match database.constraint() {
                    Some(constraint) => format!("{} ({constraint})", database.message()),
                    None => database.message().into(),
                })
            }
            _ => Self::Failed(error.into()),
        }
    }
}

struct VersionExportRow {
    id: Uuid,
    agent_type: String,
    version: String,
    is_active: bool,
    activated_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    created_by: Option<String>,
    notes: Option<String>,
    sha256: String,
    prompt_text: String,
    major: i64,
    minor: i64,
    patch: i64,
}

impl PromptStore {
    pub(crate) async fn begin_export(&self) -> Result<Export, VersioningError> {
        let mut transaction = self.pool().begin_with("begin isolation level repeatable read read only").await?;
        wait_for_the_other_end(&mut transaction).await?;
        Ok(Export {
            transaction,
            agents: VecDeque::new(),
            versions: VecDeque::new(),
            last_version: BEFORE_ALL,
            events: VecDeque::new(),
            last_event: i64::MIN,
        })
    }

    pub(crate) async fn begin_import(&self) -> Result<Import, VersioningError> {
        let mut transaction = self.pool().begin().await?;
        wait_for_the_other_end(&mut transaction).await?;
        Ok(Import { transaction })
    }
}

/// Who reads an export, or writes an import, may take a while between two lines.
async fn wait_for_the_other_end(transaction: &mut Transaction<'static, Postgres>) -> Result<(), VersioningError> {
    sqlx::query!("set local idle_in_transaction_session_timeout = 0").execute(&mut **transaction).await?;
    Ok(())
}

impl Export {
    /// The agents by name: byte by byte, so that the order is the same whatever language a database sorts by.
    pub(crate) async fn agents(&mut self) -> Result<Vec<AgentRecord>, VersioningError> {
        let agents: Vec<_> =
            sqlx::query!(r#"select agent_type, created_at from agents order by agent_type collate "C""#)
                .fetch_all(&mut *self.transaction)
                .await?
                .into_iter()
                .map(|row| {
                    Ok(AgentRecord { agent_type: stored_agent_type(&row.agent_type)?, created_at: row.created_at })
                })
                .collect::<Result<_, VersioningError>>()?;
        self.agents = agents.iter().map(|agent| agent.agent_type.clone()).collect();
        Ok(agents)
    }

    /// The next version of the [`Self::agents`], in their order and in that of versions.
    pub(crate) async fn next_version(&mut self) -> Result<Option<VersionRecord>, VersioningError> {
        while self.versions.is_empty() {
            let Some(agent_type) = self.agents.front() else { return Ok(None) };
            let (major, minor, patch) = self.last_version;
            let rows = sqlx::query_as!(
                VersionExportRow,
                r#"select id, agent_type, version, is_active, activated_at, created_at, created_by, notes, sha256,
                        prompt_text, major as "major!", minor as "minor!", patch as "patch!"
                    from prompts where agent_type = $1 and (major, minor, patch) > ($2, $3, $4)
                    order by major, minor, patch limit $5"#,
                agent_type.as_str(),
                major,
                minor,
                patch,
                BATCH
            )
            .fetch_all(&mut *self.transaction)
            .await?;
            match rows.last() {
                Some(last) => self.last_version = (last.major, last.minor, last.patch),
                None => {
                    self.agents.pop_front();
                    self.last_version = BEFORE_ALL;
                }
            }
            self.versions = rows.into_iter().map(VersionRecord::try_from).collect::<Result<_, _>>()?;
        }
        Ok(self.versions.pop_front())
    }

    /// The next event, oldest first.
    pub(crate) async fn next_event(&mut self) -> Result<Option<EventRecord>, VersioningError> {
        if self.events.is_empty() {
            let rows = sqlx::query!(
                "select id, occurred_at, kind, agent_type, version, actor, base_version, previous_active,
                        details
                    from prompt_events where id > $1 order by id limit $2",
                self.last_event,
                BATCH * 20
            )
            .fetch_all(&mut *self.transaction)
            .await?;
            let version = |text: Option<String>| text.as_deref().map(stored_version).transpose();
            self.events = rows
                .into_iter()
                .map(|row| {
                    let record = EventRecord {
                        occurred_at: row.occurred_at,
                        kind: row.kind,
                        agent_type: stored_agent_type(&row.agent_type)?,
                        version: version(row.version)?,
                        actor: row.actor,
                        base_version: version(row.base_version)?,
                        previous_active: version(row.previous_active)?,
                        details: row.details,
                    };
                    Ok((row.id, record))
                })
                .collect::<Result<_, VersioningError>>()?;
        }
        Ok(self.events.pop_front().map(|(id, event)| {
            self.last_event = id;
            event
        }))
    }
}

impl TryFrom<VersionExportRow> for VersionRecord {
    type Error = VersioningError;

    fn try_from(row: VersionExportRow) -> Result<Self, VersioningError> {
        Ok(Self {
            id: row.id,
            agent_type: stored_agent_type(&row.agent_type)?,
            version: stored_version(&row.version)?,
            is_active: row.is_active,
            activated_at: row.activated_at,
            created_at: row.created_at,
            created_by: row.created_by,
            notes: row.notes,
            sha256: row.sha256,
            prompt_text: row.prompt_text,
        })
    }
}

impl Import {
    /// False when the agent exists already.
    pub(crate) async fn insert_agent(&mut self, agent: &AgentRecord) -> Result<bool, ImportRefusal> {
        let inserted = sqlx::query!(
            "insert into agents (agent_type, created_at) values ($1, $2) on conflict do nothing",
            agent.agent_type.as_str(),
            agent.created_at
        )
        .execute(&mut *self.transaction)
        .await?;
        Ok(inserted.rows_affected() == 1)
    }

    pub(crate) async fn insert_version(&mut self, version: &VersionRecord) -> Result<(), ImportRefusal> {
        sqlx::query!(
            "insert into prompts (id, agent_type, version, prompt_text, is_active, activated_at, created_at, created_by,
                    notes)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            version.id,
            version.agent_type.as_str(),
            version.version.to_string(),
            version.prompt_text,
            version.is_active,
            version.activated_at,
            version.created_at,
            version.created_by,
            version.notes,
        )
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    pub(crate) async fn insert_event(&mut self, event: &EventRecord) -> Result<(), ImportRefusal> {
        let text = |version: Option<crate::Version>| version.map(|version| version.to_string());
        sqlx::query!(
            "insert into prompt_events (occurred_at, kind, agent_type, version, actor, base_version, previous_active,
                    details)
                values ($1, $2, $3, $4, $5, $6, $7, $8)",
            event.occurred_at,
            event.kind,
            event.agent_type.as_str(),
            text(event.version),
            event.actor,
            text(event.base_version),
            text(event.previous_active),
            event.details,
        )
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<(), ImportRefusal> {
        self.transaction.commit().await.map_err(|error| match error {
            sqlx::Error::Database(_) => ImportRefusal::from(error),
            _ => ImportRefusal::Failed(uncommitted(error)),
        })
    }
}
