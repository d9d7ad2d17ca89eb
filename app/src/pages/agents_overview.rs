//! The first page: every agent, what it is served, what waits, what happened.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::{
    AppError,
    api::{AgentRow, Overview, SEARCH_HITS, SearchHit, search},
    components::{
        error_notice::ErrorNotice, event_list::EventList, relative_time::RelativeTime, version_chip::VersionChip,
    },
    words::{counted, thousands},
};

/// Every agent, its active version, its last change, and recent activity.
#[component]
pub fn AgentsOverview(
    /// What the server said of the agents.
    agents: Resource<Result<Overview, AppError>>,
) -> impl IntoView {
    let query = use_query_map();
    let words = Memo::new(move |_| query.read().get("q").unwrap_or_default());
    let hits = Resource::new_blocking(move || words.get(), search);
    view! {
        <Title text="Agents" />
        <Transition>
            {move || Suspend::new(async move {
                let words = words.get_untracked();
                (!words.trim().is_empty()).then_some(view! { <Found words hits=hits.await /> })
            })}
        </Transition>
        <Transition fallback=|| view! { <p class="waiting">"Reading the registry…"</p> }>
            {move || Suspend::new(async move {
                match agents.await {
                    // All of it, because the first agent changes all of it.
                    Ok(overview) => {
                        let content = if overview.agents.is_empty() {
                            view! { <Nothing /> }.into_any()
                        } else {
                            view! { <Agents overview /> }.into_any()
                        };
                        view! { <div data-live="overview">{content}</div> }.into_any()
                    }
                    Err(error) => {
                        view! {
                            <h1>"Agents"</h1>
                            <ErrorNotice error />
                        }
                            .into_any()
                    }
                }
            })}
        </Transition>
    }
    .into_any()
}

/// What a search found.
#[component]
fn Found(words: String, hits: Result<Vec<SearchHit>, AppError>) -> impl IntoView {
    let hits = match hits {
        Ok(hits) => hits,
        Err(error) => return view! { <ErrorNotice error /> }.into_any(),
    };
    let title = match hits.len() {
        0 => format!("Nothing holds “{words}”"),
        SEARCH_HITS => format!("The first {SEARCH_HITS} places for “{words}”"),
        number => format!("{} for “{words}”", counted(number as u64, "place", "places")),
    };
    let hint = hits.is_empty().then(|| {
        view! {
            <p class="faint prose">
                "Searched were the names of agents, the prompts that are live or wait, and the notes of every version. Older \
                prompts are found with the filter of the history."
            </p>
        }
    });
    let limits = "The search reads the first 100,000 characters of a prompt, and the 20 highest drafts of an agent.";
    let lines = hits
        .into_iter()
        .map(|hit| {
            let SearchHit { agent_type, version, place, excerpt } = hit;
            let href = match &version {
                Some(version) => format!("/agents/{agent_type}/versions/{version}"),
                None => format!("/agents/{agent_type}"),
            };
            let what = match place.as_str() {
                "name" => "agent",
                "live" => "live prompt",
                "draft" => "draft",
                _ => "notes",
            };
            let excerpt = (place != "name").then(|| {
                let pieces = excerpt
                    .into_iter()
                    .map(
                        |(text, is_found)| {
                            if is_found { view! { <mark>{text}</mark> }.into_any() } else { text.into_any() }
                        },
                    )
                    .collect_view();
                view! { <p class="excerpt">{pieces}</p> }
            });
            view! {
                <li tabindex="-1" data-row="">
                    <p>
                        <a href=href>
                            <span class="agent-name">{agent_type}</span>
                            {version.map(|version| view! { " " <span class="version">{version}</span> })}
                        </a>
                        " "
                        <span class="faint small">{what}</span>
                    </p>
                    {excerpt}
                </li>
            }
            .into_any()
        })
        .collect_view();
    view! {
        <section class="found" aria-labelledby="found-title">
            <div class="list-head">
                <h2 id="found-title">{title}</h2>
                <a class="button quiet" href="/">"Clear"</a>
            </div>
            {hint}
            <ol>{lines}</ol>
            <p class="faint small">{limits}</p>
        </section>
    }
    .into_any()
}

/// How busy the last days were, today at the right.
#[component]
fn SparkLine(days: Vec<u32>) -> impl IntoView {
    let total: u32 = days.iter().sum();
    let most = days.iter().copied().max().unwrap_or(0).max(1);
    let label = format!("{} in {} days", counted(total, "event", "events"), days.len());
    let bars = days
        .iter()
        .enumerate()
        .map(|(index, &count)| {
            let height = if count == 0 { 1 } else { (count * 16 / most).max(3) };
            view! {
                <rect x=(index * 5).to_string() y=(18 - height).to_string() width="4" height=height.to_string() class:some=count != 0 />
            }
        })
        .collect_view();
    view! {
        <svg class="spark" viewBox="0 0 70 18" width="70" height="18" role="img" aria-label=label.clone()>
            <title>{label.clone()}</title>
            {bars}
        </svg>
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
        counted(agents.len() as u64, "agent", "agents"),
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
            <a class="button" href="/new" rel="external">"New agent"</a>
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
                            <th scope="col">"Activity"</th>
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
    let AgentRow { agent_type, active, drafts, latest, versions, changed_at, changed_by, activity } = agent;
    let base = format!("/agents/{agent_type}");
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
        view! { <span class="chip draft" title=title>{counted(drafts, "draft", "drafts")}</span> }
    });
    view! {
        <tr id=format!("agent-{agent_type}") tabindex="-1" data-row="">
            <th scope="row">
                // A long name is cut where there is no room; the title has all of it.
                <a class="agent-name" href=base.clone() title=agent_type.clone()>
                    {agent_type.clone()}
                </a>
                <span class="faint small also">{counted(versions, "version", "versions")}</span>
            </th>
            <td data-label="Active">{chip}</td>
            <td data-label="Live since" class:blank=!is_live>{since}</td>
            <td data-label="Size" class="number" class:blank=!is_live>{size}</td>
            <td data-label="Drafts" class:blank=drafts == 0>{waiting}</td>
            <td data-label="Activity"><SparkLine days=activity /></td>
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
            <td class="action">
                <a href=format!("{base}/edit") rel="external" aria-label=format!("Edit {agent_type}")>"Edit"</a>
            </td>
        </tr>
    }
    .into_any()
}

#[component]
fn Nothing() -> impl IntoView {
    view! {
        <div class="page-head">
            <h1>"Agents"</h1>
        </div>
        <div class="empty prose">
            <p>
                "This place shows every agent, the prompt version that is live, and the drafts that wait. There is no \
                agent yet: one begins with its first version."
            </p>
            <p><a class="button primary" href="/new" rel="external">"Write the first prompt"</a></p>
        </div>
    }
    .into_any()
}
