//! Calls: handed out to nodes, and (`record`) what became of them.
//!
//! Everything happens in one transaction under the lock of the run's row ([`LabStore::exchange`]), so that the nodes that share a
//! run agree on its counts, its budget and how many calls are under way.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Postgres, Transaction, postgres::types::PgInterval};
use tokio::time::Instant;
use uuid::Uuid;
use versioning::{ErrorKind, PerformanceService, RecordedCall};

use super::LabStore;
use crate::{LabError, RunStatus, Side, schedule::CallKind};

mod record;

pub(crate) use record::{Finished, Record};
use record::{record, record_one_by_one};

/// A call that this node is to make.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claimed {
    pub number: i32,
    pub kind: CallKind,
    pub case_number: u32,
    pub repeat: u32,
    /// What it costs at most, by estimate, in US dollars.
    pub estimate_usd: f64,
    /// What a judge is to judge: the answers in the order in which it sees them.
    pub answers: Vec<String>,
}

/// What a node has to say, and what it wants.
pub(crate) struct Exchange<'a> {
    pub run: Uuid,
    /// Who it is.
    pub node: Uuid,
    /// What became of its calls.
    pub finished: &'a [Finished],
    /// Calls that it has under way or is about to make. What else it had claimed it gives back.
    pub held: &'a [i32],
    /// Calls that it may have under way until it hears the answer.
    pub flights: u32,
    /// How many more it would make.
    pub wanted: u32,
    /// Calls of the run that may be claimed at once, by all nodes together; 0 when it has nothing to do here any more.
    pub most_claimed: u32,
    /// How long its claims hold without another word.
    pub lease: Duration,
    /// When it last heard from the database.
    pub contact: Contact,
}

/// When a node heard from the database. One that could not reach it does not take the calls of others: they could not either, and
/// need a moment to say that they are still there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contact {
    last: Instant,
    steady_from: Instant,
}

impl Contact {
    /// As of now. After the database `was_away`, others are given a lease to say that they are there.
    pub(crate) fn begin(was_away: bool, lease: Duration) -> Self {
        let last = Instant::now();
        Self { last, steady_from: if was_away { last + lease } else { last } }
    }

    /// It was heard from just now.
    pub(crate) fn heard(&mut self, lease: Duration) {
        let is_steady = self.is_close(lease);
        self.last = Instant::now();
        if !is_steady {
            self.steady_from = self.last + lease;
        }
    }

    fn is_close(&self, lease: Duration) -> bool {
        self.last.elapsed() < lease / 2
    }

    /// Whether the silence of another node is its own.
    fn is_steady(&self, lease: Duration) -> bool {
        self.is_close(lease) && self.steady_from <= Instant::now()
    }
}

/// What a node is told.
#[derive(Debug)]
pub(crate) struct Exchanged {
    pub status: RunStatus,
    /// The calls that it has now, on top of those it had.
    pub claimed: Vec<Claimed>,
    /// Calls that it thought it had, and that others have taken since: what is not under way yet is not to be made.
    pub lost: Vec<i32>,
    /// Calls that it may have under way.
    pub granted: u32,
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
    ///
    /// What the database refuses to keep of a call fails that call: the run goes on.
    pub(crate) async fn exchange(&self, exchange: Exchange<'_>) -> Result<Option<Exchanged>, LabError> {
        match self.try_exchange(&exchange, false).await {
            Err(error) if error.kind() != ErrorKind::Unavailable && !exchange.finished.is_empty() => {
                tracing::warn!(run = %exchange.run, %error, "results are recorded one by one");
                self.try_exchange(&exchange, true).await
            }
            done => done,
        }
    }

