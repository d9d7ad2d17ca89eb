//! A set of test cases.

use lab::{CaseLine, SetSummary, cases::CaseFormat};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use uuid::Uuid;

use super::form::{LabForm, id_of, lab};
use crate::{
    AppError,
    components::error_notice::ErrorNotice,
    html::Local,
    words::{counted, thousands},
};

/// Cases on a page.
const PER_PAGE: u32 = 50;

/// The page of a set that shows the case at a place, counted from 0.
pub fn page_of_case(place: u32) -> u32 {
    place / PER_PAGE + 1
}

/// The address of a page of a set, counted from 1.
pub fn set_address(set: Uuid, page: u32) -> String {
    if page > 1 { format!("/lab/sets/{set}?page={page}") } else { format!("/lab/sets/{set}") }
}

/// A page of a set.
#[derive(Debug, Clone, PartialEq)]
struct Page {
    set: SetSummary,
    lines: Vec<CaseLine>,
    number: u32,
    pages: u32,
}

async fn read(id: String, page: u32) -> Result<Page, AppError> {
    let id = id_of("set", &id)?;
    let lab = lab()?;
    let set = lab.set_summary(id).await?;
    let pages = set.cases.div_ceil(PER_PAGE).max(1);
    // The last page may have gone with its last case.
    let number = page.clamp(1, pages);
    let lines = lab.case_lines(id, (number - 1) * PER_PAGE, PER_PAGE).await?;
    Ok(Page { set, lines, number, pages })
}

