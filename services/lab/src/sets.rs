//! Sets of test cases: making and changing them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use versioning::{AgentType, InvalidInput};

use crate::{
    Lab, LabError, SetSummary, StoredCase, TestSet,
    cases::{CaseFormat, FieldProblem, MAX_CASES, TestCase, export, import},
};

/// The longest name of a set, in characters.
const MAX_NAME: usize = 100;

/// A case, and where it stands in its set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PlacedCase {
    /// Its place in the set, from 0.
    pub place: u32,
    /// The case.
    #[serde(flatten)]
    pub stored: StoredCase,
}

/// A case as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseLine {
    /// A stable handle.
    pub id: Uuid,
    /// Its place in the set, from 0.
    pub place: u32,
    /// What people call it.
    pub name: String,
    /// What the user says, at most its first 200 characters.
    pub input: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// How many checks it has.
    pub checks: u32,
}

/// What was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// How many cases.
    pub cases: usize,
    /// The place of the first of them, from 0.
    pub first: u32,
}

impl Lab {
    /// A set with its cases.
    ///
    /// # Errors
    /// There is no such set, or the database is away.
    pub async fn set(&self, id: Uuid) -> Result<TestSet, LabError> {
        self.store.set(id).await?.ok_or(LabError::UnknownSet { id })
    }

    /// A set at a glance.
    ///
    /// # Errors
    /// There is no such set, or the database is away.
    pub async fn set_summary(&self, id: Uuid) -> Result<SetSummary, LabError> {
        self.store.set_summary(id).await?.ok_or(LabError::UnknownSet { id })
    }

    /// A set with some of its cases: `limit`, from a place on, counted from 0.
    ///
    /// # Errors
    /// There is no such set, or the database is away.
    pub async fn set_page(&self, id: Uuid, from: u32, limit: u32) -> Result<TestSet, LabError> {
        self.store.set_page(id, from, limit).await?.ok_or(LabError::UnknownSet { id })
    }

    /// Some cases of a set as a list shows them: `limit`, from a place on, counted from 0. None when there is no such set.
    ///
    /// # Errors
    /// The database is away.
    pub async fn case_lines(&self, set: Uuid, from: u32, limit: u32) -> Result<Vec<CaseLine>, LabError> {
        self.store.case_lines(set, from, limit).await
    }

    /// A case of a set.
    ///
    /// # Errors
    /// There is no such case in the set, or the database is away.
    pub async fn case(&self, set: Uuid, id: Uuid) -> Result<PlacedCase, LabError> {
        self.store.case(set, id).await?.ok_or(LabError::UnknownCase { id })
    }

    /// Creates a set, with cases if one likes.
    ///
    /// # Errors
    /// There is no such agent, the name is taken, or a case breaks a rule.
    pub async fn create_set(
        &self,
        agent_type: &AgentType,
        name: &str,
        cases: &[TestCase],
    ) -> Result<TestSet, LabError> {
        let name = set_name(name)?;
        let cases = &validated(cases.to_vec()).await?;
        check_together(cases.iter())?;
        if !self.services.management.agent_exists(agent_type).await? {
            return Err(self.services.management.unknown_agent(agent_type).await.into());
        }
        let id = self.store.create_set(agent_type, name, cases).await?;
        self.set(id).await
    }

    /// Gives a set another name.
    ///
    /// # Errors
    /// There is no such set, or the name is taken.
    pub async fn rename_set(&self, id: Uuid, name: &str) -> Result<(), LabError> {
        if self.store.rename_set(id, set_name(name)?).await? { Ok(()) } else { Err(LabError::UnknownSet { id }) }
    }

    /// Deletes a set. Runs keep their copies of its cases.
    ///
    /// # Errors
    /// There is no such set, or the database is away.
    pub async fn delete_set(&self, id: Uuid) -> Result<(), LabError> {
        if self.store.delete_set(id).await? { Ok(()) } else { Err(LabError::UnknownSet { id }) }
    }

    /// Adds cases at the end of a set, all or none; as they are kept.
    ///
    /// # Errors
    /// There is no such set, a name is taken, or a case breaks a rule.
    pub async fn add_cases(&self, set: Uuid, cases: Vec<TestCase>) -> Result<Vec<PlacedCase>, LabError> {
        let cases = validated(cases).await?;
        self.change(set, |stored| {
            let first = stored.len();
            stored.extend(cases.into_iter().map(|case| StoredCase { id: Uuid::new_v4(), case }));
            Ok((first..stored.len()).filter_map(|place| placed(stored, place)).collect())
        })
        .await
    }

    /// Adds a case at the end of a set.
    ///
    /// # Errors
    /// As [`Lab::add_cases`].
    pub async fn add_case(&self, set: Uuid, case: TestCase) -> Result<PlacedCase, LabError> {
        let added = self.add_cases(set, vec![case]).await?;
        added.into_iter().next().ok_or_else(|| LabError::inconsistent("a case that was added is gone"))
    }

    /// Reads cases from a file and adds them, all or none.
    ///
    /// # Errors
    /// The file says where it cannot be read; otherwise as [`Lab::add_cases`].
    pub async fn import_cases(&self, set: Uuid, format: CaseFormat, text: &str) -> Result<Imported, LabError> {
        let text = text.to_owned();
        let cases = versioning::aside(move || import(format, &text)).await?.map_err(LabError::Import)?;
        let added = self.add_cases(set, cases).await?;
        Ok(Imported { cases: added.len(), first: added.first().map_or(0, |first| first.place) })
    }

