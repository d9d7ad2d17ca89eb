//! Keys that work on every page.

use leptos::{ev, prelude::*};
use web_sys::wasm_bindgen::JsCast;

/// Listens for keys and for the help button, as long as the page lives. To be called in the browser, in an effect.
pub fn listen_for_keys() {
    let open = || {
        let dialog = document().get_element_by_id("help");
        if let Some(dialog) = dialog.and_then(|dialog| dialog.dyn_into::<web_sys::HtmlDialogElement>().ok())
            && !dialog.open()
        {
            // It fails only for a dialog that is open or not in the page.
            let _ = dialog.show_modal();
        }
    };
    // Whether the last key was `g`: the next one names a page.
    let going = StoredValue::new(false);
    let keys = window_event_listener(ev::keydown, move |event| {
        let is_plain = !(event.ctrl_key() || event.meta_key() || event.alt_key());
        if is_plain && !is_typing(&event) {
            match event.key().as_str() {
                key if going.get_value() => go(key),
                "?" => open(),
                "t" => click("[data-action=theme]"),
                "j" => move_focus("[data-row]", Step::Next),
                "k" => move_focus("[data-row]", Step::Previous),
                "n" => move_focus("[data-change]", Step::Next),
                "p" => move_focus("[data-change]", Step::Previous),
                "l" => other_side(),
                "/" => search(),
                key @ ("0" | "1" | "2") => click(&format!("[data-key=\"{key}\"]")),
                "Enter" if open_row() => {}
                "g" => {
                    going.set_value(true);
                    event.prevent_default();
                    return;
                }
                _ => return,
            }
            going.set_value(false);
            event.prevent_default();
        }
    });
    let button = window_event_listener(ev::click, move |event| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        if target.is_some_and(|target| matches!(target.closest("[data-action=help]"), Ok(Some(_)))) {
            open();
        }
    });
    on_cleanup(move || {
        keys.remove();
        button.remove();
    });
}

/// A key that belongs to a text field is not ours.
fn is_typing(event: &web_sys::KeyboardEvent) -> bool {
    event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()).is_some_and(|target| {
        matches!(
            target.closest("input, textarea, select, [contenteditable], .monaco-editor, dialog[open]"),
            Ok(Some(_))
        )
    })
}

fn click(selector: &str) {
    if let Ok(Some(element)) = document().query_selector(selector)
        && let Ok(element) = element.dyn_into::<web_sys::HtmlElement>()
    {
        element.click();
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Next,
    Previous,
}

/// Puts the cursor into the search box, on whatever page it is.
fn search() {
    match document().query_selector("[data-action=search]") {
        Ok(Some(field)) => {
            if let Ok(field) = field.dyn_into::<web_sys::HtmlElement>() {
                let _ = field.focus();
            }
        }
        _ => {
            let _ = window().location().set_href("/?find");
        }
    }
}

/// Follows the link of the page that a letter names: that of the agent whose page this is, or else the one that is about all.
fn go(letter: &str) {
    if letter.len() == 1 && letter.as_bytes()[0].is_ascii_lowercase() {
        let of_agent = format!("[data-go={letter}]");
        match document().query_selector(&of_agent) {
            Ok(Some(_)) => click(&of_agent),
            _ => click(&format!("[data-go-else={letter}]")),
        }
    }
}

/// Follows the link that a row is about, else the first one of a row that has the focus itself.
fn open_row() -> bool {
    let link = document()
        .active_element()
        .filter(|focused| focused.has_attribute("data-row"))
        .and_then(|row| {
            let find = |selector| row.query_selector(selector).ok().flatten();
            find("a[data-open]").or_else(|| find("a[href]"))
        })
        .and_then(|link| link.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(link) = &link {
        link.click();
    }
    link.is_some()
}

/// Where a bar that stays at the top ends, in pixels: what is above is not in sight.
const BARS: f64 = 90.0;

/// Moves the focus among elements of the page: from the one that has it or is around what has it, else from the place where the
/// reader is.
fn move_focus(selector: &str, step: Step) {
    let Ok(found) = document().query_selector_all(selector) else { return };
    let rows: Vec<web_sys::HtmlElement> =
        (0..found.length()).filter_map(|index| found.item(index)?.dyn_into().ok()).collect();
    let here = place_of_reader();
    let current = rows.iter().position(|row| here.as_ref().is_some_and(|here| row.contains(Some(here))));
    let goal = match (current, step) {
        (Some(index), Step::Next) => (index + 1).min(rows.len().saturating_sub(1)),
        (Some(index), Step::Previous) => index.saturating_sub(1),
        (None, step) => {
            let is_after = |row: &web_sys::HtmlElement| match &here {
                Some(here) => here.compare_document_position(row) & web_sys::Node::DOCUMENT_POSITION_FOLLOWING != 0,
                None => row.get_bounding_client_rect().top() >= BARS,
            };
            let next = rows.iter().position(is_after).unwrap_or(rows.len());
            match step {
                Step::Next => next.min(rows.len().saturating_sub(1)),
                Step::Previous => next.saturating_sub(1),
            }
        }
    };
    if let Some(row) = rows.get(goal) {
        let _ = row.focus();
    }
}

/// What the reader is at: what has the focus inside the content, or the line that the address names while it is in sight. Else
/// where the page is scrolled to is all there is to go by.
fn place_of_reader() -> Option<web_sys::Element> {
    let main = document().query_selector("main").ok().flatten()?;
    let focused = document().active_element().filter(|focused| *focused != main && main.contains(Some(focused)));
    focused.or_else(|| {
        let target = document().query_selector("main :target").ok().flatten()?;
        let top = target.get_bounding_client_rect().top();
        let height = window().inner_height().ok()?.as_f64()?;
        (0.0..height).contains(&top).then_some(target)
    })
}

/// From the number of a line to that of the line beside it, in a comparison.
fn other_side() {
    let Some(focused) = document().active_element() else { return };
    let Ok(Some(row)) = focused.closest("tr") else { return };
    let Ok(numbers) = row.query_selector_all(".no a[href]") else { return };
    let other = (0..numbers.length())
        .filter_map(|index| numbers.item(index)?.dyn_into::<web_sys::HtmlElement>().ok())
        .find(|number| **number != focused);
    if let Some(other) = other {
        let _ = other.focus();
    }
}
