//! What a run found out.

use sqlx::{Postgres, Transaction, types::Json};
use uuid::Uuid;

use super::{LabStore, count};
use crate::{LabError, Side, checks::CheckResult, checks::Pick, model::AnswerRecord};

/// One of the two opinions of the pairwise judge on a pair.
#[derive(Debug, Clone)]
pub(crate) struct PairRow {
    pub case_number: u32,
    pub repeat: u32,
    pub a_first: bool,
    pub pick: Pick,
    pub reason: String,
}

/// The result of a pair call, as it is kept.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct StoredPick {
    pub pick: Pick,
    pub reason: String,
}

/// An answer that was produced elsewhere.
pub(crate) struct ImportedAnswer {
    pub case_number: u32,
    pub repeat: u32,
    pub side: Side,
    pub record: super::Record,
}

impl LabStore {
    /// The answers of a run, by case, repeat and side; with their texts those of `with_texts`, a range of cases from 1.
    pub(crate) async fn answers(
        &self,
        run: Uuid,
        with_texts: Option<std::ops::RangeInclusive<u32>>,
    ) -> Result<Vec<AnswerRecord>, LabError> {
        let bound = |bound: u32| i32::try_from(bound).unwrap_or(i32::MAX);
        let (first, last) = with_texts.map_or((1, 0), |range| (bound(*range.start()), bound(*range.end())));
        let rows = sqlx::query!(
            r#"select case_number, repeat, side as "side!", status, attempts, stop, error_kind, error, latency_ms,
                    first_token_ms, input_tokens, output_tokens, cost_usd,
                    case when case_number between $2 and $3 then answer end as answer,
                    result as "result: Json<Vec<Option<CheckResult>>>"
                from lab_calls where run_id = $1 and kind = 'answer' order by case_number, repeat, side"#,
            run,
            first,
            last
        )
        .fetch_all(&self.pool)
        .await?;
        let opinions = sqlx::query!(
            r#"select case_number, repeat, side as "side!", check_number as "check_number!",
                    result as "result!: Json<CheckResult>"
                from lab_calls where run_id = $1 and kind = 'rubric' and status = 'answered'"#,
            run
        )
        .fetch_all(&self.pool)
        .await?;
        let mut by_answer: std::collections::HashMap<(i32, i32, String), Vec<(usize, CheckResult)>> =
            std::collections::HashMap::new();
        for row in opinions {
            let place = usize::try_from(row.check_number - 1).map_err(LabError::inconsistent)?;
            by_answer.entry((row.case_number, row.repeat, row.side)).or_default().push((place, row.result.0));
        }
        let tokens = |tokens: Option<i64>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
        rows.into_iter()
            .map(|row| {
                let mut checks = row.result.map(|Json(checks)| checks).unwrap_or_default();
                for (place, opinion) in
                    by_answer.remove(&(row.case_number, row.repeat, row.side.clone())).unwrap_or_default()
                {
                    if let Some(check) = checks.get_mut(place) {
                        *check = Some(opinion);
                    }
                }
                let (passed, score) = judged(&row.status, &checks);
                Ok(AnswerRecord {
                    case_number: count(row.case_number)?,
                    repeat: count(row.repeat)?,
                    side: Side::from_name(&row.side)
                        .ok_or_else(|| LabError::inconsistent(format!("side {}", row.side)))?,
                    status: row.status,
                    answer: row.answer,
                    stop: row.stop,
                    error_kind: row.error_kind,
                    error: row.error,
                    attempts: count(row.attempts)?,
                    latency_ms: row.latency_ms,
                    first_token_ms: row.first_token_ms,
                    input_tokens: tokens(row.input_tokens),
                    output_tokens: tokens(row.output_tokens),
                    cost_usd: row.cost_usd,
                    checks,
                    passed,
                    score,
                })
            })
            .collect()
    }

    /// What the pairwise judge said, by case and repeat.
    pub(crate) async fn pairs(&self, run: Uuid) -> Result<Vec<PairRow>, LabError> {
        let rows = sqlx::query!(
            r#"select case_number, repeat, a_first as "a_first!", result as "result!: Json<StoredPick>"
                from lab_calls where run_id = $1 and kind = 'pair' and status = 'answered'
                order by case_number, repeat, a_first desc"#,
            run
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let Json(StoredPick { pick, reason }) = row.result;
                Ok(PairRow {
                    case_number: count(row.case_number)?,
                    repeat: count(row.repeat)?,
                    a_first: row.a_first,
                    pick,
                    reason,
                })
            })
            .collect()
    }
}

/// Writes down answers that were produced elsewhere, in the transaction that writes the run: no node ever sees them unanswered.
/// Judges may then be asked about them.
pub(super) async fn import(
    transaction: &mut Transaction<'static, Postgres>,
    run: Uuid,
    answers: Vec<ImportedAnswer>,
) -> Result<(), LabError> {
    let node = Uuid::now_v7();
    let mut finished = Vec::with_capacity(answers.len());
    for ImportedAnswer { case_number, repeat, side, record } in answers {
        let number = sqlx::query_scalar!(
            "update lab_calls set status = 'claimed', claimed_by = $5, claimed_until = now() + interval '1 minute'
                where run_id = $1 and kind = 'answer' and case_number = $2 and repeat = $3 and side = $4
                returning number",
            run,
            i32::try_from(case_number).unwrap_or(i32::MAX),
            i32::try_from(repeat).unwrap_or(i32::MAX),
            side.as_str(),
            node,
        )
        .fetch_one(&mut **transaction)
        .await?;
        finished.push(super::Finished { number, attempts: 0, record });
    }
    super::calls::settle(transaction, run, node, &finished).await
}

/// Whether an answer passes, and its score: known once every check is decided. A call without an answer fails: that is a result
/// of the version too.
fn judged(status: &str, checks: &[Option<CheckResult>]) -> (Option<bool>, Option<f64>) {
    match status {
        "failed" => (Some(false), Some(0.0)),
        "answered" if checks.is_empty() => (Some(true), Some(1.0)),
        "answered" => {
            let decided: Vec<&CheckResult> = checks.iter().flatten().collect();
            if decided.len() == checks.len() {
                let sum: f64 = decided.iter().map(|check| check.score).sum();
                let count = u32::try_from(decided.len()).map_or(f64::MAX, f64::from);
                (Some(decided.iter().all(|check| check.passed)), Some(sum / count))
            } else {
                (None, None)
            }
        }
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(passed: bool, score: f64) -> Option<CheckResult> {
        Some(CheckResult { check: "contains".into(), passed, score, reason: String::new() })
    }

    #[test]
    fn an_answer_is_judged_once_every_check_is_decided() {
        assert_eq!(judged("answered", &[]), (Some(true), Some(1.0)));
        assert_eq!(judged("answered", &[check(true, 1.0), check(false, 0.5)]), (Some(false), Some(0.75)));
        assert_eq!(judged("answered", &[check(true, 1.0), None]), (None, None));
        assert_eq!(judged("failed", &[]), (Some(false), Some(0.0)));
        assert_eq!(judged("waiting", &[]), (None, None));
    }
}
