//! Runs: what was started, and how far it is.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;
use versioning::AgentType;

use super::{ImportedAnswer, LabStore, count};
use crate::{
    LabError, Run, RunCursor, RunPlan, RunRequest, RunStatus,
    cases::TestCase,
    schedule::{CallKind, PlannedCall},
};

/// A run to be written, with all of its calls.
pub(crate) struct NewRun<'a> {
    pub request: &'a RunRequest,
    pub set_name: &'a str,
    pub cases: &'a [TestCase],
    pub calls: &'a [PlannedCall],
    /// The answers, when they were produced elsewhere.
    pub imported: Option<Vec<ImportedAnswer>>,
}

struct RunRow {
    id: Uuid,
    agent_type: String,
    version_a: String,
    version_b: String,
    set_id: Option<Uuid>,
    set_name: String,
    plan: Json<RunPlan>,
    is_imported: bool,
    status: String,
    concurrency: i32,
    budget_usd: Option<f64>,
    calls: i32,
    done: i32,
    failed: i32,
    spent_usd: f64,
    created_at: DateTime<Utc>,
    created_by: Option<String>,
    finished_at: Option<DateTime<Utc>>,
    review_ended_at: Option<DateTime<Utc>>,
}

impl TryFrom<RunRow> for Run {
    type Error = LabError;

    fn try_from(row: RunRow) -> Result<Self, LabError> {
        let version = |text: &str| text.parse().map_err(LabError::inconsistent);
        Ok(Self {
            id: row.id,
            agent_type: row.agent_type.parse().map_err(LabError::inconsistent)?,
            version_a: version(&row.version_a)?,
            version_b: version(&row.version_b)?,
            set_id: row.set_id,
            set_name: row.set_name,
            plan: row.plan.0,
            is_imported: row.is_imported,
            status: RunStatus::from_name(&row.status)
                .ok_or_else(|| LabError::inconsistent(format!("run status {}", row.status)))?,
            concurrency: count(row.concurrency)?,
            budget_usd: row.budget_usd,
            calls: count(row.calls)?,
            done: count(row.done)?,
            failed: count(row.failed)?,
            spent_usd: row.spent_usd,
            created_at: row.created_at,
            created_by: row.created_by,
            finished_at: row.finished_at,
            review_ended_at: row.review_ended_at,
        })
    }
}

impl LabStore {
    /// Writes a run, its copies of the cases and all of its calls, at once.
    pub(crate) async fn create_run(&self, new: NewRun<'_>) -> Result<Uuid, LabError> {
        let NewRun { request, set_name, cases, calls, imported } = new;
        let id = Uuid::now_v7();
        let whole = |number: usize| i32::try_from(number).map_err(|_| LabError::inconsistent("too many calls"));
        let mut transaction = self.pool.begin().await?;
        sqlx::query!(
            "insert into lab_runs
                    (id, agent_type, version_a, version_b, set_id, set_name, plan, is_imported, concurrency, budget_usd,
                        calls, created_by)
                values ($1, $2, $3, $4, (select id from lab_sets where id = $5), $6, $7, $8, $9, $10, $11, $12)",
            id,
            request.agent_type.as_str(),
            request.version_a.to_string(),
            request.version_b.to_string(),
            request.set_id,
            set_name,
            Json(&request.plan) as _,
            imported.is_some(),
            i32::try_from(request.concurrency).unwrap_or(1),
            request.budget_usd,
            whole(calls.len())?,
            request.created_by.as_ref().map(|author| author.as_str()),
        )
        .execute(&mut *transaction)
        .await?;
        let texts = cases.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
        sqlx::query!(
            "insert into lab_run_cases (run_id, number, test_case)
                select $1, number, test_case from unnest($2::jsonb[]) with ordinality as cases (test_case, number)",
            id,
            &texts,
        )
        .execute(&mut *transaction)
        .await?;
        let mut columns = Columns::default();
        for call in calls {
            columns.push(call)?;
        }
        sqlx::query!(
            r#"insert into lab_calls
                    (run_id, number, kind, case_number, repeat, side, check_number, a_first, estimate_usd, waits_for)
                select $1, number, kind, case_number, repeat, side, check_number, a_first, estimate_usd, waits_for
                from unnest($2::text[], $3::int[], $4::int[], $5::text[], $6::int[], $7::bool[], $8::float8[], $9::int2[])
                    with ordinality
                    as calls (kind, case_number, repeat, side, check_number, a_first, estimate_usd, waits_for, number)"#,
            id,
            &columns.kinds,
            &columns.case_numbers,
            &columns.repeats,
            &columns.sides as &[Option<String>],
            &columns.check_numbers as &[Option<i32>],
            &columns.a_first as &[Option<bool>],
            &columns.estimates,
            &columns.waits_for,
        )
        .execute(&mut *transaction)
        .await?;
        if let Some(answers) = imported {
            super::imports::import(&mut transaction, id, answers).await?;
        }
        transaction.commit().await?;
        Ok(id)
    }

