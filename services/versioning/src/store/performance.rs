//! The figures of versions: adding to them, and reading them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{PromptStore, write::uncommitted};
use crate::{
    AgentType, CallBatchId, CallSource, Performance, RecordedCall, Version, VersioningError,
    metrics::CallFigures,
    performance::{BUCKETS, bucket_of},
};

/// What a batch adds to one row.
pub(super) struct Sum {
    pub(super) calls: i64,
    pub(super) errors: i64,
    pub(super) latency_ms_sum: f64,
    pub(super) latency_buckets: Vec<i64>,
    input_tokens: i64,
    pub(super) output_tokens: i64,
    /// Calls whose answered tokens are known.
    pub(super) counted_calls: i64,
    pub(super) cost_usd: f64,
    /// Calls whose cost is known.
    pub(super) priced_calls: i64,
    scores: i64,
    score_sum: f64,
    last_call_at: DateTime<Utc>,
}

impl Sum {
    pub(super) fn new() -> Self {
        Self {
            calls: 0,
            errors: 0,
            latency_ms_sum: 0.0,
            latency_buckets: vec![0; BUCKETS],
            input_tokens: 0,
            output_tokens: 0,
            counted_calls: 0,
            cost_usd: 0.0,
            priced_calls: 0,
            scores: 0,
            score_sum: 0.0,
            last_call_at: DateTime::UNIX_EPOCH,
        }
    }

    pub(super) fn add(&mut self, call: &RecordedCall) {
        self.calls += 1;
        match (call.latency_ms, &call.error_kind) {
            (Some(latency), None) => {
                self.latency_ms_sum += latency.max(0.0);
                self.latency_buckets[bucket_of(latency)] += 1;
            }
            _ => self.errors += 1,
        }
        self.input_tokens = self.input_tokens.saturating_add(call.input_tokens.map_or(0, stored_tokens));
        if let Some(tokens) = call.output_tokens {
            self.counted_calls += 1;
            self.output_tokens = self.output_tokens.saturating_add(stored_tokens(tokens));
        }
        if let Some(cost) = call.cost_usd {
            self.priced_calls += 1;
            self.cost_usd += cost.max(0.0);
        }
        if let Some(score) = call.score {
            self.scores += 1;
            self.score_sum += score.clamp(0.0, 1.0);
        }
        self.last_call_at = self.last_call_at.max(call.at);
    }
}

/// Takes a batch's id for this transaction; if it was recorded before, how many calls were.
async fn claim(transaction: &mut PgConnection, batch: Uuid) -> Result<Option<u64>, VersioningError> {
    let claimed = sqlx::query!(
        "insert into agent_call_batches (batch_id, recorded) values ($1, 0) on conflict do nothing",
        batch
    )
    .execute(&mut *transaction)
    .await?;
    if claimed.rows_affected() > 0 {
        return Ok(None);
    }
    let recorded = sqlx::query_scalar!("select recorded from agent_call_batches where batch_id = $1", batch)
        .fetch_one(transaction)
        .await?;
    Ok(Some(u64::try_from(recorded).map_err(VersioningError::inconsistent)?))
}

