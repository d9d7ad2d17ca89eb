//! How versions perform: what recorded calls added up to.
//!
//! Agents and the lab record calls in batches; they are added up per version, source and model at once, so that reading the
//! figures of a version costs the same after ten calls and after ten million.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{AgentType, PromptStore, Version, VersioningError};

/// The number of latency buckets; the migrations have the same.
pub(crate) const BUCKETS: usize = 64;

/// How long figures by the hour are kept: as long as plots are drawn by the hour, and a while.
const HOURS_KEPT: TimeDelta = TimeDelta::days(32);

/// How long it is known which batches were recorded: longer than anybody sends one again.
const BATCHES_KEPT: TimeDelta = TimeDelta::days(2);

/// Where a call was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallSource {
    /// By an agent at work.
    AgentCall,
    /// By a run in the lab.
    LabRun,
}

impl CallSource {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AgentCall => "agent_call",
            Self::LabRun => "lab_run",
        }
    }

    /// The source of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::AgentCall, Self::LabRun].into_iter().find(|source| source.as_str() == name)
    }
}

/// One call of a model with a version as its system prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedCall {
    /// Whose prompt it was.
    pub agent_type: AgentType,
    /// Which version.
    pub version: Version,
    /// Where it was made.
    pub source: CallSource,
    /// The model, as its provider names it.
    pub model: String,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// Milliseconds to the whole answer; of a failed call to its failure, if that is known.
    pub latency_ms: Option<f64>,
    /// Milliseconds to the first text of the answer, if that is known.
    pub first_token_ms: Option<f64>,
    /// Why there was no answer, as a name; none when there was one.
    pub error_kind: Option<String>,
    /// Tokens sent, if anybody counted them.
    pub input_tokens: Option<u64>,
    /// Tokens answered, if anybody counted them.
    pub output_tokens: Option<u64>,
    /// What it cost, in US dollars, if the price is known.
    pub cost_usd: Option<f64>,
    /// How good the answer was, from 0 to 1, if anybody judged it.
    pub score: Option<f64>,
}

/// What a call is that nobody waited for to the end: it is kept, and added up nowhere.
const CANCELLED: &str = "cancelled";

impl RecordedCall {
    /// Whether whoever asked went away, which says nothing about the version.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.error_kind.as_deref() == Some(CANCELLED)
    }
}

/// What a batch of calls is recognised by when it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallBatchId(pub Uuid);

impl CallBatchId {
    /// One that no other batch has.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

/// What the calls with a version added up to.
#[derive(Debug, Clone, PartialEq)]
pub struct Performance {
    /// Where the calls were made.
    pub source: CallSource,
    /// The model.
    pub model: String,
    /// How many there were.
    pub calls: u64,
    /// The share without an answer, from 0 to 1.
    pub error_rate: f64,
    /// Latency of the answered calls; none when there is none.
    pub latency: Option<Latency>,
    /// Tokens answered, for an average call of those where they are known; none when they are of no call.
    pub output_tokens: Option<f64>,
    /// US dollars, for an average call of those where they are known; none when they are of no call.
    pub cost_usd: Option<f64>,
    /// The average score, from 0 to 1, and of how many calls; none when none was scored.
    pub score: Option<(f64, u64)>,
    /// When the last one was.
    pub last_call_at: DateTime<Utc>,
}

/// Latency in milliseconds. The percentiles come from buckets: at most 26 percent too high.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// The mean.
    pub mean_ms: f64,
    /// Half of the calls took at most this long.
    pub p50_ms: f64,
    /// Nineteen of twenty took at most this long.
    pub p95_ms: f64,
}

/// The bucket, from 0, of a latency: the first whose upper end, `2^((n + 1) / 3)` milliseconds, is not below it.
pub(crate) fn bucket_of(milliseconds: f64) -> usize {
    (0..BUCKETS - 1).find(|&bucket| milliseconds <= upper_end(bucket)).unwrap_or(BUCKETS - 1)
}

fn upper_end(bucket: usize) -> f64 {
    // At most 64, so it is exact.
    let power = u32::try_from(bucket + 1).map_or(f64::MAX, f64::from) / 3.0;
    power.exp2()
}