    /// The cases of a set as a file.
    ///
    /// # Errors
    /// There is no such set, or the database is away.
    pub async fn export_cases(&self, set: Uuid, format: CaseFormat) -> Result<String, LabError> {
        let cases: Vec<TestCase> = self.set(set).await?.test_cases.into_iter().map(|stored| stored.case).collect();
        Ok(versioning::aside(move || export(format, &cases)).await?)
    }

    /// Replaces a case; its place stays.
    ///
    /// # Errors
    /// There is no such set or case, the name is taken, or the case breaks a rule.
    pub async fn replace_case(&self, set: Uuid, id: Uuid, case: TestCase) -> Result<PlacedCase, LabError> {
        let case = validated(vec![case]).await?.remove(0);
        self.change_one(set, id, |stored, place| {
            stored[place].case = case;
            Ok(place)
        })
        .await
    }

    /// Deletes a case; as it was. Runs keep their copies.
    ///
    /// # Errors
    /// There is no such set or case, or the database is away.
    pub async fn delete_case(&self, set: Uuid, id: Uuid) -> Result<PlacedCase, LabError> {
        self.change(set, |stored| {
            let place = place(stored, id)?;
            let deleted = placed(stored, place).ok_or(LabError::UnknownCase { id })?;
            stored.remove(place);
            Ok(deleted)
        })
        .await
    }

    /// Puts a copy of a case after it, under a name of its own; the copy.
    ///
    /// # Errors
    /// There is no such set or case, or the database is away.
    pub async fn duplicate_case(&self, set: Uuid, id: Uuid) -> Result<PlacedCase, LabError> {
        self.change_one(set, id, |stored, place| {
            let mut copy = StoredCase { id: Uuid::new_v4(), case: stored[place].case.clone() };
            copy.case.name = free_name(stored, &copy.case.name);
            stored.insert(place + 1, copy);
            Ok(place + 1)
        })
        .await
    }

    /// Moves a case to a place, counted from 0; beyond the end it is the last one.
    ///
    /// # Errors
    /// There is no such set or case, or the database is away.
    pub async fn move_case(&self, set: Uuid, id: Uuid, to: usize) -> Result<PlacedCase, LabError> {
        self.change_one(set, id, |stored, place| {
            let moved = stored.remove(place);
            let to = to.min(stored.len());
            stored.insert(to, moved);
            Ok(to)
        })
        .await
    }

    /// Changes a case, which `change` gets the place of; the case at the place that it gives back.
    async fn change_one(
        &self,
        set: Uuid,
        id: Uuid,
        change: impl FnOnce(&mut Vec<StoredCase>, usize) -> Result<usize, LabError> + Send,
    ) -> Result<PlacedCase, LabError> {
        self.change(set, |stored| {
            let place = place(stored, id)?;
            let place = change(stored, place)?;
            placed(stored, place).ok_or(LabError::UnknownCase { id })
        })
        .await
    }

    async fn change<T: Send>(
        &self,
        set: Uuid,
        change: impl FnOnce(&mut Vec<StoredCase>) -> Result<T, LabError> + Send,
    ) -> Result<T, LabError> {
        let mut changed = None;
        self.store
            .change_cases(set, |mut stored: Vec<StoredCase>| {
                changed = Some(change(&mut stored)?);
                check_together(stored.iter().map(|stored| &stored.case))?;
                Ok(stored)
            })
            .await?;
        changed.ok_or(LabError::UnknownSet { id: set })
    }
}

fn place(stored: &[StoredCase], id: Uuid) -> Result<usize, LabError> {
    stored.iter().position(|stored| stored.id == id).ok_or(LabError::UnknownCase { id })
}

fn placed(stored: &[StoredCase], place: usize) -> Option<PlacedCase> {
    Some(PlacedCase { place: u32::try_from(place).ok()?, stored: stored.get(place)?.clone() })
}

/// The rules of single cases. Their checks are compiled for it, which can take a while, so it is done before a set is locked and
/// away from the threads that serve.
async fn validated(cases: Vec<TestCase>) -> Result<Vec<TestCase>, LabError> {
    versioning::aside(move || match cases.iter().try_for_each(TestCase::validate) {
        Ok(()) => Ok(cases),
        Err(problems) => Err(LabError::InvalidCase(problems)),
    })
    .await?
}

/// The rules of cases together: no two have one name, and there are not too many.
fn check_together<'a>(cases: impl Iterator<Item = &'a TestCase>) -> Result<(), LabError> {
    let mut names = std::collections::BTreeSet::new();
    for case in cases {
        if !names.insert(case.name.as_str()) {
            return Err(LabError::CaseNameTaken { name: case.name.clone() });
        }
    }
    if names.len() > MAX_CASES {
        let message = format!("A set has at most {MAX_CASES} cases. Make another set for the rest.");
        return Err(LabError::InvalidCase(vec![FieldProblem::new("cases", message)]));
    }
    Ok(())
}

/// A name like this one that no case has.
fn free_name(stored: &[StoredCase], name: &str) -> String {
    let short: String = name.chars().take(180).collect();
    let taken: std::collections::HashSet<&str> = stored.iter().map(|stored| stored.case.name.as_str()).collect();
    (2_u32..).map(|number| format!("{short} ({number})")).find(|name| !taken.contains(name.as_str())).unwrap_or(short)
}

fn set_name(name: &str) -> Result<&str, InvalidInput> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(InvalidInput::new(
            "name",
            "invalid_set_name",
            format!("Name the set with 1 to {MAX_NAME} characters on one line, such as “Refunds”."),
        ));
    }
    Ok(name)
}
