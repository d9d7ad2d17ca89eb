//! What happens elsewhere while a page is open: the page follows, and a toast says so.

use std::time::Duration;

use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*, task::spawn_local};
use wasm_bindgen_futures::JsFuture;
use web_sys::wasm_bindgen::{JsCast, JsValue, closure::Closure};

use crate::api::EventRow;

mod events;

/// How long a toast stays that asks for nothing.
const TOAST: Duration = Duration::from_secs(8);

/// Toasts at a time: the newest.
const TOASTS: usize = 3;

/// Several changes at once are followed once.
const PAUSE: Duration = Duration::from_millis(100);

/// Follows the registry after what the page already shows, and says what happened.
#[island]
pub fn Toasts(
    /// The last event that the page shows.
    after: i64,
) -> impl IntoView {
    let shown = RwSignal::new(Vec::<EventRow>::new());
    let dismiss = move |id: i64| shown.update(|shown| shown.retain(|event| event.id != id));
    let pending = StoredValue::new(None::<TimeoutHandle>);
    // What changed while a question was open.
    let waits = StoredValue::new(false);
    let follow = move |row: Option<String>| {
        if let Some(before) = pending.try_update_value(Option::take).flatten() {
            before.clear();
        }
        let follow = move || {
            // A question that is being answered is not to change under the reader's hand.
            let is_asking = document().query_selector("dialog.confirm[open]").is_ok_and(|dialog| dialog.is_some());
            waits.set_value(is_asking);
            if !is_asking {
                spawn_local(async move {
                    let _ = read_anew(row.as_deref()).await;
                });
            }
        };
        pending.set_value(set_timeout_with_handle(follow, PAUSE).ok());
    };
    Effect::new(move || {
        events::Events::follow(after, move |text| {
            // A newer server may say what this page does not know; then it is read anew all the same.
            let event = leptos::serde_json::from_str::<EventRow>(text).ok();
            let row =
                event.as_ref().and_then(|event| Some(format!("{}@{}", event.agent_type, event.version.as_ref()?)));
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
            follow(row);
        });
        let closed = Closure::<dyn FnMut()>::new(move || {
            if waits.get_value() {
                follow(None);
            }
        });
        // The end of a dialog does not rise to the document, but passes it on its way down.
        let listener = closed.as_ref().unchecked_ref();
        let _ = document().add_event_listener_with_callback_and_bool("close", listener, true);
        // As long as the page.
        closed.forget();
    });
    view! {
        <div class="toasts" role="status" aria-atomic="false">
            <For each=move || shown.get() key=|event| event.id children=move |event| view! { <Toast event dismiss /> } />
        </div>
    }
    .into_any()
}

/// Whether somebody is writing a version of the agent that this is about: then it concerns what they do, and stays.
fn is_written(event: &EventRow) -> bool {
    let path = window().location().pathname().unwrap_or_default();
    event.version.is_some() && path == format!("/agents/{}/edit", event.agent_type)
}

#[component]
fn Toast(event: EventRow, dismiss: impl Fn(i64) + 'static) -> impl IntoView {
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
    .into_any()
}

/// Reads the page anew and puts in what changed, part by part. What a reader is about to do stays as it is: the place of the
/// focus, what is chosen and what is typed.
async fn read_anew(row: Option<&str>) -> Result<(), JsValue> {
    let address = window().location().href()?;
    let response: web_sys::Response = JsFuture::from(window().fetch_with_str(&address)).await?.dyn_into()?;
    if !response.ok() {
        return Ok(());
    }
    let text = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
    let fresh = web_sys::DomParser::new()?.parse_from_string(&text, web_sys::SupportedType::TextHtml)?;
    let parts = document().query_selector_all("[data-live]")?;
    for index in 0..parts.length() {
        let Some(part) = parts.item(index).and_then(|part| part.dyn_into::<web_sys::Element>().ok()) else { continue };
        let name = part.get_attribute("data-live").unwrap_or_default();
        if let Some(new) = fresh.query_selector(&format!("[data-live=\"{name}\"]"))?
            && new.inner_html() != part.inner_html()
        {
            replace(&part, &new)?;
        }
    }
    if let Some(row) = row.and_then(|row| document().get_element_by_id(row)) {
        row.class_list().add_1("done")?;
    }
    Ok(())
}

/// Replaces a part of the page and puts the focus and the choices back.
fn replace(part: &web_sys::Element, new: &web_sys::Element) -> Result<(), JsValue> {
    let focus = document().active_element().filter(|focused| part.contains(Some(focused))).and_then(place_of);
    let chosen = part.query_selector_all("input:checked")?;
    let chosen: Vec<(String, String)> = (0..chosen.length())
        .filter_map(|index| chosen.item(index)?.dyn_into::<web_sys::HtmlInputElement>().ok())
        .map(|input| (input.name(), input.value()))
        .collect();
    let unfolded = part.query_selector_all("details[open][id]")?;
    let unfolded: Vec<String> = (0..unfolded.length())
        .filter_map(|index| Some(unfolded.item(index)?.dyn_into::<web_sys::Element>().ok()?.id()))
        .collect();
    part.set_inner_html(&new.inner_html());
    for id in unfolded {
        if let Some(details) = document().get_element_by_id(&id) {
            details.set_attribute("open", "")?;
        }
    }
    for (name, value) in chosen {
        let input = part.query_selector(&format!("input[name=\"{name}\"][value=\"{value}\"]"))?;
        if let Some(input) = input.and_then(|input| input.dyn_into::<web_sys::HtmlInputElement>().ok()) {
            input.set_checked(true);
        }
    }
    if let Some((id, position)) = focus
        && let Some(place) = document().get_element_by_id(&id)
        && let Some(focused) = position.map_or(Some(place.clone()), |position| {
            place.query_selector_all(FOCUSABLE).ok()?.item(position)?.dyn_into().ok()
        })
        && let Ok(focused) = focused.dyn_into::<web_sys::HtmlElement>()
    {
        let _ = focused.focus();
    }
    Ok(())
}

/// What can have the focus inside a row.
const FOCUSABLE: &str = "a, button, input, select";

/// Where an element stands, so that it is found again: the nearest name around it, and its place among what is in there; none
/// when it has the name itself.
fn place_of(focused: web_sys::Element) -> Option<(String, Option<u32>)> {
    let named = focused.closest("[id]").ok().flatten()?;
    if named == focused {
        return Some((named.id(), None));
    }
    let inside = named.query_selector_all(FOCUSABLE).ok()?;
    let position = (0..inside.length()).find(|&index| inside.item(index).as_ref() == Some(focused.as_ref()));
    Some((named.id(), position))
}
