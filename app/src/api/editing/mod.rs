//! Writing a version: what the editor starts from, what it shows on the way, and what happens on saving.
//!
//! The editor is a form. It is sent as one with or without scripts, and a refusal renders the same page with everything that
//! was written still in it.

mod line_ends;
mod panels;
#[cfg(feature = "ssr")]
mod submit;

use std::collections::BTreeMap;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use versioning::counts::Counts;

pub use line_ends::LineEnds;
#[cfg(feature = "ssr")]
pub(super) use panels::changes;
pub use panels::{ChangesPanel, Panel, PreviewPanel, draft_changes, draft_preview};
#[cfg(feature = "ssr")]
pub use submit::{EditOutcome, submit};

use super::Conflict;
#[cfg(feature = "ssr")]
use super::{optional, remembered_author, services};
use crate::AppError;

/// What the form holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EditForm {
    /// The agent.
    pub agent_type: String,
    /// The version that the text was written from; empty for a new agent.
    pub base: String,
    /// What was live when the writing began.
    pub seen_active: String,
    /// What was saved last when the writing began.
    pub seen_newest: String,
    /// The text.
    pub text: String,
    /// What changes and why.
    pub notes: String,
    /// Who writes.
    pub author: String,
    /// `patch`, `minor` or `major`.
    pub bump: String,
    /// What the button says: `save`, `promote`, `preview` or `changes`.
    pub intent: String,
    /// The id of the draft that the browser keeps of it; empty without scripts.
    pub draft: String,
    /// What a merge called the other side at its conflict marks; empty when none wrote marks into this text.
    pub merged: String,
    /// Everything else, such as values of variables for the preview, as `value.{name}`. The browser is told [`EditPage::values`].
    #[cfg(feature = "ssr")]
    #[serde(flatten)]
    pub rest: BTreeMap<String, String>,
}

#[cfg(feature = "ssr")]
impl EditForm {
    /// The values of variables.
    fn values(&self) -> BTreeMap<String, String> {
        let values = self.rest.iter();
        values.filter_map(|(name, value)| Some((name.strip_prefix("value.")?.to_owned(), value.clone()))).collect()
    }
}

/// The editor's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditPage {
    /// What the form holds.
    pub form: EditForm,
    /// Values of variables for the preview.
    pub values: BTreeMap<String, String>,
    /// The newest versions, to start from, and the current base. The server writes them into the page.
    #[serde(skip)]
    pub versions: Vec<BaseChoice>,
    /// Whether there are older ones. The server says it in the page.
    #[serde(skip)]
    pub has_older: bool,
    /// The numbers that a patch, a minor and a major version would have.
    pub next: [Option<String>; 3],
    /// Variables that the agent's versions use.
    pub variables: Vec<String>,
    /// How much text it is.
    pub counts: Counts,
    /// The variables of the text.
    pub names: Vec<String>,
    /// How the lines of the base end.
    pub line_ends: LineEnds,
    /// Whether the text is that of the base.
    pub is_same: bool,
    /// Whether the form was sent, and came back.
    pub is_back: bool,
    /// What was wrong with what was sent.
    pub problem: Option<EditProblem>,
    /// What somebody else did meanwhile. The server writes it into the page.
    #[serde(skip)]
    pub conflict: Option<Conflict>,
    /// What was asked to be shown.
    pub panel: Option<Panel>,
}

/// A version to start from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseChoice {
    /// The version.
    pub version: String,
    /// Where it stands: `active`, `draft` or `superseded`.
    pub status: String,
}

/// Something that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditProblem {
    /// The field of [`EditForm`], or empty.
    pub field: String,
    /// What it is, and the way forward.
    pub message: String,
}

/// What the editor of an agent starts from; for a new agent, without one.
///
/// # Errors
/// There is no such agent or version, or the database is away.
#[server(name = ReadEditing, prefix = "/api/pages", endpoint = "editing")]
pub async fn editing(agent_type: String, from: String) -> Result<EditPage, AppError> {
    use versioning::{AgentType, Bump, Version};

    let management = services()?.management;
    let outcome = use_context::<EditOutcome>();
    let text = |version: Option<Version>| version.map(|version| version.to_string()).unwrap_or_default();
    if agent_type.is_empty() {
        let first = Some(Version::FIRST.to_string());
        let form = EditForm { bump: "major".into(), author: remembered_author(), ..EditForm::default() };
        return Ok(EditPage { next: [first.clone(), first.clone(), first], ..page_of(form, None, outcome) });
    }
    let agent: AgentType = agent_type.parse()?;
    let listed = management.get_versions(&agent, None, super::comparison::CHOICES).await?;
    let seen = management.seen(&agent).await?;
    let wanted = outcome.as_ref().and_then(|outcome| outcome.form.as_ref()).map_or(from, |form| form.base.clone());
    let base = match optional(&wanted) {
        Some(version) => Some(version.parse::<Version>()?),
        None => seen.active.or(seen.newest),
    };
    let base = match base {
        Some(base) => Some(management.get_prompt_content(&agent, base).await?),
        None => None,
    };
    let number = base.as_ref().map(|base| base.version.version);
    let next = management.next_versions(&agent, number).await?;
    let choice = |version: &versioning::PromptVersion| BaseChoice {
        version: version.version.to_string(),
        status: version.status.as_str().to_owned(),
    };
    let mut versions: Vec<_> = listed.versions.iter().map(choice).collect();
    if let Some(base) = base.as_ref().map(|base| choice(&base.version)).filter(|base| !versions.contains(base)) {
        versions.push(base);
    }
    let form = EditForm {
        agent_type,
        base: text(number),
        seen_active: text(seen.active),
        seen_newest: text(seen.newest),
        text: base.as_ref().map(|base| base.prompt_text.clone()).unwrap_or_default(),
        author: remembered_author(),
        bump: "patch".into(),
        ..EditForm::default()
    };
    Ok(EditPage {
        versions,
        has_older: listed.next.is_some(),
        next: [Bump::Patch, Bump::Minor, Bump::Major].map(|bump| next.of(bump).map(|version| version.to_string())),
        variables: management.known_variables(&agent).await?,
        ..page_of(form, base.as_ref().map(|base| base.prompt_text.as_str()), outcome)
    })
}

/// The page of a form, or of what became of one that was sent.
#[cfg(feature = "ssr")]
fn page_of(form: EditForm, base: Option<&str>, outcome: Option<EditOutcome>) -> EditPage {
    let EditOutcome { form: sent, problem, conflict, panel, .. } = outcome.unwrap_or_default();
    let is_back = sent.is_some();
    let form = sent.unwrap_or(form);
    EditPage {
        counts: Counts::of(&form.text),
        names: versioning::template::variables(&form.text).into_iter().map(str::to_owned).collect(),
        line_ends: base.map(LineEnds::of).unwrap_or_default(),
        is_same: base == Some(form.text.as_str()),
        is_back,
        values: form.values(),
        form,
        versions: Vec::new(),
        has_older: false,
        next: [None, None, None],
        variables: Vec::new(),
        problem,
        conflict,
        panel,
    }
}
