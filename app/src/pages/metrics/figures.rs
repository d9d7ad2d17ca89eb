//! The figures: each drawn, with a legend, and as a table for whoever wants the numbers.

use std::collections::BTreeMap;

use leptos::prelude::*;
use versioning::{
    PromptMetrics, Version,
    metrics::{CallFigures, LENGTH_LIMITS, MetricsStep},
};

use crate::{
    render::{Chart, ChartForm, Mark, Series, chart},
    words::{milliseconds, percent, thousands},
};

/// Versions that have a colour of their own in a figure; the others share one.
const TOLD_APART: usize = 4;

/// Classes of the style sheet, in the order of use.
const CLASSES: [&str; 5] = ["series-0", "series-1", "series-2", "series-3", "series-rest"];

/// A figure before it is drawn.
struct Figure<'a> {
    id: &'static str,
    title: &'a str,
    /// What is drawn, and how to read it; may be empty.
    hint: &'a str,
    form: ChartForm,
    columns: Vec<String>,
    series: Vec<Series>,
    marks: Vec<Mark>,
    words: &'a dyn Fn(f64) -> String,
}

fn drawn(figure: &Figure<'_>) -> AnyView {
    let Figure { id, title, hint, form, columns, series, marks, words } = figure;
    let svg = chart(&Chart { name: title, form: *form, columns, series, marks, words });
    let legend = (series.len() > 1).then(|| {
        let rows = series
            .iter()
            .map(|series| {
                let class = format!("swatch {}", series.class);
                view! {
                    <li>
                        <svg width="10" height="10" aria-hidden="true"><rect class=class width="10" height="10" rx="2" /></svg>
                        {series.name.clone()}
                    </li>
                }
            })
            .collect_view();
        view! { <ul class="legend">{rows}</ul> }
    });
    view! {
        <section class="figure" aria-labelledby=format!("{id}-title")>
            <h2 id=format!("{id}-title")>{title.to_string()}</h2>
            {legend}
            <div inner_html=svg></div>
            {(!hint.is_empty()).then(|| view! { <p class="faint small">{hint.to_string()}</p> })}
            <details>
                <summary>"As a table"</summary>
                {numbers(figure)}
            </details>
        </section>
    }
    .into_any()
}

