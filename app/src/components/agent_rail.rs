//! The list of agents at the left of every page; on a phone it unfolds above the page.

use leptos::prelude::*;

use super::version_chip::VersionChip;
use crate::{AppError, api::Overview};

/// The pages that belong to no agent, for where the header has no room for them.
const PAGES: [(&str, &str); 5] =
    [("Agents", "/"), ("History", "/history"), ("Lab", "/lab"), ("Metrics", "/metrics/prompts"), ("New agent", "/new")];

/// Every agent with its active version, and a dot where drafts wait.
#[component]
pub fn AgentRail(
    /// What the server said of the agents.
    agents: Resource<Result<Overview, AppError>>,
    /// The path of the page.
    #[prop(into)]
    path: Signal<String>,
) -> impl IntoView {
    let list = move || {
        view! {
            <Transition>
                {move || Suspend::new(async move {
                    // The page itself says what went wrong.
                    let agents = agents.await.map(|overview| overview.agents).unwrap_or_default();
                    agents
                        .into_iter()
                        .map(move |agent| {
                            let address = format!("/agents/{}", agent.agent_type);
                            let is_current = move || {
                                let path = path.get();
                                let rest = path.strip_prefix(address.as_str())?;
                                (rest.is_empty() || rest.starts_with('/')).then_some("true")
                            };
                            let dot = (agent.drafts > 0)
                                .then(|| {
                                    view! {
                                        <span class="dot" title="Drafts wait">
                                            <span class="visually-hidden">" drafts wait"</span>
                                        </span>
                                    }
                                });
                            let chip = agent
                                .active
                                .map(|active| view! { <VersionChip version=active.version status="active" /> });
                            view! {
                                <li>
                                    <a href=format!("/agents/{}", agent.agent_type) aria-current=is_current>
                                        <span class="rail-name" title=agent.agent_type.clone()>
                                            {agent.agent_type.clone()}
                                        </span>
                                        {dot}
                                        {chip}
                                    </a>
                                </li>
                            }
                            .into_any()
                        })
                        .collect_view()
                })}
            </Transition>
        }
        .into_any()
    };
    let pages = PAGES
        .into_iter()
        .map(|(name, address)| {
            // The editor is always loaded whole.
            let rel = (address == "/new").then_some("external");
            let is_current = move || (path.read().as_str() == address).then_some("page");
            view! {
                <li>
                    <a href=address rel=rel aria-current=is_current>{name}</a>
                </li>
            }
        })
        .collect_view();
    view! {
        <nav class="rail" aria-label="Agents">
            <details class="rail-fold">
                <summary>"Menu"</summary>
                <ul class="rail-pages">
                    {pages} <li>
                        <a href="/docs/" rel="external">"API"</a>
                    </li>
                </ul>
                <ul data-live="rail-fold">{list()}</ul>
            </details>
            <ul class="rail-list" data-live="rail">{list()}</ul>
            <p class="rail-new"><a href="/new" rel="external">"New agent"</a></p>
        </nav>
    }
    .into_any()
}
