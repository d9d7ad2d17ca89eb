//! What the lab's forms send, its files, and the stream of a run's progress.

mod new_run;
mod runs;
mod sent;
mod sets;

use app::LabForm;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use http::{HeaderMap, HeaderValue, header};
use lab::LabError;
use uuid::Uuid;
use versioning::{ErrorKind, InvalidInput};

use self::sent::{field, remind_of_the_file};
use super::forms::{again, one_step_up, remembering, render};
use crate::state::AppState;

/// The forms' addresses.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/lab/sets", post(sets::create_set).get(one_step_up))
        .route("/lab/sets/{set}/rename", post(sets::rename_set).get(one_step_up))
        .route("/lab/sets/{set}/delete", post(sets::delete_set).get(one_step_up))
        .route("/lab/sets/{set}/import", post(sets::import_cases).get(one_step_up))
        .route("/lab/sets/{set}/export.csv", get(sets::export_csv))
        .route("/lab/sets/{set}/export.jsonl", get(sets::export_jsonl))
        .route("/lab/sets/{set}/export.yaml", get(sets::export_yaml))
        .route("/lab/sets/{set}/cases/{case}", post(sets::save_case))
        .route("/lab/sets/{set}/cases/{case}/move", post(sets::move_case).get(one_step_up))
        .route("/lab/sets/{set}/cases/{case}/duplicate", post(sets::duplicate_case).get(one_step_up))
        .route("/lab/sets/{set}/cases/{case}/delete", post(sets::delete_case).get(one_step_up))
        .route("/lab/new", post(new_run::new_run))
        .route("/lab/runs/{run}/cancel", post(runs::cancel_run).get(one_step_up))
        .route("/lab/runs/{run}/winner", post(runs::choose_winner).get(one_step_up))
        .route("/lab/runs/{run}/review", post(runs::vote))
        .route("/lab/runs/{run}/review/end", post(runs::end_review).get(one_step_up))
        .route("/lab/runs/{run}/export.csv", get(runs::results_csv))
        .route("/lab/runs/{run}/export.jsonl", get(runs::results_jsonl))
        .route("/lab/runs/{run}/progress", get(runs::progress))
        // The forms have limits of their own.
        .layer(DefaultBodyLimit::disable())
}

/// What is wrong with a form.
enum Refusal {
    /// With single fields.
    Fields(Vec<(String, String)>),
    /// What the lab says.
    Lab(LabError),
}

impl From<LabError> for Refusal {
    fn from(error: LabError) -> Self {
        Self::Lab(error)
    }
}

impl From<InvalidInput> for Refusal {
    fn from(error: InvalidInput) -> Self {
        Self::Lab(error.into())
    }
}

/// Leads on when it is done; else shows the page of the form again, with everything that was written and what is wrong with it.
async fn answer(
    state: &AppState,
    page: &str,
    values: Vec<(String, String)>,
    headers: HeaderMap,
    done: Result<String, Refusal>,
) -> Response {
    let refusal = match done {
        Ok(address) => {
            let author = ["created_by", "chosen_by", "reviewer"].map(|name| field(&values, name).to_owned()).concat();
            return remembering(&author, Redirect::to(&address).into_response());
        }
        Err(refusal) => refusal,
    };
    let (status, mut problems) = match refusal {
        Refusal::Fields(problems) => (422, problems),
        Refusal::Lab(LabError::InvalidCase(problems)) => {
            (422, problems.into_iter().map(|problem| (problem.field, problem.message)).collect())
        }
        Refusal::Lab(LabError::Import(problem)) => {
            let has_outputs = values.iter().any(|(name, _)| name.starts_with("outputs"));
            let at = if has_outputs { "outputs" } else { "text" };
            (422, vec![(at.to_owned(), format!("Nothing was imported. {problem}"))])
        }
        Refusal::Lab(error) => {
            if let Some(cause) = std::error::Error::source(&error) {
                tracing::error!(code = error.code(), cause, "a form of the lab failed");
            }
            let status = match error.kind() {
                ErrorKind::NotFound => 404,
                ErrorKind::Conflict => 409,
                ErrorKind::Invalid => 422,
                ErrorKind::Unavailable => 503,
                ErrorKind::Internal => 500,
            };
            (status, vec![(error.field().unwrap_or_default().to_owned(), error.to_string())])
        }
    };
    remind_of_the_file(&values, &mut problems);
    show(state, page, status, LabForm { values, problems, dry: None }, headers).await
}

/// The page of a form, with what became of it.
async fn show(state: &AppState, page: &str, status: u16, form: LabForm, headers: HeaderMap) -> Response {
    match page.parse() {
        Ok(uri) => render(state, status, form, again(uri, headers)).await,
        Err(_) => Redirect::to("/lab").into_response(),
    }
}

/// The id of a segment of the path; what is none names nothing.
fn id(text: &str) -> Uuid {
    text.parse().unwrap_or_default()
}

/// A file to be kept.
fn file(name: &str, media_type: &'static str, text: String) -> Response {
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(media_type)), (header::CONTENT_DISPOSITION, disposition)];
    (headers, text).into_response()
}