fn numbers(figure: &Figure<'_>) -> AnyView {
    let heads = figure.series.iter().map(|series| view! { <th scope="col" class="number">{series.name.clone()}</th> });
    let rows = figure
        .columns
        .iter()
        .enumerate()
        .map(|(column, name)| {
            let cells = figure
                .series
                .iter()
                .map(|series| {
                    let value = series.values[column].map_or_else(|| "–".to_owned(), |value| (figure.words)(value));
                    view! { <td class="number">{value}</td> }
                })
                .collect_view();
            view! {
                <tr>
                    <th scope="row">{name.clone()}</th>
                    {cells}
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="wide-table" tabindex="0" role="region" aria-label=format!("{} as a table", figure.title)>
            <table class="plain">
                <thead>
                    <tr>
                        <th scope="col">"From"</th>
                        {heads.collect_view()}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// When each step begins, for people.
fn times(metrics: &PromptMetrics) -> Vec<String> {
    let form = if metrics.window.is_hourly { "%-d %b, %H:%M" } else { "%-d %b" };
    metrics.steps.iter().map(|step| step.begins_at.format(form).to_string()).collect()
}

fn promotions(metrics: &PromptMetrics) -> Vec<Mark> {
    let window = metrics.window;
    #[expect(clippy::cast_precision_loss, reason = "seconds of a year")]
    let seconds =
        |from: chrono::DateTime<chrono::Utc>| from.signed_duration_since(window.begins_at).num_seconds() as f64;
    metrics
        .promotions
        .iter()
        .map(|mark| Mark { name: mark.version.to_string(), place: seconds(mark.at) / seconds(window.ends_at) })
        .collect()
}

const MARKS: &str = "An upright line is a promotion.";

fn hint_of(metrics: &PromptMetrics) -> &'static str {
    if metrics.promotions.is_empty() { "" } else { MARKS }
}

/// The versions that are told apart, and the series of a value over them: those with the most calls, in the order of versions.
fn by_version(metrics: &PromptMetrics, value: impl Fn(&CallFigures) -> Option<f64>, add_rest: bool) -> Vec<Series> {
    let mut told: Vec<Version> = metrics.versions.iter().take(TOLD_APART).map(|row| row.version).collect();
    told.sort();
    let of = |step: &MetricsStep, version: Version| {
        step.versions.iter().find(|(other, _)| *other == version).and_then(|(_, calls)| value(calls))
    };
    let mut series: Vec<_> = told
        .iter()
        .zip(CLASSES)
        .map(|(version, class)| Series {
            name: version.to_string(),
            class,
            values: metrics.steps.iter().map(|step| of(step, *version)).collect(),
        })
        .collect();
    if add_rest && metrics.versions.len() > told.len() {
        let rest = |step: &MetricsStep| {
            let rest = step.versions.iter().filter(|(version, _)| !told.contains(version));
            Some(rest.filter_map(|(_, calls)| value(calls)).sum())
        };
        series.push(Series {
            name: "others".into(),
            class: CLASSES[TOLD_APART],
            values: metrics.steps.iter().map(rest).collect(),
        });
    }
    series
}

fn whole_numbers(value: f64) -> String {
    if value.fract() != 0.0 && value < 10.0 {
        return format!("{value:.1}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let whole = value.round() as u64;
    thousands(whole)
}

#[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

/// Calls over time: of each version, or of all agents.
pub fn calls_figure(metrics: &PromptMetrics) -> AnyView {
    let series = if metrics.agent_type.is_some() {
        by_version(metrics, |calls| Some(number(calls.calls)), true)
    } else {
        vec![Series {
            name: "calls".into(),
            class: CLASSES[0],
            values: metrics.steps.iter().map(|step| Some(number(step.calls.calls))).collect(),
        }]
    };
    let title = if metrics.agent_type.is_some() { "Calls by version" } else { "Calls" };
    drawn(&Figure {
        id: "calls",
        title,
        hint: hint_of(metrics),
        form: ChartForm::Bars,
        columns: times(metrics),
        series,
        marks: promotions(metrics),
        words: &whole_numbers,
    })
}

/// Latency over time: the 95th percentile of each version, or the median and the 95th percentile of all calls.
pub fn latency_figure(metrics: &PromptMetrics) -> AnyView {
    let p95 = |calls: &CallFigures| calls.latency().map(|latency| latency.p95_ms);
    let (title, series) = if metrics.agent_type.is_some() {
        ("Latency by version, 95th percentile", by_version(metrics, p95, false))
    } else {
        let of = |name: &str, class, value: &dyn Fn(&CallFigures) -> Option<f64>| Series {
            name: name.into(),
            class,
            values: metrics.steps.iter().map(|step| value(&step.calls)).collect(),
        };
        let p50 = |calls: &CallFigures| calls.latency().map(|latency| latency.p50_ms);
        ("Latency", vec![of("95th percentile", CLASSES[1], &p95), of("median", CLASSES[0], &p50)])
    };
    drawn(&Figure {
        id: "latency",
        title,
        hint: "Of answered calls. Percentiles are counted in classes: a value is at most 26 % too high.",
        form: ChartForm::Lines,
        columns: times(metrics),
        series,
        marks: promotions(metrics),
        words: &milliseconds,
    })
}

/// The share of calls without an answer, over time.
pub fn failures_figure(metrics: &PromptMetrics) -> AnyView {
    let share = |calls: &CallFigures| calls.error_rate();
    let (title, series) = if metrics.agent_type.is_some() {
        ("Failed calls by version", by_version(metrics, share, false))
    } else {
        let values = metrics.steps.iter().map(|step| share(&step.calls)).collect();
        ("Failed calls", vec![Series { name: "failed".into(), class: "series-failed", values }])
    };
    drawn(&Figure {
        id: "failed",
        title,
        hint: hint_of(metrics),
        form: ChartForm::Lines,
        columns: times(metrics),
        series,
        marks: promotions(metrics),
        words: &percent,
    })
}

/// Versions that were created, over time.
pub fn created_figure(metrics: &PromptMetrics) -> AnyView {
    let of = |name: &str, class, value: &dyn Fn(&MetricsStep) -> u64| Series {
        name: name.into(),
        class,
        values: metrics.steps.iter().map(|step| Some(number(value(step)))).collect(),
    };
    let series = vec![
        of("patches", CLASSES[0], &|step| step.created.patches),
        of("minor versions", CLASSES[1], &|step| step.created.minors),
        of("major versions", CLASSES[2], &|step| step.created.majors),
    ];
    drawn(&Figure {
        id: "created",
        title: "Versions created",
        hint: "",
        form: ChartForm::Bars,
        columns: times(metrics),
        series,
        marks: Vec::new(),
        words: &whole_numbers,
    })
}

/// How many versions there are of each length.
pub fn length_figure(metrics: &PromptMetrics) -> AnyView {
    let counts: BTreeMap<usize, u64> = metrics.lengths.counts.iter().copied().enumerate().collect();
    let name = |bar: usize| match (bar, LENGTH_LIMITS.get(bar)) {
        (0, Some(limit)) => format!("below {}", thousands(*limit)),
        (_, Some(limit)) => format!("{} to {}", thousands(LENGTH_LIMITS[bar - 1]), thousands(*limit - 1)),
        (_, None) => format!("{} and more", thousands(LENGTH_LIMITS[LENGTH_LIMITS.len() - 1])),
    };
    drawn(&Figure {
        id: "length",
        title: "Length of prompts",
        hint: "Characters, over all versions there are.",
        form: ChartForm::Bars,
        columns: counts.keys().map(|bar| name(*bar)).collect(),
        series: vec![Series {
            name: "versions".into(),
            class: CLASSES[0],
            values: counts.values().map(|count| Some(number(*count))).collect(),
        }],
        marks: Vec::new(),
        words: &whole_numbers,
    })
}
