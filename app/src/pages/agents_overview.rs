//! The first page: every agent, what it is served, what waits, what happened.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::{
    AppError,
    api::{AgentRow, Overview},
    components::{
        error_notice::ErrorNotice, event_list::EventList, relative_time::RelativeTime, version_chip::VersionChip,
    },
};

/// Every agent, its active version, its last change, and recent activity.
#[component]
pub fn AgentsOverview(
    /// What the server said of the agents.
    agents: Resource<Result<Overview, AppError>>,
) -> impl IntoView {
    view! {
        <Title text="Agents" />
        <Suspense fallback=|| view! { <p class="waiting">"Reading the registry…"</p> }>
            {move || Suspend::new(async move {
                match agents.await {
                    Ok(overview) if overview.agents.is_empty() => view! { <Nothing /> }.into_any(),
                    Ok(overview) => view! { <Agents overview /> }.into_any(),
                    Err(error) => {
                        view! {
                            <h1>"Agents"</h1>
                            <ErrorNotice error />
                        }
                            .into_any()
                    }
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Agents(overview: Overview) -> impl IntoView {
    let Overview { agents, events, now } = overview;
    let live = agents.iter().filter(|agent| agent.active.is_some()).count();
    let drafts: u32 = agents.iter().map(|agent| agent.drafts).sum();
    let summary = format!(
        "{} · {live} live · {}",
        counted(agents.len(), "agent", "agents"),
        match drafts {
            0 => "no drafts waiting".to_owned(),
            1 => "1 draft waiting".to_owned(),
            many => format!("{many} drafts waiting"),
        }
    );
    view! {
        <div class="page-head">
            <h1>"Agents"</h1>
            <p class="summary">{summary}</p>
        </div>
        <div class="overview">
            <section aria-labelledby="agents-title">
                <h2 id="agents-title" class="visually-hidden">"What is live"</h2>
                <table class="agents">
                    <thead>
                        <tr>
                            <th scope="col">"Agent"</th>
                            <th scope="col">"Active"</th>
                            <th scope="col">"Live since"</th>
                            <th scope="col" class="number">"Size"</th>
                            <th scope="col">"Drafts"</th>
                            <th scope="col">"Last change"</th>
                            <th scope="col"><span class="visually-hidden">"Read"</span></th>
                        </tr>
                    </thead>
                    <tbody>
                        {agents
                            .into_iter()
                            .map(|agent| view! { <AgentLine agent now=now.seconds /> })
                            .collect_view()}
                    </tbody>
                </table>
                <p class="hint">
                    "An agent reads its prompt from "
                    <code>"GET /api/v1/prompts/{agent_type}/active"</code>
                    ": from memory, and new within milliseconds of a promotion."
                </p>
            </section>
            <section class="activity" aria-labelledby="activity-title">
                <h2 id="activity-title">"Recent activity"</h2>
                <EventList events now=now.seconds />
            </section>
        </div>
    }
    .into_any()
}

#[component]
fn AgentLine(agent: AgentRow, now: i64) -> impl IntoView {
    let AgentRow { agent_type, active, drafts, latest, versions, changed_at, changed_by } = agent;
    let base = format!("/api/v1/prompts/{agent_type}");
    let is_live = active.is_some();
    let (chip, since, size) = match active {
        Some(active) => (
            view! { <VersionChip version=active.version status="active" /> }.into_any(),
            view! { <RelativeTime moment=active.since now /> }.into_any(),
            view! {
                {thousands(active.char_count)}
                <span class="faint">{if active.char_count == 1 { " char" } else { " chars" }}</span>
                <span class="faint joint">" · "</span>
                <span class="also">
                    {thousands(active.line_count)}
                    <span class="faint">{if active.line_count == 1 { " line" } else { " lines" }}</span>
                </span>
            }
            .into_any(),
        ),
        None => (
            view! { <span class="faint">"Nothing is live yet"</span> }.into_any(),
            view! { <span class="faint">"–"</span> }.into_any(),
            view! { <span class="faint">"–"</span> }.into_any(),
        ),
    };
    let waiting = (drafts > 0).then(|| {
        let title = format!("{drafts} above the active version; the newest version is {latest}");
        view! { <span class="chip draft" title=title>{counted(drafts as usize, "draft", "drafts")}</span> }
    });
    view! {
        <tr id=format!("agent-{agent_type}") tabindex="-1" data-row="">
            <th scope="row">
                // A long name is cut where there is no room; the title has all of it.
                <a class="agent-name" href=format!("{base}/versions") rel="external" title=agent_type.clone()>
                    {agent_type.clone()}
                </a>
                <span class="faint small also">{counted(versions as usize, "version", "versions")}</span>
            </th>
            <td data-label="Active">{chip}</td>
            <td data-label="Live since" class:blank=!is_live>{since}</td>
            <td data-label="Size" class="number" class:blank=!is_live>{size}</td>
            <td data-label="Drafts" class:blank=drafts == 0>{waiting}</td>
            <td data-label="Last change">
                <RelativeTime moment=changed_at now />
                {changed_by
                    .map(|name| {
                        view! {
                            <span class="also">
                                <span class="faint">" by "</span>
                                <span class="who" title=name.clone()>{name.clone()}</span>
                            </span>
                        }
                    })}
            </td>
            <td class="action" class:blank=!is_live>
                {is_live
                    .then(|| {
                        view! {
                            <a
                                href=format!("{base}/active")
                                rel="external"
                                aria-label=format!("The active prompt of {agent_type} as JSON")
                            >
                                "JSON"
                            </a>
                        }
                    })}
            </td>
        </tr>
    }
    .into_any()
}

#[component]
fn Nothing() -> impl IntoView {
    const FIRST: &str = "curl -X POST http://127.0.0.1:3000/api/v1/prompts/versions \\\n  \
        -H 'Content-Type: application/json' \\\n  \
        -d '{\"agent_type\": \"writer\", \"version\": \"1.0.0\",\n       \
        \"prompt_text\": \"You write plainly.\"}'";
    view! {
        <div class="page-head">
            <h1>"Agents"</h1>
        </div>
        <div class="empty prose">
            <p>
                "This place shows every agent, the prompt version that is live, and the drafts that wait. There is no \
                agent yet: one begins with its first version."
            </p>
            <pre tabindex="0"><code>{FIRST}</code></pre>
        </div>
    }
    .into_any()
}

/// A number with its noun.
fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A number with its thousands apart, by a space that does not break.
fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1\u{202f}000");
        assert_eq!(thousands(1_048_576), "1\u{202f}048\u{202f}576");
        assert_eq!(
            (counted(1, "agent", "agents"), counted(2, "agent", "agents")),
            ("1 agent".into(), "2 agents".into())
        );
    }
}
