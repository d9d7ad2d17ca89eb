//! Writing a version: what the editor starts from, what it shows on the way, and what happens on saving.
//!
//! The editor is a form. It is sent as one with or without scripts, and a refusal renders the same page with everything that
//! was written still in it.

use std::collections::BTreeMap;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use versioning::counts::Counts;

#[cfg(feature = "ssr")]
use super::{optional, remembered_author, services};
use crate::{AppError, html::ServerHtml};

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
    /// Values of variables for the preview, as `value.{name}`.
    #[serde(flatten)]
    pub rest: BTreeMap<String, String>,
}

/// The editor's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditPage {
    /// What the form holds.
    pub form: EditForm,
    /// The newest versions, to start from.
    pub versions: Vec<String>,
    /// The numbers that a patch, a minor and a major version would have.
    pub next: [Option<String>; 3],
    /// Variables that the agent's versions use.
    pub variables: Vec<String>,
    /// How much text it is.
    pub counts: Counts,
    /// The variables of the text.
    pub names: Vec<String>,
    /// What was wrong with what was sent.
    pub problem: Option<EditProblem>,
    /// What somebody else did meanwhile.
    pub conflict: Option<Conflict>,
    /// What was asked to be shown.
    pub panel: Option<Panel>,
}

impl EditPage {
    /// The same without what stands in the page elsewhere.
    #[must_use]
    pub fn slim(mut self) -> Self {
        self.form.text = String::new();
        self.versions = Vec::new();
        if let Some(conflict) = &mut self.conflict {
            conflict.their_changes = ServerHtml::default();
            conflict.your_changes = ServerHtml::default();
        }
        self
    }
}

/// Something that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditProblem {
    /// The field of [`EditForm`], or empty.
    pub field: String,
    /// What it is, and the way forward.
    pub message: String,
}

/// What somebody else did since the writing began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The version that both started from.
    pub base: String,
    /// Theirs.
    pub theirs: String,
    /// Who wrote it.
    pub theirs_by: Option<String>,
    /// Whether it is live.
    pub is_live: bool,
    /// What they changed.
    pub their_changes: ServerHtml,
    /// What you changed.
    pub your_changes: ServerHtml,
    /// Places where both changed the same lines.
    pub unsettled: u32,
}

/// What the page shows beside the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Panel {
    /// The prompt, filled and rendered.
    Preview(PreviewPanel),
    /// The changes against the base.
    Changes(ChangesPanel),
}

/// The prompt, filled and rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewPanel {
    /// The rendered prompt, sanitised.
    pub html: ServerHtml,
    /// The variables of the text.
    pub variables: Vec<String>,
    /// Those without a value.
    pub missing: Vec<String>,
    /// Values that the text does not use.
    pub unused: Vec<String>,
}

/// The changes against the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesPanel {
    /// The lines.
    pub lines: ServerHtml,
    /// Lines added.
    pub added: u32,
    /// Lines removed.
    pub removed: u32,
}

/// What became of a form that was sent and not saved. In the context of the page that is rendered for it.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone)]
pub struct EditOutcome {
    form: EditForm,
    problem: Option<EditProblem>,
    conflict: Option<Conflict>,
    panel: Option<Panel>,
}

#[cfg(feature = "ssr")]
impl EditOutcome {
    /// The HTTP status of the page that is rendered with it.
    pub fn status(&self) -> u16 {
        match (&self.conflict, &self.problem) {
            (Some(_), _) => 409,
            (None, Some(_)) => 422,
            (None, None) => 200,
        }
    }
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
        return Ok(page_of(form, Vec::new(), [first.clone(), first.clone(), first], Vec::new(), outcome));
    }
    let agent: AgentType = agent_type.parse()?;
    let versions = management.get_versions(&agent, None, super::comparison::CHOICES).await?.versions;
    let seen = management.seen(&agent).await?;
    let wanted = outcome.as_ref().map_or(from, |outcome| outcome.form.base.clone());
    let base = match optional(&wanted) {
        Some(version) => Some(version.parse::<Version>()?),
        None => seen.active.or(seen.newest),
    };
    let (base_text, base) = match base {
        Some(base) => (management.get_prompt_content(&agent, base).await?.prompt_text, Some(base)),
        None => (String::new(), None),
    };
    let next = management.next_versions(&agent, base).await?;
    let form = EditForm {
        agent_type,
        base: text(base),
        seen_active: text(seen.active),
        seen_newest: text(seen.newest),
        text: base_text,
        author: remembered_author(),
        bump: "patch".into(),
        ..EditForm::default()
    };
    Ok(page_of(
        form,
        versions.into_iter().map(|version| version.version.to_string()).collect(),
        [Bump::Patch, Bump::Minor, Bump::Major].map(|bump| next.of(bump).map(|version| version.to_string())),
        management.known_variables(&agent).await?,
        outcome,
    ))
}

