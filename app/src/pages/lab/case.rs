//! A test case, to be written.

use lab::{SetSummary, cases::CaseForm, checks::EXAMPLES};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use super::{
    form::{LabForm, id_of, lab},
    set::{page_of_case, set_address},
};
use crate::{AppError, api::services, components::error_notice::ErrorNotice, html::Local};

/// The fields of the form, as they are sent.
const FIELDS: [&str; 6] = ["name", "input", "variables", "expected", "tags", "checks"];

/// A set, a case of it, and the address of its list where the case is shown.
type Page = (SetSummary, CaseForm, bool, String);

async fn read(set: String, case: String) -> Result<Page, AppError> {
    let id = id_of("set", &set)?;
    let lab = lab()?;
    let set = lab.set_summary(id).await?;
    if case == "new" {
        // What the agent's versions use; the writer puts values behind.
        let known = services()?.management.known_variables(&set.agent_type).await?;
        let variables = known.into_iter().map(|name| format!("{name}: \n")).collect();
        let form = CaseForm { variables, ..CaseForm::default() };
        return Ok((set, form, true, set_address(id, 1)));
    }
    let case = id_of("case", &case)?;
    let placed = lab.case(id, case).await?;
    let list = format!("{}#case-{case}", set_address(id, page_of_case(placed.place)));
    Ok((set, CaseForm::of(&placed.stored.case), false, list))
}

/// A case of a set, or a new one.
#[component]
pub fn CasePage() -> impl IntoView {
    let params = use_params_map();
    let param = move |name: &str| params.read().get(name).unwrap_or_default();
    let page = Resource::new_blocking(
        move || (param("set"), param("case")),
        |(set, case)| async { read(set, case).await.map(Local) },
    );
    let case = move || params.read_untracked().get("case").unwrap_or_default();
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(Local(page)) => whole(page, &case()),
                    Err(error) => view! { <Title text="Test case" /> <h1>"Test case"</h1> <ErrorNotice error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn whole((set, case, is_new, list): Page, id: &str) -> AnyView {
    let form = LabForm::from_context();
    let title = if is_new { "New case".to_owned() } else { case.name.clone() };
    let address = format!("/lab/sets/{}/cases/{id}", set.id);
    let kinds = EXAMPLES.into_iter().map(|(_, example)| view! { <li><code>{example}</code></li> }).collect_view();
    view! {
        <Title text=title.clone() />
        <div class="page-head">
            <h1>{title}</h1>
            <p class="summary"><a href=list.clone()>{set.name}</a></p>
        </div>
        {form.notice(&FIELDS)}
        <form method="post" action=address class="stack">
            {form.line("name", "Name", &case.name, "What results are shown by.")}
            {form.lines("input", "Input", &case.input, 5, "What the user says.")}
            {form.lines("variables", "Variables", &case.variables, 4, "One a line: name: value")}
            {form.lines("expected", "Expected answer", &case.expected, 3, "If a good one is known.")}
            {form.line("tags", "Tags", &case.tags, "With commas between.")}
            {form.lines("checks", "Checks", &case.checks, 5, "One a line. Without any, every answer passes.")}
            <details>
                <summary>"Every kind of check"</summary>
                <ul class="plain-list">{kinds}</ul>
            </details>
            <p class="buttons">
                <button type="submit" class="primary">{if is_new { "Add the case" } else { "Save the case" }}</button>
                <a class="button" href=list>"Cancel"</a>
            </p>
        </form>
    }
    .into_any()
}
