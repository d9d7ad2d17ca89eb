//! A set of test cases.

use lab::{StoredCase, TestSet, cases::CaseFormat};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use uuid::Uuid;

use super::form::{LabForm, lab};
use crate::{AppError, components::error_notice::ErrorNotice, html::Local, words::counted};

async fn read(id: String) -> Result<TestSet, AppError> {
    let id = id.parse().map_err(|_| lab::LabError::UnknownSet { id: Uuid::nil() })?;
    Ok(lab()?.set(id).await?)
}

/// The cases of a set, and what can be done with them.
#[component]
pub fn SetPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let set = Resource::new_blocking(
        move || params.read().get("set").unwrap_or_default(),
        |id| async { read(id).await.map(Local) },
    );
    let asked = move || query.read_untracked().get("delete").unwrap_or_default();
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match set.await {
                    Ok(Local(set)) => whole(set, &asked()),
                    Err(error) => view! { <Title text="Test cases" /> <h1>"Test cases"</h1> <ErrorNotice error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn whole(set: TestSet, asked: &str) -> AnyView {
    let form = LabForm::from_context();
    let here = format!("/lab/sets/{}", set.summary.id);
    let agent = set.summary.agent_type.to_string();
    let count = set.test_cases.len();
    let rows = set
        .test_cases
        .into_iter()
        .enumerate()
        .map(|(place, stored)| row(&here, place, count, stored, asked))
        .collect_view();
    let list = if count == 0 {
        view! { <p class="empty">"No case yet. Add one, or import a file."</p> }.into_any()
    } else {
        view! { <ol class="rows cases">{rows}</ol> }.into_any()
    };
    let formats = CaseFormat::ALL.into_iter().map(|format| (format.as_str().to_owned(), format.as_str().to_owned()));
    let formats = std::iter::once((String::new(), "by its content".to_owned())).chain(formats).collect();
    let exports = CaseFormat::ALL
        .into_iter()
        .map(|format| {
            let file = format!("{here}/export.{}", format.extension());
            view! { <a class="button quiet" href=file rel="external" download="">{format.extension()}</a> }
        })
        .collect_view();
    let delete = if asked == "set" {
        view! {
            <form method="post" action=format!("{here}/delete") class="notice danger">
                <p>"The set and its cases are deleted. Runs keep their copies."</p>
                <p class="buttons">
                    <button type="submit">"Delete the set"</button>
                    <a class="button" href=here.clone()>"Keep it"</a>
                </p>
            </form>
        }
        .into_any()
    } else {
        view! { <p><a href=format!("{here}?delete=set")>"Delete this set"</a></p> }.into_any()
    };
    view! {
        <Title text=set.summary.name.clone() />
        <div class="page-head">
            <h1>{set.summary.name.clone()}</h1>
            <p class="summary">
                <a href=format!("/agents/{agent}")><span class="agent-name">{agent.clone()}</span></a>
                {format!(" · {}", counted(count as u64, "case", "cases"))}
            </p>
            <p class="buttons">
                <a class="button primary" href=format!("/lab/new?agent={agent}&set={}", set.summary.id)>"Run it"</a>
                <a class="button" href=format!("{here}/cases/new")>"Add a case"</a>
            </p>
        </div>
        {list}
        <div class="columns">
            <section aria-labelledby="import-title">
                <h2 id="import-title">"Import"</h2>
                {form.notice(&["name", "text", "format"])}
                <form method="post" action=format!("{here}/import")>
                    {form
                        .lines(
                            "text",
                            "CSV, JSON Lines, or the tests of a promptfoo file",
                            "",
                            6,
                            "All or nothing; what is wrong is named with its line.",
                        )}
                    {form.choice("format", "Format", formats, "", "")}
                    <p class="buttons">
                        <button type="submit">"Import"</button>
                        <span class="faint small">"Export:"</span>
                        {exports}
                    </p>
                </form>
            </section>
            <section aria-labelledby="name-title">
                <h2 id="name-title">"This set"</h2>
                <form class="filters" method="post" action=format!("{here}/rename")>
                    {form.line("name", "Name", &set.summary.name, "")}
                    <button type="submit">"Rename"</button>
                </form>
                {delete}
            </section>
        </div>
    }
    .into_any()
}

fn row(here: &str, place: usize, count: usize, stored: StoredCase, asked: &str) -> AnyView {
    let case_address = format!("{here}/cases/{}", stored.id);
    let name = stored.case.name;
    let input: String = stored.case.input.lines().next().unwrap_or_default().chars().take(160).collect();
    let tags = stored.case.tags.into_iter().map(|tag| view! { <span class="chip">{tag}</span> }).collect_view();
    let checks = counted(stored.case.checks.len() as u64, "check", "checks");
    let act = |action: &'static str, to: Option<usize>, label: &'static str, sign: &'static str, is_off: bool| {
        let spoken = format!("{label}: {name}");
        view! {
            <form method="post" action=format!("{case_address}/{action}")>
                {to.map(|to| view! { <input type="hidden" name="to" value=to.to_string() /> })}
                <button type="submit" class="quiet" aria-label=spoken disabled=is_off>{sign}</button>
            </form>
        }
        .into_any()
    };
    let question = (asked == stored.id.to_string()).then(|| {
        view! {
            <form method="post" action=format!("{case_address}/delete") class="notice danger">
                <p>{format!("“{name}” is deleted. Runs keep their copies.")}</p>
                <p class="buttons">
                    <button type="submit">"Delete the case"</button>
                    <a class="button" href=here.to_owned()>"Keep it"</a>
                </p>
            </form>
        }
    });
    view! {
        <li>
            <div class="case-line">
                <a href=case_address.clone()>{name.clone()}</a>
                <span class="faint case-input">{input}</span>
                {tags}
                <span class="faint small">{checks}</span>
                <span class="case-actions">
                    {act("move", Some(place.saturating_sub(1)), "Move up", "↑", place == 0)}
                    {act("move", Some(place + 1), "Move down", "↓", place + 1 == count)}
                    {act("duplicate", None, "Duplicate", "Duplicate", false)}
                    <a
                        class="button quiet"
                        href=format!("{here}?delete={}", stored.id)
                        aria-label=format!("Delete: {name}")
                    >
                        "Delete"
                    </a>
                </span>
            </div>
            {question}
        </li>
    }
    .into_any()
}
