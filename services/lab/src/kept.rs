//! What was computed from a run's answers and is asked for again with every page: kept in memory for a while.
//!
//! A recorded answer never changes, so whatever follows from answers alone is known by the run and by how many of its
//! calls are over: nobody has to say when it is out of date. A report says besides how far the blind review is, and what
//! was voted once it has ended; from then on votes stay.

use std::{future::Future, hash::Hash, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use moka::future::Cache;
use uuid::Uuid;
use versioning::{ErrorKind, VersioningError};

use crate::{LabError, Report, Run, store::CaseFlags};

/// How long something is kept that nobody asks for.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// Reports that are kept at most: one of 5,000 cases holds 80,000 numbers, which is less than 1 MiB.
const REPORTS: u64 = 32;

/// Runs of which the rest is kept at most: 10,000 pairs of numbers, or 5,000 cases of a few bytes, which is 80 kB.
const RUNS: u64 = 128;

/// A run, and how many of its calls were over.
type State = (Uuid, u32);

/// How far the blind review of a run is: when it ended, and how many pairs have a vote.
type Review = (Option<DateTime<Utc>>, u32);

/// The pairs of a run that people can choose between, by case and repeat.
type Pairs = Vec<(u32, u32)>;

/// What is kept of runs.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    flags: Cache<State, Arc<Vec<CaseFlags>>>,
    pairs: Cache<State, Arc<Pairs>>,
    reports: Cache<(State, Review), Arc<Report>>,
}

impl Kept {
    pub(crate) fn new() -> Self {
        Self { flags: cache(RUNS), pairs: cache(RUNS), reports: cache(REPORTS) }
    }

    /// What filters go by, of a run as it was read.
    pub(crate) async fn flags(
        &self,
        run: &Run,
        read: impl Future<Output = Result<Vec<CaseFlags>, LabError>>,
    ) -> Result<Arc<Vec<CaseFlags>>, LabError> {
        once(&self.flags, (run.id, run.done), read).await
    }

    /// The pairs of a run that people can choose between.
    pub(crate) async fn pairs(
        &self,
        run: &Run,
        read: impl Future<Output = Result<Pairs, LabError>>,
    ) -> Result<Arc<Pairs>, LabError> {
        once(&self.pairs, (run.id, run.done), read).await
    }

    /// The report of a run that is over, of which so many pairs have a vote.
    pub(crate) async fn report(
        &self,
        run: &Run,
        voted_pairs: u32,
        write: impl Future<Output = Result<Report, LabError>>,
    ) -> Result<Arc<Report>, LabError> {
        once(&self.reports, ((run.id, run.done), (run.review_ended_at, voted_pairs)), write).await
    }
}

fn cache<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static>(most: u64) -> Cache<K, V> {
    Cache::builder().max_capacity(most).time_to_idle(IDLE).build()
}

/// What is kept; or what `make` makes of it, once for all who ask meanwhile.
async fn once<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static>(
    cache: &Cache<K, Arc<V>>,
    key: K,
    make: impl Future<Output = Result<V, LabError>>,
) -> Result<Arc<V>, LabError> {
    cache.try_get_with(key, async { make.await.map(Arc::new) }).await.map_err(own)
}

/// The error of one who asked, of an error that all who asked have together.
fn own(error: Arc<LabError>) -> LabError {
    Arc::try_unwrap(error).unwrap_or_else(|shared| {
        LabError::Versioning(match shared.kind() {
            ErrorKind::Unavailable => VersioningError::Unavailable(sqlx::Error::Io(std::io::Error::other(shared))),
            _ => VersioningError::Internal(shared.into()),
        })
    })
}
