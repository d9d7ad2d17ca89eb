//! A run, to be set up.

use agents::{ProviderState, Reachability};
use lab::{DryRun, Metric, SetSummary};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use uuid::Uuid;
use versioning::{AgentType, Version, VersionStatus};

use super::form::{LabForm, lab};
use crate::{
    AppError,
    api::{remembered_author, services},
    components::error_notice::ErrorNotice,
    html::Local,
    words::thousands,
};

/// The fields of the form, as they are sent.
const FIELDS: [&str; 22] = [
    "agent_type",
    "version_a",
    "version_b",
    "set_id",
    "model",
    "repeats",
    "concurrency",
    "budget_usd",
    "temperature",
    "top_p",
    "max_tokens",
    "seed",
    "primary",
    "deciding",
    "margin",
    "confidence",
    "judge",
    "question",
    "created_by",
    "outputs",
    "outputs_file",
    "noise",
];

/// Sets that can be chosen from at most.
const SETS: u32 = 200;

/// What is said when there are more.
const MORE_SETS: &str = "These are the first sets. “Run it” on the page of any other one leads here, too.";

/// What can be chosen.
#[derive(Debug, Clone, PartialEq)]
struct Choices {
    agents: Vec<String>,
    agent: Option<String>,
    /// Number and status, newest first, and what to begin with: what is live, and the newest other one.
    versions: Vec<(String, String)>,
    a: String,
    b: String,
    sets: Vec<SetSummary>,
    /// Whether the agent has sets that are not among them.
    has_more_sets: bool,
    models: Vec<ProviderState>,
}

async fn choices(agent: String, set: String) -> Result<Choices, AppError> {
    let management = services()?.management;
    let lab = lab()?;
    let agents = management.overview().await?.into_iter().map(|agent| agent.agent_type.to_string()).collect();
    let models = lab.models().await;
    let mut choices = Choices {
        agents,
        agent: None,
        versions: Vec::new(),
        a: String::new(),
        b: String::new(),
        sets: Vec::new(),
        has_more_sets: false,
        models,
    };
    if agent.is_empty() {
        return Ok(choices);
    }
    let agent: AgentType = agent.parse()?;
    let versions = management.get_versions(&agent, None, 200).await?.versions;
    let active = versions.iter().find(|version| version.status == VersionStatus::Active);
    choices.a = active.or(versions.first()).map(|version| version.version.to_string()).unwrap_or_default();
    let other = versions.iter().find(|version| version.version.to_string() != choices.a);
    choices.b = other.map_or_else(|| choices.a.clone(), |version| version.version.to_string());
    choices.versions = versions
        .iter()
        .map(|version| (version.version.to_string(), format!("{} · {}", version.version, version.status.as_str())))
        .collect();
    let page = lab.sets(Some(&agent), None, SETS).await?;
    choices.sets = page.sets;
    choices.has_more_sets = page.next.is_some();
    // One that is asked for can be chosen wherever it stands.
    if let Ok(asked) = set.parse::<Uuid>()
        && !choices.sets.iter().any(|set| set.id == asked)
        && let Ok(asked) = lab.set_summary(asked).await
        && asked.agent_type == agent
    {
        choices.sets.insert(0, asked);
    }
    choices.agent = Some(agent.to_string());
    Ok(choices)
}

