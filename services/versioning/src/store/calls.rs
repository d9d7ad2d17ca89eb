//! Single calls of agents at work: kept by the month, and added up by the hour and the day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, DurationRound, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{
    PromptStore,
    performance::{Sum, stored_tokens},
};
use crate::{AgentType, CallSource, RecordedCall, Version, VersioningError};

/// The spans that calls are added up by, in the order in which they are written.
const SPANS: [(&str, TimeDelta); 2] = [("day", TimeDelta::days(1)), ("hour", TimeDelta::hours(1))];

impl PromptStore {
    /// Those of some versions that exist, as texts.
    pub(crate) async fn existing_versions(
        &self,
        versions: &BTreeSet<(AgentType, Version)>,
    ) -> Result<BTreeSet<(String, String)>, VersioningError> {
        let (agents, numbers): (Vec<_>, Vec<_>) =
            versions.iter().map(|(agent_type, version)| (agent_type.to_string(), version.to_string())).unzip();
        let rows = sqlx::query!(
            "select prompts.agent_type, prompts.version
                from unnest($1::text[], $2::text[]) as named (agent_type, version)
                join prompts on prompts.agent_type = named.agent_type and prompts.version = named.version",
            &agents,
            &numbers,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.agent_type, row.version)).collect())
    }

    /// Keeps the calls of agents at work whose versions exist; how many. Those of the lab are left out.
    pub(super) async fn keep_calls_in(
        transaction: &mut PgConnection,
        calls: &[RecordedCall],
    ) -> Result<u64, VersioningError> {
        let calls: Vec<_> = calls.iter().filter(|call| call.source == CallSource::AgentCall).collect();
        let months: BTreeMap<_, _> = calls.iter().map(|call| ((call.at.year(), call.at.month()), call.at)).collect();
        for at in months.into_values() {
            sqlx::query!("select agent_calls_month($1)", at).execute(&mut *transaction).await?;
        }
        if calls.is_empty() {
            return Ok(0);
        }
        // One array a column: a statement whose text does not depend on how many there are.
        let kept = sqlx::query!(
            "insert into agent_calls
                (at, agent_type, version, model, latency_ms, first_token_ms, input_tokens, output_tokens, cost_usd, error_kind, score)
                select given.* from unnest(
                    $1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::float8[], $7::bigint[], $8::bigint[],
                    $9::float8[], $10::text[], $11::float8[]
                ) as given (at, agent_type, version, model, latency_ms, first_token_ms, input_tokens, output_tokens, cost_usd,
                    error_kind, score)
                join prompts on prompts.agent_type = given.agent_type and prompts.version = given.version",
            &calls.iter().map(|call| call.at).collect::<Vec<_>>(),
            &calls.iter().map(|call| call.agent_type.to_string()).collect::<Vec<_>>(),
            &calls.iter().map(|call| call.version.to_string()).collect::<Vec<_>>(),
            &calls.iter().map(|call| call.model.clone()).collect::<Vec<_>>(),
            &calls.iter().map(|call| call.latency_ms).collect::<Vec<_>>() as &[Option<f64>],
            &calls.iter().map(|call| call.first_token_ms).collect::<Vec<_>>() as &[Option<f64>],
            &calls.iter().map(|call| call.input_tokens.map(stored_tokens)).collect::<Vec<_>>() as &[Option<i64>],
            &calls.iter().map(|call| call.output_tokens.map(stored_tokens)).collect::<Vec<_>>() as &[Option<i64>],
            &calls.iter().map(|call| call.cost_usd).collect::<Vec<_>>() as &[Option<f64>],
            &calls.iter().map(|call| call.error_kind.clone()).collect::<Vec<_>>() as &[Option<String>],
            &calls.iter().map(|call| call.score).collect::<Vec<_>>() as &[Option<f64>],
        )
        .execute(&mut *transaction)
        .await?;
        Ok(kept.rows_affected())
    }

    /// Adds the calls of agents at work to the points that plots are drawn from.
    pub(super) async fn plot_calls_in(
        transaction: &mut PgConnection,
        calls: &[&RecordedCall],
    ) -> Result<(), VersioningError> {
        // In the order of the key, so that two batches never wait for each other crosswise.
        let mut sums: BTreeMap<(&str, &str, DateTime<Utc>, String), Sum> = BTreeMap::new();
        for call in calls.iter().filter(|call| call.source == CallSource::AgentCall) {
            for (span, length) in SPANS {
                // It fails only for times that PostgreSQL does not know either.
                let begins_at = call.at.duration_trunc(length).map_err(VersioningError::inconsistent)?;
                let key = (call.agent_type.as_str(), span, begins_at, call.version.to_string());
                sums.entry(key).or_insert_with(Sum::new).add(call);
            }
        }
        for ((agent_type, span, begins_at, version), sum) in sums {
            sqlx::query!(
                "insert into agent_call_figures as old
                    (agent_type, span, begins_at, version, calls, errors, latency_ms_sum, latency_buckets, output_tokens, cost_usd,
                        counted_calls, priced_calls)
                    select $1::varchar, $2, $3, $4::varchar, $5, $6, $7, $8, $9, $10, $11, $12
                    where exists (select 1 from prompts where agent_type = $1 and version = $4)
                    on conflict on constraint agent_call_figures_pkey do update set
                        calls = old.calls + excluded.calls,
                        errors = old.errors + excluded.errors,
                        latency_ms_sum = old.latency_ms_sum + excluded.latency_ms_sum,
                        latency_buckets = (
                            select array_agg(mine + theirs order by position)
                            from unnest(old.latency_buckets, excluded.latency_buckets)
                                with ordinality as both_sides (mine, theirs, position)
                        ),
                        output_tokens = old.output_tokens + excluded.output_tokens,
                        cost_usd = old.cost_usd + excluded.cost_usd,
                        counted_calls = old.counted_calls + excluded.counted_calls,
                        priced_calls = old.priced_calls + excluded.priced_calls",
                agent_type,
                span,
                begins_at,
                version,
                sum.calls,
                sum.errors,
                sum.latency_ms_sum,
                &sum.latency_buckets,
                sum.output_tokens,
                sum.cost_usd,
                sum.counted_calls,
                sum.priced_calls,
            )
            .execute(&mut *transaction)
            .await?;
        }
        Ok(())
    }

    /// Drops the months of calls that ended before a time, the figures of hours before another, and the ids of batches before a
    /// third; how many months went.
    pub(crate) async fn forget_calls(
        &self,
        calls_before: DateTime<Utc>,
        hours_before: DateTime<Utc>,
        batches_before: DateTime<Utc>,
    ) -> Result<u64, VersioningError> {
        let dropped = sqlx::query_scalar!(r#"select agent_calls_forget($1) as "dropped!""#, calls_before)
            .fetch_one(&self.pool)
            .await?;
        sqlx::query!("delete from agent_call_figures where span = 'hour' and begins_at < $1", hours_before)
            .execute(&self.pool)
            .await?;
        sqlx::query!("delete from agent_call_batches where recorded_at < $1", batches_before)
            .execute(&self.pool)
            .await?;
        Ok(u64::try_from(dropped).unwrap_or(0))
    }
}
