//! The frame around every page, and the routes.
//!
//! Pages are rendered on the server and stay as they are. Only islands (`#[island]`) become interactive in the browser: nothing
//! else is in the WebAssembly, and a page of a thousand lines costs the browser no more than its HTML.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    hooks::use_location,
    path,
};

use crate::{
    AppError,
    api::{Overview, overview},
    components::{agent_rail::AgentRail, keys::Keys, live::Toasts, theme_toggle::ThemeToggle},
    pages::{
        agents_overview::AgentsOverview,
        comparison::PromptComparison,
        editor::PromptEditor,
        history::PromptHistory,
        lab::{ABTestingLab, CasePage, NewRunPage, ReviewPage, RunPage, SetPage},
        metrics::PromptMetricsPage,
        not_found::NotFound,
        version::PromptVersionPage,
    },
};

/// Everything inside the document's body.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    // One fetch for the rail and the overview. It blocks, so that a page is whole without any script.
    let agents = Resource::new_blocking(|| (), |()| overview());
    view! {
        <Title formatter=|title: String| format!("{title} · Verbatim") />
        <Router>
            <Frame agents />
        </Router>
    }
    .into_any()
}

/// What surrounds every page.
#[component]
fn Frame(agents: Resource<Result<Overview, AppError>>) -> impl IntoView {
    let header = view! {
        <a class="skip-link" href="#main" rel="external">"Skip to the content"</a>
        <header class="top-bar">
            <a class="wordmark" href="/">"Verbatim"</a>
            <Place />
            <form class="find" method="get" action="/" role="search" aria-label="Search agents, prompts and notes">
                <input type="search" name="q" placeholder="Search" aria-label="Search agents, prompts and notes" data-action="search" />
            </form>
            <nav class="top-links" aria-label="Tools">
                // Without room for them they stand in the fold of the rail.
                <a href="/" data-go="a" class="not-on-phone">"Agents"</a>
                <a href="/history" data-go-else="h" class="not-on-phone">"History"</a>
                <a href="/lab" data-go="l" class="not-on-phone">"Lab"</a>
                <a href="/metrics/prompts" data-go="m" class="not-on-phone">"Metrics"</a>
                // A page of its own, outside the router.
                <a href="/docs/" rel="external" class="not-on-phone">"API"</a>
                <ThemeToggle />
                <button type="button" class="quiet needs-script" aria-label="Keyboard help" data-action="help">"?"</button>
            </nav>
        </header>
    }
    .into_any();
    view! {
        {header}
        <div class="frame">
            <AgentRail agents path=use_location().pathname />
            <main id="main" tabindex="-1">
                <Routes fallback=NotFound>
                    <Route path=path!("/") view=move || view! { <AgentsOverview agents /> } ssr=SsrMode::Async />
                    <Route path=path!("/history") view=move || view! { <PromptHistory agents /> } ssr=SsrMode::Async />
                    <Route path=path!("/lab") view=move || view! { <ABTestingLab agents /> } ssr=SsrMode::Async />
                    <Route path=path!("/lab/new") view=NewRunPage ssr=SsrMode::Async />
                    <Route path=path!("/lab/sets/:set") view=SetPage ssr=SsrMode::Async />
                    <Route path=path!("/lab/sets/:set/cases/:case") view=CasePage ssr=SsrMode::Async />
                    <Route path=path!("/lab/runs/:run") view=RunPage ssr=SsrMode::Async />
                    <Route path=path!("/lab/runs/:run/review") view=ReviewPage ssr=SsrMode::Async />
                    <Route
                        path=path!("/metrics/prompts")
                        view=move || view! { <PromptMetricsPage agents /> }
                        ssr=SsrMode::Async
                    />
                    <Route path=path!("/new") view=move || view! { <PromptEditor agents /> } ssr=SsrMode::Async />
                    <Route
                        path=path!("/agents/:agent_type")
                        view=move || view! { <PromptHistory agents /> }
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("/agents/:agent_type/versions/:version")
                        view=move || view! { <PromptVersionPage agents /> }
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("/agents/:agent_type/edit")
                        view=move || view! { <PromptEditor agents /> }
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("/agents/:agent_type/compare")
                        view=move || view! { <PromptComparison agents /> }
                        ssr=SsrMode::Async
                    />
                </Routes>
            </main>
        </div>
        <Transition>
            {move || Suspend::new(async move {
                let overview = agents.await.ok()?;
                let after = overview.events.first().map_or(0, |event| event.id);
                Some(view! { <Toasts after /> })
            })}
        </Transition>
        // The last island: once it is awake, all are.
        <Keys />
    }
    .into_any()
}

/// What stands around a page and changes while it is open: the list of agents, and the facts of the agent that the page is of, if
/// it is of one. `at` is the path of the page.
#[cfg(feature = "ssr")]
pub fn frame_parts(at: String, agent: String) -> impl IntoView {
    use crate::components::agent_header::AgentHeader;

    let agents = Resource::new_blocking(|| (), |()| overview());
    let header = (!agent.is_empty()).then(|| view! { <AgentHeader agents agent_type=agent current="" /> });
    view! {
        <AgentRail agents path=Signal::stored(at) />
        {header}
    }
    .into_any()
}

/// Where one is, read from the address: what a page says of itself would come too late for the server.
#[component]
fn Place() -> impl IntoView {
    let path = use_location().pathname;
    let place = move || {
        let path = path.get();
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("agents"), Some(agent), None, _) => format!("{agent} › history"),
            (Some("agents"), Some(agent), Some("versions"), Some(version)) => format!("{agent} › {version}"),
            (Some("agents"), Some(agent), Some(page), _) => format!("{agent} › {page}"),
            (Some("history"), ..) => "History".into(),
            (Some("lab"), ..) => "A/B lab".into(),
            (Some("metrics"), ..) => "Metrics".into(),
            (Some("new"), ..) => "New agent".into(),
            (None, ..) => "Agents".into(),
            _ => String::new(),
        }
    };
    view! { <p class="place">{place}</p> }.into_any()
}
