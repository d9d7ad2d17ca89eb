//! Calls: handed out to nodes, and what became of them.
//!
//! Everything happens in one transaction under the lock of the run's row ([`LabStore::exchange`]), so that the nodes that share a
//! run agree on its counts, its budget and how many calls are under way.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;
use versioning::{PerformanceService, RecordedCall};

use super::LabStore;
use crate::{LabError, RunStatus, Side, schedule::CallKind};

/// A call that this node is to make.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claimed {
    pub number: i32,
    pub kind: CallKind,
    pub case_number: u32,
    pub repeat: u32,
    /// What a judge is to judge: the answers in the order in which it sees them.
    pub answers: Vec<String>,
}

/// What became of a call.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub number: i32,
    pub attempts: u32,
    pub record: Record,
}

/// An answer or a failure.
#[derive(Debug, Clone)]
pub(crate) enum Record {
    /// The model answered.
    Answered {
        answer: String,
        stop: &'static str,
        latency_ms: Option<f64>,
        first_token_ms: Option<f64>,
        input_tokens: Option<u32>,
        output_tokens: Option<u32>,
        cost_usd: Option<f64>,
        /// Of an answer: its checks; of a judge: the opinion.
        result: serde_json::Value,
    },
    /// It did not, or what it said could not be used. An answer that was paid for still costs.
    Failed { kind: String, message: String, cost_usd: Option<f64> },
}

/// What a node has to say, and what it wants.
pub(crate) struct Exchange<'a> {
    pub run: Uuid,
    /// Who it is.
    pub node: Uuid,
    /// What became of its calls.
    pub finished: &'a [Finished],
    /// Calls that it gives back unmade.
    pub returned: &'a [i32],
    /// How many more it would make.
    pub wanted: u32,
    /// Calls of the run that may be claimed at once, by all nodes together.
    pub most_claimed: u32,
    /// How long its claims hold without another word.
    pub lease: Duration,
}

/// What a node is told.
#[derive(Debug)]
pub(crate) struct Exchanged {
    pub status: RunStatus,
    /// The calls that it has now, on top of those it had.
    pub claimed: Vec<Claimed>,
    /// How many nodes work on the run, this one among them.
    pub nodes: u32,
}

struct Candidate {
    number: i32,
    kind: String,
    case_number: i32,
    repeat: i32,
    side: Option<String>,
    check_number: Option<i32>,
    a_first: Option<bool>,
    estimate_usd: f64,
}

