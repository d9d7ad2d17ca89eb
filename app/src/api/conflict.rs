//! Somebody else saved first: what became of it, and both texts together.

#[cfg(feature = "ssr")]
use std::collections::BTreeMap;

use super::ChangesPanel;
#[cfg(feature = "ssr")]
use super::{
    editing::{EditForm, EditOutcome, changes},
    optional,
};
#[cfg(feature = "ssr")]
use crate::AppError;
use crate::html::ServerHtml;

/// What somebody else did since the writing began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conflict {
    /// Whose prompt it is.
    pub agent_type: String,
    /// The version that the writer started from; empty for a new agent.
    pub base: String,
    /// Its text.
    pub base_text: ServerHtml,
    /// The version that their change is counted from: mostly the base as well.
    pub their_base: String,
    /// Theirs.
    pub theirs: String,
    /// Who wrote it.
    pub theirs_by: Option<String>,
    /// Whether it was there already when the writing began, and only went live since.
    pub was_there: bool,
    /// Whether it is live.
    pub is_live: bool,
    /// Who made it live.
    pub live_by: Option<String>,
    /// What they changed.
    pub their_changes: ChangesPanel,
    /// What you changed.
    pub your_changes: ChangesPanel,
    /// Places where both changed the same lines.
    pub unsettled: u32,
    /// What their side is called at those places.
    pub label: String,
}

/// What a merge calls the writer's side at its marks.
#[cfg(feature = "ssr")]
const YOURS: &str = "yours";

/// The line, from 1, of the first place that the form's own merge marked and that nobody has settled. A prompt can be about
/// such marks, so those of anybody else are text like any other.
#[cfg(feature = "ssr")]
pub(super) fn unsettled(text: &str, label: &str) -> Option<u32> {
    let label = optional(label)?;
    let (first, last) = (format!("<<<<<<< {YOURS}"), format!(">>>>>>> {label}"));
    let mut begin = None;
    let mut is_divided = false;
    for (line, number) in text.lines().zip(1..) {
        if begin.is_none() {
            begin = (line == first).then_some(number);
        } else if !is_divided {
            is_divided = line == "=======";
        } else if line == last {
            return begin;
        }
    }
    None
}

/// Puts what somebody else wrote and what this form holds together.
///
/// The writer's text is that of their base with their changes, also where it leaves out what was live when they began: that was
/// before their eyes. What they do not know is what happened since, so that is what is put into their text: the change from the
/// youngest version that they had taken into account to `theirs`.
///
/// # Errors
/// A version that the form names does not exist, or the database is away.
#[cfg(feature = "ssr")]
pub(super) async fn conflict(
    services: &versioning::Services,
    agent_type: &versioning::AgentType,
    mut form: EditForm,
    theirs: versioning::Version,
) -> Result<Box<EditOutcome>, AppError> {
    let management = &services.management;
    let version = |text: &str| optional(text).map(|text| text.parse::<versioning::Version>()).transpose();
    let text_of = async |version: Option<versioning::Version>| match version {
        Some(version) => Ok::<_, AppError>(management.get_prompt_content(agent_type, version).await?.prompt_text),
        None => Ok(String::new()),
    };
    let (base, seen_active) = (version(&form.base)?, version(&form.seen_active)?);
    let their_base = last_known(management, agent_type, theirs, [base, seen_active]).await?.or(base);
    let base_text = text_of(base).await?;
    let their_base_text = if their_base == base { base_text.clone() } else { text_of(their_base).await? };
    let their_version = management.get_prompt_content(agent_type, theirs).await?;
    let their_text = their_version.prompt_text;
    let their_version = their_version.version;
    let their_changes = changes(their_base_text.clone(), their_text.clone()).await?;
    let your_changes = changes(base_text.clone(), form.text.clone()).await?;
    let yours = std::mem::take(&mut form.text);
    // A label that none of the texts has at a mark of its own.
    let mut label = theirs.to_string();
    while [&their_base_text, &yours, &their_text].iter().any(|text| text.contains(&format!(">>>>>>> {label}"))) {
        label.push_str(" (theirs)");
    }
    let their_label = label.clone();
    let (merged, base_text) = versioning::aside(move || {
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(300);
        let labels = (YOURS, their_label.as_str());
        let merged = versioning::merge::merge(&their_base_text, &yours, &their_text, labels, Some(deadline));
        (merged, crate::render::numbered_lines(&base_text))
    })
    .await?;
    let seen = management.seen(agent_type).await?;
    let is_live = seen.active == Some(theirs);
    let live_by = if is_live {
        let events = management.events_of_version(agent_type, theirs).await?;
        events.into_iter().rfind(|event| event.kind == versioning::EventKind::Promoted).and_then(|event| event.actor)
    } else {
        None
    };
    // What was saved last when the writing began is at least as young as all that was there.
    let was_there = match version(&form.seen_newest)? {
        Some(newest) => {
            let newest = management.get_prompt_content(agent_type, newest).await?.version;
            their_version.created_at <= newest.created_at
        }
        None => false,
    };
    let text = |version: Option<versioning::Version>| version.map(|version| version.to_string()).unwrap_or_default();
    let conflict = Conflict {
        agent_type: agent_type.to_string(),
        base: std::mem::replace(&mut form.base, theirs.to_string()),
        base_text,
        their_base: text(their_base),
        theirs: theirs.to_string(),
        theirs_by: their_version.created_by,
        was_there,
        is_live,
        live_by,
        their_changes,
        your_changes,
        unsettled: merged.conflicts,
        label: label.clone(),
    };
    form.text = merged.text;
    form.merged = if merged.conflicts > 0 { label } else { String::new() };
    form.seen_active = text(seen.active);
    form.seen_newest = text(seen.newest);
    Ok(Box::new(EditOutcome::conflicting(form, conflict)))
}

