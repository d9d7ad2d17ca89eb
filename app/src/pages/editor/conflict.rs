//! Somebody else saved first: what they changed, what you changed, and both together in the editor.

use leptos::prelude::*;

use super::panels::LeftOut;
use crate::{
    api::{ChangesPanel, Conflict},
    words::counted,
};

/// What happened, and what to do.
#[component]
pub fn ConflictNotice(
    /// What happened.
    conflict: Conflict,
) -> impl IntoView {
    let title = title(&conflict);
    let Conflict {
        agent_type, base, base_text, their_base, theirs, their_changes, your_changes, unsettled, label, ..
    } = conflict;
    let next = match unsettled {
        0 => "Both changes are together in the editor below. Read them, then save again.".to_owned(),
        places => format!(
            "What does not collide is together in the editor below. {} where both changed the same lines: keep what should \
             stay between <<<<<<< yours and >>>>>>> {label}, delete the marks, then save again.",
            if places == 1 {
                "There is one place".to_owned()
            } else {
                format!("There are {}", counted(places, "place", "places"))
            },
        ),
    };
    let page = |version: &str| format!("/agents/{agent_type}/versions/{version}");
    let texts = [("Their version", theirs.as_str()), ("Your base", base.as_str())];
    let texts = texts
        .into_iter()
        .chain((their_base != base).then_some(("Their base", their_base.as_str())))
        .filter(|(_, version)| !version.is_empty())
        .map(|(name, version)| {
            view! {
                <a href=page(version) target="_blank">
                    {name} " " <span class="version">{version.to_owned()}</span>
                    <span class="visually-hidden">" (in a new tab)"</span>
                </a>
                " "
            }
        })
        .collect_view();
    let whole = (!their_base.is_empty()).then(|| {
        view! {
            <p>
                <a href=format!("/agents/{agent_type}/compare?base={their_base}&head={theirs}") target="_blank">
                    "Compare the whole texts" <span class="visually-hidden">" (in a new tab)"</span>
                </a>
            </p>
        }
    });
    // Their change is counted from another version where the writer went back behind it.
    let their_summary = if their_base == base || their_base.is_empty() {
        format!("Their change, {theirs}")
    } else {
        format!("Their change, {theirs}, against {their_base}")
    };
    let base_details = (!base.is_empty()).then(|| {
        view! {
            <details>
                <summary>{format!("The base, {base}")}</summary>
                <pre class="prompt base" tabindex="0" role="region" aria-label=format!("Text of {base}") inner_html=base_text.0></pre>
            </details>
        }
    });
    view! {
        <section class="notice conflict" aria-labelledby="conflict-title" role="alert">
            <h2 id="conflict-title">{title}</h2>
            <p>{next}</p>
            <p class="ways">{texts}</p>
            <details>
                <summary>{their_summary}</summary>
                {changed(their_changes)}
                {whole}
            </details>
            <details>
                <summary>"Your change"</summary>
                {changed(your_changes)}
            </details>
            {base_details}
        </section>
    }
    .into_any()
}

/// What one side changed.
fn changed(changes: ChangesPanel) -> AnyView {
    let left_out = (changes.hidden, changes.is_simplified);
    view! {
        <LeftOut hidden=left_out.0 is_simplified=left_out.1 />
        <div class="diff-place" inner_html=changes.lines.0></div>
    }
    .into_any()
}

/// Who did what: the version can be of one and its promotion of another.
fn title(conflict: &Conflict) -> String {
    let Conflict { base, theirs, theirs_by, was_there, is_live, live_by, .. } = conflict;
    let started = if base.is_empty() {
        "while you were writing".to_owned()
    } else {
        format!("while you were writing from {base}")
    };
    let writer = theirs_by.as_deref().unwrap_or("Somebody");
    let promoter = live_by.as_deref();
    match (is_live, was_there) {
        (true, true) => {
            let of = theirs_by.as_deref().map(|writer| format!(", which {writer} wrote,")).unwrap_or_default();
            format!("{} made {theirs}{of} live {started}", promoter.unwrap_or("Somebody"))
        }
        (true, false) if theirs_by == live_by => format!("{writer} wrote {theirs} and made it live {started}"),
        (true, false) => {
            format!("{writer} wrote {theirs} and {} made it live {started}", promoter.unwrap_or("somebody"))
        }
        (false, _) => format!("{writer} wrote {theirs} and saved it {started}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_names_who_did_what() {
        let title = |by: Option<&str>, live_by: Option<&str>, is_live: bool, was_there: bool| {
            title(&Conflict {
                base: "1.0.0".into(),
                theirs: "1.1.0".into(),
                theirs_by: by.map(str::to_owned),
                was_there,
                is_live,
                live_by: live_by.map(str::to_owned),
                ..Conflict::default()
            })
        };
        let (alice, bob) = (Some("Alice"), Some("Bob"));
        for (said, expected) in [
            (title(alice, alice, true, false), "Alice wrote 1.1.0 and made it live"),
            (title(None, None, true, false), "Somebody wrote 1.1.0 and made it live"),
            (title(alice, bob, true, false), "Alice wrote 1.1.0 and Bob made it live"),
            (title(alice, None, true, false), "Alice wrote 1.1.0 and somebody made it live"),
            (title(alice, bob, true, true), "Bob made 1.1.0, which Alice wrote, live"),
            (title(None, None, true, true), "Somebody made 1.1.0 live"),
            (title(alice, None, false, false), "Alice wrote 1.1.0 and saved it"),
        ] {
            assert_eq!(said, format!("{expected} while you were writing from 1.0.0"));
        }
    }
}
