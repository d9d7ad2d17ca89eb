//! The tables: agents, versions, and why calls failed.

use leptos::prelude::*;
use versioning::{
    MetricsRange, PromptMetrics,
    metrics::{AgentMetrics, CallFigures},
};

use crate::{
    components::relative_time::RelativeTime,
    words::{counted, milliseconds, percent, thousands},
};

fn dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".into())
}

/// What each row says of calls: how many, what share failed, half and nineteen of twenty.
fn call_cells(calls: &CallFigures) -> AnyView {
    let latency = calls.latency();
    view! {
        <td class="number">{thousands(calls.calls)}</td>
        <td class="number">{dash(calls.error_rate().map(percent))}</td>
        <td class="number">{dash(latency.map(|latency| milliseconds(latency.p50_ms)))}</td>
        <td class="number">{dash(latency.map(|latency| milliseconds(latency.p95_ms)))}</td>
    }
    .into_any()
}

/// The heads of [`call_cells`].
fn call_heads() -> AnyView {
    view! {
        <th scope="col" class="number">"Calls"</th>
        <th scope="col" class="number">"Failed"</th>
        <th scope="col" class="number">"Median"</th>
        <th scope="col" class="number">"95th percentile"</th>
    }
    .into_any()
}

/// The agents, with what is live, what was created and what was called.
pub fn agent_table(metrics: &PromptMetrics) -> AnyView {
    let range = metrics.range;
    let rows = metrics.agents.iter().map(|agent| agent_row(agent, range)).collect_view();
    view! {
        <div class="wide-table" tabindex="0" role="region" aria-labelledby="agents-title">
            <table class="plain">
                <thead>
                    <tr>
                        <th scope="col">"Agent"</th>
                        <th scope="col">"Active"</th>
                        {call_heads()}
                        <th scope="col">"Most active version"</th>
                        <th scope="col" class="number">"Created"</th>
                        <th scope="col" class="number">"Patches a week"</th>
                        <th scope="col" class="number">"Length"</th>
                        <th scope="col" class="number">"Cache hits"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn agent_row(agent: &AgentMetrics, range: MetricsRange) -> AnyView {
    let href = format!("/metrics/prompts?agent={}&range={}", agent.agent_type, range.as_str());
    let most_active = agent.most_active.map(|(version, calls)| {
        view! {
            <span class="version">{version.to_string()}</span>
            <span class="faint small">" " {counted(calls, "call", "calls")}</span>
        }
    });
    let active = agent.active.map(|(version, _)| view! { <span class="version">{version.to_string()}</span> });
    let hits = agent.cache.and_then(|counts| counts.hit_rate()).map(percent);
    view! {
        <tr>
            <th scope="row">
                <a class="agent-name" href=href>{agent.agent_type.to_string()}</a>
            </th>
            <td>{active}</td>
            {call_cells(&agent.calls)}
            <td>{most_active}</td>
            <td class="number">{thousands(agent.created.total())}</td>
            <td class="number">{format!("{:.1}", agent.patches_a_week)}</td>
            <td class="number">{dash(agent.active.map(|(_, length)| thousands(length)))}</td>
            <td class="number">{dash(hits)}</td>
        </tr>
    }
    .into_any()
}

/// The versions of the agent that were called, and what is known of the agent itself.
pub fn version_table(metrics: &PromptMetrics) -> AnyView {
    let Some(agent) = metrics.agents.first() else { return ().into_any() };
    let base = format!("/agents/{}/versions", agent.agent_type);
    let rows = metrics
        .versions
        .iter()
        .map(|row| {
            let version = row.version.to_string();
            let calls = &row.calls;
            let is_live = agent.active.is_some_and(|(active, _)| active == row.version);
            view! {
                <tr>
                    <th scope="row">
                        <a class="version" href=format!("{base}/{version}")>{version.clone()}</a>
                        {is_live.then(|| view! { " " <span class="chip active">"active"</span> })}
                    </th>
                    {call_cells(calls)}
                    <td class="number">{dash(calls.mean_output_tokens().map(|tokens| format!("{tokens:.0}")))}</td>
                    <td class="number">{dash(calls.mean_cost_usd().map(|cost| format!("${cost:.5}")))}</td>
                </tr>
            }
            .into_any()
        })
        .collect_view();
    let versions = if metrics.versions.is_empty() {
        view! { <p class="empty">"No version was called in this range."</p> }.into_any()
    } else {
        view! {
            <div class="wide-table" tabindex="0" role="region" aria-labelledby="versions-title">
                <table class="plain">
                    <thead>
                        <tr>
                            <th scope="col">"Version"</th>
                            {call_heads()}
                            <th scope="col" class="number">"Tokens a call"</th>
                            <th scope="col" class="number">"Cost a call"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    let cache = agent.cache.map_or_else(
        || "not asked for since this server started".to_owned(),
        |counts| {
            let rate = counts.hit_rate().map_or_else(|| "–".to_owned(), percent);
            format!("{rate} of {} on this server", counted(counts.hits + counts.misses, "load", "loads"))
        },
    );
    let facts = [
        ("Patches a week", format!("{:.1}", agent.patches_a_week)),
        (
            "Versions created",
            format!(
                "{}: {} major, {} minor, {} patch",
                agent.created.total(),
                agent.created.majors,
                agent.created.minors,
                agent.created.patches
            ),
        ),
        ("Cache hits", cache),
    ]
    .into_iter()
    .map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> })
    .collect_view();
    view! {
        <section aria-labelledby="versions-title">
            <h2 id="versions-title">"Versions that were called"</h2>
            {versions}
            <dl class="facts">{facts}</dl>
        </section>
    }
    .into_any()
}

/// Why calls failed; nothing if none did.
pub fn failure_list(metrics: &PromptMetrics) -> AnyView {
    if metrics.failures.is_empty() {
        return ().into_any();
    }
    let now = chrono::Utc::now().timestamp();
    let rows = metrics
        .failures
        .iter()
        .map(|failure| {
            view! {
                <tr>
                    <th scope="row"><code>{failure.kind.clone()}</code></th>
                    <td class="number">{thousands(failure.calls)}</td>
                    <td><RelativeTime moment=failure.last_at.into() now /></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="metrics-section" aria-labelledby="failures-title">
            <h2 id="failures-title">"Why calls failed"</h2>
            <p class="faint small">"Of the last 1 000 failed calls of each agent, as long as single calls are kept."</p>
            <div class="wide-table" tabindex="0" role="region" aria-labelledby="failures-title">
                <table class="plain">
                    <thead>
                        <tr>
                            <th scope="col">"Reason"</th>
                            <th scope="col" class="number">"Calls"</th>
                            <th scope="col">"Last"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}
