//! The cases of a set.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{LabStore, count};
use crate::{
    LabError,
    cases::TestCase,
    checks::Check,
    model::StoredCase,
    sets::{CaseLine, PlacedCase},
};

struct CaseRow {
    id: Uuid,
    position: i32,
    name: String,
    input: String,
    variables: Json<BTreeMap<String, String>>,
    expected: Option<String>,
    tags: Vec<String>,
    checks: Json<Vec<Check>>,
}

impl From<CaseRow> for StoredCase {
    fn from(row: CaseRow) -> Self {
        let CaseRow { id, name, input, variables, expected, tags, checks, .. } = row;
        Self { id, case: TestCase { name, input, variables: variables.0, expected, tags, checks: checks.0 } }
    }
}

impl LabStore {
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
        let row = sqlx::query_as!(
            CaseRow,
            r#"select id, position, name, input, variables as "variables: _", expected, tags, checks as "checks: _"
                from lab_cases where set_id = $1 and id = $2"#,
            set,
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok(PlacedCase { place: count(row.position)?, stored: row.into() })).transpose()
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

/// Some cases of a set, in order, from a place on.
pub(super) async fn cases_of(
    connection: &mut PgConnection,
    id: Uuid,
    from: u32,
    limit: u32,
) -> Result<Vec<StoredCase>, LabError> {
    let rows = sqlx::query_as!(
        CaseRow,
        r#"select id, position, name, input, variables as "variables: _", expected, tags, checks as "checks: _"
            from lab_cases where set_id = $1 and position >= $2 order by position limit $3"#,
        id,
        i32::try_from(from).unwrap_or(i32::MAX),
        i64::from(limit)
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(StoredCase::from).collect())
}

/// Writes cases to their positions, in one statement however many there are.
pub(super) async fn write<'a>(
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
