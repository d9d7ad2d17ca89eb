//! An agent is one place: its name, what is live, and the ways from there.

use leptos::prelude::*;

use super::{relative_time::RelativeTime, version_chip::VersionChip};
use crate::{AppError, api::Overview, words::counted};

/// The pages of an agent: what each is called, and its address after the agent's.
const TABS: [(&str, &str); 3] = [("History", ""), ("Edit", "/edit"), ("Compare", "/compare")];

/// The head of each page of an agent.
#[component]
pub fn AgentHeader(
    /// What the server said of the agents.
    agents: Resource<Result<Overview, AppError>>,
    /// The agent.
    agent_type: String,
    /// The tab that is shown; another name if none is.
    current: &'static str,
) -> impl IntoView {
    let base = format!("/agents/{agent_type}");
    let tabs = TABS
        .into_iter()
        .map(|(name, path)| {
            // The editor is always loaded whole: it has a draft to keep, and a browser that asks before it leaves.
            let rel = (name == "Edit").then_some("external");
            let is_current = (name == current).then_some("page");
            view! {
                <li>
                    <a href=format!("{base}{path}") rel=rel aria-current=is_current data-go=name[..1].to_lowercase()>
                        {name}
                    </a>
                </li>
            }
        })
        .collect_view();
    // These two are about all agents as well, and keep which one in their query.
    let wider = [("Lab", "/lab"), ("Metrics", "/metrics/prompts")]
        .into_iter()
        .map(|(name, path)| {
            let is_current = (name == current).then_some("page");
            view! {
                <li>
                    <a href=format!("{path}?agent={agent_type}") aria-current=is_current>
                        {name}
                    </a>
                </li>
            }
        })
        .collect_view();
    let (name, of) = (agent_type.clone(), agent_type.clone());
    let facts = view! {
        <Transition>
            {move || {
                let agent_type = agent_type.clone();
                Suspend::new(async move {
                    let overview = agents.await.ok()?;
                    let now = overview.now.seconds;
                    let agent = overview.agents.into_iter().find(|agent| agent.agent_type == agent_type)?;
                    let drafts = (agent.drafts > 0)
                        .then(|| view! { <span class="chip draft">{counted(agent.drafts, "draft", "drafts")}</span> });
                    let live = match agent.active {
                        Some(active) => {
                            let by = active.created_by.map(|name| format!(" · by {name}"));
                            view! {
                                <VersionChip version=active.version status="active" />
                                <span class="faint">"live since " <RelativeTime moment=active.since now /> {by}</span>
                            }
                                .into_any()
                        }
                        None => view! { <span class="faint">"Nothing is live yet"</span> }.into_any(),
                    };
                    Some(view! {
                        {live}
                        {drafts}
                    })
                })
            }}
        </Transition>
    }
    .into_any();
    view! {
        <header class="agent-head">
            <div class="agent-facts" data-live="agent" data-of=of>
                <a class="agent-name" href=base.clone()>{name}</a>
                {facts}
            </div>
            <nav aria-label="Pages of this agent">
                <ul class="tabs">
                    {tabs} {wider}
                </ul>
            </nav>
        </header>
    }
    .into_any()
}
