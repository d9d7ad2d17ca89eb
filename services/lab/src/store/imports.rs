//! Answers that were produced elsewhere, written down with the run that they are for.

use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::{LabError, Side, checks::CheckResult};

/// An answer that was produced elsewhere, its checks made.
pub(crate) struct ImportedAnswer {
    pub case_number: u32,
    pub repeat: u32,
    pub side: Side,
    pub answer: String,
    pub latency_ms: Option<f64>,
    pub first_token_ms: Option<f64>,
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub cost_usd: Option<f64>,
    pub checks: Vec<Option<CheckResult>>,
}

/// Writes down answers that were produced elsewhere, in the transaction that writes the run: no node ever sees them unanswered.
/// One statement takes them all. They are the answers to every case, so no judge waits for one any more.
pub(super) async fn import(
    transaction: &mut Transaction<'static, Postgres>,
    run: Uuid,
    answers: Vec<ImportedAnswer>,
) -> Result<(), LabError> {
    let mut columns = ImportedColumns::default();
    let given = answers.len() as u64;
    for answer in answers {
        columns.push(answer)?;
    }
    let written = sqlx::query!(
        "update lab_calls set status = 'answered', stop = 'finished', finished_at = now(), answer = given.answer,
                latency_ms = given.latency_ms, first_token_ms = given.first_token_ms, input_tokens = given.input_tokens,
                output_tokens = given.output_tokens, cost_usd = given.cost_usd, result = given.result
            from unnest($2::int[], $3::int[], $4::text[], $5::text[], $6::float8[], $7::float8[], $8::int8[], $9::int8[],
                    $10::float8[], $11::jsonb[])
                as given (case_number, repeat, side, answer, latency_ms, first_token_ms, input_tokens, output_tokens,
                    cost_usd, result)
            where lab_calls.run_id = $1 and lab_calls.kind = 'answer' and lab_calls.case_number = given.case_number
                and lab_calls.repeat = given.repeat and lab_calls.side = given.side",
        run,
        &columns.case_numbers,
        &columns.repeats,
        &columns.sides as &[&str],
        &columns.answers,
        &columns.latencies as &[Option<f64>],
        &columns.first_tokens as &[Option<f64>],
        &columns.input_tokens as &[Option<i64>],
        &columns.output_tokens as &[Option<i64>],
        &columns.costs as &[Option<f64>],
        &columns.results,
    )
    .execute(&mut **transaction)
    .await?
    .rows_affected();
    if written != given {
        return Err(LabError::inconsistent(format!("{written} calls for {given} answers")));
    }
    sqlx::query!("update lab_calls set waits_for = 0 where run_id = $1 and kind <> 'answer'", run)
        .execute(&mut **transaction)
        .await?;
    sqlx::query!(
        "update lab_runs set done = $2, status = case when calls = $2 then 'finished' else status end,
                finished_at = case when calls = $2 then now() end
            where id = $1",
        run,
        i32::try_from(written).map_err(LabError::inconsistent)?,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Answers that were produced elsewhere, column by column.
#[derive(Default)]
struct ImportedColumns {
    case_numbers: Vec<i32>,
    repeats: Vec<i32>,
    sides: Vec<&'static str>,
    answers: Vec<String>,
    latencies: Vec<Option<f64>>,
    first_tokens: Vec<Option<f64>>,
    input_tokens: Vec<Option<i64>>,
    output_tokens: Vec<Option<i64>>,
    costs: Vec<Option<f64>>,
    results: Vec<serde_json::Value>,
}

impl ImportedColumns {
    fn push(&mut self, answer: ImportedAnswer) -> Result<(), LabError> {
        let whole = |number: u32| i32::try_from(number).map_err(LabError::inconsistent);
        let tokens = |tokens: Option<u64>| tokens.and_then(|tokens| i64::try_from(tokens).ok());
        self.case_numbers.push(whole(answer.case_number)?);
        self.repeats.push(whole(answer.repeat)?);
        self.sides.push(answer.side.as_str());
        self.answers.push(answer.answer);
        self.latencies.push(answer.latency_ms);
        self.first_tokens.push(answer.first_token_ms);
        self.input_tokens.push(tokens(answer.input_tokens));
        self.output_tokens.push(tokens(answer.output_tokens));
        self.costs.push(answer.cost_usd);
        self.results.push(serde_json::to_value(answer.checks)?);
        Ok(())
    }
}
