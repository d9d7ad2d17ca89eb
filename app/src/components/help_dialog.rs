//! The keys, and what they do.

use leptos::{html::Dialog, prelude::*};

/// The keys that do something today.
const KEYS: [(&str, &str); 5] = [
    ("j", "the next agent"),
    ("k", "the agent before"),
    ("t", "the next theme: system, light, dark"),
    ("?", "this list"),
    ("Esc", "close it"),
];

/// A dialog that lists the keys. It opens with `?`.
#[component]
pub fn HelpDialog(
    /// The dialog, for who opens it.
    node_ref: NodeRef<Dialog>,
) -> impl IntoView {
    view! {
        <dialog class="help" node_ref=node_ref aria-labelledby="help-title">
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
