//! A run: how far it is, what it says, and every answer.

use lab::{Report, ResultFilter, Results, Run, RunStatus};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    form::{LabForm, id_of, lab},
    home::status_word,
    pace::Pace,
    progress::Progress,
    results::results,
    verdict::{verdict, winner},
};
use crate::{
    AppError,
    components::{error_notice::ErrorNotice, relative_time::RelativeTime},
    html::Local,
    words::{duration, thousands},
};

/// Cases on a page at most.
const CASES: u32 = 20;

/// Pairs of answers on a page at most, unless a single case has more.
const PAIRS: u32 = 60;

/// How many cases of a run a page shows, each with all of its repeats.
fn cases_on_a_page(repeats: u32) -> u32 {
    (PAIRS / repeats.max(1)).clamp(1, CASES)
}

type Page = (Report, Option<Results>, ResultFilter, Option<String>);

async fn read(id: String, filter: String, page: u32) -> Result<Page, AppError> {
    let lab = lab()?;
    let id = id_of("run", &id)?;
    let report = lab.report(id).await?;
    let filter: ResultFilter = filter.parse().unwrap_or_default();
    let results = match report.run.done {
        0 => None,
        _ => Some(lab.results(id, filter, page, cases_on_a_page(report.run.plan.repeats)).await?),
    };
    let active = crate::api::services()?.management.active(&report.run.agent_type).await?;
    Ok((report, results, filter, active.map(|active| active.version.version.to_string())))
}

/// A run.
#[component]
pub fn RunPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let page = Resource::new_blocking(
        move || {
            let query = query.read();
            (
                params.read().get("run").unwrap_or_default(),
                query.get("filter").unwrap_or_default(),
                query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1),
            )
        },
        |(id, filter, page)| async move { read(id, filter, page).await.map(Local) },
    );
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(Local((report, results, filter, active))) => whole(report, results, filter, active),
                    Err(error) => view! { <Title text="Run" /> <h1>"Run"</h1> <ErrorNotice error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn whole(report: Report, found: Option<Results>, filter: ResultFilter, active: Option<String>) -> AnyView {
    let run = report.run.clone();
    let here = format!("/lab/runs/{}", run.id);
    let (a, b) = (run.version_a.to_string(), run.version_b.to_string());
    let agent = run.agent_type.to_string();
    let form = LabForm::from_context();
    let compare = (a != b).then(|| {
        let address = format!("/agents/{agent}/compare?base={a}&head={b}");
        view! { <a class="button" href=address>"Compare the texts"</a> }
    });
    let is_over = run.status != RunStatus::Running;
    let review =
        (is_over && run.done > 0).then(|| view! { <a class="button" href=format!("{here}/review")>"Blind review"</a> });
    let version = |side: &'static str, version: &str| {
        view! {
            <span class=format!("ab-name side-{side}")>{side.to_uppercase()}</span>
            " "
            <a class="version" href=format!("/agents/{agent}/versions/{version}")>{version.to_owned()}</a>
        }
    };
    let head = view! {
        <div class="page-head">
            <h1>
                <span class="agent-name">{agent.clone()}</span>
                " "
                {version("a", &a)}
                " → "
                {version("b", &b)}
            </h1>
            <p class="summary">
                <span class=format!("chip run-{}", run.status.as_str())>{status_word(run.status)}</span>
                " "
                <a href="/lab">"A/B lab"</a>
            </p>
            <p class="buttons">{compare} {review}</p>
        </div>
    }
    .into_any();
    let shown = found.map(|found| results(&run, found, filter));
    view! {
        <Title text=format!("{agent} {a} → {b}") />
        {head}
        {form.notice(&["reason", "winner", "chosen_by"])}
        {if is_over { verdict(&report) } else { progress(&run) }}
        {is_over.then(|| winner(&report, &form, active.as_deref()))}
        {facts(&run)}
        {shown}
    }
    .into_any()
}

/// How far a run is.
fn progress(run: &Run) -> AnyView {
    let here = format!("/lab/runs/{}", run.id);
    view! {
        <section class="notice" aria-labelledby="progress-title">
            <h2 id="progress-title">"Running"</h2>
            <progress id="run-bar" value=run.done.to_string() max=run.calls.to_string() aria-labelledby="progress-title"></progress>
            <p><Progress id=run.id.to_string() said=sentence(run, &Pace::default()) /></p>
            <noscript><p><a href="">"Reload to see how far it is"</a></p></noscript>
            <form method="post" action=format!("{here}/cancel")>
                <p class="buttons">
                    <button type="submit">"Cancel the run"</button>
                    <span class="faint small">"What was answered stays. A cancelled run has no verdict."</span>
                </p>
            </form>
        </section>
    }
    .into_any()
}

