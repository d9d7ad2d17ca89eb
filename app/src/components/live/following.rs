//! The open page, kept as it would be if it were opened now.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use leptos::{
    prelude::{document, set_timeout, window},
    task::spawn_local,
};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Element,
    js_sys::encode_uri_component,
    wasm_bindgen::{JsCast, JsValue, closure::Closure},
};

/// Several changes at once are followed once.
const PAUSE: Duration = Duration::from_millis(100);

/// The parts that stand around pages. They can be had without the page itself.
const FRAME: [&str; 3] = ["rail", "rail-fold", "agent"];

/// Something that happened.
#[derive(Debug, Default)]
pub struct Change {
    /// To which agent; none when that is not understood, and it may be any.
    pub agent: Option<String>,
    /// The row that shows it.
    pub row: Option<String>,
}

/// What a page has yet to follow.
#[derive(Debug, Default)]
pub struct Following {
    changes: RefCell<Vec<Change>>,
    is_waiting: Cell<bool>,
    is_reading: Cell<bool>,
}

impl Following {
    /// Follows for as long as the page is open.
    pub fn of_this_page() -> Rc<Self> {
        let following = Rc::new(Self::default());
        let after_question = following.clone();
        let closed = Closure::<dyn FnMut()>::new(move || after_question.follow_soon());
        // The end of a dialog does not rise to the document, but passes it on its way down. It fails only for a target that is gone.
        let listener = closed.as_ref().unchecked_ref();
        let _ = document().add_event_listener_with_callback_and_bool("close", listener, true);
        // As long as the page.
        closed.forget();
        following
    }

    /// Follows a change.
    pub fn hear(self: &Rc<Self>, change: Change) {
        self.changes.borrow_mut().push(change);
        self.follow_soon();
    }

    fn follow_soon(self: &Rc<Self>) {
        if !self.is_waiting.replace(true) {
            let following = self.clone();
            set_timeout(
                move || {
                    following.is_waiting.set(false);
                    following.follow();
                },
                PAUSE,
            );
        }
    }

    /// Follows all that happened, one reading after the other: an older answer never comes after a newer one.
    fn follow(self: &Rc<Self>) {
        // A question that is being answered is not to change under the reader's hand; its end is heard.
        let is_asking = document().query_selector("dialog.confirm[open]").is_ok_and(|dialog| dialog.is_some());
        if is_asking || self.is_reading.get() || self.changes.borrow().is_empty() {
            return;
        }
        let changes = self.changes.take();
        self.is_reading.set(true);
        let following = self.clone();
        spawn_local(async move {
            let done = read_anew(&changes).await;
            following.is_reading.set(false);
            match done {
                Ok(()) => following.follow(),
                // The server cannot be reached, or not its database: the next change brings this one with it.
                Err(_) => following.changes.borrow_mut().splice(..0, changes).for_each(drop),
            }
        });
    }
}

/// Reads the page anew and puts in what changed, part by part. What a reader is about to do stays as it is: the place of the
/// focus, what is chosen and what is typed. When nothing of the page itself is concerned, only what stands around it is read: a
/// page of another agent, an editor, or a page that says what is not there.
async fn read_anew(changes: &[Change]) -> Result<(), JsValue> {
    let parts = document().query_selector_all("[data-live]")?;
    let parts: Vec<Element> =
        (0..parts.length()).filter_map(|index| parts.item(index)?.dyn_into::<Element>().ok()).collect();
    let address = if parts.iter().any(|part| is_concerned(part, changes)) {
        window().location().href()?
    } else {
        frame_address(&parts)?
    };
    let response: web_sys::Response = JsFuture::from(window().fetch_with_str(&address)).await?.dyn_into()?;
    match response.status() {
        200..=299 => {}
        // A server that cannot say it now will say it later; a page that is gone does not come back.
        500.. => return Err(JsValue::NULL),
        _ => return Ok(()),
    }
    let text = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
    let fresh = web_sys::DomParser::new()?.parse_from_string(&text, web_sys::SupportedType::TextHtml)?;
    for part in &parts {
        if let Some(new) = fresh.query_selector(&format!("[data-live=\"{}\"]", name_of(part)))?
            && new.inner_html() != part.inner_html()
        {
            replace(part, &new)?;
        }
    }
    for row in changes.iter().filter_map(|change| document().get_element_by_id(change.row.as_ref()?)) {
        row.class_list().add_1("done")?;
    }
    Ok(())
}

fn name_of(part: &Element) -> String {
    part.get_attribute("data-live").unwrap_or_default()
}

/// Whether a part of the page itself shows what changed: it says which agents it is of, or is of all.
fn is_concerned(part: &Element, changes: &[Change]) -> bool {
    let is_of =
        |agent: &str| part.get_attribute("data-of").is_none_or(|agents| agents.split(' ').any(|known| known == agent));
    !FRAME.contains(&name_of(part).as_str()) && changes.iter().any(|change| change.agent.as_deref().is_none_or(is_of))
}

/// Where what stands around the page can be had.
fn frame_address(parts: &[Element]) -> Result<String, JsValue> {
    let header = parts.iter().find(|part| name_of(part) == "agent");
    let agent = header.and_then(|header| header.get_attribute("data-of")).unwrap_or_default();
    let at = window().location().pathname()?;
    Ok(format!("/api/pages/frame?at={}&agent={}", encode_uri_component(&at), encode_uri_component(&agent)))
}

/// Replaces a part of the page and puts the focus and the choices back.
fn replace(part: &Element, new: &Element) -> Result<(), JsValue> {
    let focus = document().active_element().filter(|focused| part.contains(Some(focused))).and_then(place_of);
    let chosen = part.query_selector_all("input:checked")?;
    let chosen: Vec<(String, String)> = (0..chosen.length())
        .filter_map(|index| chosen.item(index)?.dyn_into::<web_sys::HtmlInputElement>().ok())
        .map(|input| (input.name(), input.value()))
        .collect();
    let unfolded = part.query_selector_all("details[open][id]")?;
    let unfolded: Vec<String> = (0..unfolded.length())
        .filter_map(|index| Some(unfolded.item(index)?.dyn_into::<Element>().ok()?.id()))
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
fn place_of(focused: Element) -> Option<(String, Option<u32>)> {
    let named = focused.closest("[id]").ok().flatten()?;
    if named == focused {
        return Some((named.id(), None));
    }
    let inside = named.query_selector_all(FOCUSABLE).ok()?;
    let position = (0..inside.length()).find(|&index| inside.item(index).as_ref() == Some(focused.as_ref()));
    Some((named.id(), position))
}
