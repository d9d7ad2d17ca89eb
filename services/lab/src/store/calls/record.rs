//! What became of calls, written down.

use sqlx::{Connection, PgConnection, Postgres, Transaction};
use uuid::Uuid;
use versioning::ErrorKind;

use crate::LabError;

/// What became of a call.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub number: i32,
    pub attempts: u32,
    /// What attempts without an answer cost, by estimate, as far as
    /// [`LabStore::charge`](super::super::LabStore::charge) was not told.
    pub owed_usd: f64,
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

impl Record {
    /// The same as PostgreSQL can keep it: it takes every character in a text but one.
    pub(crate) fn storable(mut self) -> Self {
        match &mut self {
            Self::Answered { answer, result, .. } => {
                replace_nul(answer);
                replace_nul_in(result);
            }
            Self::Failed { kind, message, .. } => {
                replace_nul(kind);
                replace_nul(message);
            }
        }
        self
    }

    /// What it cost; `estimate_usd` for an answer whose provider did not say how many tokens it was.
    fn cost(&self, estimate_usd: f64) -> f64 {
        match self {
            Self::Answered { cost_usd, .. } => cost_usd.unwrap_or(estimate_usd),
            Self::Failed { cost_usd, .. } => cost_usd.unwrap_or(0.0),
        }
    }
}

fn replace_nul(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{FFFD}");
    }
}

fn replace_nul_in(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::String(text) => replace_nul(text),
        Value::Array(values) => values.iter_mut().for_each(replace_nul_in),
        Value::Object(fields) => {
            for (name, mut value) in std::mem::take(fields) {
                replace_nul_in(&mut value);
                fields.insert(name.replace('\0', "\u{FFFD}"), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What recording added to the run's counts.
#[derive(Default)]
pub(super) struct Recorded {
    pub done: i32,
    pub failed: i32,
    pub spent_usd: f64,
}

impl Recorded {
    fn add(&mut self, more: &Self) {
        self.done += more.done;
        self.failed += more.failed;
        self.spent_usd += more.spent_usd;
    }
}

/// Records each result by itself. One that the database refuses is recorded as a failure.
pub(super) async fn record_one_by_one(
    transaction: &mut Transaction<'static, Postgres>,
    run: Uuid,
    node: Uuid,
    finished: &[Finished],
) -> Result<Recorded, LabError> {
    let mut recorded = Recorded::default();
    for result in finished {
        let mut alone = transaction.begin().await?;
        match record(&mut alone, run, node, std::slice::from_ref(result)).await {
            Ok(one) => {
                alone.commit().await?;
                recorded.add(&one);
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            Err(error) => {
                alone.rollback().await?;
                tracing::error!(%run, call = result.number, %error, "a result could not be recorded");
                let cost_usd = match &result.record {
                    Record::Answered { cost_usd, .. } | Record::Failed { cost_usd, .. } => *cost_usd,
                };
                let message = "The answer could not be recorded; the server's log says why.".into();
                let failed = Finished {
                    record: Record::Failed { kind: "internal".into(), message, cost_usd },
                    ..result.clone()
                };
                recorded.add(&record(transaction, run, node, &[failed]).await?);
            }
        }
    }
    Ok(recorded)
}

/// Writes down what became of calls. An answer is an answer, whoever has the call by now: its node was silent for too long, and it
/// was paid for. A failure leaves the call to who has it now. What is there already stays; what came too late costs all the same.
pub(super) async fn record(
    connection: &mut PgConnection,
    run: Uuid,
    node: Uuid,
    finished: &[Finished],
) -> Result<Recorded, LabError> {
    let mut recorded = Recorded::default();
    for Finished { number, attempts, owed_usd, record } in finished {
        let attempts = i32::try_from(*attempts).unwrap_or(i32::MAX);
        let estimate_usd = match record {
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
                            output_tokens = $10, cost_usd = $11, result = $12, finished_at = now(), recorded_by = $3
                        where run_id = $1 and number = $2 and status in ('waiting', 'claimed')
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
                .fetch_optional(&mut *connection)
                .await?;
                if let Some(row) = &row
                    && row.kind == "answer"
                {
                    sqlx::query!(
                        "update lab_calls set waits_for = waits_for - 1
                            where run_id = $1 and case_number = $2 and repeat = $3
                                and ((kind = 'rubric' and side = $4) or (kind = 'pair' and $4 in ('a', 'b')))",
                        run,
                        row.case_number,
                        row.repeat,
                        row.side,
                    )
                    .execute(&mut *connection)
                    .await?;
                }
                row.map(|row| row.estimate_usd)
            }
            Record::Failed { kind, message, cost_usd } => {
                let row = sqlx::query!(
                    "update lab_calls set status = 'failed', claimed_by = null, claimed_until = null, attempts = $4,
                            error_kind = $5, error = $6, cost_usd = $7, finished_at = now(), recorded_by = $3
                        where run_id = $1 and number = $2
                            and (status = 'waiting' or (status = 'claimed' and claimed_by = $3))
                        returning kind, case_number, repeat, side, estimate_usd",
                    run,
                    number,
                    node,
                    attempts,
                    kind,
                    message,
                    *cost_usd,
                )
                .fetch_optional(&mut *connection)
                .await?;
                if let Some(row) = &row {
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
                        .execute(&mut *connection)
                        .await?;
                        recorded.done += i32::try_from(skipped.rows_affected()).unwrap_or(0);
                    }
                }
                row.map(|row| row.estimate_usd)
            }
        };
        if let Some(estimate_usd) = estimate_usd {
            recorded.done += 1;
            recorded.spent_usd += record.cost(estimate_usd) + owed_usd;
            continue;
        }
        let there = sqlx::query!(
            "select recorded_by, estimate_usd from lab_calls where run_id = $1 and number = $2",
            run,
            number
        )
        .fetch_optional(&mut *connection)
        .await?;
        // This node recorded it before and did not hear so.
        if let Some(there) = there.filter(|there| there.recorded_by != Some(node)) {
            recorded.spent_usd += record.cost(there.estimate_usd) + owed_usd;
        }
    }
    Ok(recorded)
}