    /// A run; none when there is no such run.
    pub(crate) async fn run(&self, id: Uuid) -> Result<Option<Run>, LabError> {
        sqlx::query_as!(
            RunRow,
            r#"select id, agent_type, version_a, version_b, set_id, set_name, plan as "plan: Json<RunPlan>", is_imported,
                    status, concurrency, budget_usd, calls, done, failed, spent_usd, created_at, created_by, finished_at,
                    review_ended_at
                from lab_runs where id = $1"#,
            id
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Run::try_from)
        .transpose()
    }

    /// The latest runs of an agent, or of all, from before a place in their order.
    pub(crate) async fn runs(
        &self,
        agent_type: Option<&AgentType>,
        before: Option<RunCursor>,
        limit: u32,
    ) -> Result<Vec<Run>, LabError> {
        sqlx::query_as!(
            RunRow,
            r#"select id, agent_type, version_a, version_b, set_id, set_name, plan as "plan: Json<RunPlan>", is_imported,
                    status, concurrency, budget_usd, calls, done, failed, spent_usd, created_at, created_by, finished_at,
                    review_ended_at
                from lab_runs
                where ($1::text is null or agent_type = $1)
                    and ($3::timestamptz is null or (created_at, id) < ($3, $4::uuid))
                order by created_at desc, id desc limit $2"#,
            agent_type.map(AgentType::as_str),
            i64::from(limit),
            before.map(|before| before.created_at),
            before.map(|before| before.id),
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Run::try_from)
        .collect()
    }

    /// The cases of a run, in order.
    pub(crate) async fn run_cases(&self, id: Uuid) -> Result<Vec<TestCase>, LabError> {
        let rows = sqlx::query_scalar!(
            r#"select test_case as "test_case: Json<TestCase>" from lab_run_cases where run_id = $1 order by number"#,
            id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|Json(case)| case).collect())
    }

    /// The runs that are under way, oldest first.
    pub(crate) async fn running(&self) -> Result<Vec<Uuid>, LabError> {
        Ok(sqlx::query_scalar!("select id from lab_runs where status = 'running' order by created_at")
            .fetch_all(&self.pool)
            .await?)
    }

    /// Stops a run; false when it is over already, or does not exist.
    pub(crate) async fn cancel(&self, id: Uuid) -> Result<bool, LabError> {
        let done = sqlx::query!(
            "update lab_runs set status = 'cancelled', finished_at = now() where id = $1 and status = 'running'",
            id
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// The calls of a run, column by column: one statement writes them all.
#[derive(Default)]
struct Columns {
    kinds: Vec<String>,
    case_numbers: Vec<i32>,
    repeats: Vec<i32>,
    sides: Vec<Option<String>>,
    check_numbers: Vec<Option<i32>>,
    a_first: Vec<Option<bool>>,
    estimates: Vec<f64>,
    waits_for: Vec<i16>,
}

impl Columns {
    fn push(&mut self, call: &PlannedCall) -> Result<(), LabError> {
        let whole = |number: u32| i32::try_from(number).map_err(LabError::inconsistent);
        let (side, check, a_first) = match call.kind {
            CallKind::Answer { side } => (Some(side), None, None),
            CallKind::Rubric { side, check } => (Some(side), Some(check + 1), None),
            CallKind::Pair { a_first } => (None, None, Some(a_first)),
        };
        self.kinds.push(call.kind.as_str().into());
        self.case_numbers.push(whole(call.case_number)?);
        self.repeats.push(whole(call.repeat)?);
        self.sides.push(side.map(|side| side.as_str().into()));
        self.check_numbers.push(check.map(i32::try_from).transpose().map_err(LabError::inconsistent)?);
        self.a_first.push(a_first);
        self.estimates.push(call.estimate_usd);
        self.waits_for.push(call.kind.waits_for());
        Ok(())
    }
}