#[cfg(feature = "ssr")]
fn page_of(
    form: EditForm,
    versions: Vec<String>,
    next: [Option<String>; 3],
    variables: Vec<String>,
    outcome: Option<EditOutcome>,
) -> EditPage {
    let EditOutcome { form, problem, conflict, panel } =
        outcome.unwrap_or(EditOutcome { form, problem: None, conflict: None, panel: None });
    EditPage {
        counts: Counts::of(&form.text),
        names: versioning::template::variables(&form.text).into_iter().map(str::to_owned).collect(),
        form,
        versions,
        next,
        variables,
        problem,
        conflict,
        panel,
    }
}

/// The longest filled prompt that is rendered, in bytes: a short text can name a long value many times.
#[cfg(feature = "ssr")]
const MAX_PREVIEW: usize = 4 * 1024 * 1024;

/// The text with its variables filled, rendered as Markdown.
///
/// # Errors
/// The server cannot be reached.
#[server(name = PreviewDraft, prefix = "/api/pages", endpoint = "preview", input = leptos::server_fn::codec::Json)]
pub async fn draft_preview(text: String, values: BTreeMap<String, String>) -> Result<PreviewPanel, AppError> {
    use versioning::template;

    // A value of nothing is no value: the form has a field for each variable.
    let values = values.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    if template::filled_length(&text, &values) > MAX_PREVIEW {
        return Err(AppError {
            code: "preview_too_long".into(),
            message: "With these values the prompt is longer than 4 MiB, which is not previewed. Shorten a value."
                .into(),
            request_id: None,
        });
    }
    let filled = template::fill(&text, &values);
    Ok(PreviewPanel {
        html: crate::render::markdown(&filled.text),
        variables: template::variables(&text).into_iter().map(str::to_owned).collect(),
        missing: filled.missing,
        unused: filled.unused,
    })
}

/// What a text changes against a version of the agent.
///
/// # Errors
/// There is no such version, or the database is away.
#[server(name = CompareDraft, prefix = "/api/pages", endpoint = "changes", input = leptos::server_fn::codec::Json)]
pub async fn draft_changes(agent_type: String, base: String, text: String) -> Result<ChangesPanel, AppError> {
    changes_of(&services()?, &agent_type, &base, text).await
}

#[cfg(feature = "ssr")]
async fn changes_of(
    services: &versioning::Services,
    agent_type: &str,
    base: &str,
    text: String,
) -> Result<ChangesPanel, AppError> {
    let before = match optional(base) {
        Some(base) => services.management.get_prompt_content(&agent_type.parse()?, base.parse()?).await?.prompt_text,
        None => String::new(),
    };
    changes(before, text).await
}

#[cfg(feature = "ssr")]
async fn changes(before: String, after: String) -> Result<ChangesPanel, AppError> {
    use versioning::diff::{Diff, DiffOptions};

    use crate::render::{DiffLinks, DiffView, diff_lines};

    let panel = versioning::aside(move || {
        let diff = Diff::new(&before, &after, DiffOptions::default());
        ChangesPanel {
            lines: diff_lines(&diff, DiffView::Unified, &DiffLinks::none()).html,
            added: diff.stats.added,
            removed: diff.stats.removed,
        }
    });
    Ok(panel.await?)
}

/// Does what the form's button says. The answer is the version that was saved, or what to show instead.
///
/// # Errors
/// What the page is to be rendered with: a field that is wrong, a conflict, or what was asked to be shown.
#[cfg(feature = "ssr")]
pub async fn submit(
    services: &versioning::Services,
    mut form: EditForm,
) -> Result<versioning::PromptVersion, Box<EditOutcome>> {
    form.text = with_line_breaks_of(services, &form).await;
    let outcome = |form: EditForm| EditOutcome { form, problem: None, conflict: None, panel: None };
    let problem = |form: EditForm, field: &str, message: String| {
        let problem = Some(EditProblem { field: field.into(), message });
        Box::new(EditOutcome { problem, ..outcome(form) })
    };
    match form.intent.as_str() {
        "preview" => {
            let values = form
                .rest
                .iter()
                .filter_map(|(name, value)| Some((name.strip_prefix("value.")?.to_owned(), value.clone())));
            return Err(match draft_preview(form.text.clone(), values.collect()).await {
                Ok(preview) => Box::new(EditOutcome { panel: Some(Panel::Preview(preview)), ..outcome(form) }),
                Err(error) => problem(form, "", error.message),
            });
        }
        "changes" => {
            let shown = changes_of(services, &form.agent_type, &form.base, form.text.clone()).await;
            return Err(match shown {
                Ok(changes) => Box::new(EditOutcome { panel: Some(Panel::Changes(changes)), ..outcome(form) }),
                Err(error) => problem(form, "", error.message),
            });
        }
        _ => {}
    }
    if let Some(line) = versioning::merge::unsettled(&form.text) {
        let message = format!(
            "Line {line} still has the marks of a conflict. Keep what should stay between <<<<<<< and >>>>>>>, delete the \
             marks, then save again."
        );
        return Err(problem(form, "text", message));
    }
    let next = match parsed(&form) {
        Ok(next) => next,
        Err(invalid) => return Err(problem(form, form_field(invalid.field), invalid.message)),
    };
    let agent_type = next.agent_type.clone();
    if form.base.is_empty() && services.management.agent_exists(&agent_type).await.unwrap_or(false) {
        let message = format!("There is an agent {agent_type} already. Edit it, or choose another name.");
        return Err(problem(form, "agent_type", message));
    }
    use versioning::VersioningError;
    match services.management.create_next(next).await {
        Ok(saved) => Ok(saved),
        Err(
            VersioningError::StaleBase { active: Some(theirs), .. }
            | VersioningError::SavedMeanwhile { version: theirs, .. },
        ) => match conflict(services, &agent_type, form.clone(), theirs).await {
            Ok(outcome) => Err(outcome),
            Err(error) => Err(problem(form, "", error.to_string())),
        },
        Err(error) => {
            if let Some(cause) = std::error::Error::source(&error) {
                tracing::error!(agent_type = %agent_type, cause, "a version could not be saved");
            }
            Err(problem(form, form_field(error.field().unwrap_or_default()), error.to_string()))
        }
    }
}

