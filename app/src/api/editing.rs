//! Writing a version: what the editor starts from, what it shows on the way, and what happens on saving.
//!
//! The editor is a form. It is sent as one with or without scripts, and a refusal renders the same page with everything that
//! was written still in it.

use std::collections::BTreeMap;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use versioning::counts::Counts;

use super::Conflict;
#[cfg(feature = "ssr")]
use super::{
    conflict::{conflict, saved_before, unsettled},
    optional, remembered_author, services,
};
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
    /// The id of the draft that the browser keeps of it; empty without scripts.
    pub draft: String,
    /// What a merge called the other side at its conflict marks; empty when none wrote marks into this text.
    pub merged: String,
    /// Values of variables for the preview, as `value.{name}`.
    #[serde(flatten)]
    pub rest: BTreeMap<String, String>,
}

/// The editor's page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditPage {
    /// What the form holds.
    pub form: EditForm,
    /// The newest versions, to start from, and the current base.
    pub versions: Vec<BaseChoice>,
    /// Whether there are older ones.
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
        self.conflict = self.conflict.map(Conflict::slim);
        self
    }
}

/// A version to start from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseChoice {
    /// The version.
    pub version: String,
    /// Where it stands: `active`, `draft` or `superseded`.
    pub status: String,
}

/// How the lines of a text end. A browser knows one kind of line end, so a text that comes from there is given those of its
/// base.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineEnds {
    /// All with LF, or there is one line.
    #[default]
    Lf,
    /// All with CR LF.
    CrLf,
    /// Some so, some so.
    Mixed,
}

impl LineEnds {
    /// Those of a text.
    pub fn of(text: &str) -> Self {
        let breaks = text.matches('\n').count();
        let long = text.matches("\r\n").count();
        match text.matches('\r').count() {
            0 => Self::Lf,
            returns if returns == long && long == breaks => Self::CrLf,
            _ => Self::Mixed,
        }
    }

    /// Whether they are of more than one kind.
    pub fn is_mixed(self) -> bool {
        self == Self::Mixed
    }

    /// A text with plain line breaks, as one with these. Of mixed ones nobody knows which is whose.
    pub fn give(self, plain: String) -> String {
        if self == Self::CrLf { plain.replace('\n', "\r\n") } else { plain }
    }
}