/// The youngest version that `theirs` was made from and that the writer knew: one of the `known`, or one that a known one was
/// made from. None when the lines of both have nothing in common.
///
/// A version that was only saved when the writing began is not known by that: the writer need not have read it.
#[cfg(feature = "ssr")]
async fn last_known(
    management: &versioning::PromptManagementService,
    agent_type: &versioning::AgentType,
    theirs: versioning::Version,
    known: [Option<versioning::Version>; 2],
) -> Result<Option<versioning::Version>, AppError> {
    /// Versions that are looked at, one query each; whoever writes while more than this are saved begins with their base.
    const STEPS: usize = 200;
    const THEIRS: usize = 0;
    const KNOWN: usize = 1;
    // By event, so by age. A version is older than all that were made from it, so the youngest that is left is settled.
    let mut open = BTreeMap::new();
    let mut next = vec![(theirs, [true, false])];
    next.extend(known.into_iter().flatten().map(|version| (version, [false, true])));
    for _ in 0..STEPS {
        for (version, sides) in next.drain(..) {
            if let Some(event) = creation(management, agent_type, version).await? {
                let (_, reached) = open.entry(event.id).or_insert_with(|| (event, [false; 2]));
                reached[THEIRS] |= sides[THEIRS];
                reached[KNOWN] |= sides[KNOWN];
            }
        }
        let Some((_, (event, reached))) = open.pop_last() else { break };
        if reached == [true; 2] {
            return Ok(event.version);
        }
        next.extend(made_from(management, &event).await?.map(|version| (version, reached)));
    }
    Ok(None)
}

/// How a version came to be.
#[cfg(feature = "ssr")]
async fn creation(
    management: &versioning::PromptManagementService,
    agent_type: &versioning::AgentType,
    version: versioning::Version,
) -> Result<Option<versioning::Event>, AppError> {
    use versioning::EventKind;

    let events = management.events_of_version(agent_type, version).await?;
    Ok(events.into_iter().find(|event| matches!(event.kind, EventKind::Created | EventKind::Reissued)))
}

/// The version that another was made from. A text that was brought back replaces what was live. Of a version whose writer named no
/// base, its number says what it comes after.
#[cfg(feature = "ssr")]
async fn made_from(
    management: &versioning::PromptManagementService,
    event: &versioning::Event,
) -> Result<Option<versioning::Version>, AppError> {
    let Some(version) = event.version.filter(|_| event.kind == versioning::EventKind::Created) else {
        return Ok(event.previous_active);
    };
    if event.base_version.is_some() {
        return Ok(event.base_version);
    }
    let (below, _) = management.neighbours(&event.agent_type, version).await?;
    if let Some(below) = below
        && let Some(other) = creation(management, &event.agent_type, below).await?
        && other.id < event.id
    {
        return Ok(Some(below));
    }
    Ok(event.previous_active)
}

