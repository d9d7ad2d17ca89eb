//! What a run found out.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::types::Json;
use uuid::Uuid;

use super::{LabStore, count};
use crate::{
    LabError, Side,
    cases::TestCase,
    checks::{CheckResult, Pick},
    model::AnswerRecord,
};

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

/// Which cases of a run are read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Read<'a> {
    /// All of them, without the texts of the answers: those may be gigabytes.
    AllWithoutTexts,
    /// All of them, with the texts.
    AllWithTexts,
    /// Those of these numbers, with the texts.
    These(&'a [u32]),
}

/// What a filter goes by, of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CaseFlags {
    /// A fails in a repeat at least.
    pub a_fails: bool,
    /// B fails in a repeat at least.
    pub b_fails: bool,
    /// A and B come out differently in a repeat at least.
    pub differs: bool,
    /// The judge's preference flipped with the order in a repeat at least.
    pub flipped: bool,
}

/// What a judge was to be asked about when the run ended, and was not.
#[derive(Debug, Default)]
pub(crate) struct Unjudged {
    /// Answers with a check that a judge decides: case, repeat and side.
    pub answers: HashSet<(u32, u32, Side)>,
    /// Pairs that were not compared in both orders: case and repeat.
    pub pairs: HashSet<(u32, u32)>,
}

struct AnswerRow {
    case_number: i32,
    repeat: i32,
    side: String,
    status: String,
    attempts: i32,
    stop: Option<String>,
    error_kind: Option<String>,
    error: Option<String>,
    latency_ms: Option<f64>,
    first_token_ms: Option<f64>,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    cost_usd: Option<f64>,
    answer: Option<String>,
    result: Option<Json<Vec<Option<CheckResult>>>>,
}

struct OpinionRow {
    case_number: i32,
    repeat: i32,
    side: String,
    check_number: i32,
    result: Json<CheckResult>,
}

struct PickRow {
    case_number: i32,
    repeat: i32,
    a_first: bool,
    result: Json<StoredPick>,
}

impl TryFrom<PickRow> for PairRow {
    type Error = LabError;

    fn try_from(row: PickRow) -> Result<Self, LabError> {
        let Json(StoredPick { pick, reason }) = row.result;
        Ok(Self {
            case_number: count(row.case_number)?,
            repeat: count(row.repeat)?,
            a_first: row.a_first,
            pick,
            reason,
        })
    }
}

impl LabStore {
    /// The answers of a run, by case, repeat and side.
    pub(crate) async fn answers(&self, run: Uuid, read: Read<'_>) -> Result<Vec<AnswerRecord>, LabError> {
        // What reads all and what reads some are statements of their own: each has a plan that fits it.
        let (rows, opinions) = match read {
            Read::These(cases) => {
                let cases = numbers(cases);
                let rows = sqlx::query_as!(
                    AnswerRow,
                    r#"select case_number, repeat, side as "side!", status, attempts, stop, error_kind, error, latency_ms,
                            first_token_ms, input_tokens, output_tokens, cost_usd, answer, result as "result: _"
                        from lab_calls where run_id = $1 and kind = 'answer' and case_number = any($2)
                        order by case_number, repeat, side"#,
                    run,
                    &cases,
                )
                .fetch_all(&self.pool)
                .await?;
                let opinions = sqlx::query_as!(
                    OpinionRow,
                    r#"select case_number, repeat, side as "side!", check_number as "check_number!", result as "result!: _"
                        from lab_calls
                        where run_id = $1 and kind = 'rubric' and status = 'answered' and case_number = any($2)"#,
                    run,
                    &cases,
                )
                .fetch_all(&self.pool)
                .await?;
                (rows, opinions)
            }
            Read::AllWithTexts | Read::AllWithoutTexts => {
                let rows = sqlx::query_as!(
                    AnswerRow,
                    r#"select case_number, repeat, side as "side!", status, attempts, stop, error_kind, error, latency_ms,
                            first_token_ms, input_tokens, output_tokens, cost_usd, case when $2 then answer end as answer,
                            result as "result: _"
                        from lab_calls where run_id = $1 and kind = 'answer' order by case_number, repeat, side"#,
                    run,
                    matches!(read, Read::AllWithTexts),
                )
                .fetch_all(&self.pool)
                .await?;
                let opinions = sqlx::query_as!(
                    OpinionRow,
                    r#"select case_number, repeat, side as "side!", check_number as "check_number!", result as "result!: _"
                        from lab_calls where run_id = $1 and kind = 'rubric' and status = 'answered'"#,
                    run,
                )
                .fetch_all(&self.pool)
                .await?;
                (rows, opinions)
            }
        };
        with_opinions(rows, opinions)
    }

