//! The lab at a glance: runs, sets of test cases, models.

use agents::{ProviderState, Reachability};
use lab::{Run, RunCursor, RunStatus, RunsPage, SetCursor, SetSummary, SetsPage};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use versioning::AgentType;

use super::form::{LabForm, lab};
use crate::{
    AppError,
    api::{Overview, services},
    components::{agent_header::AgentHeader, error_notice::ErrorNotice, relative_time::RelativeTime},
    html::Local,
    words::counted,
};

/// Runs on a page.
const RUNS: u32 = 30;

/// Sets on a page.
const SETS: u32 = 50;

/// What is asked for: of which agent, or of all; runs from before a place in their order, sets from after one in
/// theirs.
#[derive(Debug, Clone, Default, PartialEq)]
struct Asked {
    agent: String,
    before: String,
    after: String,
}

impl Asked {
    /// Where this is shown.
    fn address(&self, part: &str) -> String {
        let fields = [("agent", &self.agent), ("before", &self.before), ("after", &self.after)];
        let fields: Vec<String> = fields
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let query = if fields.is_empty() { String::new() } else { format!("?{}", fields.join("&")) };
        format!("/lab{query}#{part}")
    }
}

/// Runs, sets, models and agents.
type Home = (RunsPage, SetsPage, Vec<ProviderState>, Vec<String>);

async fn home(Asked { agent, before, after }: Asked) -> Result<Home, AppError> {
    let lab = lab()?;
    let before: Option<RunCursor> = (!before.is_empty()).then(|| before.parse()).transpose()?;
    let after: Option<SetCursor> = (!after.is_empty()).then(|| after.parse()).transpose()?;
    let management = services()?.management;
    let agents = management.overview().await?.into_iter().map(|agent| agent.agent_type.to_string()).collect();
    let agent: Option<AgentType> = (!agent.is_empty()).then(|| agent.parse()).transpose()?;
    if let Some(agent) = &agent {
        // The page of an agent that is not there says so.
        management.get_versions(agent, None, 1).await?;
    }
    let runs = lab.runs(agent.as_ref(), before, RUNS).await?;
    let sets = lab.sets(agent.as_ref(), after.as_ref(), SETS).await?;
    Ok((runs, sets, lab.models().await, agents))
}