/// The version that this form was saved as already: a button that is pressed twice sends it twice. It is the same text with the
/// same notes by the same author from the same base, under a number that this form asks for, saved since the writing began.
#[cfg(feature = "ssr")]
pub(super) async fn saved_before(
    services: &versioning::Services,
    next: &versioning::NextVersion,
    newest: versioning::Version,
) -> Result<Option<versioning::PromptVersion>, versioning::VersioningError> {
    use versioning::{Author, EventKind, Notes, VersionStatus};

    let management = &services.management;
    let from = next.seen.active.max(next.base_version).or(next.seen.newest);
    if next.seen.newest == Some(newest) || !is_bump(from, next.bump, newest) {
        return Ok(None);
    }
    let saved = management.get_prompt_content(&next.agent_type, newest).await?;
    let is_same = saved.prompt_text == next.prompt_text.as_str()
        && saved.version.created_by.as_deref() == next.created_by.as_ref().map(Author::as_str)
        && saved.version.notes.as_deref() == next.notes.as_ref().map(Notes::as_str)
        && (!next.promote || saved.version.status == VersionStatus::Active);
    if !is_same {
        return Ok(None);
    }
    let events = management.events_of_version(&next.agent_type, newest).await?;
    let is_from_here =
        events.iter().any(|event| event.kind == EventKind::Created && event.base_version == next.base_version);
    let is_younger = match next.seen.newest {
        Some(seen) => {
            management.get_prompt_content(&next.agent_type, seen).await?.version.created_at < saved.version.created_at
        }
        None => true,
    };
    Ok((is_from_here && is_younger).then_some(saved.version))
}

/// Whether a number is one that a bump gives; how many of its kind are skipped depends on what else is there.
#[cfg(feature = "ssr")]
fn is_bump(from: Option<versioning::Version>, bump: versioning::Bump, to: versioning::Version) -> bool {
    use versioning::{Bump, Version};

    let Some(from) = from else { return to == Version::FIRST };
    let (major, minor) = (to.major().cmp(&from.major()), to.minor().cmp(&from.minor()));
    to > from
        && match bump {
            Bump::Major => major.is_gt() && (to.minor(), to.patch()) == (0, 0),
            Bump::Minor => major.is_eq() && minor.is_gt() && to.patch() == 0,
            Bump::Patch => major.is_eq() && minor.is_eq(),
        }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_marks_of_this_merge_are_unsettled() {
        let marked = "x\n<<<<<<< yours\na\n=======\nb\n>>>>>>> 1.1.0\n";
        assert_eq!(unsettled(marked, "1.1.0"), Some(2));
        assert_eq!(unsettled(marked, ""), None, "no merge wrote it");
        assert_eq!(unsettled(marked, "1.2.0"), None, "another merge wrote it");
        assert_eq!(unsettled("<<<<<<< HEAD\na\n=======\nb\n>>>>>>> 1.1.0\n", "1.1.0"), None);
        assert_eq!(unsettled("a\n=======\nb\n", "1.1.0"), None);
    }

    #[test]
    fn a_number_tells_its_bump() {
        use versioning::Bump::{Major, Minor, Patch};

        for (from, bump, to, is_one) in [
            ("", Patch, "1.0.0", true),
            ("", Major, "1.0.1", false),
            ("1.1.0", Patch, "1.1.3", true),
            ("1.1.0", Patch, "1.1.0", false),
            ("1.1.0", Patch, "1.2.0", false),
            ("1.1.4", Minor, "1.3.0", true),
            ("1.1.0", Minor, "1.1.1", false),
            ("1.1.0", Minor, "2.2.0", false),
            ("1.1.4", Major, "2.0.0", true),
            ("1.1.4", Major, "2.1.0", false),
        ] {
            let from = optional(from).map(|from| from.parse().unwrap());
            assert_eq!(is_bump(from, bump, to.parse().unwrap()), is_one, "{from:?} {to}");
        }
    }
}
