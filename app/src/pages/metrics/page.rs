//! The page: which agent, how far back, then figures and tables.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use versioning::{AgentType, MetricsRange, PromptMetrics};

use super::{
    figures::{calls_figure, created_figure, failures_figure, latency_figure, length_figure},
    tables::{agent_table, failure_list, version_table},
};
use crate::{
    AppError,
    api::{Overview, services},
    components::{agent_header::AgentHeader, error_notice::ErrorNotice},
    html::Local,
    words::{counted, thousands},
};

async fn read(agent: String, range: String) -> Result<PromptMetrics, AppError> {
    let agent: Option<AgentType> = (!agent.is_empty()).then(|| agent.parse()).transpose()?;
    let range = if range.is_empty() { MetricsRange::Week } else { range.parse()? };
    Ok(services()?.metrics.of_prompts(agent.as_ref(), range).await?)
}

/// How the prompts of all agents, or of one, are used.
#[component]
pub fn PromptMetricsPage(
    /// What the server said of the agents.
    agents: Resource<Result<Overview, AppError>>,
) -> impl IntoView {
    let query = use_query_map();
    let param = move |name: &'static str| Memo::new(move |_| query.read().get(name).unwrap_or_default());
    let (agent, range) = (param("agent"), param("range"));
    let metrics = Resource::new_blocking(
        move || (agent.get(), range.get()),
        |(agent, range)| async move { read(agent, range).await.map(Local) },
    );
    let head = move || {
        let agent = agent.get();
        if agent.is_empty() {
            view! {
                <Title text="Metrics" />
                <div class="page-head">
                    <h1>"Metrics"</h1>
                    <p class="summary">"How the prompts of all agents are used"</p>
                </div>
            }
            .into_any()
        } else {
            view! {
                <Title text=format!("{agent} metrics") />
                <h1 class="visually-hidden">{format!("Metrics of {agent}")}</h1>
                <AgentHeader agents agent_type=agent current="Metrics" />
            }
            .into_any()
        }
    };
    view! {
        {head}
        <Transition>
            {move || Suspend::new(async move {
                match metrics.await {
                    Ok(Local(metrics)) => whole(&metrics),
                    Err(error) => view! { <ErrorNotice error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn whole(metrics: &PromptMetrics) -> AnyView {
    let is_of_one = metrics.agent_type.is_some();
    let calls: u64 = metrics.agents.iter().map(|agent| agent.calls.calls).sum();
    let created: u64 = metrics.agents.iter().map(|agent| agent.created.total()).sum();
    let what = if is_of_one {
        version_table(metrics)
    } else {
        view! {
            <section aria-labelledby="agents-title">
                <h2 id="agents-title">"Agents"</h2>
                {agent_table(metrics)}
                <p class="hint">
                    "Cache hits are those of this server since it started. Patches a week are an average over the range."
                </p>
            </section>
        }
        .into_any()
    };
    let summary = format!(
        "{} · {} created · since {}",
        counted(calls, "call", "calls"),
        counted(created, "version", "versions"),
        metrics.window.begins_at.format("%-d %b %Y, %H:%M UTC"),
    );
    view! {
        {ranges(metrics)}
        <p class="summary metrics-summary">{summary}</p>
        {(calls == 0).then(|| no_calls(metrics))}
        <div class="figures">
            {calls_figure(metrics)} {latency_figure(metrics)} {failures_figure(metrics)} {created_figure(metrics)}
            {length_figure(metrics)} {lengths_in_words(metrics)}
        </div>
        {what}
        {failure_list(metrics)}
        <p class="hint">
            "The same figures for programs: "
            <a href=rest_address(metrics) rel="external">
                <code>"GET /api/v1/metrics/prompts"</code>
            </a>
        </p>
    }
    .into_any()
}

/// Where calls come from, for whoever sees none.
fn no_calls(metrics: &PromptMetrics) -> AnyView {
    let whose = metrics.agent_type.as_ref().map_or_else(|| "any agent".to_owned(), ToString::to_string);
    view! {
        <p class="notice">
            {format!("No call of {whose} was recorded in this range. ")}
            "Calls come from agents that answer through this server, and from those elsewhere that tell of theirs with "
            <code>"POST /api/v1/calls"</code> "."
        </p>
    }
    .into_any()
}

fn address(agent: Option<&AgentType>, range: MetricsRange) -> String {
    let agent = agent.map(|agent| format!("agent={agent}&")).unwrap_or_default();
    format!("/metrics/prompts?{agent}range={}", range.as_str())
}

fn rest_address(metrics: &PromptMetrics) -> String {
    let agent = metrics.agent_type.as_ref().map(|agent| format!("agent_type={agent}&")).unwrap_or_default();
    format!("/api/v1/metrics/prompts?{agent}range={}", metrics.range.as_str())
}

fn ranges(metrics: &PromptMetrics) -> AnyView {
    let links = MetricsRange::ALL
        .into_iter()
        .map(|range| {
            let name = match range {
                MetricsRange::Day => "24 hours",
                MetricsRange::Week => "7 days",
                MetricsRange::Month => "30 days",
                MetricsRange::Quarter => "90 days",
                MetricsRange::Year => "52 weeks",
            };
            let is_current = (range == metrics.range).then_some("true");
            let href = address(metrics.agent_type.as_ref(), range);
            view! { <a class="button quiet" href=href aria-current=is_current>{name}</a> }
        })
        .collect_view();
    view! { <nav class="group ranges" aria-label="Range">{links}</nav> }.into_any()
}

fn lengths_in_words(metrics: &PromptMetrics) -> AnyView {
    let lengths = &metrics.lengths;
    let rounded = |value: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of counts of characters")]
        let whole = value.round() as u64;
        format!("{} characters", thousands(whole))
    };
    let rows = [
        ("Versions", thousands(lengths.versions)),
        ("Mean of what is live", lengths.mean_live.map_or_else(|| "–".into(), rounded)),
        ("Mean of all versions", rounded(lengths.mean)),
        ("Median", format!("{} characters", thousands(lengths.median))),
        ("Shortest", format!("{} characters", thousands(lengths.shortest))),
        ("Longest", format!("{} characters", thousands(lengths.longest))),
    ]
    .into_iter()
    .map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> })
    .collect_view();
    view! {
        <section class="figure" aria-labelledby="lengths-title">
            <h2 id="lengths-title">"Lengths in numbers"</h2>
            <dl class="facts">{rows}</dl>
        </section>
    }
    .into_any()
}
