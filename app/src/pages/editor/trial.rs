//! Trying the text that is written, before it is saved.

use std::collections::BTreeMap;

use leptos::{either::Either, prelude::*, task::spawn_local};

use super::{
    panels::{is_enter, is_save},
    parts::Parts,
};
use crate::{
    AppError,
    api::{Trial, TrialModels, Tried, trial_models, try_prompt},
    components::error_notice::ErrorNotice,
};

/// What is asked, and what came back: it stays while the writer goes back to the text.
#[derive(Clone, Copy)]
pub struct Asking {
    input: RwSignal<String>,
    model: RwSignal<String>,
    models: RwSignal<Option<TrialModels>>,
    beside_live: RwSignal<bool>,
    is_busy: RwSignal<bool>,
    trial: RwSignal<Option<Result<Trial, AppError>>>,
}

impl Asking {
    /// Nothing is asked yet.
    pub fn new(beside_live: bool) -> Self {
        Self {
            input: RwSignal::new(String::new()),
            model: RwSignal::new(String::new()),
            models: RwSignal::new(None),
            beside_live: RwSignal::new(beside_live),
            is_busy: RwSignal::new(false),
            trial: RwSignal::new(None),
        }
    }
}

/// Asks a model with the text as it is written.
#[component]
pub fn TryIt(
    /// What is asked.
    asking: Asking,
    /// Where the text is.
    parts: Parts,
    /// Whose it is; empty for a new agent.
    agent: StoredValue<String>,
    /// The variables of the text.
    names: RwSignal<Vec<String>>,
    /// The values of the variables, as the preview has them.
    values: RwSignal<BTreeMap<String, String>>,
    /// Called with a variable and its new value.
    on_value: Callback<(String, String)>,
) -> impl IntoView {
    let Asking { input, model, models, beside_live, is_busy, trial } = asking;
    Effect::new(move || {
        spawn_local(async move {
            // Without an answer a name can be typed all the same.
            let known = trial_models().await.unwrap_or_default();
            if model.try_with_untracked(String::is_empty) == Some(true) {
                model.set(known.preferred.clone());
            }
            models.try_set(Some(known));
        });
    });
    let ask = move || {
        if is_busy.get_untracked() {
            return;
        }
        is_busy.set(true);
        let (agent, text, values) = (agent.get_value(), parts.text(), values.get_untracked());
        let (input, model, beside) = (input.get_untracked(), model.get_untracked(), beside_live.get_untracked());
        spawn_local(async move {
            let answer = try_prompt(agent, text, values, input, model, beside).await;
            // The writer may be elsewhere by now.
            if is_busy.try_set(false).is_none() {
                trial.set(Some(answer));
            }
        });
    };
    // The form around it is for saving.
    let on_enter = move |event: web_sys::KeyboardEvent| {
        if is_enter(&event) {
            event.prevent_default();
            ask();
        }
    };
    // In here what is sent is the question. The form would save.
    let on_ctrl_enter = move |event: web_sys::KeyboardEvent| {
        if is_save(&event) {
            event.prevent_default();
            ask();
        }
    };
    let fields = move || {
        let known = values.get_untracked();
        names
            .get()
            .into_iter()
            .map(|name| {
                let value = known.get(&name).cloned().unwrap_or_default();
                let variable = name.clone();
                view! {
                    <label class="field">
                        <span><code class="variable">{name}</code></span>
                        <input
                            value=value
                            on:input=move |event| on_value.run((variable.clone(), event_target_value(&event)))
                            on:keydown=on_enter
                        />
                    </label>
                }
            })
            .collect_view()
    };
    let choices = move || {
        let known = models.get()?;
        let none = known.reachable.is_empty().then(|| {
            view! {
                <p class="notice">
                    "No model is known to answer here. " <a href="/lab#models-title">"The lab says how to configure one"</a>
                    "; or name one that does."
                </p>
            }
        });
        let options = known.reachable.into_iter().map(|name| view! { <option value=name></option> }).collect_view();
        Some(view! {
            {none}
            <datalist id="trial-models">{options}</datalist>
        })
    };
    view! {
        <div class="preview" on:keydown=on_ctrl_enter>
            {choices}
            <div class="values" role="group" aria-label="Values of the variables">{fields}</div>
            <label class="field">
                <span>"What a user says"</span>
                <textarea
                    rows="3"
                    class="prompt"
                    prop:value=move || input.get()
                    on:input=move |event| input.set(event_target_value(&event))
                ></textarea>
            </label>
            <div class="filters">
                <label class="field wide">
                    <span>"Model"</span>
                    <input
                        class="version"
                        list="trial-models"
                        placeholder="openai::gpt-4o-mini"
                        prop:value=move || model.get()
                        on:input=move |event| model.set(event_target_value(&event))
                        on:keydown=on_enter
                    />
                </label>
                <button type="button" class="primary" disabled=move || is_busy.get() on:click=move |_| ask()>
                    {move || if is_busy.get() { "Asking…" } else { "Ask" }}
                </button>
            </div>
            <label class="check" hidden=agent.with_value(String::is_empty)>
                <input
                    type="checkbox"
                    prop:checked=move || beside_live.get()
                    on:change=move |event| beside_live.set(event_target_checked(&event))
                />
                <span>"Beside the version that is live"</span>
            </label>
            <div role="status">
                {move || {
                    trial.get().map(|trial| match trial {
                        Ok(trial) => Either::Left(answers(trial)),
                        Err(error) => Either::Right(view! { <ErrorNotice error /> }),
                    })
                }}
            </div>
        </div>
    }
}

fn answers(Trial { written, live }: Trial) -> impl IntoView {
    let title = live.as_ref().map(|live| match &live.version {
        Some(version) => format!("Live: {version}"),
        None => "Live".to_owned(),
    });
    view! {
        <div class="answers">
            {answer("As it is written".to_owned(), written)}
            {live.zip(title).map(|(live, title)| answer(title, live))}
        </div>
    }
}

fn answer(title: String, tried: Tried) -> impl IntoView {
    let text = match tried.answer {
        Ok(text) => Either::Left(
            view! { <pre class="message" tabindex="0" role="region" aria-label=title.clone()>{text}</pre> },
        ),
        Err(message) => Either::Right(view! { <p class="notice danger" role="alert">{message}</p> }),
    };
    view! {
        <div class="answer">
            <h3>{title}</h3>
            {text}
            <p class="faint small">{tried.took}</p>
        </div>
    }
}
