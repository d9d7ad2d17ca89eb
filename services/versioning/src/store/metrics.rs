//! What the metrics are made of.

use chrono::{DateTime, Utc};

use super::{
    PromptStore,
    rows::{stored_agent_type, stored_count, stored_version},
};
use crate::{
    AgentType, Version, VersioningError,
    metrics::{
        CallFigures, CreatedVersions, FailureCount, LENGTH_LIMITS, MetricsWindow, PromotionMark, PromptLengths,
        StoredFigures,
    },
};

/// Failed calls of an agent that are looked at: the last ones. Of millions, all would take too long.
const FAILURES_COUNTED: i64 = 1_000;

/// Reasons of failures that are told apart.
const FAILURE_KINDS: i64 = 20;

/// An agent with what is live, and its length in characters.
type ActiveLength = (AgentType, Option<(Version, u32)>);

fn counted(count: i64) -> Result<u64, VersioningError> {
    u64::try_from(count).map_err(VersioningError::inconsistent)
}

impl PromptStore {
    /// An agent, or all of them by name, with what is live.
    pub(crate) async fn active_lengths(
        &self,
        agent_type: Option<&AgentType>,
    ) -> Result<Vec<ActiveLength>, VersioningError> {
        let query = || {
            sqlx::query!(
                r#"select agents.agent_type, active.version as "version?", active.char_count as "char_count?"
                from agents left join prompts active on active.agent_type = agents.agent_type and active.is_active
                where $1::text is null or agents.agent_type = $1
                order by agents.agent_type"#,
                agent_type.map(AgentType::as_str),
            )
        };
        let rows = self.fetch_lagging(query).await?;
        rows.into_iter()
            .map(|row| {
                let active = match (row.version, row.char_count) {
                    (Some(version), Some(count)) => Some((stored_version(&version)?, stored_count(count)?)),
                    _ => None,
                };
                Ok((stored_agent_type(&row.agent_type)?, active))
            })
            .collect()
    }

    /// Versions that were created in a window, by agent and step.
    pub(crate) async fn created_versions(
        &self,
        agent_type: Option<&AgentType>,
        window: &MetricsWindow,
    ) -> Result<Vec<(AgentType, usize, CreatedVersions)>, VersioningError> {
        let query = || {
            sqlx::query!(
                r#"select agent_type, floor(extract(epoch from created_at - $1) / $3::bigint)::int as "step!",
                    count(*) filter (where patch > 0) as "patches!",
                    count(*) filter (where patch = 0 and minor > 0) as "minors!",
                    count(*) filter (where patch = 0 and minor = 0) as "majors!"
                from prompts
                where created_at >= $1 and created_at < $2 and ($4::text is null or agent_type = $4)
                group by 1, 2"#,
                window.begins_at,
                window.ends_at,
                window.step.num_seconds(),
                agent_type.map(AgentType::as_str),
            )
        };
        let rows = self.fetch_lagging(query).await?;
        rows.into_iter()
            .map(|row| {
                let step = usize::try_from(row.step).map_err(VersioningError::inconsistent)?;
                let created = CreatedVersions {
                    majors: counted(row.majors)?,
                    minors: counted(row.minors)?,
                    patches: counted(row.patches)?,
                };
                Ok((stored_agent_type(&row.agent_type)?, step, created))
            })
            .collect()
    }

    /// What calls in a window added up to, by the hour or the day.
    pub(crate) async fn call_figures(
        &self,
        agent_type: Option<&AgentType>,
        window: &MetricsWindow,
    ) -> Result<Vec<StoredFigures>, VersioningError> {
        let span = if window.is_hourly { "hour" } else { "day" };
        // Without an agent every one is named, so that the key of the table finds its few rows.
        let query = || {
            sqlx::query!(
                r#"select figures.agent_type, figures.version, begins_at, calls, errors, output_tokens, counted_calls, cost_usd,
                    priced_calls, latency_ms_sum, latency_buckets
                from agents
                join agent_call_figures figures on figures.agent_type = agents.agent_type
                    and span = $1 and begins_at >= $2 and begins_at < $3
                where $4::text is null or agents.agent_type = $4"#,
                span,
                window.begins_at,
                window.ends_at,
                agent_type.map(AgentType::as_str),
            )
        };
        let rows = self.fetch_lagging(query).await?;
        rows.into_iter()
            .map(|row| {
                let counts = [row.calls, row.errors, row.output_tokens, row.counted_calls, row.priced_calls];
                let [calls, errors, output_tokens, counted_calls, priced_calls] = counts.map(counted);
                let buckets = row.latency_buckets.into_iter().map(counted).collect::<Result<_, _>>()?;
                Ok(StoredFigures {
                    agent_type: stored_agent_type(&row.agent_type)?,
                    version: stored_version(&row.version)?,
                    begins_at: row.begins_at,
                    figures: CallFigures {
                        calls: calls?,
                        errors: errors?,
                        output_tokens: output_tokens?,
                        counted_calls: counted_calls?,
                        cost_usd: row.cost_usd,
                        priced_calls: priced_calls?,
                        latency_ms_sum: row.latency_ms_sum,
                        latency_buckets: buckets,
                    },
                })
            })
            .collect()
    }