    async fn try_exchange(&self, exchange: &Exchange<'_>, one_by_one: bool) -> Result<Option<Exchanged>, LabError> {
        let &Exchange { run, node, held, lease, .. } = exchange;
        let mut transaction = self.pool.begin().await?;
        let Some(row) = sqlx::query!(
            "select status, calls, done, spent_usd, budget_usd, concurrency from lab_runs where id = $1
                for no key update",
            run
        )
        .fetch_optional(&mut *transaction)
        .await?
        else {
            return Ok(None);
        };
        let mut status = RunStatus::from_name(&row.status)
            .ok_or_else(|| LabError::inconsistent(format!("run status {}", row.status)))?;
        let recorded = if one_by_one {
            record_one_by_one(&mut transaction, run, node, exchange.finished).await?
        } else {
            record(&mut transaction, run, node, exchange.finished).await?
        };
        // By the database's clock, and as of now: the lock of the run may have been waited for.
        let lease_interval = interval(lease)?;
        sqlx::query!(
            "update lab_calls set status = 'waiting', claimed_by = null, claimed_until = null
                where run_id = $1 and status = 'claimed' and case when claimed_by = $2 then number <> all($3)
                    else claimed_until < clock_timestamp() and $4 end",
            run,
            node,
            held,
            exchange.contact.is_steady(lease),
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "update lab_calls set status = 'claimed', claimed_by = $2, claimed_until = clock_timestamp() + $4::interval
                where run_id = $1 and number = any($3) and (status = 'waiting'
                    or (status = 'claimed' and claimed_by = $2 and claimed_until < clock_timestamp() + 0.5 * $4::interval))",
            run,
            node,
            held,
            lease_interval,
        )
        .execute(&mut *transaction)
        .await?;
        let under_way = sqlx::query!(
            r#"select coalesce(array_agg(number) filter (where claimed_by = $2), '{}') as "here!", count(*) as "all!",
                    coalesce(sum(estimate_usd), 0) as "reserved!"
                from lab_calls where run_id = $1 and status = 'claimed'"#,
            run,
            node,
        )
        .fetch_one(&mut *transaction)
        .await?;
        let others = sqlx::query!(
            r#"select count(*) as "nodes!", coalesce(sum(granted), 0) as "granted!"
                from lab_nodes where run_id = $1 and node <> $2 and seen_until > clock_timestamp()"#,
            run,
            node,
        )
        .fetch_one(&mut *transaction)
        .await?;
        let nodes = others.nodes + 1;
        // Its share of the calls under way, as far as the others have let go of theirs.
        let concurrency = i64::from(row.concurrency);
        let target = ((concurrency + others.nodes) / nodes).min(concurrency - others.granted).max(0);
        let done = row.done + recorded.done;
        let spent = row.spent_usd + recorded.spent_usd;
        let mut claimed = Vec::new();
        if status == RunStatus::Running {
            let most = i64::from(exchange.most_claimed);
            let share = (most + others.nodes) / nodes;
            let here = i64::try_from(under_way.here.len()).unwrap_or(i64::MAX);
            let free = (most - under_way.all).min(share - here).clamp(0, exchange.wanted.into());
            let left = row.budget_usd.map(|budget| budget - spent - under_way.reserved);
            let candidates = candidates(&mut transaction, run, if target == 0 { 0 } else { free }).await?;
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
            claimed = claim(&mut transaction, run, node, lease_interval, affordable).await?;
        }
        // What it has no calls for is left to the others.
        let holds = i64::try_from(held.len() + claimed.len()).unwrap_or(i64::MAX);
        let granted = target.min(holds);
        sqlx::query!(
            "insert into lab_nodes (run_id, node, seen_until, granted)
                values ($1, $2, clock_timestamp() + case when $3 then $4::interval else interval '0' end, $5)
                on conflict on constraint lab_nodes_pkey
                    do update set seen_until = excluded.seen_until, granted = excluded.granted",
            run,
            node,
            exchange.most_claimed > 0,
            lease_interval,
            // Until it has heard the answer it keeps to what it had.
            i32::try_from(granted.max(exchange.flights.into()).min(holds)).unwrap_or(i32::MAX),
        )
        .execute(&mut *transaction)
        .await?;
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
        if is_over_now {
            // The figures of versions are not worth a run that never ends.
            let mut figures = transaction.begin().await?;
            match feed(&mut figures, run).await {
                Ok(()) => figures.commit().await?,
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(error) => {
                    tracing::error!(%run, %error, "the calls of a run are missing from the figures of its versions");
                    figures.rollback().await?;
                }
            }
        }
        transaction.commit().await?;
        let lost = held.iter().copied().filter(|number| !under_way.here.contains(number)).collect();
        Ok(Some(Exchanged { status, claimed, lost, granted: super::count(granted)? }))
    }

