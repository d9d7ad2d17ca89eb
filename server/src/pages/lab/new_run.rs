//! The form that a run is set up with.

use agents::ModelSettings;
use app::LabForm;
use axum::{extract::State, response::Response};
use http::HeaderMap;
use lab::{DryRun, RunPlan, RunRequest, statistics::Confidence};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;
use versioning::{Author, InvalidInput};

use super::{
    Refusal, answer,
    sent::{SentWithFile, field, remind_of_the_file},
    show,
};
use crate::state::AppState;

/// Messages that a dry run shows.
const SHOWN: usize = 20;

pub(super) async fn new_run(State(state): State<AppState>, headers: HeaderMap, sent: SentWithFile) -> Response {
    let agent = utf8_percent_encode(field(&sent.values, "agent_type"), NON_ALPHANUMERIC);
    let page = format!("/lab/new?agent={agent}");
    match begin(&state, &sent).await {
        Ok(Begun::Dry(dry)) => {
            let mut problems = Vec::new();
            remind_of_the_file(&sent.values, &mut problems);
            let form = LabForm { values: sent.values, problems, dry: Some(dry) };
            show(&state, &page, 200, form, headers).await
        }
        Ok(Begun::Run(id)) => answer(&state, &page, sent.values, headers, Ok(format!("/lab/runs/{id}"))).await,
        Err(refusal) => answer(&state, &page, sent.values, headers, Err(refusal)).await,
    }
}

/// What became of the form.
enum Begun {
    Run(Uuid),
    Dry(DryRun),
}

async fn begin(state: &AppState, sent: &SentWithFile) -> Result<Begun, Refusal> {
    let (outputs, _) = sent.text("outputs")?;
    let request = run_request(&sent.values).map_err(Refusal::Fields)?;
    let run = match field(&sent.values, "intent") {
        "dry" => return Ok(Begun::Dry(state.lab.dry_run(request, SHOWN).await?)),
        "outputs" => state.lab.import_outputs(request, &outputs).await?,
        _ => state.lab.start(request).await?,
    };
    Ok(Begun::Run(run.id))
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