    /// What the pairwise judge said, by case and repeat: of all cases, or of those of these numbers.
    pub(crate) async fn pairs(&self, run: Uuid, of: Option<&[u32]>) -> Result<Vec<PairRow>, LabError> {
        let rows = match of {
            Some(cases) => {
                sqlx::query_as!(
                    PickRow,
                    r#"select case_number, repeat, a_first as "a_first!", result as "result!: _"
                        from lab_calls where run_id = $1 and kind = 'pair' and status = 'answered' and case_number = any($2)
                        order by case_number, repeat, a_first desc"#,
                    run,
                    &numbers(cases),
                )
                .fetch_all(&self.pool)
                .await?
            }
            None => {
                sqlx::query_as!(
                    PickRow,
                    r#"select case_number, repeat, a_first as "a_first!", result as "result!: _"
                        from lab_calls where run_id = $1 and kind = 'pair' and status = 'answered'
                        order by case_number, repeat, a_first desc"#,
                    run,
                )
                .fetch_all(&self.pool)
                .await?
            }
        };
        rows.into_iter().map(PairRow::try_from).collect()
    }

    /// How many cases a run has.
    pub(crate) async fn run_case_count(&self, run: Uuid) -> Result<u32, LabError> {
        let cases = sqlx::query_scalar!(r#"select count(*) as "cases!" from lab_run_cases where run_id = $1"#, run)
            .fetch_one(&self.pool)
            .await?;
        count(cases)
    }

    /// Some cases of a run, by number.
    pub(crate) async fn run_cases_of(&self, run: Uuid, cases: &[u32]) -> Result<BTreeMap<u32, TestCase>, LabError> {
        sqlx::query!(
            r#"select number, test_case as "test_case: Json<TestCase>"
                from lab_run_cases where run_id = $1 and number = any($2)"#,
            run,
            &numbers(cases),
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| Ok((count(row.number)?, row.test_case.0)))
        .collect()
    }

    /// What a filter goes by, case by case, the first one first. No text is read for it: the checks of an answer are looked at
    /// where they are, and only what a judge decided is put together with them.
    pub(crate) async fn case_flags(&self, run: Uuid) -> Result<Vec<CaseFlags>, LabError> {
        Ok(sqlx::query_as!(
            CaseFlags,
            r#"with judged as materialized (
                    select case_number, repeat, side, count(*) as checks,
                        bool_and((result ->> 'passed')::bool) as passed,
                        array_agg(result -> 'score' order by check_number) as scores
                    from lab_calls where run_id = $1 and kind = 'rubric' and status = 'answered'
                    group by case_number, repeat, side
                ), answers as materialized (
                    select c.case_number, c.repeat, c.side, c.status,
                        case c.status
                            when 'failed' then false
                            when 'answered' then case
                                when c.result @> '[{"passed": false}]' then
                                    case when u.undecided = coalesce(j.checks, 0) then false end
                                when u.undecided = 0 then true
                                when u.undecided = j.checks then j.passed
                            end
                        end as passed,
                        case when c.status = 'answered' and u.undecided = coalesce(j.checks, 0) then
                            jsonb_build_array(jsonb_path_query_array(c.result, '$[*].score'), to_jsonb(j.scores))
                        end as scores
                    from lab_calls c
                        cross join lateral (
                            select case when c.result @> '[null]'
                                then jsonb_array_length(jsonb_path_query_array(c.result, '$[*] ? (@ == null)')) else 0
                            end as undecided
                        ) u
                        left join judged j on j.case_number = c.case_number and j.repeat = c.repeat and j.side = c.side
                    where c.run_id = $1 and c.kind = 'answer' and c.side in ('a', 'b')
                ), sides as (
                    select a.case_number, not a.passed as a_fails, not b.passed as b_fails,
                        (a.status, a.passed, a.scores) is distinct from (b.status, b.passed, b.scores) as differs
                    from answers a join answers b using (case_number, repeat)
                    where a.side = 'a' and b.side = 'b'
                ), flips as (
                    select case_number,
                        bool_or(first.result ->> 'pick' = second.result ->> 'pick' and first.result ->> 'pick' <> 'tie') as flipped
                    from lab_calls first join lab_calls second using (run_id, kind, case_number, repeat, status)
                    where run_id = $1 and kind = 'pair' and status = 'answered' and first.a_first and not second.a_first
                    group by case_number
                )
                select coalesce(bool_or(s.a_fails), false) as "a_fails!", coalesce(bool_or(s.b_fails), false) as "b_fails!",
                    coalesce(bool_or(s.differs), false) as "differs!", coalesce(bool_or(f.flipped), false) as "flipped!"
                from lab_run_cases c left join sides s on s.case_number = c.number left join flips f on f.case_number = c.number
                where c.run_id = $1 group by c.number order by c.number"#,
            run,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// What the budget, or a person, kept from being judged: calls of judges that were never made, though their answers
    /// are there.
    pub(crate) async fn unjudged(&self, run: Uuid) -> Result<Unjudged, LabError> {
        let rows = sqlx::query!(
            "select distinct case_number, repeat, side from lab_calls
                where run_id = $1 and kind <> 'answer' and status in ('waiting', 'claimed')",
            run,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut unjudged = Unjudged::default();
        for row in rows {
            let pair = (count(row.case_number)?, count(row.repeat)?);
            match row.side.as_deref() {
                None => {
                    unjudged.pairs.insert(pair);
                }
                Some(name) => {
                    let side = Side::from_name(name).ok_or_else(|| LabError::inconsistent(format!("side {name}")))?;
                    unjudged.answers.insert((pair.0, pair.1, side));
                }
            }
        }
        Ok(unjudged)
    }
}

fn numbers(cases: &[u32]) -> Vec<i32> {
    cases.iter().map(|number| i32::try_from(*number).unwrap_or(i32::MAX)).collect()
}

/// Answers, with what judges decided in the places of the checks that wait for them.
fn with_opinions(rows: Vec<AnswerRow>, opinions: Vec<OpinionRow>) -> Result<Vec<AnswerRecord>, LabError> {
    let mut by_answer: HashMap<(i32, i32, String), Vec<(usize, CheckResult)>> = HashMap::new();
    for row in opinions {
        let place = usize::try_from(row.check_number - 1).map_err(LabError::inconsistent)?;
        by_answer.entry((row.case_number, row.repeat, row.side)).or_default().push((place, row.result.0));
    }
    let tokens = |tokens: Option<i64>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
    rows.into_iter()
        .map(|row| {
            let side =
                Side::from_name(&row.side).ok_or_else(|| LabError::inconsistent(format!("side {}", row.side)))?;
            let mut checks = row.result.map(|Json(checks)| checks).unwrap_or_default();
            for (place, opinion) in by_answer.remove(&(row.case_number, row.repeat, row.side)).unwrap_or_default() {
                if let Some(check) = checks.get_mut(place) {
                    *check = Some(opinion);
                }
            }
            let (passed, score) = judged(&row.status, &checks);
            Ok(AnswerRecord {
                case_number: count(row.case_number)?,
                repeat: count(row.repeat)?,
                side,
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