    /// Adds what an attempt without an answer cost to what the run spent, and tells whether the budget has room for another one.
    pub(crate) async fn charge(&self, run: Uuid, cost_usd: f64) -> Result<bool, LabError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query!("update lab_runs set spent_usd = spent_usd + $2 where id = $1", run, cost_usd)
            .execute(&mut *transaction)
            .await?;
        // A statement of its own: it sees what was claimed while the lock of the run was waited for.
        let may_go_on = sqlx::query_scalar!(
            r#"select r.status = 'running' and (r.budget_usd is null or r.budget_usd >= r.spent_usd + (
                    select coalesce(sum(c.estimate_usd), 0) from lab_calls c where c.run_id = r.id and c.status = 'claimed'
                )) as "may_go_on!" from lab_runs r where r.id = $1"#,
            run
        )
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(may_go_on)
    }
}

/// A time as PostgreSQL has it. It knows microseconds.
fn interval(time: Duration) -> Result<PgInterval, LabError> {
    let microseconds = i64::try_from(time.as_micros()).map_err(LabError::inconsistent)?;
    Ok(PgInterval { months: 0, days: 0, microseconds })
}

/// The next calls that could be made, in order: so many at most.
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
    lease: PgInterval,
    candidates: Vec<Candidate>,
) -> Result<Vec<Claimed>, LabError> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<i32> = candidates.iter().map(|candidate| candidate.number).collect();
    sqlx::query!(
        "update lab_calls set status = 'claimed', claimed_by = $3, claimed_until = clock_timestamp() + $4::interval
            where run_id = $1 and number = any($2)",
        run,
        &numbers,
        node,
        lease
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
            estimate_usd: candidate.estimate_usd,
            answers,
        });
    }
    Ok(claimed)
}

/// Adds the answers of a run that is over to the figures of its versions, once: in the transaction that ends it.
async fn feed(connection: &mut PgConnection, run: Uuid) -> Result<(), LabError> {
    let rows = sqlx::query!(
        r#"select r.agent_type, r.version_a, r.version_b, r.plan ->> 'model' as "model!", c.side as "side!", c.status,
                c.latency_ms, c.error_kind, c.first_token_ms, c.input_tokens, c.output_tokens, c.cost_usd, c.finished_at as "finished_at!",
                r.plan ->> 'noise_version' as noise_version,
                (
                    -- A score of some of the checks would be that of an easier case.
                    select case when count(*) = count(score) then avg(score) end
                    from (
                        select coalesce((opinion.result ->> 'score')::float8, (own.value ->> 'score')::float8) as score
                        from jsonb_array_elements(coalesce(c.result, '[]')) with ordinality as own (value, number)
                        left join lab_calls opinion on opinion.run_id = c.run_id and opinion.kind = 'rubric'
                            and opinion.case_number = c.case_number and opinion.repeat = c.repeat and opinion.side = c.side
                            and opinion.check_number = own.number
                    ) checks
                ) as score
            from lab_calls c join lab_runs r on r.id = c.run_id
            where c.run_id = $1 and c.kind = 'answer' and c.status in ('answered', 'failed') and not r.is_imported"#,
        run
    )
    .fetch_all(&mut *connection)
    .await?;
    let tokens = |tokens: Option<i64>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
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
            cost_usd: row.cost_usd,
            score: row.score,
        });
    }
    PerformanceService::record_in(connection, &calls).await?;
    Ok(())
}
