//! What stands beside the text: the number, the notes, the author, and the buttons.

use leptos::{html::Textarea, prelude::*};

use super::{desk::escaped, keeping::Keeper};
use crate::api::{EditForm, EditProblem};

/// What a bump is for, by the rules of the requirement.
const BUMPS: [(&str, &str, &str); 3] = [
    ("patch", "Patch", "a fix, a typo, a clarification"),
    ("minor", "Minor", "a new capability or guideline; what worked goes on working"),
    ("major", "Major", "a breaking change of structure or behaviour"),
];

/// The sheet beside the text.
#[component]
pub fn Sheet(
    /// What it holds to begin with.
    form: EditForm,
    /// The number that each bump gives.
    next: [Option<String>; 3],
    /// What was wrong with it.
    problem: Option<EditProblem>,
    /// Whether the agent is a new one.
    is_new: bool,
    /// What keeps it.
    keeper: Keeper,
    /// Whether the text is that of the base.
    #[prop(into)]
    is_same: Signal<bool>,
    /// The field of the notes.
    notes: NodeRef<Textarea>,
    /// Called when anything in it changes.
    on_change: Callback<()>,
) -> impl IntoView {
    let wrong =
        |field: &str| problem.as_ref().filter(|problem| problem.field == field).map(|problem| problem.message.clone());
    let name_field = is_new.then(|| {
        let problem = wrong("agent_type");
        let is_wrong = problem.is_some();
        view! {
            <label class="field" class:wrong=is_wrong>
                <span>"Agent type"</span>
                <input
                    name="agent_type"
                    value=form.agent_type.clone()
                    required=true
                    maxlength="50"
                    pattern="[a-z][a-z0-9_]*"
                    title="Lower-case letters, digits and underscores, beginning with a letter"
                    class="version"
                    autocapitalize="off"
                    spellcheck="false"
                    aria-invalid=is_wrong.then_some("true")
                    aria-describedby=if is_wrong { "agent-type-problem agent-type-rule" } else { "agent-type-rule" }
                    on:input=move |_| on_change.run(())
                />
                <span class="faint small" id="agent-type-rule">"Such as backend_dev: lower-case letters, digits, underscores"</span>
                {problem.map(|message| view! { <span class="problem small" role="alert" id="agent-type-problem">{message}</span> })}
            </label>
        }
    });
    let bumps = (!is_new).then(|| {
        let problem = wrong("bump");
        let choices = BUMPS
            .into_iter()
            .zip(next)
            .map(|((value, name, rule), number)| {
                let is_gone = number.is_none();
                let number = number.unwrap_or_else(|| "no number left".into());
                view! {
                    <label class="choice">
                        <input type="radio" name="bump" value=value checked=form.bump == value disabled=is_gone />
                        <span>
                            {name} " " <span class="version">{number}</span> <span class="faint small rule">{rule}</span>
                        </span>
                    </label>
                }
            })
            .collect_view();
        view! {
            <fieldset on:change=move |_| on_change.run(())>
                <legend>"Which number it raises"</legend>
                {choices}
                {problem.map(|message| view! { <p class="problem small" role="alert">{message}</p> })}
            </fieldset>
        }
    });
    let (notes_problem, author_problem) = (wrong("notes"), wrong("author"));
    let (is_notes_wrong, is_author_wrong) = (notes_problem.is_some(), author_problem.is_some());
    view! {
        <aside class="sheet" aria-label="About this version">
            {name_field}
            {bumps}
            <label class="field" class:wrong=is_notes_wrong>
                <span>"What changes, and why"</span>
                <textarea
                    name="notes"
                    rows="4"
                    maxlength="2000"
                    aria-invalid=is_notes_wrong.then_some("true")
                    aria-describedby=is_notes_wrong.then_some("notes-problem")
                    node_ref=notes
                    on:input=move |_| on_change.run(())
                    inner_html=escaped(&form.notes)></textarea>
                {notes_problem.map(|message| view! { <span class="problem small" role="alert" id="notes-problem">{message}</span> })}
            </label>
            <label class="field" class:wrong=is_author_wrong>
                <span>"Your name"</span>
                <input
                    name="author"
                    maxlength="100"
                    autocomplete="name"
                    value=form.author.clone()
                    on:input=move |_| on_change.run(())
                    aria-invalid=is_author_wrong.then_some("true")
                    aria-describedby=is_author_wrong.then_some("author-problem")
                />
                {author_problem.map(|message| view! { <span class="problem small" role="alert" id="author-problem">{message}</span> })}
            </label>
            <p class="buttons">
                <button type="submit" name="intent" value="save" class="primary">"Save as new version"</button>
                <button type="submit" name="intent" value="promote">"Save and promote"</button>
            </p>
            {(!is_new).then(|| view! {
                <p class="faint small same" hidden=move || !is_same.get()>
                    {format!("The text is that of {}: saved now, two versions have the same text.", form.base)}
                </p>
            })}
            <p class="faint small">
                "A saved version is a draft: agents are served it once it is promoted. It never changes afterwards."
            </p>
            <p class="faint small needs-script" role="status">
                {move || match (keeper.is_dirty.get(), keeper.is_kept.get()) {
                    (false, _) => "Nothing is written yet.",
                    (true, true) => "Not saved; this browser keeps a draft.",
                    (true, false) => "Not saved, and this browser keeps no draft: its storage is full or closed.",
                }}
            </p>
        </aside>
    }
}
