//! What happened, in words.

use leptos::prelude::*;

use super::relative_time::RelativeTime;
use crate::api::EventRow;

/// Events, newest first.
#[component]
pub fn EventList(
    /// The events.
    events: Vec<EventRow>,
    /// The server's time, in seconds since 1970.
    now: i64,
) -> impl IntoView {
    if events.is_empty() {
        return view! { <p class="faint">"Nothing has happened yet."</p> }.into_any();
    }
    let lines = events
        .into_iter()
        .map(|event| {
            let (what, version, detail) = in_words(&event);
            let address = match &version {
                Some(version) => format!("/agents/{}/versions/{version}", event.agent_type),
                None => format!("/agents/{}", event.agent_type),
            };
            view! {
                <li class=format!("event {}", event.kind)>
                    <p>
                        <a href=address>
                            <span class="agent-name">{event.agent_type}</span>
                            {version.map(|version| view! { " " <span class="version">{version}</span> })}
                        </a>
                        " "
                        {what}
                    </p>
                    <p class="faint small">
                        <RelativeTime moment=event.at now />
                        {event.actor.map(|name| format!(" by {name}"))}
                        {detail.map(|detail| format!(" · {detail}"))}
                        {event.run.map(|run| view! { " · " <a href=format!("/lab/runs/{run}")>"see the run"</a> })}
                    </p>
                </li>
            }
            .into_any()
        })
        .collect_view();
    view! { <ol class="events">{lines}</ol> }.into_any()
}

/// What happened, to which version, and what else there is to know.
fn in_words(event: &EventRow) -> (&'static str, Option<String>, Option<String>) {
    let version = event.version.clone();
    let from = |base: &Option<String>| base.as_ref().map(|base| format!("from {base}"));
    match event.kind.as_str() {
        "promoted" => {
            let before = event.previous_active.as_ref().map(|version| format!("was {version}"));
            ("went live", version, before)
        }
        "reissued" => ("was reissued", version, from(&event.base_version)),
        "cache_cleared" => ("had its cache cleared", None, None),
        "winner_chosen" => ("won a run in the lab", version, None),
        _ => ("was created", version, from(&event.base_version)),
    }
}
