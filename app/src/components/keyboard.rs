//! Keys that work on every page.

use leptos::{ev, html::Dialog, prelude::*};
use web_sys::wasm_bindgen::JsCast;

/// Listens for keys and for the help button, as long as the page lives. To be called in the browser, in an effect.
pub fn listen_for_keys(help: NodeRef<Dialog>) {
    let open = move || {
        if let Some(dialog) = help.get_untracked()
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

/// Follows the link of the page that a letter names.
fn go(letter: &str) {
    if letter.len() == 1 && letter.as_bytes()[0].is_ascii_lowercase() {
        click(&format!("[data-go={letter}]"));
    }
}

/// Follows the first link of a row that has the focus itself.
fn open_row() -> bool {
    let link = document()
        .active_element()
        .filter(|focused| focused.has_attribute("data-row"))
        .and_then(|row| row.query_selector("a[href]").ok().flatten())
        .and_then(|link| link.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(link) = &link {
        link.click();
    }
    link.is_some()
}

/// Moves the focus among elements of the page; the first key enters them.
fn move_focus(selector: &str, step: Step) {
    let Ok(rows) = document().query_selector_all(selector) else { return };
    let rows: Vec<web_sys::HtmlElement> =
        (0..rows.length()).filter_map(|index| rows.item(index)?.dyn_into().ok()).collect();
    let focused = document().active_element();
    let current = rows.iter().position(|row| focused.as_ref().is_some_and(|focused| row.contains(Some(focused))));
    let goal = match (current, step) {
        (None, _) => 0,
        (Some(index), Step::Next) => (index + 1).min(rows.len().saturating_sub(1)),
        (Some(index), Step::Previous) => index.saturating_sub(1),
    };
    if let Some(row) = rows.get(goal) {
        let _ = row.focus();
    }
}
