//! The frame around every page, and the routes.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::{
    SsrMode, StaticSegment,
    components::{Route, Router, Routes},
};

use crate::{
    api::overview,
    components::{
        agent_rail::AgentRail, help_dialog::HelpDialog, keyboard::listen_for_keys, theme_toggle::ThemeToggle,
    },
    pages::{agents_overview::AgentsOverview, not_found::NotFound},
};

/// Everything inside the document's body.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    // One fetch for the rail and the overview. It blocks, so that a page is whole without any script.
    let agents = Resource::new_blocking(|| (), |()| overview());
    let help = NodeRef::new();
    Effect::new(move || listen_for_keys(help));

    let header = view! {
        <a class="skip-link" href="#main" rel="external">"Skip to the content"</a>
        <header class="top-bar">
            <a class="wordmark" href="/">"Verbatim"</a>
            <p class="place">"Agents"</p>
            <nav class="top-links" aria-label="Tools">
                // A page of its own, outside the router.
                <a href="/docs/" rel="external">"API"</a>
                <ThemeToggle />
                <button type="button" class="quiet needs-script" aria-label="Keyboard help" data-action="help">"?"</button>
            </nav>
        </header>
    }
    .into_any();

    view! {
        <Title formatter=|title: String| format!("{title} · Verbatim") />
        <Router>
            {header}
            <div class="frame">
                <AgentRail agents />
                <main id="main" tabindex="-1">
                    <Routes fallback=NotFound>
                        <Route
                            path=StaticSegment("")
                            view=move || view! { <AgentsOverview agents /> }
                            ssr=SsrMode::Async
                        />
                    </Routes>
                </main>
            </div>
            <HelpDialog node_ref=help />
        </Router>
    }
    .into_any()
}
