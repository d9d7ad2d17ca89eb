//! Forms and files of sets of test cases.

use app::{page_of_case, set_address};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use lab::{
    LabError, PlacedCase,
    cases::{CaseForm, CaseFormat},
};

use uuid::Uuid;

use super::{
    Refusal, answer, file, id,
    sent::{Sent, SentWithFile, field},
};
use crate::{api::problem::ApiError, state::AppState};

pub(super) async fn create_set(State(state): State<AppState>, headers: HeaderMap, Sent(values): Sent) -> Response {
    let done = async {
        let agent = field(&values, "agent_type").parse()?;
        let set = state.lab.create_set(&agent, field(&values, "name"), &[]).await?;
        Ok(format!("/lab/sets/{}", set.summary.id))
    };
    let done = done.await;
    answer(&state, "/lab", values, headers, done).await
}

/// The page of a set that an action was taken on.
fn set_page(set: &str, values: &[(String, String)]) -> String {
    set_address(id(set), field(values, "page").parse().unwrap_or(1))
}

/// Where a case of a set is shown.
fn case_place(set: &str, case: &PlacedCase) -> String {
    format!("{}#case-{}", set_address(id(set), page_of_case(case.place)), case.stored.id)
}

pub(super) async fn rename_set(
    State(state): State<AppState>,
    Path(set): Path<String>,
    headers: HeaderMap,
    Sent(values): Sent,
) -> Response {
    let here = set_page(&set, &values);
    let done = state.lab.rename_set(id(&set), field(&values, "name")).await;
    answer(&state, &here, values, headers, done.map(|()| here.clone()).map_err(Refusal::from)).await
}

pub(super) async fn delete_set(State(state): State<AppState>, Path(set): Path<String>, headers: HeaderMap) -> Response {
    let done = state.lab.delete_set(id(&set)).await.map(|()| "/lab".to_owned()).map_err(Refusal::from);
    answer(&state, &format!("/lab/sets/{}", id(&set)), Vec::new(), headers, done).await
}

pub(super) async fn import_cases(
    State(state): State<AppState>,
    Path(set): Path<String>,
    headers: HeaderMap,
    sent: SentWithFile,
) -> Response {
    let here = set_page(&set, &sent.values);
    let done = import(&state, id(&set), &sent).await;
    answer(&state, &here, sent.values, headers, done).await
}

async fn import(state: &AppState, set: Uuid, sent: &SentWithFile) -> Result<String, Refusal> {
    let (text, file_name) = sent.text("text")?;
    let format = field(&sent.values, "format").parse();
    let format = format.unwrap_or_else(|_| CaseFormat::guess(file_name, &text));
    let imported = state.lab.import_cases(set, format, &text).await.map_err(|error| match error {
        // The name on this page is that of the set.
        LabError::CaseNameTaken { .. } => {
            Refusal::Fields(vec![("text".into(), format!("Nothing was imported. {error}"))])
        }
        other => other.into(),
    })?;
    // To the first of what was added.
    Ok(set_address(set, page_of_case(imported.first)))
}

pub(super) async fn export_csv(state: State<AppState>, set: Path<String>) -> Response {
    export_cases(state, set, CaseFormat::Csv).await
}

pub(super) async fn export_jsonl(state: State<AppState>, set: Path<String>) -> Response {
    export_cases(state, set, CaseFormat::JsonLines).await
}

pub(super) async fn export_yaml(state: State<AppState>, set: Path<String>) -> Response {
    export_cases(state, set, CaseFormat::Promptfoo).await
}

async fn export_cases(State(state): State<AppState>, Path(set): Path<String>, format: CaseFormat) -> Response {
    match state.lab.export_cases(id(&set), format).await {
        Ok(text) => file(&format!("cases.{}", format.extension()), format.media_type(), text),
        Err(error) => ApiError::from(error).into_response(),
    }
}

pub(super) async fn save_case(
    State(state): State<AppState>,
    Path((set, case)): Path<(String, String)>,
    headers: HeaderMap,
    Sent(values): Sent,
) -> Response {
    let here = format!("/lab/sets/{}", id(&set));
    let text = |name: &str| field(&values, name).to_owned();
    let form = CaseForm {
        name: text("name"),
        input: text("input"),
        variables: text("variables"),
        expected: text("expected"),
        tags: text("tags"),
        checks: text("checks"),
    };
    let done = async {
        let parsed = form.parse().map_err(|problems| {
            Refusal::Fields(problems.into_iter().map(|problem| (problem.field, problem.message)).collect())
        })?;
        let saved = match case.as_str() {
            "new" => state.lab.add_case(id(&set), parsed).await?,
            other => state.lab.replace_case(id(&set), id(other), parsed).await?,
        };
        Ok(case_place(&set, &saved))
    };
    let done = done.await;
    let place = if case == "new" { case } else { id(&case).to_string() };
    answer(&state, &format!("{here}/cases/{place}"), values, headers, done).await
}

pub(super) async fn move_case(
    State(state): State<AppState>,
    Path((set, case)): Path<(String, String)>,
    headers: HeaderMap,
    Sent(values): Sent,
) -> Response {
    let to = field(&values, "to").parse().unwrap_or(usize::MAX);
    let moved = state.lab.move_case(id(&set), id(&case), to).await;
    let done = moved.map(|moved| case_place(&set, &moved)).map_err(Refusal::from);
    answer(&state, &set_page(&set, &values), Vec::new(), headers, done).await
}

pub(super) async fn duplicate_case(
    State(state): State<AppState>,
    Path((set, case)): Path<(String, String)>,
    headers: HeaderMap,
    Sent(values): Sent,
) -> Response {
    let copy = state.lab.duplicate_case(id(&set), id(&case)).await;
    let done = copy.map(|copy| case_place(&set, &copy)).map_err(Refusal::from);
    answer(&state, &set_page(&set, &values), Vec::new(), headers, done).await
}

pub(super) async fn delete_case(
    State(state): State<AppState>,
    Path((set, case)): Path<(String, String)>,
    headers: HeaderMap,
    Sent(values): Sent,
) -> Response {
    let deleted = state.lab.delete_case(id(&set), id(&case)).await;
    // Where it stood there is the next one now, or the last one.
    let done = deleted.map(|deleted| set_address(id(&set), page_of_case(deleted.place))).map_err(Refusal::from);
    answer(&state, &set_page(&set, &values), Vec::new(), headers, done).await
}
