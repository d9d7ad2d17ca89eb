//! The answers of a run, side by side.

use lab::{AnswerRecord, CaseResult, PairOpinion, ResultFilter, Results, Run, RunStatus, Vote};
use leptos::prelude::*;

use crate::{
    render::answer_pair,
    words::{counted, thousands},
};

/// The cases of a page, with what lets them through.
pub(super) fn results(run: &Run, found: Results, filter: ResultFilter) -> AnyView {
    let here = format!("/lab/runs/{}", run.id);
    let tabs = ResultFilter::EVERY
        .into_iter()
        .map(|other| {
            let is_current = (other == filter).then_some("page");
            let address = format!("{here}?filter={}#results-title", other.as_str());
            view! { <a class="button quiet" href=address aria-current=is_current>{label(other)}</a> }
        })
        .collect_view();
    let step = |page: u32, text: &'static str| {
        (page >= 1 && page <= found.pages && page != found.page).then(|| {
            let address = format!("{here}?filter={}&page={page}#results-title", filter.as_str());
            view! { <a class="button" href=address>{text}</a> }
        })
    };
    let pages = (found.pages > 1).then(|| {
        view! {
            <p class="buttons">
                {step(found.page.saturating_sub(1), "← Earlier cases")}
                <span class="faint">{format!("page {} of {}", found.page, found.pages)}</span>
                {step(found.page + 1, "Later cases →")}
            </p>
        }
    });
    let total = counted(found.total, "case", "cases");
    let cases = found.cases.into_iter().map(|case| case_block(run, case)).collect_view();
    view! {
        <section aria-labelledby="results-title">
            <div class="list-head">
                <h2 id="results-title">"Answers"</h2>
                <nav class="group" aria-label="Which cases">{tabs}</nav>
                <span class="faint small">{total}</span>
                <a class="button quiet" href=format!("{here}/export.csv") rel="external" download="">"CSV"</a>
                <a class="button quiet" href=format!("{here}/export.jsonl") rel="external" download="">"JSON Lines"</a>
            </div>
            {cases}
            {pages}
        </section>
    }
    .into_any()
}

fn label(filter: ResultFilter) -> &'static str {
    match filter {
        ResultFilter::All => "All",
        ResultFilter::Differs => "Differs",
        ResultFilter::AFails => "A fails",
        ResultFilter::BFails => "B fails",
        ResultFilter::Flipped => "Judge flipped",
    }
}

fn case_block(run: &Run, case: CaseResult) -> AnyView {
    let CaseResult { number, test_case, repeats } = case;
    let tags = test_case.tags.into_iter().map(|tag| view! { <span class="chip">{tag}</span> }).collect_view();
    let expected = test_case.expected.map(|text| {
        view! { <details><summary>"Expected answer"</summary><pre class="message">{text}</pre></details> }
    });
    let many = repeats.len() > 1;
    let repeats = repeats
        .into_iter()
        .map(|repeat| {
            let texts = answer_pair(
                repeat.a.as_ref().and_then(|answer| answer.answer.as_deref()),
                repeat.b.as_ref().and_then(|answer| answer.answer.as_deref()),
            );
            let note = texts.is_shortened.then(|| {
                view! { <p class="faint small">"Long answers are shown in part; the export has all of them."</p> }
            });
            let title = many.then(|| view! { <h4>{format!("Repeat {}", repeat.repeat)}</h4> });
            view! {
                {title}
                <div class="answers">
                    {answer(run, "a", repeat.a, texts.a)}
                    {answer(run, "b", repeat.b, texts.b)}
                </div>
                {note}
                {repeat.pair.map(opinion)}
            }
            .into_any()
        })
        .collect_view();
    view! {
        <article class="case" id=format!("case-{number}")>
            <h3>{format!("{number}. {}", test_case.name)} " " {tags}</h3>
            <pre class="message">{test_case.input}</pre>
            {expected}
            {repeats}
        </article>
    }
    .into_any()
}

fn answer(run: &Run, side: &'static str, answer: Option<AnswerRecord>, html: String) -> AnyView {
    let version = if side == "a" { run.version_a } else { run.version_b };
    let head = view! {
        <p class="answer-head">
            <span class=format!("ab-name side-{side}")>{side.to_uppercase()}</span>
            " "
            <span class="version">{version.to_string()}</span>
        </p>
    };
    let Some(answer) = answer else {
        return view! { <div class="answer">{head} <p class="faint">"Not asked."</p></div> }.into_any();
    };
    let body = match answer.status.as_str() {
        "answered" if html.is_empty() => view! { <p class="faint">"The answer is empty."</p> }.into_any(),
        "answered" => {
            let cut = (answer.stop.as_deref() == Some("length")).then(
                || view! { <p class="problem small">"Cut off at the limit of tokens. Raise it, and run again."</p> },
            );
            let filtered = (answer.stop.as_deref() == Some("filtered"))
                .then(|| view! { <p class="problem small">"The provider's filter ended it."</p> });
            view! { <pre class="message" tabindex="0" role="region" aria-label="Answer" inner_html=html></pre> {cut} {filtered} }.into_any()
        }
        "failed" => {
            let text = answer.error.clone().unwrap_or_default();
            view! { <p class="problem">{format!("Failed after {}: {text}", counted(answer.attempts, "try", "tries"))}</p> }
                .into_any()
        }
        _ if run.status == RunStatus::Running => view! { <p class="faint">"Not answered yet."</p> }.into_any(),
        _ => view! { <p class="faint">"The run ended before it was asked."</p> }.into_any(),
    };
    let checks = answer
        .checks
        .iter()
        .map(|check| match check {
            Some(check) => {
                let (word, class) = if check.passed { ("passed", "plus") } else { ("failed", "minus") };
                view! {
                    <li>
                        <span class=class>{if check.passed { "✓ " } else { "✗ " }}</span>
                        <code>{check.check.clone()}</code>
                        {format!(" {word}: {}", check.reason)}
                    </li>
                }
                .into_any()
            }
            None => view! { <li class="faint">"A judge has not decided it."</li> }.into_any(),
        })
        .collect_view();
    view! {
        <div class="answer">
            {head}
            {body}
            <ul class="plain-list small">{checks}</ul>
            <p class="faint small">{figures(&answer)}</p>
        </div>
    }
    .into_any()
}

fn figures(answer: &AnswerRecord) -> String {
    let parts = [
        answer.latency_ms.map(|value| format!("{value:.0} ms")),
        answer.first_token_ms.map(|value| format!("first token {value:.0} ms")),
        answer.input_tokens.map(|tokens| format!("{} tokens in", thousands(tokens))),
        answer.output_tokens.map(|tokens| format!("{} out", thousands(tokens))),
        answer.cost_usd.map(|cost| format!("${cost:.6}")),
        (answer.attempts > 1).then(|| counted(answer.attempts, "try", "tries")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn opinion(pair: PairOpinion) -> AnyView {
    let said = match (pair.preference, pair.flipped) {
        (Vote::A, _) => "The judge prefers A in both orders.",
        (Vote::B, _) => "The judge prefers B in both orders.",
        (Vote::Tie, true) => "The judge's preference flips with the order: a tie.",
        (Vote::Tie, false) => "The judge prefers neither.",
    };
    let reasons: Vec<String> = pair.reasons.into_iter().filter(|reason| !reason.is_empty()).collect();
    view! { <p class="small"><strong>{said}</strong> " " <span class="faint">{reasons.join(" / ")}</span></p> }
        .into_any()
}
