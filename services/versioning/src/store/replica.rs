//! A copy of the database that may lag behind, for reads that do not mind.
//!
//! What a person or a program has just written must be seen by its next read, and an older prompt must never follow a
//! newer one: such reads go to the database itself. Figures, metrics and searches may be some seconds old, and take the
//! replica. Where it fails, the database itself answers instead, a few reads at a time: a replica that dies must not
//! take the database with it.

use std::{
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{
    Connection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgArguments, PgRow},
    query::Map,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, error::Elapsed, timeout, timeout_at},
};

use super::PromptStore;
use crate::{AgentType, PromptContent, VersioningError};

/// Reads that the database makes at once in place of the replica. Fewer than its connections, which writes and agents
/// need.
const STAND_INS: usize = 4;

/// How long a replica is waited for, and left alone.
#[derive(Debug, Clone, Copy)]
pub struct ReplicaLimits {
    /// How long a replica that failed is left alone. Then one read looks whether it is back.
    pub quiet: Duration,
    /// How long a read may take on a replica, with the way there. The limit holds on this side: a network that has gone
    /// mute tells nobody that a statement took too long.
    pub read: Duration,
    /// How long a replica may take to say that it is there.
    pub probe: Duration,
    /// How long a read that the database makes in place of the replica waits for its turn.
    pub turn: Duration,
}

impl Default for ReplicaLimits {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(10),
            read: Duration::from_secs(3),
            probe: Duration::from_secs(1),
            turn: Duration::from_secs(3),
        }
    }
}

/// The replica, and whether it is left alone.
#[derive(Debug)]
pub(super) struct Replica {
    pool: PgPool,
    limits: ReplicaLimits,
    /// Until when; none while it answers.
    quiet_until: Mutex<Option<Instant>>,
    stand_ins: Semaphore,
}

impl Replica {
    pub(super) fn new(pool: PgPool, limits: ReplicaLimits) -> Self {
        Self { pool, limits, quiet_until: Mutex::default(), stand_ins: Semaphore::new(STAND_INS) }
    }

    fn quiet_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is to be asked. Of all who come when it was left alone for long enough, one is to look whether it is
    /// back.
    fn is_due(&self) -> bool {
        let mut quiet_until = self.quiet_until();
        let now = Instant::now();
        match *quiet_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                *quiet_until = Some(now + self.limits.quiet);
                true
            }
        }
    }

    fn failed(&self, error: &(dyn Error + 'static)) {
        let was_quiet = self.quiet_until().replace(Instant::now() + self.limits.quiet).is_some();
        if was_quiet {
            tracing::debug!(error, "the replica fails still");
        } else {
            tracing::warn!(error, "the replica fails; the database is asked instead");
        }
    }

    /// A connection; none if it is left alone, or cannot be reached in time.
    async fn acquire(&self, ends_at: Instant) -> Option<PoolConnection<Postgres>> {
        if !self.is_due() {
            return None;
        }
        match timeout_at(ends_at, self.pool.acquire()).await {
            Ok(Ok(connection)) => return Some(connection),
            Ok(Err(error)) => self.failed(&error),
            Err(late) => self.failed(&late),
        }
        None
    }

    /// What it said, if it said something in time.
    fn take<T, E: Error + 'static>(
        &self,
        connection: PoolConnection<Postgres>,
        said: Result<Result<T, E>, Elapsed>,
    ) -> Option<T> {
        match said {
            Ok(Ok(found)) => {
                if self.quiet_until().take().is_some() {
                    tracing::info!("the replica answers again");
                }
                Some(found)
            }
            Ok(Err(error)) => {
                self.failed(&error);
                None
            }
            Err(late) => {
                // Not given back: the pool would wait for it to answer.
                drop(connection.detach());
                self.failed(&late);
                None
            }
        }
    }

    /// A turn to ask the database itself.
    async fn stand_in(&self) -> Result<SemaphorePermit<'_>, VersioningError> {
        match timeout(self.limits.turn, self.stand_ins.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
        }
    }
}

impl PromptStore {
    /// All rows of a query whose answer may be some seconds old: from the replica, or once from the database if the
    /// replica fails, whatever the reason. One whose schema is not up to date yet fails as well.
    pub(super) async fn fetch_lagging<'q, F, O>(
        &self,
        query: impl Fn() -> Map<'q, Postgres, F, PgArguments> + Send,
    ) -> Result<Vec<O>, VersioningError>
    where
        F: FnMut(PgRow) -> Result<O, sqlx::Error> + Send,
        O: Send + Unpin,
    {
        let Some(replica) = &self.replica else {
            let query = query();
            return Ok(query.fetch_all(&self.pool).await?);
        };
        let ends_at = Instant::now() + replica.limits.read;
        if let Some(mut connection) = replica.acquire(ends_at).await {
            let query = query();
            let said = timeout_at(ends_at, query.fetch_all(&mut *connection)).await;
            if let Some(rows) = replica.take(connection, said) {
                return Ok(rows);
            }
        }
        let _turn = replica.stand_in().await?;
        let query = query();
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// The active version as the replica knows it; none if there is no replica, or it does not answer in time.
    pub(crate) async fn find_active_on_replica(
        &self,
        agent_type: &AgentType,
        limit: Duration,
    ) -> Option<PromptContent> {
        let replica = self.replica.as_ref()?;
        let ends_at = Instant::now() + limit;
        let mut connection = replica.acquire(ends_at).await?;
        let said = timeout_at(ends_at, Self::find_active_in(&mut connection, agent_type)).await;
        replica.take(connection, said).flatten()
    }

    /// Whether the replica answers; none if there is no replica. One that failed a moment ago is not asked again.
    pub(crate) async fn replica_answers(&self) -> Option<bool> {
        let replica = self.replica.as_ref()?;
        let ends_at = Instant::now() + replica.limits.probe;
        let Some(mut connection) = replica.acquire(ends_at).await else { return Some(false) };
        let said = timeout_at(ends_at, connection.ping()).await;
        Some(replica.take(connection, said).is_some())
    }
}