impl LabStore {
    /// Records what became of calls, takes back those of nodes that are gone, hands out new ones, and ends the run when nothing
    /// is left. None when there is no such run.
    pub(crate) async fn exchange(&self, exchange: Exchange<'_>) -> Result<Option<Exchanged>, LabError> {
        let Exchange { run, node, .. } = exchange;
        let mut transaction = self.pool.begin().await?;
        let Some(row) = sqlx::query!(
            "select status, calls, done, spent_usd, budget_usd from lab_runs where id = $1 for no key update",
            run
        )
        .fetch_optional(&mut *transaction)
        .await?
        else {
            return Ok(None);
        };
        let mut status = RunStatus::from_name(&row.status)
            .ok_or_else(|| LabError::inconsistent(format!("run status {}", row.status)))?;
        let recorded = record(&mut transaction, run, node, exchange.finished).await?;
        let until = Utc::now() + exchange.lease;
        sqlx::query!(
            "update lab_calls set status = 'waiting', claimed_by = null, claimed_until = null
                where run_id = $1 and status = 'claimed'
                    and (claimed_until < now() or (claimed_by = $2 and number = any($3)))",
            run,
            node,
            exchange.returned,
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "update lab_calls set claimed_until = $3
                where run_id = $1 and status = 'claimed' and claimed_by = $2 and claimed_until < $4",
            run,
            node,
            until,
            until - exchange.lease / 2,
        )
        .execute(&mut *transaction)
        .await?;
        // A node that stops, or has nothing to do any more, leaves its share to the others.
        let nodes = sqlx::query_scalar!(
            r#"with here as (
                    insert into lab_nodes (run_id, node, seen_until)
                    values ($1, $2, case when $4 then $3 else now() end)
                    on conflict on constraint lab_nodes_pkey do update set seen_until = excluded.seen_until
                )
                select count(*) as "others!" from lab_nodes where run_id = $1 and node <> $2 and seen_until > now()"#,
            run,
            node,
            until,
            exchange.most_claimed > 0,
        )
        .fetch_one(&mut *transaction)
        .await?
            + 1;
        let under_way = sqlx::query!(
            r#"select count(*) filter (where claimed_by = $2) as "here!", count(*) as "all!",
                    coalesce(sum(estimate_usd), 0) as "reserved!"
                from lab_calls where run_id = $1 and status = 'claimed'"#,
            run,
            node,
        )
        .fetch_one(&mut *transaction)
        .await?;
        let done = row.done + recorded.done;
        let spent = row.spent_usd + recorded.spent_usd;
        let mut claimed = Vec::new();
        if status == RunStatus::Running {
            let most = i64::from(exchange.most_claimed);
            let share = (most + nodes - 1) / nodes;
            let free = (most - under_way.all).min(share - under_way.here).clamp(0, exchange.wanted.into());
            let left = row.budget_usd.map(|budget| budget - spent - under_way.reserved);
            let candidates = candidates(&mut transaction, run, free).await?;
            let is_waiting = !candidates.is_empty();
            let mut room = left.unwrap_or(f64::INFINITY);
            let affordable: Vec<Candidate> = candidates
                .into_iter()
                .take_while(|candidate| {
                    room -= candidate.estimate_usd;
                    room >= 0.0
                })
                .collect();
            if done >= row.calls {
                status = RunStatus::Finished;
            } else if is_waiting && affordable.is_empty() && under_way.all == 0 {
                status = RunStatus::OutOfBudget;
            }
            claimed = claim(&mut transaction, run, node, until, affordable).await?;
        }
        sqlx::query!(
            "update lab_runs set done = $2, failed = failed + $3, spent_usd = $4, status = $5,
                    finished_at = case when $5 <> 'running' then coalesce(finished_at, now()) end
                where id = $1",
            run,
            done,
            recorded.failed,
            spent,
            status.as_str(),
        )
        .execute(&mut *transaction)
        .await?;
        let is_over_now = status != RunStatus::Running && row.status == RunStatus::Running.as_str();
        if is_over_now || (status == RunStatus::Cancelled && !exchange.finished.is_empty()) {
            tracing::info!(%run, status = status.as_str(), done, calls = row.calls, "a run in the lab is over");
        }
        if is_over_now && status == RunStatus::Finished {
            feed(&mut transaction, run).await?;
        }
        transaction.commit().await?;
        Ok(Some(Exchanged { status, claimed, nodes: super::count(nodes)? }))
    }
}

/// What recording added to the run's counts.
#[derive(Default)]
struct Recorded {
    done: i32,
    failed: i32,
    spent_usd: f64,
}

