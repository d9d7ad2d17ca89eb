//! A copy of the database that may lag behind, for reads that do not mind.
//!
//! What a person or a program has just written must be seen by its next read, and an older prompt must never follow a newer one:
//! such reads go to the database itself. Figures, metrics and searches may be some seconds old, and take the replica, if there is
//! one and it answers.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{PgPool, Postgres, pool::PoolConnection};

use super::PromptStore;
use crate::{AgentType, PromptContent, VersioningError};

/// How long a replica that could not be reached is left alone.
const QUIET: Duration = Duration::from_secs(10);

/// The replica, and until when it is left alone.
#[derive(Debug)]
pub(super) struct Replica {
    pool: PgPool,
    quiet_until: Mutex<Option<Instant>>,
}

impl Replica {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { pool, quiet_until: Mutex::default() }
    }

    /// A connection; none if it cannot be reached, or could not a moment ago.
    async fn acquire(&self) -> Option<PoolConnection<Postgres>> {
        let quiet_until = *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        if quiet_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        match self.pool.acquire().await {
            Ok(connection) => Some(connection),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the replica cannot be reached; the database is asked"
                );
                *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + QUIET);
                None
            }
        }
    }
}

impl PromptStore {
    /// A connection for what may be some seconds old.
    pub(super) async fn lagging(&self) -> Result<PoolConnection<Postgres>, VersioningError> {
        if let Some(replica) = &self.replica
            && let Some(connection) = replica.acquire().await
        {
            return Ok(connection);
        }
        Ok(self.pool.acquire().await?)
    }

    /// The active version as the replica knows it; none if there is no replica, or it does not answer.
    pub(crate) async fn find_active_on_replica(&self, agent_type: &AgentType) -> Option<PromptContent> {
        let mut connection = self.replica.as_ref()?.acquire().await?;
        Self::find_active_in(&mut connection, agent_type).await.ok().flatten()
    }
}
