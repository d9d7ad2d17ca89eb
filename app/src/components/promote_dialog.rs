//! The question before something goes live, with what it would change.

use leptos::{ev, html::Span, prelude::*};
use leptos_router::hooks::{use_location, use_query_map};
use web_sys::wasm_bindgen::JsCast;

use crate::{
    AppError,
    api::{PromotionPreview, promotion_preview},
    components::{error_notice::ErrorNotice, sending::Sending},
    words::{counted, signed},
};

/// What is asked when the page's address says `promote={version}`, or `promote={agent}@{version}` for another agent's. The
/// question is part of the address, so it works without scripts and survives a reload.
#[component]
pub fn PromoteDialog(
    /// The agent of the page.
    #[prop(into)]
    agent_type: Signal<String>,
) -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        let asked = query.read().get("promote").filter(|asked| !asked.is_empty())?;
        Some(match asked.split_once('@') {
            Some((agent, version)) => (agent.to_owned(), version.to_owned()),
            None => (agent_type.get(), asked),
        })
    });
    let preview = Resource::new_blocking(
        move || asked.get(),
        async |asked| match asked {
            Some((agent_type, version)) => Some(promotion_preview(agent_type, version).await),
            None => None,
        },
    );
    let location = use_location();
    // The page's address without the question.
    let back = Memo::new(move |_| {
        let mut query = query.get();
        for name in ["promote", "refused", "notes", "done"] {
            query.remove(name);
        }
        format!("{}{}", location.pathname.get(), query.to_query_string())
    });
    let refused = Memo::new(move |_| (query.read().get("refused"), query.read().get("notes")));
    // The link that asked: it has the focus again when the question is left.
    let here = Memo::new(move |_| format!("{}#do-{}", back.get(), query.read().get("promote").unwrap_or_default()));
    view! {
        <Transition>
            {move || Suspend::new(async move {
                preview
                    .await
                    .map(|preview| {
                        let refused = refused.get_untracked();
                        view! { <Question preview back=back.get_untracked() here=here.get_untracked() refused /> }
                    })
            })}
        </Transition>
    }
    .into_any()
}

#[component]
fn Question(
    preview: Result<PromotionPreview, AppError>,
    back: String,
    here: String,
    refused: (Option<String>, Option<String>),
) -> impl IntoView {
    let leave = here.clone();
    let content = match preview {
        Err(error) => view! {
            <h2 id="promote-title">"This cannot go live"</h2>
            <ErrorNotice error />
            <p class="buttons">
                <a class="button" href=here>"Close"</a>
            </p>
        }
        .into_any(),
        Ok(preview) if preview.is_active => view! {
            <h2 id="promote-title">{format!("{} is live already", preview.version)}</h2>
            <p class="buttons">
                <a class="button" href=here>"Close"</a>
            </p>
        }
        .into_any(),
        Ok(preview) => view! { <Form preview back here refused /> }.into_any(),
    };
    view! {
        // Rendered open, so that it is there without scripts.
        <dialog class="confirm" open=true aria-labelledby="promote-title">
            {content}
            <Modal back=leave />
        </dialog>
    }
    .into_any()
}

/// Makes the dialog around it modal: it holds the focus, a key closes it, which leads back, and its form is sent once.
#[island]
fn Modal(
    /// The page's address without the question.
    back: String,
) -> impl IntoView {
    let here = NodeRef::<Span>::new();
    Effect::new(move || {
        let dialog = here
            .get()
            .and_then(|here| here.closest("dialog").ok().flatten())
            .and_then(|dialog| dialog.dyn_into::<web_sys::HtmlDialogElement>().ok());
        if let Some(dialog) = dialog {
            dialog.close();
            // It fails only for a dialog that is open or not in the page.
            let _ = dialog.show_modal();
        }
    });
    let keys = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Escape" {
            event.prevent_default();
            let _ = window().location().set_href(&back);
        }
    });
    // The only form that can be reached is that of the dialog.
    let sending = Sending::new();
    let sent = window_event_listener(ev::submit, move |event| {
        if sending.is_under_way() {
            event.prevent_default();
        } else {
            sending.begin();
        }
    });
    let shown_again = window_event_listener(ev::pageshow, move |event| {
        if event.persisted() {
            sending.end();
        }
    });
    on_cleanup(move || {
        keys.remove();
        sent.remove();
        shown_again.remove();
    });
    view! { <span node_ref=here hidden=true></span> }
}

