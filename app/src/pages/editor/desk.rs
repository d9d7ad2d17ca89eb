//! The form itself: the text, what is known of it, and what is to become of it.

use std::{collections::BTreeMap, time::Duration};

use leptos::{
    ev,
    html::{Div, Form, Input, Textarea},
    leptos_dom::helpers::TimeoutHandle,
    prelude::*,
    task::spawn_local,
};
use send_wrapper::SendWrapper;
use versioning::counts::Counts;
use web_sys::wasm_bindgen::{JsCast, closure::Closure};

use super::{
    monaco::{self, MonacoEditor},
    panels::{Changes, Preview},
};
use crate::{
    AppError,
    api::{EditPage, Panel, draft_changes, draft_preview},
    components::error_notice::ErrorNotice,
    draft::{Draft, now, remember_values, remembered_values},
    html::InPage,
    words::{duration, thousands},
};

/// How long the writer must pause before the counts and the draft follow.
const PAUSE: Duration = Duration::from_millis(250);

/// What a bump is for, by the rules of the requirement.
const BUMPS: [(&str, &str, &str); 3] = [
    ("patch", "Patch", "a fix, a typo, a clarification"),
    ("minor", "Minor", "a new capability or guideline; what worked goes on working"),
    ("major", "Major", "a breaking change of structure or behaviour"),
];

/// What is shown in the place of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Text,
    Preview,
    Changes,
}

/// The parts of the form that scripts reach.
#[derive(Clone, Copy)]
struct Parts {
    form: NodeRef<Form>,
    text: NodeRef<Textarea>,
    notes: NodeRef<Textarea>,
    base: NodeRef<Input>,
    seen_active: NodeRef<Input>,
    seen_newest: NodeRef<Input>,
    host: NodeRef<Div>,
    monaco: StoredValue<Option<SendWrapper<MonacoEditor>>>,
}

impl Parts {
    fn new() -> Self {
        Self {
            form: NodeRef::new(),
            text: NodeRef::new(),
            notes: NodeRef::new(),
            base: NodeRef::new(),
            seen_active: NodeRef::new(),
            seen_newest: NodeRef::new(),
            host: NodeRef::new(),
            // The server has none, so nothing that belongs to one thread is made there.
            monaco: StoredValue::new(None),
        }
    }

    /// The text as it is now.
    fn current(self) -> String {
        self.monaco
            .try_with_value(|monaco| monaco.as_ref().map(|monaco| monaco.text()))
            .flatten()
            .or_else(|| self.text.get_untracked().map(|text| text.value()))
            .unwrap_or_default()
    }

    /// Puts the text where the form sends it from.
    fn hand_over(self) {
        if self.monaco.try_with_value(Option::is_some) == Some(true)
            && let Some(area) = self.text.get_untracked()
        {
            area.set_value(&self.current());
        }
    }

    fn replace(self, text: &str) {
        if let Some(area) = self.text.get_untracked() {
            area.set_value(text);
        }
        self.monaco.try_with_value(|monaco| {
            if let Some(monaco) = monaco {
                monaco.set_text(text);
            }
        });
    }

    /// A field of the form.
    fn field(self, selector: &str) -> Option<web_sys::HtmlInputElement> {
        self.form.get_untracked()?.query_selector(selector).ok()??.dyn_into().ok()
    }

    fn value(input: NodeRef<Input>) -> String {
        input.get_untracked().map(|input| input.value()).unwrap_or_default()
    }
}

