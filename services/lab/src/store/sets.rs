//! Sets of test cases.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{PgConnection, PgExecutor, types::Json};
use uuid::Uuid;
use versioning::AgentType;

use super::{LabStore, count};
use crate::{
    LabError,
    cases::TestCase,
    checks::Check,
    model::{SetSummary, StoredCase, TestSet},
    sets::{CaseLine, PlacedCase},
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

    /// A set at a glance; none when there is no such set.
    pub(crate) async fn set_summary(&self, id: Uuid) -> Result<Option<SetSummary>, LabError> {
        summary(&self.pool, id).await
    }

    /// A set with its cases; none when there is no such set.
    pub(crate) async fn set(&self, id: Uuid) -> Result<Option<TestSet>, LabError> {
        self.set_page(id, 0, u32::MAX).await
    }

    /// A set with some of its cases: so many, from a place on, counted from 0. None when there is no such set.
    pub(crate) async fn set_page(&self, id: Uuid, from: u32, limit: u32) -> Result<Option<TestSet>, LabError> {
        // One snapshot: the count and the cases belong together.
        let mut transaction = self.pool.begin_with("begin isolation level repeatable read read only").await?;
        let Some(summary) = summary(&mut *transaction, id).await? else { return Ok(None) };
        let test_cases = cases_of(&mut transaction, id, from, limit).await?;
        transaction.commit().await?;
        Ok(Some(TestSet { summary, test_cases }))
    }

    /// Some cases of a set as a list shows them, from a place on, counted from 0.
    pub(crate) async fn case_lines(&self, id: Uuid, from: u32, limit: u32) -> Result<Vec<CaseLine>, LabError> {
        let rows = sqlx::query!(
            r#"select id, position, name, left(input, 200) as "input!", tags, jsonb_array_length(checks) as "checks!"
                from lab_cases where set_id = $1 and position >= $2 order by position limit $3"#,
            id,
            i32::try_from(from).unwrap_or(i32::MAX),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(CaseLine {
                    id: row.id,
                    place: count(row.position)?,
                    name: row.name,
                    input: row.input,
                    tags: row.tags,
                    checks: count(row.checks)?,
                })
            })
            .collect()
    }

    /// A case of a set; none when there is no such case in it.
    pub(crate) async fn case(&self, set: Uuid, id: Uuid) -> Result<Option<PlacedCase>, LabError> {
        let row = sqlx::query!(
            r#"select position, name, input, variables as "variables: Json<BTreeMap<String, String>>", expected, tags,
                    checks as "checks: Json<Vec<Check>>"
                from lab_cases where set_id = $1 and id = $2"#,
            set,
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            let case = TestCase {
                name: row.name,
                input: row.input,
                variables: row.variables.0,
                expected: row.expected,
                tags: row.tags,
                checks: row.checks.0,
            };
            Ok(PlacedCase { place: count(row.position)?, stored: StoredCase { id, case } })
        })
        .transpose()
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
        let cases: Vec<StoredCase> =
            cases.iter().map(|case| StoredCase { id: Uuid::new_v4(), case: case.clone() }).collect();
        write(&mut transaction, id, (0..).zip(&cases)).await.map_err(|error| named(error, name))?;
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
    /// their handles; new ones bring one along. False when there is no such set.
    pub(crate) async fn change_cases(
        &self,
        id: Uuid,
        change: impl FnOnce(Vec<StoredCase>) -> Result<Vec<StoredCase>, LabError> + Send,
    ) -> Result<bool, LabError> {
        let mut transaction = self.pool.begin().await?;
        let locked =
            sqlx::query!("update lab_sets set updated_at = now() where id = $1", id).execute(&mut *transaction).await?;
        if locked.rows_affected() == 0 {
            return Ok(false);
        }
        let before = cases_of(&mut transaction, id, 0, u32::MAX).await?;
        let after = change(before.clone())?;
        let kept: HashSet<Uuid> = after.iter().map(|stored| stored.id).collect();
        let gone: Vec<Uuid> = before.iter().map(|stored| stored.id).filter(|id| !kept.contains(id)).collect();
        if !gone.is_empty() {
            sqlx::query!("delete from lab_cases where set_id = $1 and id = any($2)", id, &gone)
                .execute(&mut *transaction)
                .await?;
        }
        let known: HashMap<Uuid, (usize, &TestCase)> =
            before.iter().enumerate().map(|(place, stored)| (stored.id, (place, &stored.case))).collect();
        let (mut moved, mut written) = (Vec::new(), Vec::new());
        for (position, stored) in (0_i32..).zip(&after) {
            match known.get(&stored.id) {
                Some((place, case)) if **case == stored.case => {
                    if usize::try_from(position) != Ok(*place) {
                        moved.push((stored.id, position));
                    }
                }
                _ => written.push((position, stored)),
            }
        }
        if !moved.is_empty() {
            let (ids, positions): (Vec<Uuid>, Vec<i32>) = moved.into_iter().unzip();
            sqlx::query!(
                "update lab_cases set position = moved.position
                    from unnest($2::uuid[], $3::int[]) as moved (id, position)
                    where lab_cases.set_id = $1 and lab_cases.id = moved.id",
                id,
                &ids,
                &positions,
            )
            .execute(&mut *transaction)
            .await?;
        }
        if !written.is_empty() {
            write(&mut transaction, id, written.into_iter()).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}

async fn summary(executor: impl PgExecutor<'_>, id: Uuid) -> Result<Option<SetSummary>, LabError> {
    sqlx::query_as!(
        SetRow,
        r#"select id, agent_type, name, updated_at,
                (select count(*) from lab_cases where set_id = lab_sets.id) as "cases!"
            from lab_sets where id = $1"#,
        id
    )
    .fetch_optional(executor)
    .await?
    .map(SetSummary::try_from)
    .transpose()
}

/// Some cases of a set, in order, from a place on.
async fn cases_of(connection: &mut PgConnection, id: Uuid, from: u32, limit: u32) -> Result<Vec<StoredCase>, LabError> {
    let rows = sqlx::query!(
        r#"select id, name, input, variables as "variables: Json<BTreeMap<String, String>>", expected, tags,
                checks as "checks: Json<Vec<Check>>"
            from lab_cases where set_id = $1 and position >= $2 order by position limit $3"#,
        id,
        i32::try_from(from).unwrap_or(i32::MAX),
        i64::from(limit)
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

/// Writes cases to their positions, in one statement however many there are.
async fn write<'a>(
    connection: &mut PgConnection,
    set: Uuid,
    cases: impl Iterator<Item = (i32, &'a StoredCase)>,
) -> Result<(), sqlx::Error> {
    let (mut ids, mut positions, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for (position, stored) in cases {
        ids.push(stored.id);
        positions.push(position);
        texts.push(Json(&stored.case));
    }
    sqlx::query!(
        "insert into lab_cases (id, set_id, position, name, input, variables, expected, tags, checks)
            select id, $1, position, c ->> 'name', c ->> 'input', coalesce(c -> 'variables', '{}'), c ->> 'expected',
                array(select jsonb_array_elements_text(coalesce(c -> 'tags', '[]'))), coalesce(c -> 'checks', '[]')
            from unnest($2::uuid[], $3::int[], $4::jsonb[]) as cases (id, position, c)
            on conflict on constraint lab_cases_pkey do update set
                position = excluded.position, name = excluded.name, input = excluded.input,
                variables = excluded.variables, expected = excluded.expected, tags = excluded.tags,
                checks = excluded.checks",
        set,
        &ids,
        &positions,
        &texts as _,
    )
    .execute(connection)
    .await?;
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
