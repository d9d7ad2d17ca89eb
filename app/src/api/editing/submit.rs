//! What becomes of a form that was sent: a version, or the page again, with everything that was written still in it.

use versioning::VersioningError;

use super::{
    EditForm, EditProblem, Panel,
    line_ends::{as_meant, plain},
    panels::{changes_of, draft_preview},
};
use crate::api::{
    Conflict,
    conflict::{conflict, saved_before, unsettled},
    optional,
};

/// What became of a form that was sent and not saved. In the context of the page that is rendered for it.
#[derive(Debug, Clone, Default)]
pub struct EditOutcome {
    /// None when it could not be read.
    pub(super) form: Option<EditForm>,
    /// The status of a form that could not be read.
    unread: Option<u16>,
    /// Why it was refused: the stable code that the API has for it.
    code: Option<&'static str>,
    pub(super) problem: Option<EditProblem>,
    pub(super) conflict: Option<Conflict>,
    pub(super) panel: Option<Panel>,
}

impl EditOutcome {
    fn of(form: EditForm) -> Self {
        Self { form: Some(form), ..Self::default() }
    }

    /// Of a form that is behind what somebody else did: it holds both by now.
    pub(in crate::api) fn conflicting(form: EditForm, conflict: Conflict) -> Self {
        Self { conflict: Some(conflict), ..Self::of(form) }
    }

    /// Of a form that could not be read: the page begins anew, and says so.
    pub fn unread(status: u16, message: &str) -> Self {
        let problem = Some(EditProblem { field: String::new(), message: message.into() });
        Self { unread: Some(status), problem, ..Self::default() }
    }

    /// Why it was refused, as a code and in words, for the log; none when it only asked to be shown something.
    pub fn refusal(&self) -> Option<(&'static str, String)> {
        let said = match (&self.problem, &self.conflict) {
            (Some(problem), _) => problem.message.clone(),
            (None, Some(conflict)) => format!("{} came in between", conflict.theirs),
            (None, None) => return None,
        };
        Some((self.code.unwrap_or("refused"), said))
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

/// Does what the form's button says. The answer is the version that was saved, or what to show instead.
///
/// # Errors
/// What the page is to be rendered with: a field that is wrong, a conflict, or what was asked to be shown.
pub async fn submit(
    services: &versioning::Services,
    mut form: EditForm,
) -> Result<versioning::PromptVersion, Box<EditOutcome>> {
    form.text = meant(services, &form).await;
    let outcome = EditOutcome::of;
    let problem = |form: EditForm, code: &'static str, field: &str, message: String| {
        let problem = Some(EditProblem { field: field.into(), message });
        Box::new(EditOutcome { code: Some(code), problem, ..outcome(form) })
    };
    match form.intent.as_str() {
        "preview" => {
            return Err(match draft_preview(form.text.clone(), form.values()).await {
                Ok(preview) => Box::new(EditOutcome { panel: Some(Panel::Preview(preview)), ..outcome(form) }),
                Err(error) => problem(form, "not_previewed", "", error.message),
            });
        }
        "changes" => {
            let shown = changes_of(services, &form.agent_type, &form.base, &form.text).await;
            return Err(match shown {
                Ok(changes) => Box::new(EditOutcome { panel: Some(Panel::Changes(changes)), ..outcome(form) }),
                Err(error) => problem(form, "not_compared", "", error.message),
            });
        }
        _ => {}
    }
    if let Some(line) = unsettled(&form.text, &form.merged) {
        let message = format!(
            "Line {line} still has the marks of a conflict. Keep what should stay between <<<<<<< and >>>>>>>, delete the \
             marks, then save again."
        );
        return Err(problem(form, "unsettled_conflict", "text", message));
    }
    let next = match parsed(&form) {
        Ok(next) => next,
        Err(invalid) => return Err(problem(form, invalid.code, form_field(invalid.field), invalid.message)),
    };
    let agent_type = next.agent_type.clone();
    if form.base.is_empty() && services.management.agent_exists(&agent_type).await.unwrap_or(false) {
        if let Ok(Some(saved)) = saved_before(services, &next, versioning::Version::FIRST).await {
            return Ok(saved);
        }
        let message = format!("There is an agent {agent_type} already. Edit it, or choose another name.");
        return Err(problem(form, "agent_exists", "agent_type", message));
    }
    match services.management.create_next(next.clone()).await {
        Ok(saved) => Ok(saved),
        Err(
            ref refusal @ (VersioningError::StaleBase { active: Some(theirs), .. }
            | VersioningError::SavedMeanwhile { version: theirs, .. }),
        ) => {
            if let Ok(Some(saved)) = saved_before(services, &next, theirs).await {
                return Ok(saved);
            }
            match conflict(services, &agent_type, form.clone(), theirs).await {
                Ok(outcome) => Err(Box::new(EditOutcome { code: Some(refusal.code()), ..*outcome })),
                Err(error) => Err(problem(form, refusal.code(), "", error.message)),
            }
        }
        Err(error) => {
            if let Some(cause) = std::error::Error::source(&error) {
                tracing::error!(agent_type = %agent_type, cause, "a version could not be saved");
            }
            Err(problem(form, error.code(), form_field(error.field().unwrap_or_default()), error.to_string()))
        }
    }
}

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
async fn meant(services: &versioning::Services, form: &EditForm) -> String {
    let (Ok(agent_type), Ok(base)) = (form.agent_type.parse(), form.base.parse()) else { return plain(&form.text) };
    match services.management.get_prompt_content(&agent_type, base).await {
        Ok(base) => as_meant(&form.text, &base.prompt_text),
        Err(_) => plain(&form.text),
    }
}