pub(super) fn stored_tokens(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

impl PromptStore {
    /// Records calls in one transaction; how many were recorded. Of a batch that was recorded before, how many were then.
    pub(crate) async fn add_calls(
        &self,
        batch: Option<CallBatchId>,
        calls: &[RecordedCall],
    ) -> Result<u64, VersioningError> {
        let mut transaction = self.pool.begin().await?;
        let added = match batch {
            None => Self::add_calls_in(&mut transaction, calls).await?,
            Some(CallBatchId(batch)) => {
                let recorded_before = claim(&mut transaction, batch).await?;
                if let Some(recorded) = recorded_before {
                    return Ok(recorded);
                }
                let added = Self::add_calls_in(&mut transaction, calls).await?;
                sqlx::query!(
                    "update agent_call_batches set recorded = $2 where batch_id = $1",
                    batch,
                    stored_tokens(added)
                )
                .execute(&mut *transaction)
                .await?;
                added
            }
        };
        transaction.commit().await.map_err(uncommitted)?;
        Ok(added)
    }

    /// Records calls in a transaction of the caller's; how many were recorded.
    pub(crate) async fn add_calls_in(
        transaction: &mut PgConnection,
        calls: &[RecordedCall],
    ) -> Result<u64, VersioningError> {
        // First the rows that nobody else touches: what comes after holds other batches up until the end.
        let mut added = Self::keep_calls_in(transaction, calls).await?;
        // Whoever goes away says nothing about the version.
        let calls: Vec<_> = calls.iter().filter(|call| !call.is_cancelled()).collect();
        // In the order of the key, so that two batches never wait for each other crosswise.
        let mut sums: BTreeMap<(&str, String, &str, &str), Sum> = BTreeMap::new();
        for call in &calls {
            let key = (call.agent_type.as_str(), call.version.to_string(), call.source.as_str(), call.model.as_str());
            sums.entry(key).or_insert_with(Sum::new).add(call);
        }
        for ((agent_type, version, source, model), sum) in sums {
            let done = sqlx::query!(
                r#"insert into version_performance as old
                    (agent_type, version, source, model, calls, errors, latency_ms_sum, latency_buckets, input_tokens,
                        output_tokens, cost_usd, scores, score_sum, last_call_at, counted_calls, priced_calls)
                    select $1::varchar, $2::varchar, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
                    where exists (select 1 from prompts where agent_type = $1 and version = $2)
                    on conflict on constraint version_performance_pkey do update set
                        calls = old.calls + excluded.calls,
                        errors = old.errors + excluded.errors,
                        latency_ms_sum = old.latency_ms_sum + excluded.latency_ms_sum,
                        latency_buckets = (
                            select array_agg(mine + theirs order by position)
                            from unnest(old.latency_buckets, excluded.latency_buckets)
                                with ordinality as both_sides (mine, theirs, position)
                        ),
                        input_tokens = old.input_tokens + excluded.input_tokens,
                        output_tokens = old.output_tokens + excluded.output_tokens,
                        cost_usd = old.cost_usd + excluded.cost_usd,
                        scores = old.scores + excluded.scores,
                        score_sum = old.score_sum + excluded.score_sum,
                        counted_calls = old.counted_calls + excluded.counted_calls,
                        priced_calls = old.priced_calls + excluded.priced_calls,
                        last_call_at = greatest(old.last_call_at, excluded.last_call_at)"#,
                agent_type,
                version,
                source,
                model,
                sum.calls,
                sum.errors,
                sum.latency_ms_sum,
                &sum.latency_buckets,
                sum.input_tokens,
                sum.output_tokens,
                sum.cost_usd,
                sum.scores,
                sum.score_sum,
                sum.last_call_at,
                sum.counted_calls,
                sum.priced_calls,
            )
            .execute(&mut *transaction)
            .await?;
            // The others were counted as they were kept.
            if done.rows_affected() > 0 && source == CallSource::LabRun.as_str() {
                added += u64::try_from(sum.calls).unwrap_or(0);
            }
        }
        Self::plot_calls_in(transaction, &calls).await?;
        Ok(added)
    }

    /// The figures of a version, agents at work first.
    pub(crate) async fn performance_of(
        &self,
        agent_type: &AgentType,
        version: Version,
    ) -> Result<Vec<Performance>, VersioningError> {
        let query = || {
            sqlx::query!(
                "select source, model, calls, errors, latency_ms_sum, latency_buckets, output_tokens, counted_calls,
                    cost_usd, priced_calls, scores, score_sum, last_call_at
                from version_performance where agent_type = $1 and version = $2
                order by source, calls desc, model",
                agent_type.as_str(),
                version.to_string(),
            )
        };
        let rows = self.fetch_lagging(query).await?;
        rows.into_iter()
            .map(|row| {
                let count = |count: i64| u64::try_from(count).map_err(VersioningError::inconsistent);
                let buckets = row.latency_buckets.into_iter().map(count).collect::<Result<Vec<_>, _>>()?;
                let figures = CallFigures {
                    calls: count(row.calls)?,
                    errors: count(row.errors)?,
                    output_tokens: count(row.output_tokens)?,
                    counted_calls: count(row.counted_calls)?,
                    cost_usd: row.cost_usd,
                    priced_calls: count(row.priced_calls)?,
                    latency_ms_sum: row.latency_ms_sum,
                    latency_buckets: buckets,
                };
                let scores = count(row.scores)?;
                #[expect(clippy::cast_precision_loss, reason = "an average over more than 2^52 calls is as good")]
                let score = (scores > 0).then(|| (row.score_sum / scores as f64, scores));
                Ok(Performance {
                    source: CallSource::from_name(&row.source)
                        .ok_or_else(|| VersioningError::inconsistent(format!("call source {}", row.source)))?,
                    model: row.model,
                    calls: figures.calls,
                    error_rate: figures
                        .error_rate()
                        .ok_or_else(|| VersioningError::inconsistent("figures of no call"))?,
                    latency: figures.latency(),
                    output_tokens: figures.mean_output_tokens(),
                    cost_usd: figures.mean_cost_usd(),
                    score,
                    last_call_at: row.last_call_at,
                })
            })
            .collect()
    }
}
