//! The list of agents at the left of every page; on a phone it unfolds above the page.

use leptos::prelude::*;

use super::version_chip::VersionChip;
use crate::{AppError, api::Overview};

/// Every agent with its active version, and a dot where drafts wait.
#[component]
pub fn AgentRail(
    /// What the server said of the agents.
    agents: Resource<Result<Overview, AppError>>,
) -> impl IntoView {
    let list = move || {
        view! {
            <Suspense>
                {move || Suspend::new(async move {
                    // The page itself says what went wrong.
                    let agents = agents.await.map(|overview| overview.agents).unwrap_or_default();
                    agents
                        .into_iter()
                        .map(|agent| {
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
                                    <a href=format!("/#agent-{}", agent.agent_type) rel="external">
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
            </Suspense>
        }
        .into_any()
    };
    view! {
        <nav class="rail" aria-label="Agents">
            <details class="rail-fold">
                <summary>"Agents"</summary>
                <ul>{list()}</ul>
            </details>
            <ul class="rail-list">{list()}</ul>
        </nav>
    }
    .into_any()
}