    /// How long the versions of an agent are, or of all.
    pub(crate) async fn prompt_lengths(
        &self,
        agent_type: Option<&AgentType>,
    ) -> Result<PromptLengths, VersioningError> {
        let limits = LENGTH_LIMITS.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX));
        let query = || {
            sqlx::query!(
                r#"select width_bucket(char_count, $2::int[]) as "bar!", count(*) as "versions!"
                from prompts where $1::text is null or agent_type = $1 group by 1"#,
                agent_type.map(AgentType::as_str),
                &limits,
            )
        };
        let rows = self.fetch_lagging(query).await?;
        let mut counts = vec![0; LENGTH_LIMITS.len() + 1];
        for row in rows {
            let bar = usize::try_from(row.bar).map_err(VersioningError::inconsistent)?;
            if let Some(count) = counts.get_mut(bar) {
                *count = counted(row.versions)?;
            }
        }
        let query = || {
            sqlx::query!(
                r#"select count(*) as "versions!", coalesce(avg(char_count), 0)::float8 as "mean!",
                    coalesce(percentile_disc(0.5) within group (order by char_count), 0) as "median!",
                    coalesce(min(char_count), 0) as "shortest!", coalesce(max(char_count), 0) as "longest!",
                    (avg(char_count) filter (where is_active))::float8 as mean_live
                from prompts where $1::text is null or agent_type = $1"#,
                agent_type.map(AgentType::as_str),
            )
        };
        let all = self.fetch_lagging(query).await?.pop().ok_or(sqlx::Error::RowNotFound)?;
        Ok(PromptLengths {
            versions: counted(all.versions)?,
            mean: all.mean,
            median: stored_count(all.median)?,
            shortest: stored_count(all.shortest)?,
            longest: stored_count(all.longest)?,
            mean_live: all.mean_live,
            counts,
        })
    }

    /// What of an agent went live in a window, oldest first.
    pub(crate) async fn promotions_between(
        &self,
        agent_type: &AgentType,
        window: &MetricsWindow,
    ) -> Result<Vec<PromotionMark>, VersioningError> {
        let query = || {
            sqlx::query!(
                r#"select version, activated_at as "activated_at!"
                from prompts where agent_type = $1 and activated_at >= $2 and activated_at < $3
                order by activated_at"#,
                agent_type.as_str(),
                window.begins_at,
                window.ends_at,
            )
        };
        let rows = self.fetch_lagging(query).await?;
        rows.into_iter()
            .map(|row| Ok(PromotionMark { version: stored_version(&row.version)?, at: row.activated_at }))
            .collect()
    }

    /// Why the last single calls that failed since a time did, the most frequent reason first.
    pub(crate) async fn failures(
        &self,
        agent_type: Option<&AgentType>,
        since: DateTime<Utc>,
    ) -> Result<Vec<FailureCount>, VersioningError> {
        let query = || {
            sqlx::query!(
                r#"select error_kind as "kind!", count(*) as "calls!", max(at) as "last_at!"
                from agents
                cross join lateral (
                    select error_kind, at from agent_calls
                    where agent_calls.agent_type = agents.agent_type and error_kind is not null and at >= $2
                    order by at desc limit $4
                ) failed
                where $1::text is null or agents.agent_type = $1
                group by error_kind order by count(*) desc, error_kind limit $3"#,
                agent_type.map(AgentType::as_str),
                since,
                FAILURE_KINDS,
                FAILURES_COUNTED,
            )
        };
        let rows = self.fetch_lagging(query).await?;
        rows.into_iter()
            .map(|row| Ok(FailureCount { kind: row.kind, calls: counted(row.calls)?, last_at: row.last_at }))
            .collect()
    }
}