/// Which versions, which cases, which model, and what decides.
#[component]
pub fn NewRunPage() -> impl IntoView {
    let query = use_query_map();
    // What was sent comes before what the address says.
    let asked = move || {
        let (form, query) = (LabForm::from_context(), query.read());
        let of = |field: &str, name: &str| form.value(field, query.get(name).unwrap_or_default());
        (of("agent_type", "agent"), of("set_id", "set"))
    };
    let page = Resource::new_blocking(asked, |(agent, set)| async { choices(agent, set).await.map(Local) });
    let given = move |name: &str| query.read_untracked().get(name).unwrap_or_default();
    view! {
        <Title text="New run" />
        <div class="page-head">
            <h1>"New run"</h1>
            <p class="summary"><a href="/lab">"A/B lab"</a></p>
        </div>
        <Transition>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(Local(choices)) => whole(choices, [given("a"), given("b"), given("set")]),
                    Err(error) => view! { <ErrorNotice error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn whole(choices: Choices, [a, b, set]: [String; 3]) -> AnyView {
    let form = LabForm::from_context();
    let Some(agent) = choices.agent.clone() else {
        let options = choices.agents.into_iter().map(|agent| (agent.clone(), agent)).collect();
        return view! {
            {form.notice(&[])}
            <form class="filters" method="get" action="/lab/new">
                {form.choice("agent", "Agent", options, "", "")}
                <button type="submit" class="primary">"Go on"</button>
            </form>
        }
        .into_any();
    };
    if choices.sets.is_empty() {
        return view! {
            {form.notice(&[])}
            <p class="notice">
                {format!("{agent} has no test cases yet. ")} <a href=format!("/lab?agent={agent}#sets-title")>"Make a set in the lab"</a>
                ", then come back."
            </p>
        }
        .into_any();
    }
    let or = |given: String, default: &str| if given.is_empty() { default.to_owned() } else { given };
    let (a, b) = (or(a, &choices.a), or(b, &choices.b));
    let sets = choices.sets.iter().map(|set| (set.id.to_string(), format!("{} ({})", set.name, set.cases))).collect();
    let set = or(set, &choices.sets[0].id.to_string());
    let reachable: Vec<String> = choices
        .models
        .iter()
        .filter(|provider| matches!(provider.state, Reachability::Reachable))
        .flat_map(|provider| provider.models.clone())
        .collect();
    let first = reachable.first().cloned().unwrap_or_default();
    let none = reachable.is_empty().then(|| {
        view! {
            <p class="notice">
                "No model can be reached. " <a href="/lab#models-title">"The lab says how to configure one"</a>
                "; a dry run and your own outputs work all the same."
            </p>
        }
    });
    let names = reachable.into_iter().map(|name| view! { <option value=name></option> }).collect_view();
    let metrics: Vec<(String, String)> =
        Metric::ALL.into_iter().map(|metric| (metric.as_str().to_owned(), metric.label().to_owned())).collect();
    let deciding = Metric::ALL
        .into_iter()
        .map(|metric| form.check("deciding", metric.as_str(), metric.label(), false))
        .collect_view();
    let top = form.notice(&FIELDS);
    let dry = form.dry.clone().map(shown);
    let is_open = |names: &[&str]| names.iter().any(|name| form.problem(name).is_some());
    let (sent_a, sent_b) = (form.value("version_a", &a), form.value("version_b", &b));
    let mut versions = choices.versions;
    // One that is asked for can be chosen, however old it is.
    for asked in [&sent_a, &sent_b] {
        if asked.parse::<Version>().is_ok() && versions.iter().all(|(listed, _)| listed != asked) {
            versions.push((asked.clone(), asked.clone()));
        }
    }
    let is_against_itself = form.is_sent() && sent_a == sent_b && form.value("noise", "") != "true";
    let offer = is_against_itself.then(|| {
        // Not the first button of the form, which Enter presses.
        view! {
            <button type="submit" name="noise" value="true">
                {format!("Run {sent_a} against itself, as an A/A run")}
            </button>
        }
    });
    view! {
        {top}
        {none}
        {dry}
        <form method="post" action="/lab/new" enctype="multipart/form-data" class="stack">
            <input type="hidden" name="agent_type" value=agent.clone() />
            <div class="filters">
                <p class="field"><span>"Agent"</span><span class="agent-name">{agent}</span></p>
                {form.choice("version_a", "Version A", versions.clone(), &a, "")}
                {form.choice("version_b", "Version B", versions, &b, "")}
                {form.choice("set_id", "Test cases", sets, &set, if choices.has_more_sets { MORE_SETS } else { "" })}
            </div>
            <div class="filters">
                <label class="field wide" class:wrong=form.problem("model").is_some()>
                    <span>"Model"</span>
                    <input name="model" list="models" value=form.value("model", first) placeholder="provider::name" />
                    {form.problem("model").map(|problem| view! { <span class="problem small" role="alert">{problem}</span> })}
                </label>
                <datalist id="models">{names}</datalist>
                {form.line("repeats", "Repeats of each case", "1", "")}
                {form.line("concurrency", "Calls at once", "4", "")}
                {form.line("budget_usd", "Budget in US dollars", "", "Empty: no limit.")}
            </div>
            <details open=is_open(&["temperature", "top_p", "max_tokens", "seed"])>
                <summary>"Settings of the model"</summary>
                <div class="filters">
                    {form.line("temperature", "Temperature", "", "0 to 2")}
                    {form.line("top_p", "Top-p", "", "0 to 1")}
                    {form.line("max_tokens", "Tokens of an answer at most", "", "Empty: as the model likes; 4,096 with a budget.")}
                    {form.line("seed", "Seed", "", "Where the model has one.")}
                </div>
            </details>
            <fieldset>
                <legend>"What decides"</legend>
                <p class="faint small">"Settled before the run, and kept with it: nobody chooses the metric after seeing the results."</p>
                <div class="filters">
                    {form.choice("primary", "Primary metric", metrics, "pass_rate", "The verdict is about it.")}
                    {form
                        .line(
                            "margin",
                            "Margin",
                            "",
                            "The largest difference that does not matter: 0.05 is five percent of the cases; else ms, tokens, dollars.",
                        )}
                    {form.line("confidence", "Confidence", "0.95", "")}
                </div>
                <details open=is_open(&["deciding"])>
                    <summary>"Other metrics that decide too"</summary>
                    <p class="faint small">"When one of them is told worse, the version is not called better."</p>
                    <div class="checks">{deciding}</div>
                </details>
                {form.check("noise", "true", "Also run the active version against itself, to see how far answers differ without a cause", false)}
            </fieldset>
            <details open=is_open(&["judge", "question"])>
                <summary>"A judge"</summary>
                <div class="filters">
                    {form.line("judge", "Model that judges", "", "For llm-rubric, and for the question.")}
                </div>
                {form
                    .lines(
                        "question",
                        "What makes an answer the better one?",
                        "",
                        2,
                        "Asked in both orders; a preference that flips with the order counts as a tie.",
                    )}
            </details>
            <div class="filters">{form.line("created_by", "Your name", &remembered_author(), "")}</div>
            <p class="buttons">
                <button type="submit" class="primary" name="intent" value="start">"Start the run"</button>
                <button type="submit" name="intent" value="dry">"Dry run"</button>
                {offer}
            </p>
            <details open=is_open(&["outputs", "outputs_file"])>
                <summary>"Bring your own outputs"</summary>
                {form.file("outputs_file", "A file of answers", ".jsonl,.ndjson,.json", "JSON Lines.")}
                {form
                    .lines(
                        "outputs",
                        "Or its text",
                        "",
                        6,
                        "One answer a line: {\"case\": \"…\", \"side\": \"a\", \"output\": \"…\", \"latency_ms\": 820}",
                    )}
                <p class="buttons">
                    <button type="submit" name="intent" value="outputs">"Judge these outputs"</button>
                </p>
            </details>
        </form>
    }
    .into_any()
}

/// What a run would do.
fn shown(dry: DryRun) -> AnyView {
    let cost = match dry.cost_usd {
        Some(cost) => format!("at most about ${cost:.4}"),
        None if dry.unpriced.is_empty() => "no price, because no model is named".into(),
        None => format!("cost unknown: the price table has no {}", dry.unpriced.join(", ")),
    };
    let calls = dry
        .first
        .into_iter()
        .map(|call| {
            view! {
                <details>
                    <summary>
                        {format!(
                            "{} · {} · about {} tokens",
                            call.case,
                            call.side.as_str().to_uppercase(),
                            thousands(call.input_tokens),
                        )}
                    </summary>
                    <h3>"System"</h3>
                    <pre class="message">{call.messages.system}</pre>
                    <h3>"User"</h3>
                    <pre class="message">{call.messages.user}</pre>
                </details>
            }
            .into_any()
        })
        .collect_view();
    view! {
        <section class="notice" aria-labelledby="dry-title">
            <h2 id="dry-title">"Dry run"</h2>
            <p>
                {format!(
                    "{} calls, about {} tokens sent, {cost}. Nothing was called.",
                    thousands(dry.calls),
                    thousands(dry.input_tokens),
                )}
            </p>
            {calls}
        </section>
    }
    .into_any()
}
