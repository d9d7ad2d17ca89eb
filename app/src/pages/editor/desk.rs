//! The form itself: the text, what is known of it, and what is to become of it.

use std::{collections::BTreeMap, time::Duration};

use leptos::{
    either::EitherOf4,
    ev,
    html::Input,
    leptos_dom::helpers::TimeoutHandle,
    prelude::*,
    task::{spawn_local, tick},
};
use send_wrapper::SendWrapper;
use versioning::{PromptText, counts::Counts};
use web_sys::wasm_bindgen::JsCast;

use super::{
    guard::guard,
    keeping::Keeper,
    monaco::{self, MonacoEditor},
    panels::{Changes, Preview, is_save},
    parts::Parts,
    sheet::Sheet,
    trial::{Asking, TryIt},
};
use crate::{
    AppError,
    api::{EditPage, Panel, draft_changes, draft_preview},
    components::error_notice::ErrorNotice,
    draft::{remember_values, remembered_values},
    html::InPage,
    words::{counted, thousands},
};

/// How long the writer must pause before the counts and the draft follow.
const PAUSE: Duration = Duration::from_millis(250);

/// What is shown in the place of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Text,
    Preview,
    Changes,
    Trial,
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
    let EditPage { form, next, variables, problem, panel, line_ends, .. } = page;
    let agent = StoredValue::new(if is_new { String::new() } else { form.agent_type.clone() });
    let parts = Parts::new();
    let keeper = Keeper::new(parts, agent, page.is_back);
    let text = text.0;
    let (first_counts, was_same) = (page.counts, page.is_same);
    let counts = RwSignal::new(first_counts);
    let names = RwSignal::new(page.names);
    let is_same = RwSignal::new(was_same);
    let is_ready = RwSignal::new(false);
    let too_long = RwSignal::new(None::<String>);
    let values = RwSignal::new(page.values);
    let shown = RwSignal::new(match &panel {
        None => Shown::Text,
        Some(Panel::Preview(_)) => Shown::Preview,
        Some(Panel::Changes(_)) => Shown::Changes,
    });
    let is_looking = RwSignal::new(matches!(panel, Some(Panel::Preview(_))));
    let panel = RwSignal::new(panel.map(Ok::<_, AppError>));
    let base = StoredValue::new(form.base.clone());
    let asking = Asking::new(!is_new);

    let show = move |what: Shown| {
        shown.set(what);
        let text = parts.text();
        spawn_local(async move {
            let answer = match what {
                Shown::Text | Shown::Trial => return,
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
    let keep_value = Callback::new(move |(name, value): (String, String)| {
        values.update(|values| {
            values.insert(name, value);
        });
        remember_values(&agent.get_value(), &values.get_untracked());
    });
    let on_value = Callback::new(move |value| {
        keep_value.run(value);
        show(Shown::Preview);
    });

    // Of a text that the server sent it knows more than the browser: how its lines end.
    let measure = move || {
        let text = parts.text();
        let is_original = keeper.is_original(&text);
        names.set(names_of(&text));
        is_same.set(is_original && was_same);
        let text = line_ends.give(text);
        counts.set(if is_original { first_counts } else { Counts::of(&text) });
        if is_original || text.len() <= PromptText::MAX_BYTES {
            too_long.set(None);
            return true;
        }
        false
    };
    let look = move || {
        measure();
        keeper.keep();
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
        // From here on the fields of the preview know their key.
        is_looking.set(false);
        keeper.begin();
        measure();
        if values.with_untracked(BTreeMap::is_empty) {
            values.set(remembered_values(&agent.get_value()));
        }
        guard(keeper.is_dirty, move || keeper.keep_at_last());
        let shown_again = window_event_listener(ev::pageshow, move |event| {
            if event.persisted() {
                keeper.come_back();
            }
        });
        on_cleanup(move || shown_again.remove());
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
            let Some(editor) = editor else { return };
            let selection = parts.selection();
            parts.monaco.set_value(Some(SendWrapper::new(editor)));
            is_ready.set(true);
            // Whoever writes already goes on in Monaco, which can take the focus once it is in sight; the page draws nothing and
            // hears no key before that.
            if let Some(selection) = selection {
                tick().await;
                parts.monaco.try_with_value(|monaco| {
                    if let Some(monaco) = monaco {
                        monaco.focus(selection);
                    }
                });
            }
        });
    });

    let on_restored = Callback::new(move |()| {
        measure();
    });

    let action = if is_new { "/new".to_owned() } else { format!("/agents/{}/edit", form.agent_type) };
    let text_problem =
        problem.as_ref().filter(|problem| problem.field == "text").map(|problem| problem.message.clone());
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
    let shown_panel = move || {
        let base = base.get_value();
        if shown.get() == Shown::Trial {
            return Some(EitherOf4::A(view! { <TryIt asking parts agent names values on_value=keep_value /> }));
        }
        panel.get().filter(|_| shown.get() != Shown::Text).map(|panel| match panel {
            Ok(Panel::Preview(panel)) => {
                EitherOf4::B(view! { <Preview panel values=values.get_untracked() on_value /> })
            }
            Ok(Panel::Changes(panel)) => EitherOf4::C(view! { <Changes panel base /> }),
            Err(error) => EitherOf4::D(view! { <ErrorNotice error /> }),
        })
    };
    view! {
        {keeper.offer(on_restored)}
        <form
            class="desk"
            method="post"
            action=action
            node_ref=parts.form
            on:keydown=move |event| {
                // Monaco and the trial have answered already what is theirs.
                if is_save(&event) && !event.default_prevented() {
                    event.prevent_default();
                    save();
                }
            }
            on:submit=move |event| {
                if keeper.is_under_way() {
                    event.prevent_default();
                    return;
                }
                parts.hand_over();
                if measure() {
                    keeper.send();
                    return;
                }
                event.prevent_default();
                keeper.keep();
                show(Shown::Text);
                let bytes = thousands(u32::try_from(line_ends.give(parts.text()).len()).unwrap_or(u32::MAX));
                too_long.set(Some(format!(
                    "The prompt has {bytes} bytes; at most {} (1 MiB of UTF-8) are kept. Shorten it.",
                    thousands(PromptText::MAX_BYTES as u64),
                )));
            }
        >
            // The Enter key in a field presses the first button there is. Without scripts it may be pressed in a value of the
            // preview, which is for looking only.
            <button
                type="submit"
                name="intent"
                value=move || if is_looking.get() { "preview" } else { "save" }
                formnovalidate=move || is_looking.get()
                class="visually-hidden"
                tabindex="-1"
                aria-hidden="true"
            >
                {move || if is_looking.get() { "Preview" } else { "Save as new version" }}
            </button>
            {(!is_new).then(|| hidden("agent_type", &form.agent_type, NodeRef::new()))}
            {hidden("base", &form.base, parts.base)}
            {hidden("seen_active", &form.seen_active, parts.seen_active)}
            {hidden("seen_newest", &form.seen_newest, parts.seen_newest)}
            {hidden("merged", &form.merged, parts.merged)}
            {hidden("draft", &form.draft, parts.draft)}
            <div class="paper">
                <div class="list-head">
                    <span class="group with-script">{tab("Write", Shown::Text)} {tab("Preview", Shown::Preview)} {tab("Changes", Shown::Changes)} {tab("Try it", Shown::Trial)}</span>
                    <span class="group without-script">
                        <button type="submit" name="intent" value="preview" formnovalidate=true>"Preview"</button>
                        <button type="submit" name="intent" value="changes" formnovalidate=true>"Changes"</button>
                    </span>
                    <Facts counts names />
                </div>
                {move || {
                    too_long.get().or_else(|| text_problem.clone()).map(|message| {
                        view! { <p class="problem" id="text-problem" role="alert">{message}</p> }
                    })
                }}
                <div class="writing" class:away=move || shown.get() != Shown::Text class:ready=move || is_ready.get()>
                    <textarea
                        name="text"
                        class="prompt"
                        aria-label="Prompt"
                        rows="24"
                        spellcheck="false"
                        node_ref=parts.text
                        on:input=move |_| on_change()
                        inner_html=area
                    ></textarea>
                    <div class="monaco" node_ref=parts.host></div>
                </div>
                <div class="panel">{shown_panel}</div>
            </div>
            <Sheet form next problem is_new keeper is_same notes=parts.notes on_change=Callback::new(move |()| on_change()) />
        </form>
    }
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
                    "{} · {} · {} · about {} · ",
                    counted(counts.chars, "character", "characters"),
                    counted(counts.words, "word", "words"),
                    counted(counts.lines, "line", "lines"),
                    counted(counts.tokens, "token", "tokens"),
                )
            }} <span class="variables">{variables}</span>
        </p>
    }
}

fn names_of(text: &str) -> Vec<String> {
    versioning::template::variables(text).into_iter().map(str::to_owned).collect()
}

/// A text as HTML has it inside a text area.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
