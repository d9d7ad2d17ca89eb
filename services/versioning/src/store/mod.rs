//! All SQL about prompts. Nothing outside this module knows a table.
//!
//! `read`, `overview`, `live`, `history` and `search` answer from the pool. A change goes through [`Change`]: a
//! transaction that holds the lock of one agent, entered in turn (`queue`); the common case of a new version is one
//! statement (`insert`).

use std::sync::Arc;

use sqlx::{PgPool, migrate::Migrate};

use crate::VersioningError;

mod calls;
mod history;
mod insert;
mod live;
mod metrics;
mod names;
mod overview;
mod performance;
mod queue;
mod read;
mod replica;
mod rows;
mod search;
mod transfer;
mod write;

pub use replica::ReplicaLimits;

pub(crate) use insert::{Insert, Origin};
pub(crate) use transfer::{Import, ImportRefusal};
pub(crate) use write::Change;

/// The migrations, embedded in the binary.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// The database of the registry.
#[derive(Debug, Clone)]
pub struct PromptStore {
    pool: PgPool,
    replica: Option<Arc<replica::Replica>>,
    queues: queue::Queues,
    names: Arc<names::Names>,
}

impl PromptStore {
    /// A store over a pool whose database has been migrated.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, replica: None, queues: queue::Queues::default(), names: Arc::default() }
    }

    /// The same with a replica of the database, which answers what may be some seconds old.
    #[must_use]
    pub fn with_replica(self, replica: PgPool, limits: ReplicaLimits) -> Self {
        Self { replica: Some(Arc::new(replica::Replica::new(replica, limits))), ..self }
    }

    /// Whether every migration that this binary knows has been applied.
    pub(crate) async fn is_migrated(&self) -> Result<bool, VersioningError> {
        let mut connection = self.pool.acquire().await?;
        let applied = connection.list_applied_migrations(&MIGRATOR.table_name).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => VersioningError::from(error),
            other => VersioningError::inconsistent(other),
        })?;
        Ok(MIGRATOR.iter().all(|known| applied.iter().any(|applied| applied.version == known.version)))
    }

    /// The pool, for a listener of the store's notifications.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}