/// Writes down what became of calls. A call whose claim was lost, because its node was silent for too long, is left to who has
/// it now; an answer that is there already stays.
async fn record(
    transaction: &mut Transaction<'static, Postgres>,
    run: Uuid,
    node: Uuid,
    finished: &[Finished],
) -> Result<Recorded, LabError> {
    let mut recorded = Recorded::default();
    for Finished { number, attempts, record } in finished {
        let attempts = i32::try_from(*attempts).unwrap_or(i32::MAX);
        let cost = match record {
            Record::Answered {
                answer,
                stop,
                latency_ms,
                first_token_ms,
                input_tokens,
                output_tokens,
                cost_usd,
                result,
            } => {
                let row = sqlx::query!(
                    "update lab_calls set status = 'answered', claimed_by = null, claimed_until = null, attempts = $4,
                            answer = $5, stop = $6, latency_ms = $7, first_token_ms = $8, input_tokens = $9,
                            output_tokens = $10, cost_usd = $11, result = $12, finished_at = now()
                        where run_id = $1 and number = $2 and status = 'claimed' and claimed_by = $3
                        returning kind, case_number, repeat, side, estimate_usd",
                    run,
                    number,
                    node,
                    attempts,
                    answer,
                    stop,
                    *latency_ms,
                    *first_token_ms,
                    input_tokens.map(i64::from),
                    output_tokens.map(i64::from),
                    *cost_usd,
                    result,
                )
                .fetch_optional(&mut **transaction)
                .await?;
                let Some(row) = row else { continue };
                if row.kind == "answer" {
                    sqlx::query!(
                        "update lab_calls set waits_for = waits_for - 1
                            where run_id = $1 and case_number = $2 and repeat = $3
                                and ((kind = 'rubric' and side = $4) or (kind = 'pair' and $4 in ('a', 'b')))",
                        run,
                        row.case_number,
                        row.repeat,
                        row.side,
                    )
                    .execute(&mut **transaction)
                    .await?;
                }
                // A provider that does not say how many tokens it was still has its price.
                Some(cost_usd.unwrap_or(row.estimate_usd))
            }
            Record::Failed { kind, message, cost_usd } => {
                let row = sqlx::query!(
                    "update lab_calls set status = 'failed', claimed_by = null, claimed_until = null, attempts = $4,
                            error_kind = $5, error = $6, cost_usd = $7, finished_at = now()
                        where run_id = $1 and number = $2 and status = 'claimed' and claimed_by = $3
                        returning kind, case_number, repeat, side",
                    run,
                    number,
                    node,
                    attempts,
                    kind,
                    message,
                    *cost_usd,
                )
                .fetch_optional(&mut **transaction)
                .await?;
                let Some(row) = row else { continue };
                recorded.failed += 1;
                if row.kind == "answer" {
                    // Without an answer there is nothing to judge.
                    let skipped = sqlx::query!(
                        "update lab_calls set status = 'skipped', finished_at = now()
                            where run_id = $1 and case_number = $2 and repeat = $3 and status = 'waiting'
                                and ((kind = 'rubric' and side = $4) or (kind = 'pair' and $4 in ('a', 'b')))",
                        run,
                        row.case_number,
                        row.repeat,
                        row.side,
                    )
                    .execute(&mut **transaction)
                    .await?;
                    recorded.done += i32::try_from(skipped.rows_affected()).unwrap_or(0);
                }
                *cost_usd
            }
        };
        recorded.done += 1;
        recorded.spent_usd += cost.unwrap_or(0.0);
    }
    Ok(recorded)
}

/// Records answers that were produced elsewhere, outside an exchange, and counts them.
pub(super) async fn settle(
    transaction: &mut Transaction<'static, Postgres>,
    run: Uuid,
    node: Uuid,
    finished: &[Finished],
) -> Result<(), LabError> {
    sqlx::query!("select 1 as one from lab_runs where id = $1 for no key update", run)
        .fetch_one(&mut **transaction)
        .await?;
    let recorded = record(transaction, run, node, finished).await?;
    sqlx::query!(
        "update lab_runs set done = done + $2, failed = failed + $3,
                status = case when done + $2 >= calls then 'finished' else status end,
                finished_at = case when done + $2 >= calls then now() end
            where id = $1",
        run,
        recorded.done,
        recorded.failed,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The next calls that could be made, in order. One at least is looked at, to know whether any is left.
async fn candidates(
    transaction: &mut Transaction<'static, Postgres>,
    run: Uuid,
    limit: i64,
) -> Result<Vec<Candidate>, LabError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_as!(
        Candidate,
        "select number, kind, case_number, repeat, side, check_number, a_first, estimate_usd
            from lab_calls where run_id = $1 and status = 'waiting' and waits_for = 0
            order by number limit $2 for update skip locked",
        run,
        limit
    )
    .fetch_all(&mut **transaction)
    .await?)
}

