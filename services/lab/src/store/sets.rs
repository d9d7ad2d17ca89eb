//! Sets of test cases.

use std::collections::BTreeMap;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;
use versioning::AgentType;

use super::{LabStore, count};
use crate::{
    LabError,
    cases::TestCase,
    checks::Check,
    model::{SetSummary, StoredCase, TestSet},
};

struct SetRow {
    id: Uuid,
    agent_type: String,
    name: String,
    cases: i64,
    updated_at: chrono::DateTime<chrono::Utc>,
}

impl TryFrom<SetRow> for SetSummary {
    type Error = LabError;

    fn try_from(row: SetRow) -> Result<Self, LabError> {
        Ok(Self {
            id: row.id,
            agent_type: row.agent_type.parse().map_err(LabError::inconsistent)?,
            name: row.name,
            cases: count(row.cases)?,
            updated_at: row.updated_at,
        })
    }
}

impl LabStore {
    /// The sets of an agent, or of all, by name.
    pub(crate) async fn sets(&self, agent_type: Option<&AgentType>) -> Result<Vec<SetSummary>, LabError> {
        sqlx::query_as!(
            SetRow,
            r#"select id, agent_type, name, updated_at,
                    (select count(*) from lab_cases where set_id = lab_sets.id) as "cases!"
                from lab_sets where $1::text is null or agent_type = $1 order by agent_type, name"#,
            agent_type.map(AgentType::as_str)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(SetSummary::try_from)
        .collect()
    }

    /// A set with its cases; none when there is no such set.
    pub(crate) async fn set(&self, id: Uuid) -> Result<Option<TestSet>, LabError> {
        // One snapshot: the count and the cases belong together.
        let mut transaction = self.pool.begin_with("begin isolation level repeatable read read only").await?;
        let Some(row) = sqlx::query_as!(
            SetRow,
            r#"select id, agent_type, name, updated_at,
                    (select count(*) from lab_cases where set_id = lab_sets.id) as "cases!"
                from lab_sets where id = $1"#,
            id
        )
        .fetch_optional(&mut *transaction)
        .await?
        else {
            return Ok(None);
        };
        let test_cases = cases_of(&mut transaction, id).await?;
        transaction.commit().await?;
        Ok(Some(TestSet { summary: row.try_into()?, test_cases }))
    }

    /// Creates a set with its cases.
    pub(crate) async fn create_set(
        &self,
        agent_type: &AgentType,
        name: &str,
        cases: &[TestCase],
    ) -> Result<Uuid, LabError> {
        let mut transaction = self.pool.begin().await?;
        let id = sqlx::query_scalar!(
            "insert into lab_sets (agent_type, name) values ($1, $2) returning id",
            agent_type.as_str(),
            name
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(|error| named(error, name))?;
        append(&mut transaction, id, cases).await?;
        transaction.commit().await.map_err(|error| named(error, name))?;
        Ok(id)
    }

    /// Gives a set another name; false when there is no such set.
    pub(crate) async fn rename_set(&self, id: Uuid, name: &str) -> Result<bool, LabError> {
        let done = sqlx::query!("update lab_sets set name = $2, updated_at = now() where id = $1", id, name)
            .execute(&self.pool)
            .await
            .map_err(|error| named(error, name))?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes a set and its cases; false when there is no such set.
    pub(crate) async fn delete_set(&self, id: Uuid) -> Result<bool, LabError> {
        let done = sqlx::query!("delete from lab_sets where id = $1", id).execute(&self.pool).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Changes the cases of a set under its lock: `change` gets them in order and gives them back as they are to be. Cases keep
    /// their handles; new ones have none. False when there is no such set.
    pub(crate) async fn change_cases(
        &self,
        id: Uuid,
        change: impl FnOnce(Vec<StoredCase>) -> Result<Vec<(Option<Uuid>, TestCase)>, LabError> + Send,
    ) -> Result<bool, LabError> {
        let mut transaction = self.pool.begin().await?;
        let locked =
            sqlx::query!("update lab_sets set updated_at = now() where id = $1", id).execute(&mut *transaction).await?;
        if locked.rows_affected() == 0 {
            return Ok(false);
        }
        let before = cases_of(&mut transaction, id).await?;
        let after = change(before.clone())?;
        let kept: Vec<Uuid> = after.iter().filter_map(|(id, _)| *id).collect();
        sqlx::query!("delete from lab_cases where set_id = $1 and id <> all($2)", id, &kept)
            .execute(&mut *transaction)
            .await?;
        for (position, (case_id, case)) in (0_i32..).zip(&after) {
            let stayed = before.get(usize::try_from(position).unwrap_or(usize::MAX));
            if stayed.is_some_and(|stored| Some(stored.id) == *case_id && stored.case == *case) {
                continue;
            }
            sqlx::query!(
                "insert into lab_cases (id, set_id, position, name, input, variables, expected, tags, checks)
                    values (coalesce($1, gen_random_uuid()), $2, $3, $4, $5, $6, $7, $8, $9)
                    on conflict on constraint lab_cases_pkey do update set
                        position = excluded.position, name = excluded.name, input = excluded.input,
                        variables = excluded.variables, expected = excluded.expected, tags = excluded.tags,
                        checks = excluded.checks",
                *case_id,
                id,
                position,
                case.name,
                case.input,
                Json(&case.variables) as _,
                case.expected,
                &case.tags,
                Json(&case.checks) as _,
            )
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}

/// The cases of a set, in order.
async fn cases_of(connection: &mut PgConnection, id: Uuid) -> Result<Vec<StoredCase>, LabError> {
    let rows = sqlx::query!(
        r#"select id, name, input, variables as "variables: Json<BTreeMap<String, String>>", expected, tags,
                checks as "checks: Json<Vec<Check>>"
            from lab_cases where set_id = $1 order by position"#,
        id
    )
    .fetch_all(connection)
    .await?;
    let stored = rows.into_iter().map(|row| StoredCase {
        id: row.id,
        case: TestCase {
            name: row.name,
            input: row.input,
            variables: row.variables.0,
            expected: row.expected,
            tags: row.tags,
            checks: row.checks.0,
        },
    });
    Ok(stored.collect())
}

async fn append(transaction: &mut PgConnection, id: Uuid, cases: &[TestCase]) -> Result<(), LabError> {
    for (position, case) in (0_i32..).zip(cases) {
        sqlx::query!(
            "insert into lab_cases (set_id, position, name, input, variables, expected, tags, checks)
                values ($1, $2, $3, $4, $5, $6, $7, $8)",
            id,
            position,
            case.name,
            case.input,
            Json(&case.variables) as _,
            case.expected,
            &case.tags,
            Json(&case.checks) as _,
        )
        .execute(&mut *transaction)
        .await?;
    }
    Ok(())
}

/// The refusal of a name, as far as it is one.
fn named(error: sqlx::Error, name: &str) -> LabError {
    let constraint = error.as_database_error().and_then(|database| database.constraint());
    match constraint {
        Some("lab_sets_name_unique") => LabError::SetNameTaken { name: name.into() },
        _ => error.into(),
    }
}
