//! What happens elsewhere while a page is open: the page follows, and a toast says so.

use std::time::Duration;

use leptos::prelude::*;
use serde::Deserialize;

mod events;
mod following;

use following::{Change, Following};

/// How long a toast stays that asks for nothing.
const TOAST: Duration = Duration::from_secs(8);

/// Toasts at a time: the newest.
const TOASTS: usize = 3;

/// What a toast says of an event ([`crate::api::EventRow`] has more).
#[derive(Clone, Deserialize)]
struct Heard {
    id: i64,
    kind: String,
    agent_type: String,
    version: Option<String>,
    actor: Option<String>,
}

/// Follows the registry after what the page already shows, and says what happened.
#[island]
pub fn Toasts(
    /// The last event that the page shows.
    after: i64,
) -> impl IntoView {
    let shown = RwSignal::new(Vec::<Heard>::new());
    let dismiss = move |id: i64| shown.update(|shown| shown.retain(|event| event.id != id));
    Effect::new(move || {
        let following = Following::of_this_page();
        events::Events::follow(after, move |text| {
            // A newer server may say what this page does not know; then it is read anew all the same.
            let event = leptos::serde_json::from_str::<Heard>(text).ok();
            following.hear(event.as_ref().map_or(Change::default(), |event| Change {
                agent: Some(event.agent_type.clone()),
                row: event.version.as_ref().map(|version| format!("{}@{version}", event.agent_type)),
            }));
            if let Some(event) = event {
                let id = event.id;
                if !is_written(&event) {
                    set_timeout(move || dismiss(id), TOAST);
                }
                shown.update(|shown| {
                    // What is said of a version takes the place of what was said of it before.
                    shown.retain(|other| (&other.agent_type, &other.version) != (&event.agent_type, &event.version));
                    shown.push(event);
                    if shown.len() > TOASTS {
                        // The oldest, and one that is to stay only when all are.
                        shown.remove(shown.iter().position(|event| !is_written(event)).unwrap_or(0));
                    }
                });
            }
        });
    });
    view! {
        <div class="toasts" role="status" aria-atomic="false">
            <For each=move || shown.get() key=|event| event.id children=move |event| view! { <Toast event dismiss /> } />
        </div>
    }
}

/// Whether somebody is writing a version of the agent that this is about: then it concerns what they do, and stays.
fn is_written(event: &Heard) -> bool {
    let path = window().location().pathname().unwrap_or_default();
    event.version.is_some() && path == format!("/agents/{}/edit", event.agent_type)
}

#[component]
fn Toast(event: Heard, dismiss: impl Fn(i64) + 'static) -> impl IntoView {
    let by = event.actor.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    let what = match event.kind.as_str() {
        "promoted" => "went live",
        "reissued" => "was reissued",
        "cache_cleared" => "had its cache cleared",
        "winner_chosen" => "won a run in the lab",
        _ => "was saved",
    };
    let meanwhile = if is_written(&event) { " while you were writing" } else { "" };
    let id = event.id;
    view! {
        <div class="toast">
            <p>
                <a href=format!("/agents/{}", event.agent_type)>
                    <span class="agent-name">{event.agent_type.clone()}</span>
                    " "
                    <span class="version">{event.version}</span>
                </a>
                {format!(" {what}{by}{meanwhile}")}
            </p>
            <button type="button" class="quiet" aria-label="Dismiss" on:click=move |_| dismiss(id)>"×"</button>
        </div>
    }
}