/// The A/B testing lab: of all agents, or of one.
#[component]
pub fn ABTestingLab(
    /// What the server said of the agents.
    agents: Resource<Result<Overview, AppError>>,
) -> impl IntoView {
    let query = use_query_map();
    let agent = Memo::new(move |_| query.read().get("agent").unwrap_or_default());
    let asked = Memo::new(move |_| {
        let of = |name: &str| query.read().get(name).unwrap_or_default();
        Asked { agent: agent.get(), before: of("before"), after: of("after") }
    });
    let home = Resource::new_blocking(move || asked.get(), |asked| async { home(asked).await.map(Local) });
    let head = move || {
        let agent = agent.get();
        if agent.is_empty() {
            view! {
                <Title text="Lab" />
                <div class="page-head">
                    <h1>"A/B lab"</h1>
                    <p class="summary">"Two versions, the same cases, an honest verdict"</p>
                    <p class="buttons">
                        <a class="button primary" href="/lab/new">"New run"</a>
                    </p>
                </div>
            }
            .into_any()
        } else {
            view! {
                <Title text=format!("{agent} lab") />
                <h1 class="visually-hidden">{format!("The A/B lab of {agent}")}</h1>
                <AgentHeader agents agent_type=agent.clone() current="Lab" />
                <p class="buttons">
                    <a class="button primary" href=format!("/lab/new?agent={agent}")>"New run"</a>
                </p>
            }
            .into_any()
        }
    };
    view! {
        {head}
        <Transition>
            {move || Suspend::new(async move {
                match home.await {
                    Ok(Local(home)) => whole(home, &asked.get_untracked()),
                    Err(error) => view! { <ErrorNotice error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn whole((runs, sets, models, agents): Home, asked: &Asked) -> AnyView {
    let form = LabForm::from_context();
    let now = chrono::Utc::now().timestamp();
    let is_reachable = models.iter().any(|provider| matches!(provider.state, Reachability::Reachable));
    let RunsPage { runs, next } = runs;
    let are_latest = asked.before.is_empty();
    let of_runs = |before: String| Asked { before, ..asked.clone() }.address("runs-title");
    let back = (!are_latest).then(|| ("← Latest runs", of_runs(String::new())));
    let run_steps = steps("Pages of runs", back, next.map(|next| ("Earlier runs →", of_runs(next.to_string()))));
    let SetsPage { sets, next } = sets;
    let of_sets = |after: String| Asked { after, ..asked.clone() }.address("sets-title");
    let back = (!asked.after.is_empty()).then(|| ("← First sets", of_sets(String::new())));
    let set_steps = steps("Pages of sets", back, next.map(|next| ("Later sets →", of_sets(next.to_string()))));
    let runs = if runs.is_empty() && !are_latest {
        view! { <p class="empty">"No run began before that."</p> }.into_any()
    } else if runs.is_empty() {
        view! {
            <p class="empty">
                "No run yet. Make a set of test cases below, then start a run: both versions are asked every case."
            </p>
        }
        .into_any()
    } else {
        run_table(runs, now)
    };
    let options = agents.into_iter().map(|agent| (agent.clone(), agent)).collect();
    view! {
        <section class="lab-section" aria-labelledby="runs-title">
            <h2 id="runs-title">"Runs"</h2>
            {runs}
            {run_steps}
        </section>
        <section class="lab-section" aria-labelledby="sets-title">
            <h2 id="sets-title">"Test cases"</h2>
            {if sets.is_empty() && !asked.after.is_empty() {
                view! { <p class="empty">"No set comes after that."</p> }.into_any()
            } else {
                set_list(sets, now)
            }}
            {set_steps}
            <form class="filters" method="post" action="/lab/sets">
                {form.choice("agent_type", "Agent", options, &asked.agent, "")}
                {form.line("name", "Name of a new set", "", "")}
                <button type="submit">"Make the set"</button>
            </form>
            {form.notice(&["agent_type", "name"])}
        </section>
        <section class="lab-section" aria-labelledby="models-title">
            <h2 id="models-title">"Models"</h2>
            {(!is_reachable)
                .then(|| {
                    view! {
                        <p class="notice">
                            "No model can be reached. A dry run, and answers that were produced elsewhere, work all the same."
                        </p>
                    }
                })}
            {model_list(models)}
        </section>
    }
    .into_any()
}

/// The ways to the other pages of a list: each with its name and its address.
fn steps(
    what: &'static str,
    back: Option<(&'static str, String)>,
    on: Option<(&'static str, String)>,
) -> Option<AnyView> {
    (back.is_some() || on.is_some()).then(|| {
        view! {
            <nav class="buttons" aria-label=what>
                {back.map(|(name, address)| view! { <a class="button" href=address>{name}</a> })}
                {on.map(|(name, address)| view! { <a class="button" href=address data-page="next">{name}</a> })}
            </nav>
        }
        .into_any()
    })
}

/// How far a run is, in a word.
pub(super) fn status_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "running",
        RunStatus::Finished => "finished",
        RunStatus::Cancelled => "cancelled",
        RunStatus::OutOfBudget => "out of budget",
    }
}

fn run_table(runs: Vec<Run>, now: i64) -> AnyView {
    let rows = runs
        .into_iter()
        .map(|run| {
            let address = format!("/lab/runs/{}", run.id);
            let created = run.created_at.into();
            view! {
                <tr>
                    <th scope="row">
                        <a href=address>
                            <span class="agent-name">{run.agent_type.to_string()}</span>
                            " "
                            <span class="version">{run.version_a.to_string()}</span>
                            " → "
                            <span class="version">{run.version_b.to_string()}</span>
                        </a>
                    </th>
                    <td><span class=format!("chip run-{}", run.status.as_str())>{status_word(run.status)}</span></td>
                    <td>{run.set_name}</td>
                    <td>{if run.is_imported { "brought along".to_owned() } else { run.plan.model.as_ref().map(ToString::to_string).unwrap_or_default() }}</td>
                    <td class="number">{format!("{}/{}", run.done, run.calls)}</td>
                    <td class="number">{format!("${:.4}", run.spent_usd)}</td>
                    <td><RelativeTime moment=created now /></td>
                </tr>
            }
            .into_any()
        })
        .collect_view();
    view! {
        <div class="wide-table" tabindex="0" role="region" aria-labelledby="runs-title">
            <table class="plain">
                <thead>
                    <tr>
                        <th scope="col">"Versions"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col">"Cases"</th>
                        <th scope="col">"Model"</th>
                        <th scope="col" class="number">"Calls"</th>
                        <th scope="col" class="number">"Cost"</th>
                        <th scope="col">"Started"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn set_list(sets: Vec<SetSummary>, now: i64) -> AnyView {
    if sets.is_empty() {
        return view! { <p class="empty">"No set yet. A verdict needs about 20 cases at least; 50 to 200 tell more."</p> }
            .into_any();
    }
    let rows = sets
        .into_iter()
        .map(|set| {
            let updated = set.updated_at.into();
            view! {
                <li>
                    <a href=format!("/lab/sets/{}", set.id)>
                        <span class="agent-name">{set.agent_type.to_string()}</span>
                        " "
                        {set.name}
                    </a>
                    <span class="faint small">
                        {counted(set.cases, "case", "cases")} " · changed " <RelativeTime moment=updated now />
                    </span>
                </li>
            }
            .into_any()
        })
        .collect_view();
    view! { <ul class="rows">{rows}</ul> }.into_any()
}

fn model_list(models: Vec<ProviderState>) -> AnyView {
    let rows = models
        .into_iter()
        .map(|provider| {
            let (state, detail) = match provider.state {
                Reachability::Reachable => ("reachable", provider.models.join(", ")),
                Reachability::NotConfigured { how } => ("not configured", how),
                Reachability::Unreachable { why } => ("does not answer", why),
            };
            let class = if state == "reachable" { "chip run-finished" } else { "faint small" };
            view! {
                <div>
                    <dt>{provider.provider.title()} " " <span class=class>{state}</span></dt>
                    <dd class="small">{detail}</dd>
                </div>
            }
            .into_any()
        })
        .collect_view();
    view! { <dl class="facts models">{rows}</dl> }.into_any()
}