/// A text with plain line breaks: a text area knows no others.
#[cfg(feature = "ssr")]
fn plain(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// What the browser has of a text, as it was meant: the base itself, to the letter, when nothing but line ends differs from
/// it; else with the line ends of the base, if those are of one kind.
#[cfg(feature = "ssr")]
fn as_meant(text: &str, base: &str) -> String {
    let plain_text = plain(text);
    if plain_text == plain(base) { base.to_owned() } else { LineEnds::of(base).give(plain_text) }
}

/// Something that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditProblem {
    /// The field of [`EditForm`], or empty.
    pub field: String,
    /// What it is, and the way forward.
    pub message: String,
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesPanel {
    /// The lines.
    pub lines: ServerHtml,
    /// Lines added.
    pub added: u32,
    /// Lines removed.
    pub removed: u32,
    /// Changed lines that are not shown.
    pub hidden: u32,
    /// Whether the search for the smallest difference was cut short.
    pub is_simplified: bool,
}

/// What became of a form that was sent and not saved. In the context of the page that is rendered for it.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone)]
pub struct EditOutcome {
    /// None when it could not be read.
    form: Option<EditForm>,
    /// The status of a form that could not be read.
    unread: Option<u16>,
    problem: Option<EditProblem>,
    conflict: Option<Conflict>,
    panel: Option<Panel>,
}

#[cfg(feature = "ssr")]
impl EditOutcome {
    fn of(form: EditForm) -> Self {
        Self { form: Some(form), unread: None, problem: None, conflict: None, panel: None }
    }

    /// Of a form that is behind what somebody else did: it holds both by now.
    pub(super) fn conflicting(form: EditForm, conflict: Conflict) -> Self {
        Self { conflict: Some(conflict), ..Self::of(form) }
    }

    /// Of a form that could not be read: the page begins anew, and says so.
    pub fn unread(status: u16, message: &str) -> Self {
        let problem = Some(EditProblem { field: String::new(), message: message.into() });
        Self { form: None, unread: Some(status), problem, conflict: None, panel: None }
    }

    /// The HTTP status of the page that is rendered with it.
    pub fn status(&self) -> u16 {
        match (self.unread, &self.conflict, &self.problem) {
            (Some(status), ..) => status,
            (None, Some(_), _) => 409,
            (None, None, Some(_)) => 422,
            (None, None, None) => 200,
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
    let EditOutcome { form: sent, problem, conflict, panel, .. } =
        outcome.unwrap_or(EditOutcome { form: None, unread: None, problem: None, conflict: None, panel: None });
    let is_back = sent.is_some();
    let form = sent.unwrap_or(form);
    EditPage {
        counts: Counts::of(&form.text),
        names: versioning::template::variables(&form.text).into_iter().map(str::to_owned).collect(),
        line_ends: base.map(LineEnds::of).unwrap_or_default(),
        is_same: base == Some(form.text.as_str()),
        is_back,
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

/// The longest filled prompt that is rendered, in bytes: a short text can name a long value many times.
#[cfg(feature = "ssr")]
const MAX_PREVIEW: usize = 4 * 1024 * 1024;

/// The text with its variables filled, rendered as Markdown.
///
/// # Errors
/// With its values the text is too long, or the server cannot be reached.
#[server(name = PreviewDraft, prefix = "/api/pages", endpoint = "preview", input = leptos::server_fn::codec::Json)]
pub async fn draft_preview(text: String, values: BTreeMap<String, String>) -> Result<PreviewPanel, AppError> {
    use versioning::template;

    // A value of nothing is no value: the form has a field for each variable.
    let values = values.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    if template::filled_length(&text, &values) > MAX_PREVIEW {
        let message = "With these values the prompt is longer than 4 MiB, which is not previewed. Shorten a value.";
        return Err(AppError::refused("preview_too_long", message));
    }
    // A long text takes a while, in which no thread that serves may wait.
    let panel = versioning::aside(move || {
        let filled = template::fill(&text, &values);
        PreviewPanel {
            html: crate::render::markdown(&filled.text),
            variables: template::variables(&text).into_iter().map(str::to_owned).collect(),
            missing: filled.missing,
            unused: filled.unused,
        }
    });
    Ok(panel.await?)
}

/// What a text changes against a version of the agent.
///
/// # Errors
/// There is no such version, or the database is away.
#[server(name = CompareDraft, prefix = "/api/pages", endpoint = "changes", input = leptos::server_fn::codec::Json)]
pub async fn draft_changes(agent_type: String, base: String, text: String) -> Result<ChangesPanel, AppError> {
    changes_of(&services()?, &agent_type, &base, &text).await
}

#[cfg(feature = "ssr")]
async fn changes_of(
    services: &versioning::Services,
    agent_type: &str,
    base: &str,
    text: &str,
) -> Result<ChangesPanel, AppError> {
    let before = match optional(base) {
        Some(base) => services.management.get_prompt_content(&agent_type.parse()?, base.parse()?).await?.prompt_text,
        None => String::new(),
    };
    let after = as_meant(text, &before);
    changes(before, after).await
}

#[cfg(feature = "ssr")]
pub(super) async fn changes(before: String, after: String) -> Result<ChangesPanel, AppError> {
    use versioning::diff::{Diff, DiffOptions};

    use crate::render::{DiffLinks, DiffView, diff_lines};

    let panel = versioning::aside(move || {
        let diff = Diff::new(&before, &after, DiffOptions::default());
        let drawn = diff_lines(&diff, DiffView::Unified, &DiffLinks::none());
        ChangesPanel {
            lines: drawn.html,
            added: diff.stats.added,
            removed: diff.stats.removed,
            hidden: drawn.hidden,
            is_simplified: diff.is_simplified || drawn.is_simplified,
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
    form.text = meant(services, &form).await;
    let outcome = EditOutcome::of;
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
            let shown = changes_of(services, &form.agent_type, &form.base, &form.text).await;
            return Err(match shown {
                Ok(changes) => Box::new(EditOutcome { panel: Some(Panel::Changes(changes)), ..outcome(form) }),
                Err(error) => problem(form, "", error.message),
            });
        }
        _ => {}
    }
    if let Some(line) = unsettled(&form.text, &form.merged) {
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
        if let Ok(Some(saved)) = saved_before(services, &next, versioning::Version::FIRST).await {
            return Ok(saved);
        }
        let message = format!("There is an agent {agent_type} already. Edit it, or choose another name.");
        return Err(problem(form, "agent_type", message));
    }
    use versioning::VersioningError;
    match services.management.create_next(next.clone()).await {
        Ok(saved) => Ok(saved),
        Err(
            VersioningError::StaleBase { active: Some(theirs), .. }
            | VersioningError::SavedMeanwhile { version: theirs, .. },
        ) => {
            if let Ok(Some(saved)) = saved_before(services, &next, theirs).await {
                return Ok(saved);
            }
            match conflict(services, &agent_type, form.clone(), theirs).await {
                Ok(outcome) => Err(outcome),
                Err(error) => Err(problem(form, "", error.to_string())),
            }
        }
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

/// A form sends every line break as CR LF (HTML, "Constructing the entry list"). This is the text as it was meant.
#[cfg(feature = "ssr")]
async fn meant(services: &versioning::Services, form: &EditForm) -> String {
    let (Ok(agent_type), Ok(base)) = (form.agent_type.parse(), form.base.parse()) else { return plain(&form.text) };
    match services.management.get_prompt_content(&agent_type, base).await {
        Ok(base) => as_meant(&form.text, &base.prompt_text),
        Err(_) => plain(&form.text),
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_only_lost_its_line_ends_is_the_base_itself() {
        for base in ["a\nb\n", "a\r\nb\r\n", "a\r\nb\n", "a\rb\n", "a"] {
            assert_eq!(as_meant(&plain(base), base), base);
            assert_eq!(as_meant(&plain(base).replace('\n', "\r\n"), base), base);
        }
        assert_eq!(as_meant("a\nc\n", "a\r\nb\r\n"), "a\r\nc\r\n");
        assert_eq!(as_meant("a\r\nc\r\n", "a\r\nb\n"), "a\nc\n");
        assert_eq!(as_meant("a\r\nc", ""), "a\nc");
    }

    #[test]
    fn line_ends_are_told_apart() {
        for (text, ends) in [
            ("", LineEnds::Lf),
            ("a\nb", LineEnds::Lf),
            ("a\r\nb\r\n", LineEnds::CrLf),
            ("a\r\nb\n", LineEnds::Mixed),
            ("a\rb", LineEnds::Mixed),
        ] {
            assert_eq!(LineEnds::of(text), ends, "{text:?}");
        }
    }
}