/// The cases of a set, and what can be done with them.
#[component]
pub fn SetPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let page = Resource::new_blocking(
        move || {
            let page = query.read().get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
            (params.read().get("set").unwrap_or_default(), page)
        },
        |(id, page)| async move { read(id, page).await.map(Local) },
    );
    let asked = move || query.read_untracked().get("delete").unwrap_or_default();
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(Local(page)) => whole(page, &asked()),
                    Err(error) => view! { <Title text="Test cases" /> <h1>"Test cases"</h1> <ErrorNotice error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn whole(page: Page, asked: &str) -> AnyView {
    let form = LabForm::from_context();
    let Page { set, lines, number, pages } = page;
    let here = format!("/lab/sets/{}", set.id);
    let this_page = set_address(set.id, number);
    let agent = set.agent_type.to_string();
    let count = set.cases;
    let place = PlaceInSet { set: set.id, page: number, count };
    let rows = lines.into_iter().map(|line| row(&place, line, asked)).collect_view();
    let list = if count == 0 {
        view! { <p class="empty">"No case yet. Add one, or import a file."</p> }.into_any()
    } else {
        let start = (number > 1).then(|| ((number - 1) * PER_PAGE + 1).to_string());
        view! {
            <ol class="rows cases" start=start>{rows}</ol>
            {steps(set.id, number, pages)}
        }
        .into_any()
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
                    <a class="button" href=this_page>"Keep it"</a>
                </p>
            </form>
        }
        .into_any()
    } else {
        view! { <p><a href=format!("{here}?page={number}&delete=set")>"Delete this set"</a></p> }.into_any()
    };
    view! {
        <Title text=set.name.clone() />
        <div class="page-head">
            <h1>{set.name.clone()}</h1>
            <p class="summary">
                <a href=format!("/agents/{agent}")><span class="agent-name">{agent.clone()}</span></a>
                {format!(" · {}", counted(count, "case", "cases"))}
            </p>
            <p class="buttons">
                <a class="button primary" href=format!("/lab/new?agent={agent}&set={}", set.id)>"Run it"</a>
                <a class="button" href=format!("{here}/cases/new")>"Add a case"</a>
            </p>
        </div>
        {list}
        <div class="columns">
            <section aria-labelledby="import-title">
                <h2 id="import-title">"Import"</h2>
                {form.notice(&["name", "text", "text_file", "format"])}
                <form method="post" action=format!("{here}/import") enctype="multipart/form-data">
                    {place.field()}
                    {form
                        .file(
                            "text_file",
                            "A file of test cases",
                            ".csv,.jsonl,.ndjson,.json,.yaml,.yml",
                            "CSV, JSON Lines, or the tests of a promptfoo file.",
                        )}
                    {form
                        .lines(
                            "text",
                            "Or its text",
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
                <form class="filters grow" method="post" action=format!("{here}/rename")>
                    {place.field()}
                    {form.line("name", "Name", &set.name, "")}
                    <button type="submit">"Rename"</button>
                </form>
                {delete}
            </section>
        </div>
    }
    .into_any()
}

/// The ways to the other pages of a set.
fn steps(set: Uuid, number: u32, pages: u32) -> Option<AnyView> {
    let link = |page: u32, label: &'static str, rel: &'static str| {
        view! { <a class="button" href=set_address(set, page) data-page=rel>{label}</a> }
    };
    (pages > 1).then(|| {
        view! {
            <nav class="buttons" aria-label="Pages of the set">
                {(number > 2).then(|| link(1, "First cases", ""))}
                {(number > 1).then(|| link(number - 1, "← Earlier cases", "prev"))}
                <span class="faint">{format!("page {} of {}", thousands(number), thousands(pages))}</span>
                {(number < pages).then(|| link(number + 1, "Later cases →", "next"))}
                {(number + 1 < pages).then(|| link(pages, "Last cases", ""))}
            </nav>
        }
        .into_any()
    })
}

/// Where a row stands: what its forms lead back to.
struct PlaceInSet {
    set: Uuid,
    page: u32,
    count: u32,
}

impl PlaceInSet {
    /// The field that says on which page a form stood.
    fn field(&self) -> impl IntoView + use<> {
        view! { <input type="hidden" name="page" value=self.page.to_string() /> }
    }
}

fn row(at: &PlaceInSet, line: CaseLine, asked: &str) -> AnyView {
    let here = format!("/lab/sets/{}", at.set);
    let CaseLine { id, place, name, input, tags, checks } = line;
    let case_address = format!("{here}/cases/{id}");
    let input: String = input.lines().next().unwrap_or_default().chars().take(160).collect();
    let tags = tags.into_iter().map(|tag| view! { <span class="chip">{tag}</span> }).collect_view();
    let checks = counted(checks, "check", "checks");
    let act = |action: &'static str, to: Option<u32>, label: &'static str, sign: &'static str, is_off: bool| {
        let spoken = format!("{label}: {name}");
        view! {
            <form method="post" action=format!("{case_address}/{action}")>
                {at.field()}
                {to.map(|to| view! { <input type="hidden" name="to" value=to.to_string() /> })}
                <button type="submit" class="quiet" aria-label=spoken disabled=is_off>{sign}</button>
            </form>
        }
        .into_any()
    };
    let question = (asked == id.to_string()).then(|| {
        view! {
            <form method="post" action=format!("{case_address}/delete") class="notice danger">
                {at.field()}
                <p>{format!("“{name}” is deleted. Runs keep their copies.")}</p>
                <p class="buttons">
                    <button type="submit">"Delete the case"</button>
                    <a class="button" href=format!("{}#case-{id}", set_address(at.set, at.page))>"Keep it"</a>
                </p>
            </form>
        }
    });
    view! {
        <li id=format!("case-{id}")>
            <div class="case-line">
                <a href=case_address.clone()>{name.clone()}</a>
                <span class="faint case-input">{input}</span>
                {tags}
                <span class="faint small">{checks}</span>
                <span class="case-actions">
                    {act("move", Some(place.saturating_sub(1)), "Move up", "↑", place == 0)}
                    {act("move", Some(place + 1), "Move down", "↓", place + 1 == at.count)}
                    {act("duplicate", None, "Duplicate", "Duplicate", false)}
                    <a
                        class="button quiet"
                        href=format!("{here}?page={}&delete={id}#case-{id}", at.page)
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
