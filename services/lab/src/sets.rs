//! Sets of test cases: making and changing them.

use uuid::Uuid;
use versioning::{AgentType, InvalidInput, VersioningError};

use crate::{
    Lab, LabError, SetSummary, StoredCase, TestSet,
    cases::{CaseFormat, FieldProblem, MAX_CASES, TestCase, export, import},
};

/// The longest name of a set, in characters.
const MAX_NAME: usize = 100;

impl Lab {
    /// The sets of an agent, or of all agents.
    ///
    /// # Errors
    /// The database is away.
    pub async fn sets(&self, agent_type: Option<&AgentType>) -> Result<Vec<SetSummary>, LabError> {
        self.store.sets(agent_type).await
    }

    /// A set with its cases.
    ///
    /// # Errors
    /// There is no such set, or the database is away.
    pub async fn set(&self, id: Uuid) -> Result<TestSet, LabError> {
        self.store.set(id).await?.ok_or(LabError::UnknownSet { id })
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
            return Err(VersioningError::UnknownAgent { agent_type: agent_type.clone() }.into());
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

    /// Adds cases at the end of a set, all or none.
    ///
    /// # Errors
    /// There is no such set, a name is taken, or a case breaks a rule.
    pub async fn add_cases(&self, set: Uuid, cases: Vec<TestCase>) -> Result<(), LabError> {
        let cases = validated(cases).await?;
        self.change(set, |mut stored| {
            stored.extend(cases.into_iter().map(|case| (None, case)));
            Ok(stored)
        })
        .await
    }

    /// Reads cases from a file and adds them, all or none; how many there were.
    ///
    /// # Errors
    /// The file says where it cannot be read; otherwise as [`Lab::add_cases`].
    pub async fn import_cases(&self, set: Uuid, format: CaseFormat, text: &str) -> Result<usize, LabError> {
        let text = text.to_owned();
        let cases = versioning::aside(move || import(format, &text)).await?.map_err(LabError::Import)?;
        let count = cases.len();
        self.add_cases(set, cases).await?;
        Ok(count)
    }

    /// The cases of a set as a file.
    ///
    /// # Errors
    /// There is no such set, or the database is away.
    pub async fn export_cases(&self, set: Uuid, format: CaseFormat) -> Result<String, LabError> {
        let cases: Vec<TestCase> = self.set(set).await?.test_cases.into_iter().map(|stored| stored.case).collect();
        Ok(export(format, &cases))
    }

    /// Replaces a case; its place stays.
    ///
    /// # Errors
    /// There is no such set or case, the name is taken, or the case breaks a rule.
    pub async fn replace_case(&self, set: Uuid, id: Uuid, case: TestCase) -> Result<(), LabError> {
        let case = validated(vec![case]).await?.remove(0);
        self.change(set, |mut stored| {
            let place = place(&stored, id)?;
            stored[place].1 = case;
            Ok(stored)
        })
        .await
    }

    /// Deletes a case. Runs keep their copies.
    ///
    /// # Errors
    /// There is no such set or case, or the database is away.
    pub async fn delete_case(&self, set: Uuid, id: Uuid) -> Result<(), LabError> {
        self.change(set, |mut stored| {
            let place = place(&stored, id)?;
            stored.remove(place);
            Ok(stored)
        })
        .await
    }

    /// Puts a copy of a case after it, under a name of its own.
    ///
    /// # Errors
    /// There is no such set or case, or the database is away.
    pub async fn duplicate_case(&self, set: Uuid, id: Uuid) -> Result<(), LabError> {
        self.change(set, |mut stored| {
            let place = place(&stored, id)?;
            let mut copy = stored[place].1.clone();
            copy.name = free_name(&stored, &copy.name);
            stored.insert(place + 1, (None, copy));
            Ok(stored)
        })
        .await
    }

    /// Moves a case to a place, counted from 0; beyond the end it is the last one.
    ///
    /// # Errors
    /// There is no such set or case, or the database is away.
    pub async fn move_case(&self, set: Uuid, id: Uuid, to: usize) -> Result<(), LabError> {
        self.change(set, |mut stored| {
            let place = place(&stored, id)?;
            let moved = stored.remove(place);
            stored.insert(to.min(stored.len()), moved);
            Ok(stored)
        })
        .await
    }

    async fn change(
        &self,
        set: Uuid,
        change: impl FnOnce(Vec<(Option<Uuid>, TestCase)>) -> Result<Vec<(Option<Uuid>, TestCase)>, LabError> + Send,
    ) -> Result<(), LabError> {
        let known = self
            .store
            .change_cases(set, |stored: Vec<StoredCase>| {
                let changed = change(stored.into_iter().map(|stored| (Some(stored.id), stored.case)).collect())?;
                check_together(changed.iter().map(|(_, case)| case))?;
                Ok(changed)
            })
            .await?;
        if known { Ok(()) } else { Err(LabError::UnknownSet { id: set }) }
    }
}

fn place(stored: &[(Option<Uuid>, TestCase)], id: Uuid) -> Result<usize, LabError> {
    stored.iter().position(|(stored, _)| *stored == Some(id)).ok_or(LabError::UnknownCase { id })
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
fn free_name(stored: &[(Option<Uuid>, TestCase)], name: &str) -> String {
    let short: String = name.chars().take(180).collect();
    (2_u32..)
        .map(|number| format!("{short} ({number})"))
        .find(|name| stored.iter().all(|(_, case)| case.name != *name))
        .unwrap_or(short)
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
