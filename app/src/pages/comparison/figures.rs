//! Two versions in numbers: their texts, and how each performs.

use leptos::prelude::*;
use versioning::outline::SectionChanges;

use super::named;
use crate::{
    api::{PerformanceRow, Side},
    words::{signed, thousands},
};

/// Names that stand in the line of their group; more of them are folded.
const NAMES: usize = 6;

/// The longest such line, in characters.
const LINE: usize = 120;

/// Counts of both and their change; variables and sections that came and went. One line each, so that the difference itself begins
/// in the upper part of the window.
#[component]
pub(super) fn Figures(
    base: Side,
    head: Side,
    variables_added: Vec<String>,
    variables_removed: Vec<String>,
    sections: SectionChanges,
) -> impl IntoView {
    let (old, new) = (base.counts, head.counts);
    let counts = [
        ("Characters", old.chars, new.chars),
        ("Words", old.words, new.words),
        ("Lines", old.lines, new.lines),
        ("Tokens, about", old.tokens, new.tokens),
    ]
    .into_iter()
    .map(|(name, old, new)| {
        let change = signed(i64::from(new) - i64::from(old));
        view! {
            <li>
                <span class="faint">{name}</span>
                {format!(" {} → {} ", thousands(old), thousands(new))}
                <strong>{change}</strong>
            </li>
        }
    })
    .collect_view();
    view! {
        <section class="comparison-figures" aria-labelledby="figures-title">
            <h2 id="figures-title" class="visually-hidden">"In numbers"</h2>
            <ul class="sizes" aria-label="Size">{counts}</ul>
            {names("Variables", [variables_added, variables_removed, Vec::new()])}
            {names("Sections", [sections.added, sections.removed, sections.changed])}
        </section>
    }
    .into_any()
}

/// Names that were added, removed and changed; nothing without any.
fn names(title: &'static str, names: [Vec<String>; 3]) -> Option<AnyView> {
    const KINDS: [(&str, &str, &str); 3] =
        [("added", "plus", "+"), ("removed", "minus", "−"), ("changed", "changed", "~")];
    let all = || names.iter().flatten();
    let (number, length) = (all().count(), all().map(|name| name.chars().count()).sum::<usize>());
    if number == 0 {
        return None;
    }
    let counts: Vec<String> = KINDS
        .iter()
        .zip(&names)
        .filter(|(_, names)| !names.is_empty())
        .map(|((kind, ..), names)| format!("{} {kind}", thousands(names.len() as u64)))
        .collect();
    let items = KINDS
        .into_iter()
        .zip(names)
        .flat_map(|((kind, class, sign), names)| {
            names.into_iter().map(move |name| {
                view! {
                    <li class=class>
                        <span class="sign" aria-hidden="true">{sign}</span>
                        <span class="visually-hidden">{kind}" "</span>
                        {name}
                    </li>
                }
            })
        })
        .collect_view();
    let list = view! { <ul class="names" aria-label=title>{items}</ul> };
    Some(if number <= NAMES && length <= LINE {
        view! { <div class="named"><span class="faint" aria-hidden="true">{title}</span> {list}</div> }.into_any()
    } else {
        view! {
            <details class="named">
                <summary><span class="faint">{title}</span> {format!(" {}", counts.join(", "))}</summary>
                {list}
            </details>
        }
        .into_any()
    })
}

/// What recorded calls say of both.
#[component]
pub(super) fn PerformanceTable(base: Side, head: Side, agent: String) -> impl IntoView {
    let mut kinds: Vec<(String, String)> =
        base.performance.iter().chain(&head.performance).map(|row| (row.source.clone(), row.model.clone())).collect();
    kinds.sort();
    kinds.dedup();
    let content = if kinds.is_empty() {
        view! {
            <p class="faint prose">
                "No data yet. Figures appear here as soon as calls of either version are recorded: by an agent that answers \
                with it, or by a run in the lab."
            </p>
        }
        .into_any()
    } else {
        let bodies = kinds
            .into_iter()
            .map(|(source, model)| {
                let find = |side: &Side| {
                    side.performance.iter().find(|row| row.source == source && row.model == model).cloned()
                };
                performance_rows(&source, &model, find(&base), find(&head))
            })
            .collect_view();
        view! {
            <table class="plain performance">
                <thead>
                    <tr>
                        <th scope="col"><span class="visually-hidden">"Figure"</span></th>
                        <th scope="col" class="number">{named(&base, &agent)}</th>
                        <th scope="col" class="number">{named(&head, &agent)}</th>
                    </tr>
                </thead>
                {bodies}
            </table>
            <p class="faint small">"Percentiles are read from buckets and are at most 26 percent too high."</p>
        }
        .into_any()
    };
    let is_testable = base.agent_type == head.agent_type && base.version != head.version;
    let test = is_testable.then(|| {
        let address = format!("/lab/new?agent={}&a={}&b={}", base.agent_type, base.version, head.version);
        view! { <a class="button quiet" href=address>"Test the two in the lab"</a> }
    });
    view! {
        <section aria-labelledby="performance-title">
            <div class="list-head">
                <h2 id="performance-title">"Performance"</h2>
                {test}
            </div>
            {content}
        </section>
    }
    .into_any()
}

fn performance_rows(source: &str, model: &str, base: Option<PerformanceRow>, head: Option<PerformanceRow>) -> AnyView {
    type Figure = (&'static str, fn(&PerformanceRow) -> Option<String>);
    const FIGURES: [Figure; 7] = [
        ("Calls", |row| Some(thousands(row.calls))),
        ("Calls without an answer", |row| Some(format!("{:.1} %", row.error_rate * 100.0))),
        ("Latency, median", |row| row.p50_ms.map(|ms| format!("{ms:.0} ms"))),
        ("Latency, 95th percentile", |row| row.p95_ms.map(|ms| format!("{ms:.0} ms"))),
        ("Tokens answered, mean", |row| row.output_tokens.map(|tokens| format!("{tokens:.0}"))),
        ("Cost of a call, mean", |row| row.cost_usd.map(|cost| format!("${cost:.5}"))),
        ("Score, mean", |row| row.score.map(|score| format!("{score:.2}"))),
    ];
    let title = format!("{} · {model}", if source == "lab_run" { "Runs in the lab" } else { "Agents at work" });
    let cell = |row: &Option<PerformanceRow>, figure: fn(&PerformanceRow) -> Option<String>| {
        row.as_ref().and_then(figure).unwrap_or_else(|| "–".into())
    };
    let rows = FIGURES
        .into_iter()
        .map(|(name, figure)| {
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td class="number">{cell(&base, figure)}</td>
                    <td class="number">{cell(&head, figure)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <tbody>
            <tr>
                <th scope="rowgroup" colspan="3" class="group-title">{title}</th>
            </tr>
            {rows}
        </tbody>
    }
    .into_any()
}
