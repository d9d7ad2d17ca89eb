//! What the editor shows of a text: rendered, or against its base.

use std::collections::BTreeMap;

use leptos::prelude::*;

use crate::{
    api::{ChangesPanel, PreviewPanel},
    words::counted,
};

/// The prompt, filled and rendered, with a field for each variable.
#[component]
pub fn Preview(
    /// What the server made of it.
    panel: PreviewPanel,
    /// The values so far.
    values: BTreeMap<String, String>,
    /// Called with a variable and its new value.
    on_value: Callback<(String, String)>,
) -> impl IntoView {
    let PreviewPanel { html, variables, missing, unused } = panel;
    let fields = variables
        .into_iter()
        .map(|name| {
            let is_missing = missing.contains(&name);
            let value = values.get(&name).cloned().unwrap_or_default();
            let id = format!("missing-{name}");
            let (variable, entered) = (name.clone(), name.clone());
            view! {
                <label class="field" class:wrong=is_missing>
                    <span><code class="variable">{name.clone()}</code></span>
                    <input
                        name=format!("value.{name}")
                        value=value
                        aria-invalid=is_missing.then_some("true")
                        aria-describedby=is_missing.then(|| id.clone())
                        on:change=move |event| on_value.run((variable.clone(), event_target_value(&event)))
                        // The form around it is for saving.
                        on:keydown=move |event| {
                            if is_enter(&event) {
                                event.prevent_default();
                                on_value.run((entered.clone(), event_target_value(&event)));
                            }
                        }
                    />
                    {is_missing.then(|| view! { <span class="problem small" id=id>"Missing: agents would be refused"</span> })}
                </label>
            }
        })
        .collect_view();
    let hint = (!unused.is_empty()).then(|| {
        view! { <p class="faint small">{format!("Values that this text does not use: {}.", unused.join(", "))}</p> }
    });
    view! {
        <div class="preview">
            <div class="values" role="group" aria-label="Values of the variables">{fields}{hint}</div>
            <article class="rendered" aria-label="Preview" inner_html=html.0></article>
        </div>
    }
}

/// Whether a key says that a field is done, and nothing else: not the end of a word that is put together from several keys.
pub fn is_enter(event: &web_sys::KeyboardEvent) -> bool {
    event.key() == "Enter" && !event.ctrl_key() && !event.meta_key() && !event.is_composing()
}

/// Whether a key saves, wherever in the form one is.
pub fn is_save(event: &web_sys::KeyboardEvent) -> bool {
    event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) && !event.is_composing()
}

/// What a comparison does not show, or marks too much of.
#[component]
pub fn LeftOut(
    /// Changed lines that are not shown.
    hidden: u32,
    /// Whether the search for the smallest difference was cut short.
    is_simplified: bool,
) -> impl IntoView {
    view! {
        {is_simplified.then(|| view! {
            <p class="faint">
                "These texts differ so much that the search for the smallest difference was cut short. What is marked is right, \
                 but more is marked than would have to be."
            </p>
        })}
        {(hidden > 0).then(|| view! {
            <p class="faint">{format!("{} not shown here.", counted(hidden, "more changed line is", "more changed lines are"))}</p>
        })}
    }
}

/// What the text changes against its base.
#[component]
pub fn Changes(
    /// What the server found.
    panel: ChangesPanel,
    /// What it is compared with.
    base: String,
) -> impl IntoView {
    let ChangesPanel { lines, added, removed, hidden, is_simplified } = panel;
    let summary = match (added, removed, base.is_empty()) {
        (0, 0, false) => format!("Nothing differs from {base}."),
        (added, removed, false) => {
            format!("{} added, {removed} removed against {base}.", counted(added, "line", "lines"))
        }
        (added, _, true) => format!("{}, all new.", counted(added, "line", "lines")),
    };
    view! {
        <p class="faint" role="status">{summary}</p>
        <LeftOut hidden is_simplified />
        <div class="diff-place" inner_html=lines.0></div>
    }
}
