//! What happens elsewhere while a page is open: the page follows, and a toast says so.

use std::time::Duration;

use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*, task::spawn_local};
use send_wrapper::SendWrapper;
use wasm_bindgen_futures::JsFuture;
use web_sys::wasm_bindgen::{JsCast, JsValue, closure::Closure};

use crate::api::EventRow;

/// How long a toast stays.
const TOAST: Duration = Duration::from_secs(8);

/// Several changes at once are followed once.
const PAUSE: Duration = Duration::from_millis(100);

/// Follows the registry after what the page already shows, and says what happened.
#[island]
pub fn Toasts(
    /// The last event that the page shows.
    after: i64,
) -> impl IntoView {
    let shown = RwSignal::new(None::<EventRow>);
    let pending = StoredValue::new(None::<TimeoutHandle>);
    Effect::new(move || {
        let Ok(source) = web_sys::EventSource::new(&format!("/api/pages/events?after={after}")) else { return };
        let on_change = Closure::<dyn FnMut(web_sys::MessageEvent)>::new(move |message: web_sys::MessageEvent| {
            // A newer server may say what this page does not know; then it is read anew all the same.
            let event =
                message.data().as_string().and_then(|text| leptos::serde_json::from_str::<EventRow>(&text).ok());
            let id = event.as_ref().map(|event| event.id);
            let row =
                event.as_ref().and_then(|event| Some(format!("{}@{}", event.agent_type, event.version.as_ref()?)));
            shown.set(event);
            set_timeout(
                move || {
                    // A newer one has its own time.
                    if shown.with_untracked(|shown| shown.as_ref().map(|shown| shown.id) == id) {
                        shown.set(None);
                    }
                },
                TOAST,
            );
            if let Some(before) = pending.try_update_value(Option::take).flatten() {
                before.clear();
            }
            let follow = move || {
                spawn_local(async move {
                    let _ = follow(row.as_deref()).await;
                })
            };
            pending.set_value(set_timeout_with_handle(follow, PAUSE).ok());
        });
        // It fails only when the source is gone.
        let _ = source.add_event_listener_with_callback("change", on_change.as_ref().unchecked_ref());
        let held = SendWrapper::new((source, on_change));
        on_cleanup(move || held.0.close());
    });
    view! {
        <div class="toasts" role="status">
            {move || shown.get().map(|event| view! { <Toast event /> })}
        </div>
    }
    .into_any()
}

#[component]
fn Toast(event: EventRow) -> impl IntoView {
    let by = event.actor.map(|name| format!(" by {name}")).unwrap_or_default();
    let what = match event.kind.as_str() {
        "promoted" => "went live",
        "reissued" => "was reissued",
        "cache_cleared" => "had its cache cleared",
        _ => "was saved",
    };
    view! {
        <p class="toast">
            <a href=format!("/agents/{}", event.agent_type)>
                <span class="agent-name">{event.agent_type.clone()}</span>
                " "
                <span class="version">{event.version}</span>
            </a>
            {format!(" {what}{by}")}
        </p>
    }
    .into_any()
}

/// Reads the page anew and puts in what changed, part by part. What a reader is about to do stays as it is: the place of the
/// focus, what is chosen and what is typed.
async fn follow(row: Option<&str>) -> Result<(), JsValue> {
    // A question that is being answered is not to change under the reader's hand.
    if document().query_selector("dialog[open]")?.is_some() {
        return Ok(());
    }
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
    part.set_inner_html(&new.inner_html());
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