/// How far a run is, in a sentence.
fn sentence(run: &Run, pace: &Pace) -> String {
    let rate = pace.rate(run.created_at, chrono::Utc::now(), run.done);
    let left = f64::from(run.calls - run.done) / rate;
    let left = if rate == 0.0 {
        String::new()
    } else if left < 60.0 {
        format!(", about {left:.0} s left")
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "seconds, for people")]
        let left = duration(left as i64).unwrap_or_default();
        format!(", about {left} left")
    };
    let failed = if run.failed > 0 { format!(", {} failed", run.failed) } else { String::new() };
    let budget = run.budget_usd.map_or_else(String::new, |budget| format!(" of ${budget}"));
    format!(
        "{} of {} calls{failed}, {rate:.1} a second{left}, ${:.4}{budget} so far",
        thousands(run.done),
        thousands(run.calls),
        run.spent_usd
    )
}

/// What the page of a run is told as it goes on: done, calls, and the sentence; `over` at the end.
pub fn progress_event(run: &Run, pace: &Pace) -> String {
    let said = if run.status == RunStatus::Running { sentence(run, pace) } else { "over".into() };
    format!("{} {} {said}", run.done, run.calls)
}

/// What was settled before.
fn facts(run: &Run) -> AnyView {
    let plan = &run.plan;
    let created = run.created_at.into();
    let by = run.created_by.as_ref().map(|name| format!(" by {name}"));
    let now = chrono::Utc::now().timestamp();
    let settings: Vec<String> = [
        plan.settings.temperature.map(|value| format!("temperature {value}")),
        plan.settings.top_p.map(|value| format!("top-p {value}")),
        plan.settings.max_tokens.map(|value| format!("at most {value} tokens")),
        plan.settings.seed.map(|value| format!("seed {value}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let others: Vec<&str> = plan.others().into_iter().map(lab::Metric::label).collect();
    let margin = plan.margin.map_or_else(|| "none".to_owned(), |margin| plan.primary.difference_in_words(margin));
    let model = if run.is_imported {
        "answers from elsewhere".to_owned()
    } else {
        plan.model.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    let set = match run.set_id {
        Some(id) => view! { <a href=format!("/lab/sets/{id}")>{run.set_name.clone()}</a> }.into_any(),
        None => view! { {format!("{} (deleted since)", run.set_name)} }.into_any(),
    };
    let row = |name: &'static str, value: String| {
        (!value.is_empty()).then(|| view! { <div><dt>{name}</dt> <dd>{value}</dd></div> }.into_any())
    };
    view! {
        <details class="plan" open=run.status == RunStatus::Running>
            <summary>"Settled before the run"</summary>
            <dl class="facts">
                <div><dt>"Cases"</dt> <dd>{set}</dd></div>
                {row("Model", model)}
                {row("Settings", settings.join(", "))}
                {row("Repeats", plan.repeats.to_string())}
                {row("Calls at once", run.concurrency.to_string())}
                {row("Primary metric", plan.primary.label().to_owned())}
                {row("Also deciding", others.join(", "))}
                {row("Margin", margin)}
                {row("Confidence", format!("{:.0} %", plan.confidence.share() * 100.0))}
                {row("Judge", plan.judge.as_ref().map(ToString::to_string).unwrap_or_default())}
                {row("Question", plan.question.clone().unwrap_or_default())}
                {row("A/A run", plan.noise_version.map(|version| format!("of {version}")).unwrap_or_default())}
                {row("Calls", format!("{} of {}, {} failed", thousands(run.done), thousands(run.calls), thousands(run.failed)))}
                {row("Cost", format!("${:.6}", run.spent_usd))}
                <div><dt>"Started"</dt> <dd><RelativeTime moment=created now /> {by}</dd></div>
            </dl>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_many_repeats_has_fewer_cases() {
        assert_eq!([0, 1, 3, 4, 20, 50, 60, 61].map(cases_on_a_page), [20, 20, 20, 15, 3, 1, 1, 1]);
    }
}