async fn claim(
    transaction: &mut Transaction<'static, Postgres>,
    run: Uuid,
    node: Uuid,
    until: DateTime<Utc>,
    candidates: Vec<Candidate>,
) -> Result<Vec<Claimed>, LabError> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<i32> = candidates.iter().map(|candidate| candidate.number).collect();
    sqlx::query!(
        "update lab_calls set status = 'claimed', claimed_by = $3, claimed_until = $4
            where run_id = $1 and number = any($2)",
        run,
        &numbers,
        node,
        until
    )
    .execute(&mut **transaction)
    .await?;
    let mut claimed = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let unknown = || LabError::inconsistent(format!("call {} of run {run}", candidate.number));
        let side = || candidate.side.as_deref().and_then(Side::from_name).ok_or_else(unknown);
        let kind = match candidate.kind.as_str() {
            "answer" => CallKind::Answer { side: side()? },
            "rubric" => {
                let check = candidate.check_number.and_then(|number| usize::try_from(number - 1).ok());
                CallKind::Rubric { side: side()?, check: check.ok_or_else(unknown)? }
            }
            "pair" => CallKind::Pair { a_first: candidate.a_first.ok_or_else(unknown)? },
            _ => return Err(unknown()),
        };
        let seen: &[&str] = match kind {
            CallKind::Answer { .. } => &[],
            CallKind::Rubric { side, .. } => &[side.as_str()],
            CallKind::Pair { a_first: true } => &["a", "b"],
            CallKind::Pair { a_first: false } => &["b", "a"],
        };
        let mut answers = Vec::with_capacity(seen.len());
        for side in seen {
            let answer = sqlx::query_scalar!(
                r#"select answer as "answer!" from lab_calls
                    where run_id = $1 and kind = 'answer' and case_number = $2 and repeat = $3 and side = $4"#,
                run,
                candidate.case_number,
                candidate.repeat,
                *side
            )
            .fetch_one(&mut **transaction)
            .await?;
            answers.push(answer);
        }
        claimed.push(Claimed {
            number: candidate.number,
            kind,
            case_number: super::count(candidate.case_number)?,
            repeat: super::count(candidate.repeat)?,
            answers,
        });
    }
    Ok(claimed)
}

/// Adds the answers of a run that is over to the figures of its versions, once: in the transaction that ends it.
async fn feed(transaction: &mut Transaction<'static, Postgres>, run: Uuid) -> Result<(), LabError> {
    let rows = sqlx::query!(
        r#"select r.agent_type, r.version_a, r.version_b, r.plan ->> 'model' as "model!", c.side as "side!", c.status,
                c.latency_ms, c.error_kind, c.first_token_ms, c.input_tokens, c.output_tokens, c.cost_usd, c.finished_at as "finished_at!",
                r.plan ->> 'noise_version' as noise_version,
                (
                    select avg(coalesce((opinion.result ->> 'score')::float8, (own.value ->> 'score')::float8))
                    from jsonb_array_elements(coalesce(c.result, '[]')) with ordinality as own (value, number)
                    left join lab_calls opinion on opinion.run_id = c.run_id and opinion.kind = 'rubric'
                        and opinion.case_number = c.case_number and opinion.repeat = c.repeat and opinion.side = c.side
                        and opinion.check_number = own.number
                ) as score
            from lab_calls c join lab_runs r on r.id = c.run_id
            where c.run_id = $1 and c.kind = 'answer' and c.status in ('answered', 'failed') and not r.is_imported"#,
        run
    )
    .fetch_all(&mut **transaction)
    .await?;
    let tokens = |tokens: Option<i64>| tokens.and_then(|tokens| u64::try_from(tokens).ok()).unwrap_or(0);
    let mut calls = Vec::with_capacity(rows.len());
    for row in rows {
        let version = match row.side.as_str() {
            "a" => &row.version_a,
            "b" => &row.version_b,
            _ => row.noise_version.as_ref().unwrap_or(&row.version_a),
        };
        calls.push(RecordedCall {
            agent_type: row.agent_type.parse().map_err(LabError::inconsistent)?,
            version: version.parse().map_err(LabError::inconsistent)?,
            source: versioning::CallSource::LabRun,
            model: row.model,
            at: row.finished_at,
            latency_ms: row.latency_ms,
            first_token_ms: row.first_token_ms,
            error_kind: row.error_kind,
            input_tokens: tokens(row.input_tokens),
            output_tokens: tokens(row.output_tokens),
            cost_usd: row.cost_usd.unwrap_or(0.0),
            score: row.score,
        });
    }
    PerformanceService::record_in(transaction, &calls).await?;
    Ok(())
}