/// The upper end of the bucket that holds the call at this share of all calls, in order of latency.
pub(crate) fn percentile(buckets: &[u64], share: f64) -> Option<f64> {
    let total: u64 = buckets.iter().sum();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among at most as many calls; past 2^52 calls one rank more or less is nothing"
    )]
    let rank = ((total as f64 * share).ceil() as u64).max(1);
    let mut seen = 0;
    (total > 0).then(|| {
        buckets
            .iter()
            .position(|count| {
                seen += count;
                seen >= rank
            })
            .map_or(f64::MAX, upper_end)
    })
}

/// Records calls and tells what they added up to.
#[derive(Debug, Clone)]
pub struct PerformanceService {
    store: PromptStore,
}

impl PerformanceService {
    /// The service over a store.
    pub fn new(store: PromptStore) -> Self {
        Self { store }
    }

    /// Records calls and adds them to the figures of their versions, all or nothing. A call whose version does not exist is left
    /// out; the answer is how many were recorded. One that was cancelled is kept and not added to any figures.
    ///
    /// # Errors
    /// The database is away, or was lost during the commit: then nobody knows.
    pub async fn record(&self, calls: &[RecordedCall]) -> Result<u64, VersioningError> {
        self.store.add_calls(None, calls).await
    }

    /// The same for a batch with an id, which counts once however often it is recorded within two days: whoever does not know what
    /// became of it records it again. The answer is how many calls were recorded, then or now.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub async fn record_once(&self, batch: CallBatchId, calls: &[RecordedCall]) -> Result<u64, VersioningError> {
        self.store.add_calls(Some(batch), calls).await
    }

    /// The same in a transaction of the caller's, so that the calls count if and only if it is committed. Calls of the lab are
    /// only added up: the lab keeps them itself.
    ///
    /// # Errors
    /// The database is away.
    pub async fn record_in(
        transaction: &mut sqlx::PgConnection,
        calls: &[RecordedCall],
    ) -> Result<u64, VersioningError> {
        PromptStore::add_calls_in(transaction, calls).await
    }

    /// Those of some versions that exist.
    ///
    /// # Errors
    /// The database is away.
    pub async fn existing(
        &self,
        versions: BTreeSet<(AgentType, Version)>,
    ) -> Result<BTreeSet<(AgentType, Version)>, VersioningError> {
        let known = self.store.existing_versions(&versions).await?;
        Ok(versions
            .into_iter()
            .filter(|(agent_type, version)| known.contains(&(agent_type.to_string(), version.to_string())))
            .collect())
    }

    /// Why each of some versions that were not found is refused, with the names and the numbers that may have been meant.
    ///
    /// # Errors
    /// The database is away.
    pub async fn why_missing(
        &self,
        versions: BTreeSet<(AgentType, Version)>,
    ) -> Result<BTreeMap<(AgentType, Version), VersioningError>, VersioningError> {
        self.store.all_not_found(versions).await
    }

    /// Forgets single calls that are older than they are kept. What they added up to by the day stays. The answer is how
    /// many months of calls went.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget(&self, keep: Duration) -> Result<u64, VersioningError> {
        let now = Utc::now();
        let before = chrono::Duration::from_std(keep).ok().and_then(|keep| now.checked_sub_signed(keep));
        self.store.forget_calls(before.unwrap_or(DateTime::UNIX_EPOCH), now - HOURS_KEPT, now - BATCHES_KEPT).await
    }

    /// The figures of a version, per source and model; none when no call was recorded yet.
    ///
    /// # Errors
    /// The database is away.
    pub async fn of_version(
        &self,
        agent_type: &AgentType,
        version: Version,
    ) -> Result<Vec<Performance>, VersioningError> {
        self.store.performance_of(agent_type, version).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_at_most_a_quarter_too_high() {
        for milliseconds in [1.0, 3.0, 17.5, 240.0, 999.0, 60_000.0, 1_000_000.0] {
            let mut buckets = vec![0; BUCKETS];
            buckets[bucket_of(milliseconds)] = 1;
            let read = percentile(&buckets, 0.5).unwrap();
            assert!(read >= milliseconds && read <= milliseconds * 1.26, "{milliseconds}: {read}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_ranks() {
        let mut buckets = vec![0; BUCKETS];
        buckets[bucket_of(10.0)] = 95;
        buckets[bucket_of(1_000.0)] = 5;
        let of = |share| percentile(&buckets, share).unwrap();
        assert!(of(0.5) < 13.0 && of(0.95) < 13.0 && of(0.96) >= 1_000.0);
        assert_eq!(percentile(&[0; BUCKETS], 0.5), None);
    }
}
