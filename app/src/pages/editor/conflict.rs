//! Somebody else saved first: what they changed, what you changed, and both together in the editor.

use leptos::prelude::*;

use crate::{api::Conflict, words::counted};

/// What happened, and what to do.
#[component]
pub fn ConflictNotice(
    /// What happened.
    conflict: Conflict,
) -> impl IntoView {
    let Conflict { base, theirs, theirs_by, is_live, their_changes, your_changes, unsettled } = conflict;
    let who = theirs_by.unwrap_or_else(|| "Somebody".into());
    let did = if is_live { "made it live" } else { "saved it" };
    let next = match unsettled {
        0 => "Both changes are together in the editor below. Read them, then save again.".to_owned(),
        places => format!(
            "What does not collide is together in the editor below. {} where both changed the same lines: keep what should \
             stay between <<<<<<< yours and >>>>>>> {theirs}, delete the marks, then save again.",
            if places == 1 {
                "There is one place".to_owned()
            } else {
                format!("There are {}", counted(places, "place", "places"))
            },
        ),
    };
    let started = if base.is_empty() {
        "while you were writing".to_owned()
    } else {
        format!("while you were writing from {base}")
    };
    view! {
        <section class="notice conflict" aria-labelledby="conflict-title" role="alert">
            <h2 id="conflict-title">{format!("{who} wrote {theirs} and {did} {started}")}</h2>
            <p>{next}</p>
            <details>
                <summary>{format!("Their change, {theirs}")}</summary>
                <div class="diff-place" inner_html=their_changes.0></div>
            </details>
            <details>
                <summary>"Your change"</summary>
                <div class="diff-place" inner_html=your_changes.0></div>
            </details>
        </section>
    }
    .into_any()
}