/// The form.
#[island]
pub fn Desk(
    /// What it starts from, without the text.
    page: EditPage,
    /// The text.
    text: InPage,
    /// Whether the agent is a new one.
    is_new: bool,
) -> impl IntoView {
    let EditPage { form, next, variables, problem, conflict, panel, .. } = page.clone();
    let agent = StoredValue::new(if is_new { String::new() } else { form.agent_type.clone() });
    let parts = Parts::new();
    let text = text.0;
    let counts = RwSignal::new(page.counts);
    let names = RwSignal::new(page.names.clone());
    // What was sent and refused was never saved.
    let is_dirty = RwSignal::new(problem.is_some() || conflict.is_some() || panel.is_some());
    let is_kept = RwSignal::new(true);
    let is_sent = StoredValue::new(false);
    let is_ready = RwSignal::new(false);
    let found = RwSignal::new(None::<Draft>);
    let values = RwSignal::new(
        form.rest
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("value.")?.to_owned(), value.clone())))
            .collect::<BTreeMap<_, _>>(),
    );
    let shown = RwSignal::new(match &panel {
        None => Shown::Text,
        Some(Panel::Preview(_)) => Shown::Preview,
        Some(Panel::Changes(_)) => Shown::Changes,
    });
    let panel = RwSignal::new(panel.map(Ok::<_, AppError>));
    let base = StoredValue::new(form.base.clone());
    // Known once the page is there.
    let original = StoredValue::new((String::new(), String::new()));

    let show = move |what: Shown| {
        shown.set(what);
        let text = parts.current();
        spawn_local(async move {
            let answer = match what {
                Shown::Text => return,
                Shown::Preview => draft_preview(text, values.get_untracked()).await.map(Panel::Preview),
                Shown::Changes => {
                    draft_changes(agent.get_value(), Parts::value(parts.base), text).await.map(Panel::Changes)
                }
            };
            // The writer may have gone on to something else meanwhile.
            if shown.try_get_untracked() == Some(what) {
                panel.set(Some(answer));
            }
        });
    };
    let on_value = Callback::new(move |(name, value): (String, String)| {
        values.update(|values| {
            values.insert(name, value);
        });
        remember_values(&agent.get_value(), &values.get_untracked());
        show(Shown::Preview);
    });

    let look = move || {
        let text = parts.current();
        counts.set(Counts::of(&text));
        names.set(names_of(&text));
        let notes = parts.notes.get_untracked().map(|notes| notes.value()).unwrap_or_default();
        let is_changed = original.with_value(|(before, noted)| *before != plain(&text) || *noted != notes);
        if is_changed || is_dirty.get_untracked() {
            is_dirty.set(true);
            let draft = Draft {
                text,
                notes,
                author: parts.field("[name=author]").map(|author| author.value()).unwrap_or_default(),
                bump: parts.field("[name=bump]:checked").map(|bump| bump.value()).unwrap_or_default(),
                base: Parts::value(parts.base),
                seen_active: Parts::value(parts.seen_active),
                seen_newest: Parts::value(parts.seen_newest),
                at: now(),
            };
            is_kept.set(draft.keep(&agent.get_value()));
        }
    };
    let pending = StoredValue::new(None::<TimeoutHandle>);
    let on_change = move || {
        // A late call of an editor that is gone finds nothing to do.
        let Some(before) = pending.try_update_value(Option::take) else { return };
        if let Some(before) = before {
            before.clear();
        }
        pending.set_value(set_timeout_with_handle(look, PAUSE).ok());
    };
    let save = move || {
        if let Some(form) = parts.form.get_untracked()
            && let Ok(Some(button)) = form.query_selector("button[value=save]")
        {
            button.unchecked_into::<web_sys::HtmlElement>().click();
        }
    };

    let known = variables.clone();
    Effect::new(move || {
        let agent = agent.get_value();
        let value = |area: NodeRef<Textarea>| area.get_untracked().map(|area| plain(&area.value())).unwrap_or_default();
        original.set_value((value(parts.text), value(parts.notes)));
        if values.with_untracked(BTreeMap::is_empty) {
            values.set(remembered_values(&agent));
        }
        // What the form came back with is newer than any draft.
        if !is_dirty.get_untracked() {
            let here = parts.current();
            found.set(Draft::find(&agent).filter(|draft| plain(&draft.text) != plain(&here) && !draft.text.is_empty()));
        }
        guard(is_dirty, move || {
            if !is_sent.get_value() {
                look();
            }
        });
        let known = known.clone();
        spawn_local(async move {
            let Some(monaco) = monaco::load().await else { return };
            // The page may be gone by now.
            let (Some(host), Some(area)) =
                (parts.host.try_get_untracked().flatten(), parts.text.try_get_untracked().flatten())
            else {
                return;
            };
            let editor = MonacoEditor::create(&monaco, &host, &area.value(), &known, on_change, save);
            if let Some(editor) = editor {
                parts.monaco.set_value(Some(SendWrapper::new(editor)));
                is_ready.set(true);
            }
        });
    });

    let restore = move |_| {
        let Some(draft) = found.get_untracked() else { return };
        found.set(None);
        is_dirty.set(true);
        for (input, value) in [
            (parts.base, &draft.base),
            (parts.seen_active, &draft.seen_active),
            (parts.seen_newest, &draft.seen_newest),
        ] {
            if let Some(input) = input.get_untracked() {
                input.set_value(value);
            }
        }
        if let Some(notes) = parts.notes.get_untracked() {
            notes.set_value(&draft.notes);
        }
        if let Some(author) = parts.field("[name=author]").filter(|_| !draft.author.is_empty()) {
            author.set_value(&draft.author);
        }
        // One of three words; a draft of another page holds no other.
        if let Some(bump) = parts.field(&format!("[name=bump][value=\"{}\"]", draft.bump.replace('"', ""))) {
            bump.set_checked(true);
        }
        base.set_value(draft.base.clone());
        parts.replace(&draft.text);
        look();
    };
    let discard = move |_| {
        found.set(None);
        Draft::forget(&agent.get_value());
    };
    let draft_notice = move || {
        found.get().map(|draft| {
            let age = duration(now() - draft.at).map_or_else(|| "a moment ago".into(), |age| format!("{age} ago"));
            let from = if draft.base.is_empty() { String::new() } else { format!(", from {}", draft.base) };
            view! {
                <div class="notice" role="status">
                    <p>{format!("You wrote on this {age}{from}, and did not save it.")}</p>
                    <p class="ways">
                        <button type="button" on:click=restore>"Restore it"</button>
                        <button type="button" class="quiet" on:click=discard>"Discard it"</button>
                    </p>
                </div>
            }
        })
    };

    let action = if is_new { "/new".to_owned() } else { format!("/agents/{}/edit", form.agent_type) };
    let wrong = move |field: &str| {
        problem.as_ref().filter(|problem| problem.field == field).map(|problem| problem.message.clone())
    };
    let text_problem = wrong("text");
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
                    aria-describedby="agent-type-rule"
                />
                <span class="faint small" id="agent-type-rule">"Such as backend_dev: lower-case letters, digits, underscores"</span>
                {problem.map(|message| view! { <span class="problem small" role="alert">{message}</span> })}
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
            <fieldset>
                <legend>"Which number it raises"</legend>
                {choices}
                {problem.map(|message| view! { <p class="problem small" role="alert">{message}</p> })}
            </fieldset>
        }
    });
    let (notes_problem, author_problem) = (wrong("notes"), wrong("author"));
    let (is_notes_wrong, is_author_wrong) = (notes_problem.is_some(), author_problem.is_some());
    let hidden = |name: &'static str, value: &str, node: NodeRef<Input>| {
        view! { <input type="hidden" name=name value=value.to_owned() node_ref=node /> }
    };
    // A text area drops a line break at its very beginning; the server writes one to be dropped.
    let area = format!("{}{}", if cfg!(feature = "ssr") { "\n" } else { "" }, escaped(&text));
    let tab = move |label: &'static str, what: Shown| {
        view! {
            <button type="button" class="quiet" aria-pressed=move || (shown.get() == what).to_string() on:click=move |_| show(what)>
                {label}
            </button>
        }
    };
    let side = view! {
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
                    node_ref=parts.notes
                    on:input=move |_| on_change()
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
                    aria-invalid=is_author_wrong.then_some("true")
                    aria-describedby=is_author_wrong.then_some("author-problem")
                />
                {author_problem.map(|message| view! { <span class="problem small" role="alert" id="author-problem">{message}</span> })}
            </label>
            <p class="buttons">
                <button type="submit" name="intent" value="save" class="primary">"Save as new version"</button>
                <button type="submit" name="intent" value="promote">"Save and promote"</button>
            </p>
            <p class="faint small">
                "A saved version is a draft: agents are served it once it is promoted. It never changes afterwards."
            </p>
            <p class="faint small needs-script" role="status">
                {move || match (is_dirty.get(), is_kept.get()) {
                    (false, _) => "Nothing is written yet.",
                    (true, true) => "Not saved; this browser keeps a draft.",
                    (true, false) => "Not saved, and this browser keeps no draft: its storage is full or closed.",
                }}
            </p>
        </aside>
    }
    .into_any();
    let shown_panel = move || {
        let base = base.get_value();
        panel.get().filter(|_| shown.get() != Shown::Text).map(|panel| match panel {
            Ok(Panel::Preview(panel)) => view! { <Preview panel values=values.get_untracked() on_value /> }.into_any(),
            Ok(Panel::Changes(panel)) => view! { <Changes panel base /> }.into_any(),
            Err(error) => view! { <ErrorNotice error /> }.into_any(),
        })
    };
    view! {
        {draft_notice}
        <form
            class="desk"
            method="post"
            action=action
            node_ref=parts.form
            on:submit=move |_| {
                parts.hand_over();
                look();
                is_sent.set_value(true);
                is_dirty.set(false);
            }
        >
            {(!is_new).then(|| hidden("agent_type", &form.agent_type, NodeRef::new()))}
            {hidden("base", &form.base, parts.base)}
            {hidden("seen_active", &form.seen_active, parts.seen_active)}
            {hidden("seen_newest", &form.seen_newest, parts.seen_newest)}
            <div class="paper">
                <div class="list-head">
                    <span class="group with-script">{tab("Write", Shown::Text)} {tab("Preview", Shown::Preview)} {tab("Changes", Shown::Changes)}</span>
                    <span class="group without-script">
                        <button type="submit" name="intent" value="preview">"Preview"</button>
                        <button type="submit" name="intent" value="changes">"Changes"</button>
                    </span>
                    <Facts counts names />
                </div>
                {text_problem.map(|message| view! { <p class="problem" id="text-problem" role="alert">{message}</p> })}
                <div class="writing" class:away=move || shown.get() != Shown::Text class:ready=move || is_ready.get()>
                    <textarea
                        name="text"
                        class="prompt"
                        aria-label="Prompt"
                        rows="24"
                        spellcheck="false"
                        node_ref=parts.text
                        on:input=move |_| on_change()
                        on:keydown=move |event| {
                            if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) {
                                event.prevent_default();
                                save();
                            }
                        }
                        inner_html=area
                    ></textarea>
                    <div class="monaco" node_ref=parts.host></div>
                </div>
                <div class="panel">{shown_panel}</div>
            </div>
            {side}
        </form>
    }
    .into_any()
}

