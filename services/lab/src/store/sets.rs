//! Sets of test cases.

use sqlx::PgExecutor;
use uuid::Uuid;
use versioning::AgentType;

use super::{
    LabStore,
    cases::{cases_of, write},
    count,
};
use crate::{
    LabError, SetCursor,
    cases::TestCase,
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
    /// The sets of an agent, or of all, by name, from after a place in their order.
    pub(crate) async fn sets(
        &self,
        agent_type: Option<&AgentType>,
        after: Option<&SetCursor>,
        limit: u32,
    ) -> Result<Vec<SetSummary>, LabError> {
        sqlx::query_as!(
            SetRow,
            r#"select id, agent_type, name, updated_at,
                    (select count(*) from lab_cases where set_id = lab_sets.id) as "cases!"
                from lab_sets
                where ($1::text is null or agent_type = $1)
                    and ($3::text is null or (agent_type, name) > ($3, $4::text))
                order by agent_type, name limit $2"#,
            agent_type.map(AgentType::as_str),
            i64::from(limit),
            after.map(|after| after.agent_type.as_str()),
            after.map(|after| after.name.as_str()),
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

/// The refusal of a name, as far as it is one.
fn named(error: sqlx::Error, name: &str) -> LabError {
    let constraint = error.as_database_error().and_then(|database| database.constraint());
    match constraint {
        Some("lab_sets_name_unique") => LabError::SetNameTaken { name: name.into() },
        _ => error.into(),
    }
}
