//! The keys, what they do, and the list of them.

use leptos::prelude::*;

use super::keyboard::listen_for_keys;
use crate::draft::{Draft, take_from_address};

/// The keys that do something today.
const KEYS: [(&str, &str); 18] = [
    ("/", "search"),
    ("g a", "all agents"),
    ("g h", "the history, of the agent that is open or of all"),
    ("g e", "the editor, where an agent is open"),
    ("g c", "the comparison, where an agent is open"),
    ("g l", "the lab"),
    ("g m", "the metrics"),
    ("j", "the next row, or line of a comparison"),
    ("k", "the row or line before"),
    ("Enter", "open the row; at a line, put it into the address"),
    ("l", "the line beside it, in a comparison"),
    ("n", "the next change"),
    ("p", "the change before"),
    ("1 2 0", "left, right, neither, in a blind review"),
    ("t", "the next theme: system, light, dark"),
    ("Ctrl Enter", "save, in the editor"),
    ("?", "this list"),
    ("Esc", "close it"),
];

/// The list of keys, in a dialog that opens with `?`, and what listens for them.
#[component]
pub fn Keys() -> impl IntoView {
    view! {
        <dialog class="help" id="help" aria-labelledby="help-title">
            <h2 id="help-title">"Keys"</h2>
            <dl>
                {KEYS
                    .into_iter()
                    .map(|(key, meaning)| {
                        view! {
                            <dt>
                                <kbd>{key}</kbd>
                            </dt>
                            <dd>{meaning}</dd>
                        }
                    })
                    .collect_view()}
            </dl>
            <form method="dialog">
                <button type="submit">"Close"</button>
            </form>
        </dialog>
        <Listener />
    }
    .into_any()
}

/// Listens for keys. The last island of the page: it marks the document, because once it is awake every control works.
#[island]
fn Listener() -> impl IntoView {
    Effect::new(move || {
        listen_for_keys();
        forget_saved_draft();
        if let Some(root) = document().document_element() {
            // It fails only for a name that is not one.
            let _ = root.set_attribute("data-hydrated", "true");
        }
    });
}

/// A text that was saved needs its draft no more. The server names it in the address that it sends the browser to. Its id is
/// that of this one draft, and it leaves the address: a link that is handed on, or a reload, deletes nothing.
fn forget_saved_draft() {
    if let Some(id) = take_from_address("saved") {
        Draft::forget_saved(&id);
    }
}
