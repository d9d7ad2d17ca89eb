//! What the lab's forms send, its files, and the stream of a run's progress.

use std::{convert::Infallible, time::Duration};

use agents::ModelSettings;
use app::{LabForm, page_of_case, progress_event, set_address};
use axum::{
    Form, Router,
    extract::{DefaultBodyLimit, Path, State},
    response::{
        IntoResponse, Redirect, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::{get, post},
};
use futures_util::stream;
use http::{HeaderMap, HeaderValue, header};
use lab::{
    LabError, Place, PlacedCase, ResultFormat, RunPlan, RunRequest, RunStatus, Side, WinnerRequest,
    cases::{CaseForm, CaseFormat},
    statistics::Confidence,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;
use versioning::{Author, ErrorKind, InvalidInput};

use super::forms::{again, one_step_up, remembering, render};
use crate::{api::problem::ApiError, state::AppState};

/// A file of test cases or outputs, as a form sends it: up to three times as many bytes.
const MAX_FORM: usize = 96 * 1024 * 1024;

/// Messages that a dry run shows.
const SHOWN: usize = 20;

/// How often a run is looked at for those who watch it.
const LOOK: Duration = Duration::from_millis(300);

/// The forms' addresses.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/lab/sets", post(create_set).get(one_step_up))
        .route("/lab/sets/{set}/rename", post(rename_set).get(one_step_up))
        .route("/lab/sets/{set}/delete", post(delete_set).get(one_step_up))
        .route("/lab/sets/{set}/import", post(import_cases).get(one_step_up))
        .route("/lab/sets/{set}/export.csv", get(export_csv))
        .route("/lab/sets/{set}/export.jsonl", get(export_jsonl))
        .route("/lab/sets/{set}/export.yaml", get(export_yaml))
        .route("/lab/sets/{set}/cases/{case}", post(save_case))
        .route("/lab/sets/{set}/cases/{case}/move", post(move_case).get(one_step_up))
        .route("/lab/sets/{set}/cases/{case}/duplicate", post(duplicate_case).get(one_step_up))
        .route("/lab/sets/{set}/cases/{case}/delete", post(delete_case).get(one_step_up))
        .route("/lab/new", post(new_run))
        .route("/lab/runs/{run}/cancel", post(cancel_run).get(one_step_up))
        .route("/lab/runs/{run}/winner", post(choose_winner).get(one_step_up))
        .route("/lab/runs/{run}/review", post(vote))
        .route("/lab/runs/{run}/export.csv", get(results_csv))
        .route("/lab/runs/{run}/export.jsonl", get(results_jsonl))
        .route("/lab/runs/{run}/progress", get(progress))
        .layer(DefaultBodyLimit::max(MAX_FORM))
}

/// A form as it was sent.
type Sent = Form<Vec<(String, String)>>;

/// What was written in a field.
fn field<'a>(values: &'a [(String, String)], name: &str) -> &'a str {
    values.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str())
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
    let (status, problems) = match refusal {
        Refusal::Fields(problems) => (422, problems),
        Refusal::Lab(LabError::InvalidCase(problems)) => {
            (422, problems.into_iter().map(|problem| (problem.field, problem.message)).collect())
        }
        Refusal::Lab(LabError::Import(problem)) => {
            let at = if field(&values, "outputs").is_empty() { "text" } else { "outputs" };
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

async fn create_set(State(state): State<AppState>, headers: HeaderMap, Form(values): Sent) -> Response {
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

async fn rename_set(
    State(state): State<AppState>,
    Path(set): Path<String>,
    headers: HeaderMap,
    Form(values): Sent,
) -> Response {
    let here = set_page(&set, &values);
    let done = state.lab.rename_set(id(&set), field(&values, "name")).await;
    answer(&state, &here, values, headers, done.map(|()| here.clone()).map_err(Refusal::from)).await
}

async fn delete_set(State(state): State<AppState>, Path(set): Path<String>, headers: HeaderMap) -> Response {
    let done = state.lab.delete_set(id(&set)).await.map(|()| "/lab".to_owned()).map_err(Refusal::from);
    answer(&state, &format!("/lab/sets/{}", id(&set)), Vec::new(), headers, done).await
}

async fn import_cases(
    State(state): State<AppState>,
    Path(set): Path<String>,
    headers: HeaderMap,
    Form(values): Sent,
) -> Response {
    let here = set_page(&set, &values);
    // A browser sends line breaks as CR LF.
    let text = field(&values, "text").replace("\r\n", "\n");
    let format = field(&values, "format").parse().unwrap_or_else(|_| CaseFormat::guess(None, &text));
    let done = state.lab.import_cases(id(&set), format, &text).await;
    // To the first of what was added.
    let done = done.map(|imported| set_address(id(&set), page_of_case(imported.first))).map_err(Refusal::from);
    answer(&state, &here, values, headers, done).await
}

async fn export_csv(state: State<AppState>, set: Path<String>) -> Response {
    export_cases(state, set, CaseFormat::Csv).await
}

async fn export_jsonl(state: State<AppState>, set: Path<String>) -> Response {
    export_cases(state, set, CaseFormat::JsonLines).await
}

async fn export_yaml(state: State<AppState>, set: Path<String>) -> Response {
    export_cases(state, set, CaseFormat::Promptfoo).await
}

async fn export_cases(State(state): State<AppState>, Path(set): Path<String>, format: CaseFormat) -> Response {
    match state.lab.export_cases(id(&set), format).await {
        Ok(text) => file(&format!("cases.{}", format.extension()), format.media_type(), text),
        Err(error) => ApiError::from(error).into_response(),
    }
}

async fn results_csv(state: State<AppState>, run: Path<String>) -> Response {
    export_results(state, run, ResultFormat::Csv).await
}

async fn results_jsonl(state: State<AppState>, run: Path<String>) -> Response {
    export_results(state, run, ResultFormat::JsonLines).await
}

async fn export_results(State(state): State<AppState>, Path(run): Path<String>, format: ResultFormat) -> Response {
    match state.lab.export_results(id(&run), format).await {
        Ok(text) => file(&format!("run-{}.{}", id(&run), format.extension()), format.media_type(), text),
        Err(error) => ApiError::from(error).into_response(),
    }
}

fn file(name: &str, media_type: &'static str, text: String) -> Response {
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(media_type)), (header::CONTENT_DISPOSITION, disposition)];
    (headers, text).into_response()
}

async fn save_case(
    State(state): State<AppState>,
    Path((set, case)): Path<(String, String)>,
    headers: HeaderMap,
    Form(values): Sent,
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

async fn move_case(
    State(state): State<AppState>,
    Path((set, case)): Path<(String, String)>,
    headers: HeaderMap,
    Form(values): Sent,
) -> Response {
    let to = field(&values, "to").parse().unwrap_or(usize::MAX);
    let moved = state.lab.move_case(id(&set), id(&case), to).await;
    let done = moved.map(|moved| case_place(&set, &moved)).map_err(Refusal::from);
    answer(&state, &set_page(&set, &values), Vec::new(), headers, done).await
}

async fn duplicate_case(
    State(state): State<AppState>,
    Path((set, case)): Path<(String, String)>,
    headers: HeaderMap,
    Form(values): Sent,
) -> Response {
    let copy = state.lab.duplicate_case(id(&set), id(&case)).await;
    let done = copy.map(|copy| case_place(&set, &copy)).map_err(Refusal::from);
    answer(&state, &set_page(&set, &values), Vec::new(), headers, done).await
}

async fn delete_case(
    State(state): State<AppState>,
    Path((set, case)): Path<(String, String)>,
    headers: HeaderMap,
    Form(values): Sent,
) -> Response {
    let deleted = state.lab.delete_case(id(&set), id(&case)).await;
    // Where it stood there is the next one now, or the last one.
    let done = deleted.map(|deleted| set_address(id(&set), page_of_case(deleted.place))).map_err(Refusal::from);
    answer(&state, &set_page(&set, &values), Vec::new(), headers, done).await
}

async fn new_run(State(state): State<AppState>, headers: HeaderMap, Form(values): Sent) -> Response {
    let page = format!("/lab/new?agent={}", utf8_percent_encode(field(&values, "agent_type"), NON_ALPHANUMERIC));
    let request = match run_request(&values) {
        Ok(request) => request,
        Err(problems) => return answer(&state, &page, values, headers, Err(Refusal::Fields(problems))).await,
    };
    let started = match field(&values, "intent") {
        "dry" => match state.lab.dry_run(request, SHOWN).await {
            Ok(dry) => {
                let form = LabForm { values, problems: Vec::new(), dry: Some(dry) };
                return show(&state, &page, 200, form, headers).await;
            }
            Err(error) => Err(error),
        },
        "outputs" => state.lab.import_outputs(request, &field(&values, "outputs").replace("\r\n", "\n")).await,
        _ => state.lab.start(request).await,
    };
    let done = started.map(|run| format!("/lab/runs/{}", run.id)).map_err(Refusal::from);
    answer(&state, &page, values, headers, done).await
}

/// The run that a form describes; or everything that is wrong with it.
fn run_request(values: &[(String, String)]) -> Result<RunRequest, Vec<(String, String)>> {
    let mut problems = Vec::new();
    let mut note = |name: &str, message: String| problems.push((name.to_owned(), message));
    let agent_type =
        field(values, "agent_type").parse().map_err(|error: InvalidInput| note("agent_type", error.message)).ok();
    let mut version =
        |name: &str| field(values, name).parse().map_err(|error: InvalidInput| note(name, error.message)).ok();
    let (version_a, version_b) = (version("version_a"), version("version_b"));
    let set_id = field(values, "set_id").parse().map_err(|_| note("set_id", "Choose a set of test cases.".into())).ok();
    let mut model = |name: &str| {
        let text = field(values, name).trim();
        text.parse().map_err(|error: agents::InvalidModelName| note(name, error.message)).ok()
    };
    // Nothing is asked of a model in a dry run, nor for outputs that are there.
    let needs_no_model = matches!(field(values, "intent"), "dry" | "outputs");
    let answers =
        if needs_no_model && field(values, "model").trim().is_empty() { Some(None) } else { model("model").map(Some) };
    let judge = if field(values, "judge").trim().is_empty() { None } else { model("judge") };
    let mut number = |name: &str, what: &str| -> Option<f64> {
        let text = field(values, name).trim();
        if text.is_empty() {
            return None;
        }
        text.parse().map_err(|_| note(name, format!("This is a number: {what}."))).ok()
    };
    let [temperature, top_p, budget_usd, margin] = [
        ("temperature", "from 0 to 2"),
        ("top_p", "from 0 to 1"),
        ("budget_usd", "of US dollars, such as 2.50"),
        ("margin", "in the units of the primary metric, such as 0.05"),
    ]
    .map(|(name, what)| number(name, what));
    let confidence = number("confidence", "such as 0.95").map_or(Ok(Confidence::NINETY_FIVE), Confidence::new);
    let mut whole = |name: &str, default: Option<u64>| -> Option<u64> {
        let text = field(values, name).trim();
        if text.is_empty() {
            return default;
        }
        text.parse().map_err(|_| note(name, "This is a whole number.".into())).ok()
    };
    let (repeats, concurrency) = (whole("repeats", Some(1)), whole("concurrency", Some(4)));
    let (max_tokens, seed) = (whole("max_tokens", None), whole("seed", None));
    let confidence = confidence.map_err(|error| note("confidence", error.to_string())).ok();
    let primary = field(values, "primary").parse().map_err(|error: InvalidInput| note("primary", error.message)).ok();
    let chosen = values.iter().filter(|(name, _)| name == "deciding");
    let deciding = chosen.filter_map(|(_, metric)| metric.parse().ok()).collect();
    let created_by = Author::parse(field(values, "created_by")).map_err(|error| note("created_by", error.message));
    let question = field(values, "question").trim();
    let parts = (agent_type, version_a, version_b, set_id, answers, repeats, concurrency, confidence, primary);
    let (
        Some(agent_type),
        Some(version_a),
        Some(version_b),
        Some(set_id),
        Some(model),
        Some(repeats),
        Some(concurrency),
        Some(confidence),
        Some(primary),
    ) = parts
    else {
        return Err(problems);
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let plan = RunPlan {
        settings: ModelSettings { temperature, top_p, max_tokens: max_tokens.map(small), seed },
        repeats: small(repeats),
        primary,
        deciding,
        margin,
        confidence,
        noise: field(values, "noise") == "true",
        judge,
        question: (!question.is_empty()).then(|| question.to_owned()),
        ..RunPlan::new(model, Uuid::new_v4().as_u64_pair().0 >> 11)
    };
    Ok(RunRequest {
        agent_type,
        version_a,
        version_b,
        set_id,
        plan,
        concurrency: small(concurrency),
        budget_usd,
        created_by: created_by.unwrap_or_default(),
    })
}

async fn cancel_run(State(state): State<AppState>, Path(run): Path<String>, headers: HeaderMap) -> Response {
    let here = format!("/lab/runs/{}", id(&run));
    let done = match state.lab.cancel(id(&run)).await {
        // It ended by itself meanwhile, which the page shows.
        Ok(_) | Err(LabError::RunIsOver) => Ok(here.clone()),
        Err(error) => Err(error.into()),
    };
    answer(&state, &here, Vec::new(), headers, done).await
}

async fn choose_winner(
    State(state): State<AppState>,
    Path(run): Path<String>,
    headers: HeaderMap,
    Form(values): Sent,
) -> Response {
    let here = format!("/lab/runs/{}", id(&run));
    let done = async {
        let winner = Side::from_name(field(&values, "winner"))
            .ok_or_else(|| Refusal::Fields(vec![("winner".into(), "Choose A or B.".into())]))?;
        let request = WinnerRequest {
            winner,
            reason: field(&values, "reason").replace("\r\n", "\n"),
            chosen_by: Author::parse(field(&values, "chosen_by")).map_err(|error| error.in_field("chosen_by"))?,
            go_live: field(&values, "go_live") == "true",
        };
        state.lab.choose(id(&run), request).await?;
        Ok(format!("{here}#winner-title"))
    };
    let done = done.await;
    answer(&state, &here, values, headers, done).await
}

async fn vote(
    State(state): State<AppState>,
    Path(run): Path<String>,
    headers: HeaderMap,
    Form(values): Sent,
) -> Response {
    let reviewer = utf8_percent_encode(field(&values, "reviewer"), NON_ALPHANUMERIC);
    let here = format!("/lab/runs/{}/review?reviewer={reviewer}", id(&run));
    let done = async {
        let reviewer = Author::parse(field(&values, "reviewer"))
            .map_err(|error| error.in_field("reviewer"))?
            .ok_or_else(|| Refusal::Fields(vec![("reviewer".into(), "Say who reviews.".into())]))?;
        let place = match field(&values, "better") {
            "left" => Place::Left,
            "right" => Place::Right,
            _ => Place::Tie,
        };
        let number = |name: &str| field(&values, name).parse().unwrap_or(0);
        state.lab.vote(id(&run), &reviewer, (number("case_number"), number("repeat")), place).await?;
        Ok(here.clone())
    };
    let done = done.await;
    answer(&state, &here, values, headers, done).await
}

/// How far a run is, each time that it changes, until it is over.
async fn progress(State(state): State<AppState>, Path(run): Path<String>) -> Response {
    let id = id(&run);
    if let Err(error) = state.lab.run(id).await {
        return ApiError::from(error).into_response();
    }
    let events = stream::unfold((state, None, false), move |(state, told, is_over)| async move {
        if is_over {
            return None;
        }
        loop {
            if state.is_draining() {
                return None;
            }
            // What cannot be read now is read the next time.
            if let Ok(run) = state.lab.run(id).await {
                let mark = (run.done, run.status);
                if told != Some(mark) {
                    let event = Event::default().data(progress_event(&run));
                    let is_over = run.status != RunStatus::Running;
                    return Some((Ok::<_, Infallible>(event), (state, Some(mark), is_over)));
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