#[cfg(feature = "ssr")]
fn parsed(form: &EditForm) -> Result<versioning::NextVersion, versioning::InvalidInput> {
    use versioning::{Author, Bump, NextVersion, Notes, PromptText, Seen};

    let version = |text: &str| optional(text).map(|text| text.parse()).transpose();
    Ok(NextVersion {
        agent_type: form.agent_type.trim().parse()?,
        bump: match form.bump.as_str() {
            "major" => Bump::Major,
            "minor" => Bump::Minor,
            _ => Bump::Patch,
        },
        prompt_text: PromptText::parse(form.text.clone())?,
        created_by: Author::parse(&form.author)?,
        notes: Notes::parse(form.notes.replace("\r\n", "\n"))?,
        base_version: version(&form.base)?,
        seen: Seen { active: version(&form.seen_active)?, newest: version(&form.seen_newest)? },
        promote: form.intent == "promote",
    })
}

/// The field of the form that a field of the API is.
#[cfg(feature = "ssr")]
fn form_field(field: &str) -> &'static str {
    match field {
        "prompt_text" => "text",
        "created_by" => "author",
        "notes" => "notes",
        "agent_type" => "agent_type",
        "version" | "base_version" => "bump",
        _ => "",
    }
}

/// A form sends every line break as CR LF (HTML, "Constructing the entry list"). What was written is what the base has: CR LF
/// if all its lines end so, else LF.
#[cfg(feature = "ssr")]
async fn with_line_breaks_of(services: &versioning::Services, form: &EditForm) -> String {
    let plain = form.text.replace("\r\n", "\n");
    let (Ok(agent_type), Ok(base)) = (form.agent_type.parse(), form.base.parse()) else { return plain };
    let Ok(base) = services.management.get_prompt_content(&agent_type, base).await else { return plain };
    let breaks = base.prompt_text.matches('\n').count();
    if breaks > 0 && base.prompt_text.matches("\r\n").count() == breaks { plain.replace('\n', "\r\n") } else { plain }
}

/// Puts what somebody else wrote and what this form holds together, from what both started with.
#[cfg(feature = "ssr")]
async fn conflict(
    services: &versioning::Services,
    agent_type: &versioning::AgentType,
    mut form: EditForm,
    theirs: versioning::Version,
) -> Result<Box<EditOutcome>, AppError> {
    let management = &services.management;
    let base = match optional(&form.base) {
        Some(base) => management.get_prompt_content(agent_type, base.parse()?).await?.prompt_text,
        None => String::new(),
    };
    let their_version = management.get_prompt_content(agent_type, theirs).await?;
    let their_text = their_version.prompt_text;
    let their_changes = changes(base.clone(), their_text.clone()).await?.lines;
    let your_changes = changes(base.clone(), form.text.clone()).await?.lines;
    let yours = std::mem::take(&mut form.text);
    let label = theirs.to_string();
    let merged = versioning::aside(move || {
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(300);
        versioning::merge::merge(&base, &yours, &their_text, ("yours", &label), Some(deadline))
    })
    .await?;
    let seen = management.seen(agent_type).await?;
    let text = |version: Option<versioning::Version>| version.map(|version| version.to_string()).unwrap_or_default();
    let conflict = Conflict {
        base: std::mem::replace(&mut form.base, theirs.to_string()),
        theirs: theirs.to_string(),
        theirs_by: their_version.version.created_by,
        is_live: seen.active == Some(theirs),
        their_changes,
        your_changes,
        unsettled: merged.conflicts,
    };
    form.text = merged.text;
    form.seen_active = text(seen.active);
    form.seen_newest = text(seen.newest);
    Ok(Box::new(EditOutcome { form, problem: None, conflict: Some(conflict), panel: None }))
}