#[component]
fn Form(
    preview: PromotionPreview,
    back: String,
    here: String,
    refused: (Option<String>, Option<String>),
) -> impl IntoView {
    let PromotionPreview {
        agent_type,
        version,
        from,
        becomes,
        is_reissue,
        lines: (added, removed),
        chars,
        notes,
        author,
        refused: wrong,
        ..
    } = preview;
    let (reason, written_notes) = refused;
    let problem = |field: &str| {
        wrong.as_ref().filter(|wrong| wrong.field == field).map(|wrong| {
            let message = wrong.message.clone();
            view! { <span class="problem small" role="alert" id=format!("problem-{field}")>{message}</span> }
        })
    };
    let (author_problem, notes_problem) = (problem("created_by"), problem("notes"));
    let (is_author_wrong, is_notes_wrong) = (author_problem.is_some(), notes_problem.is_some());
    let author = wrong.as_ref().map_or(author, |wrong| wrong.author.clone());
    let written_notes = wrong.map(|wrong| wrong.notes).or(written_notes);
    let (title, action, button) = if is_reissue {
        (
            format!("Fix forward with the text of {version}"),
            format!("/agents/{agent_type}/reissue"),
            format!("Make it live as {becomes}"),
        )
    } else {
        (format!("Promote {version}"), format!("/agents/{agent_type}/promote"), format!("Promote {version}"))
    };
    let diff = from.as_ref().map(|from| format!("/agents/{agent_type}/compare?base={from}&head={version}"));
    let way = match &from {
        Some(from) => view! {
            <span class="version">{from.clone()}</span>
            " → "
            <span class="version">{becomes.clone()}</span>
        }
        .into_any(),
        None => view! { "Nothing is live yet; agents will be served " <span class="version">{becomes.clone()}</span> }
            .into_any(),
    };
    let note = is_reissue.then(|| {
        view! {
            <p class="faint">
                {format!(
                    "{version} is below what is live, and nothing is rolled back: its text becomes the next version, {becomes}.",
                )}
            </p>
        }
    });
    let notes_field = is_reissue.then(|| {
        let text = written_notes.unwrap_or_else(|| format!("Brings back the text of {version}."));
        view! {
            <label class="field" class:wrong=is_notes_wrong>
                <span>"Notes"</span>
                <input
                    name="notes"
                    maxlength="2000"
                    value=text
                    aria-invalid=is_notes_wrong.then_some("true")
                    aria-describedby=is_notes_wrong.then_some("problem-notes")
                />
                {notes_problem}
            </label>
        }
    });
    view! {
        <h2 id="promote-title">{title}</h2>
        {reason.map(|reason| view! { <p class="notice danger" role="alert">{in_words(&reason)}</p> })}
        <p class="going">
            <span class="agent-name">{agent_type.clone()}</span>
            " "
            {way}
        </p>
        <p class="size">
            <span class="plus">{format!("+{added}")}</span>
            " "
            <span class="minus">{format!("−{removed}")}</span>
            {format!(" {} · {} characters · ", if added + removed == 1 { "line" } else { "lines" }, signed(chars))}
            {match diff {
                Some(diff) => view! { <a href=diff>"See the difference"</a> }.into_any(),
                None => counted(added, "new line", "new lines").into_any(),
            }}
        </p>
        {notes.map(|notes| view! { <blockquote class="notes">{notes}</blockquote> })}
        {note}
        <form method="post" action=action>
            <input type="hidden" name="version" value=version />
            <input type="hidden" name="expected_active" value=from.unwrap_or_default() />
            <input type="hidden" name="back" value=back />
            {notes_field}
            <label class="field" class:wrong=is_author_wrong>
                <span>"Your name"</span>
                <input
                    name="author"
                    maxlength="100"
                    autocomplete="name"
                    value=author
                    aria-invalid=is_author_wrong.then_some("true")
                    aria-describedby=is_author_wrong.then_some("problem-created_by")
                />
                {author_problem}
            </label>
            <p class="buttons">
                <a class="button" href=here>"Cancel"</a>
                <button type="submit" class="primary">{button}</button>
            </p>
        </form>
    }
    .into_any()
}

/// Why the last attempt was refused.
fn in_words(code: &str) -> &'static str {
    match code {
        "stale_base" => "Another version went live while you looked. This is what it would change now.",
        "fix_forward" => {
            "A higher version went live while you looked. Its text can only be brought back as the next one."
        }
        "unknown_version" | "unknown_agent" => "There is no such version any more. Look at the history.",
        "numbers_exhausted" => "No patch number is left in this line. Save the text as a new minor version.",
        "database_unavailable" | "outcome_unknown" => {
            "The database did not answer. Look whether the version is live before you try again."
        }
        _ => "It did not work, and it was logged. Look whether the version is live before you try again.",
    }
}
