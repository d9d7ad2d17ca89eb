//! The keys, what they do, and the list of them.

use leptos::{html::Dialog, prelude::*};

use super::keyboard::listen_for_keys;
use crate::draft::Draft;

/// The keys that do something today.
const KEYS: [(&str, &str); 13] = [
    ("/", "search"),
    ("g a", "all agents"),
    ("g h", "the history"),
    ("g e", "the editor"),
    ("g c", "the comparison"),
    ("j", "the next row"),
    ("k", "the row before"),
    ("n", "the next change"),
    ("p", "the change before"),
    ("t", "the next theme: system, light, dark"),
    ("Ctrl Enter", "save, in the editor"),
    ("?", "this list"),
    ("Esc", "close it"),
];

/// Listens for keys, and lists them in a dialog that opens with `?`. The last island of the page: it marks the document, because
/// once it is awake every control works.
#[island]
pub fn Keys() -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    Effect::new(move || {
        listen_for_keys(dialog);
        forget_saved_draft();
        if let Some(root) = document().document_element() {
            // It fails only for a name that is not one.
            let _ = root.set_attribute("data-hydrated", "true");
        }
    });
    view! {
        <dialog class="help" node_ref=dialog aria-labelledby="help-title">
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
    }
    .into_any()
}

/// A text that was saved needs no draft any more. The server says so in the address that it sends the browser to.
fn forget_saved_draft() {
    let address = window().location().search().unwrap_or_default();
    let saved = address.trim_start_matches('?').split('&').find_map(|part| part.strip_prefix("saved="));
    if let Some(agent_type) = saved {
        Draft::forget(agent_type);
    }
}
