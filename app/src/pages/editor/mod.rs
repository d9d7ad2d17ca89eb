//! Where prompts are written.
//!
//! The page is a form around a text area and works as one. In the browser, Monaco takes the text area's place, a draft is kept
//! while one writes, and the preview and the changes come without leaving the page.

mod conflict;
mod desk;
mod guard;
mod keeping;
mod monaco;
mod panels;
mod parts;
mod sheet;
mod trial;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use crate::{
    AppError,
    api::{EditPage, Overview, editing},
    components::{agent_header::AgentHeader, error_notice::ErrorNotice},
    html::InPage,
};
use conflict::ConflictNotice;
use desk::Desk;

/// Writes a version of an agent, from any of its versions; or the first one of a new agent.
#[component]
pub fn PromptEditor(
    /// What the server said of the agents.
    agents: Resource<Result<Overview, AppError>>,
) -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let agent = Memo::new(move |_| params.read().get("agent_type").unwrap_or_default());
    let from = Memo::new(move |_| query.read().get("from").unwrap_or_default());
    let page = Resource::new_blocking(move || (agent.get(), from.get()), |(agent, from)| editing(agent, from));
    let head = move || {
        let agent = agent.get();
        if agent.is_empty() {
            view! {
                <Title text="New agent" />
                <div class="page-head">
                    <h1>"New agent"</h1>
                    <p class="summary">"It begins with version 1.0.0"</p>
                </div>
            }
            .into_any()
        } else {
            view! {
                <Title text=format!("Edit {agent}") />
                <h1 class="visually-hidden">{format!("Edit {agent}")}</h1>
                <AgentHeader agents agent_type=agent current="Edit" />
            }
            .into_any()
        }
    };
    view! {
        {head}
        <Suspense fallback=|| view! { <p class="waiting">"Reading the version…"</p> }>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(page) => view! { <Page page is_new=agent.get_untracked().is_empty() /> }.into_any(),
                    Err(error) => {
                        let (agent, from) = (agent.get_untracked(), from.get_untracked());
                        let is_version = error.code != "unknown_agent" && error.code != "invalid_agent_type";
                        view! {
                            <ErrorNotice error />
                            {(is_version && !agent.is_empty() && !from.is_empty())
                                .then(|| view! { <EditFromNumber label="Edit from" base=from /> })}
                        }
                            .into_any()
                    }
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Page(page: EditPage, is_new: bool) -> impl IntoView {
    let mut page = page;
    let conflict = page.conflict.take().map(|conflict| view! { <ConflictNotice conflict /> });
    let problem = page.problem.clone().filter(|problem| problem.field.is_empty()).map(|problem| {
        view! {
            <p class="notice danger" role="alert">{problem.message}</p>
        }
    });
    let from = (!is_new).then(|| {
        let versions = page
            .versions
            .iter()
            .map(|choice| (choice.version.clone(), format!("{} ({})", choice.version, choice.status)))
            .collect();
        view! { <EditFrom base=page.form.base.clone() versions has_older=page.has_older /> }
    });
    let ends = page.line_ends.is_mixed().then(|| {
        let base = page.form.base.clone();
        view! {
            <p class="notice">
                {format!(
                    "Not all lines of {base} end in the same way (LF and CR LF). A text that is changed is saved with LF everywhere; \
                     one that is not changed keeps them.",
                )}
            </p>
        }
    });
    // It stands in the page once.
    let text = std::mem::take(&mut page.form.text);
    view! {
        {conflict}
        {problem}
        {from}
        {ends}
        <Desk page text=InPage(text) is_new />
    }
    .into_any()
}

/// The form that chooses the version to start from.
#[component]
fn EditFrom(
    /// The version that it starts from now.
    base: String,
    /// Versions, and what they are called.
    versions: Vec<(String, String)>,
    /// Whether there are more than these.
    has_older: bool,
) -> impl IntoView {
    let options = versions
        .into_iter()
        .map(|(version, name)| {
            let is_chosen = version == base;
            view! { <option value=version selected=is_chosen>{name}</option> }
        })
        .collect_view();
    view! {
        <form class="filters edit-from" method="get" aria-label="Choose the version to start from">
            <label class="field">
                <span>"Edit from"</span>
                // A browser that comes back to the page would choose again what was chosen before it left.
                <select name="from" class="version" autocomplete="off">{options}</select>
            </label>
            <button type="submit">"Start from it"</button>
        </form>
        {has_older.then(|| view! { <EditFromNumber label="Edit from an older version" base=String::new() /> })}
    }
    .into_any()
}

/// The form that takes the number of a version that the list does not have.
#[component]
fn EditFromNumber(
    /// What the field is called.
    label: &'static str,
    /// What stands in it.
    base: String,
) -> impl IntoView {
    view! {
        <form class="filters edit-from" method="get" aria-label="Give the number of the version to start from">
            <label class="field">
                <span>{label}</span>
                <input name="from" value=base class="version" required=true spellcheck="false" autocomplete="off" />
            </label>
            <button type="submit">"Start from it"</button>
        </form>
    }
    .into_any()
}