/// What is known of the text, as it is written.
#[component]
fn Facts(counts: RwSignal<Counts>, names: RwSignal<Vec<String>>) -> impl IntoView {
    let variables = move || match names.read().as_slice() {
        [] => "no variables".to_owned(),
        names => names.join(", "),
    };
    view! {
        <p class="faint small counts" aria-label="Size of the text">
            {move || {
                let counts = counts.get();
                format!(
                    "{} characters · {} words · {} lines · about {} tokens · ",
                    thousands(counts.chars),
                    thousands(counts.words),
                    thousands(counts.lines),
                    thousands(counts.tokens),
                )
            }} <span class="variables">{variables}</span>
        </p>
    }
    .into_any()
}

fn names_of(text: &str) -> Vec<String> {
    versioning::template::variables(text).into_iter().map(str::to_owned).collect()
}

/// A text with plain line breaks: a text area knows no others.
fn plain(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// A text as HTML has it inside a text area.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// As long as something is not saved, leaving asks first. Links of the site are followed as whole pages then, which the browser
/// asks about; a change of the page from within would not be noticed.
fn guard(is_dirty: RwSignal<bool>, keep: impl Fn() + 'static) {
    let leaving = window_event_listener(ev::beforeunload, move |event| {
        // What was written in the last moment is kept as well.
        keep();
        if is_dirty.get_untracked() {
            event.prevent_default();
        }
    });
    let follow = Closure::<dyn FnMut(web_sys::MouseEvent)>::new(move |event: web_sys::MouseEvent| {
        if !is_dirty.get_untracked() || event.ctrl_key() || event.meta_key() || event.shift_key() {
            return;
        }
        let link = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
            .and_then(|target| target.closest("a[href]").ok().flatten())
            .and_then(|link| link.dyn_into::<web_sys::HtmlAnchorElement>().ok());
        if let Some(link) = link.filter(|link| link.target().is_empty() && link.hash().is_empty()) {
            event.prevent_default();
            event.stop_immediate_propagation();
            let _ = window().location().set_href(&link.href());
        }
    });
    let listener = follow.as_ref().clone();
    // Before the router hears of it.
    let _ = window().add_event_listener_with_callback_and_bool("click", listener.unchecked_ref(), true);
    let held = StoredValue::new_local(follow);
    on_cleanup(move || {
        leaving.remove();
        let _ = held.try_with_value(|follow| {
            window().remove_event_listener_with_callback_and_bool("click", follow.as_ref().unchecked_ref(), true)
        });
    });
}
