//! The verdict of a run, the figures that it rests on, and the choice of a winner.

use lab::{
    Metric, Report, RunStatus, Side,
    report::{MetricReport, Summary},
    statistics::LeftOut,
};
use leptos::prelude::*;

use super::form::LabForm;
use crate::{
    api::remembered_author,
    components::relative_time::RelativeTime,
    render::{IntervalBar, Plot, interval_bar, plot},
};

/// What may be said, and why.
pub(super) fn verdict(report: &Report) -> AnyView {
    let rows = report.metrics.iter().map(|metric| row(report, metric)).collect_view();
    let (shown, missing) = report.review;
    let votes = match report.votes {
        Some((a, b, ties)) => Some(format!("Votes: {a} for A, {b} for B, {ties} for neither.")),
        None if missing < shown => Some(format!(
            "Blind review: {} of {shown} pairs have a vote. What was voted is shown when the review has ended.",
            shown - missing
        )),
        None => None,
    };
    let votes = votes.map(|votes| view! { <p class="faint small">{votes}</p> });
    let (pairs, flipped) = report.compared;
    let judged = (pairs > 0).then(|| {
        let text = format!(
            "The judge compared {pairs} pairs in both orders; its preference flipped with the order in {flipped}, which count as ties."
        );
        view! { <p class="faint small">{text}</p> }
    });
    let table = (!report.metrics.is_empty()).then(|| {
        view! {
            <div class="wide-table" tabindex="0" role="region" aria-labelledby="verdict-title">
                <table class="plain metrics">
                    <thead>
                        <tr>
                            <th scope="col">"Metric"</th>
                            <th scope="col" class="number">"A"</th>
                            <th scope="col" class="number">"B"</th>
                            <th scope="col">"B − A, with interval"</th>
                            <th scope="col" class="number">"p"</th>
                            <th scope="col" class="number">"Cases"</th>
                            <th scope="col">"Distribution by case"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
    });
    view! {
        <section class=format!("verdict {}", report.outcome) aria-labelledby="verdict-title">
            <h2 id="verdict-title">{report.headline.clone()}</h2>
            <p>{report.evidence.clone()}</p>
            {table}
            {votes}
            {judged}
        </section>
    }
    .into_any()
}

fn row(report: &Report, metric: &MetricReport) -> AnyView {
    let kind = metric.metric;
    let evidence = &metric.evidence;
    let finding = report.verdict.as_ref().and_then(|verdict| {
        std::iter::once(&verdict.primary)
            .chain(&verdict.others)
            .find(|finding| finding.evidence.metric == evidence.metric && metric.decides)
    });
    let role = match (metric.is_primary, metric.decides) {
        (true, _) => "primary",
        (_, true) => "decides too",
        _ => "for information",
    };
    let favours = finding.and_then(|finding| finding.favours).map(|side| {
        let side = Side::from(side);
        view! { <span class="chip">{format!("favours {}", side.as_str().to_uppercase())}</span> }
    });
    let p_value = finding.map_or(evidence.p_value, |finding| finding.adjusted_p_value);
    // Whoever stopped the run may have done so because of what it showed: then neither is what it says it is.
    let is_stopped = report.run.status == RunStatus::Cancelled;
    let p_value = match p_value {
        _ if is_stopped => "–".to_owned(),
        small if small < 0.000_1 => "< 0.0001".to_owned(),
        value => format!("{value:.4}"),
    };
    let interval = evidence.difference.interval.filter(|_| !is_stopped);
    let signed = |value: f64| {
        let sign = if value > 0.0 {
            "+"
        } else if value < 0.0 {
            "−"
        } else {
            ""
        };
        format!("{sign}{}", kind.difference_in_words(value.abs()))
    };
    let said = interval.map(|interval| {
        let text = format!("{} to {}", signed(interval.lower), signed(interval.upper));
        view! { <span class="faint small">{text}</span> }
    });
    let floor = evidence.noise_floor.map(|floor| {
        view! { <br /> <span class="faint small">{format!("noise up to {}", kind.difference_in_words(floor.value()))}</span> }
    });
    let told = finding.filter(|_| !is_stopped).and_then(|finding| finding.detectable).map(|least| {
        let said = format!("tells {} or more", kind.difference_in_words(least));
        view! { <br /> <span class="faint small">{said}</span> }
    });
    let without =
        without(metric).into_iter().map(|said| view! { <br /> <span class="faint small">{said}</span> }).collect_view();
    let drawn = match (&metric.a, &metric.b) {
        (Some(a), Some(b)) => {
            plot(&Plot { name: kind.label(), a: &a.values, b: &b.values, words: &|value| kind.in_words(value) })
        }
        _ => String::new(),
    };
    let margin = (metric.is_primary).then_some(report.run.plan.margin).flatten();
    let bar = interval.map(|interval| {
        let floor = evidence.noise_floor.map(|floor| floor.value());
        interval_bar(&IntervalBar {
            value: evidence.difference.value,
            interval: (interval.lower, interval.upper),
            margin: margin.or(floor),
        })
    });
    let margin = margin
        .map(|margin| view! { <br /> <span class="faint small">{format!("margin ±{}", kind.difference_in_words(margin))}</span> });
    view! {
        <tr>
            <th scope="row">{kind.label()} <br /> <span class="faint small">{role}</span></th>
            <td class="number" data-label="A">{summary(kind, metric.a.as_ref())}</td>
            <td class="number" data-label="B">{summary(kind, metric.b.as_ref())}</td>
            <td data-label="B − A, with interval">{signed(evidence.difference.value)} " " {favours} <div inner_html=bar></div> {said} {margin} {floor} {told}</td>
            <td class="number" data-label="p">{p_value}</td>
            <td class="number" data-label="Cases">{evidence.cases.to_string()} {without}</td>
            <td inner_html=drawn></td>
        </tr>
    }
    .into_any()
}

/// Which cases a metric says nothing about, and why.
fn without(metric: &MetricReport) -> Vec<String> {
    let LeftOut { of_a, of_b, of_both } = metric.evidence.left_out;
    let reasons: Vec<String> = [(of_a, "of A"), (of_b, "of B"), (of_both, "of both")]
        .into_iter()
        .filter(|(cases, _)| *cases > 0)
        .map(|(cases, whose)| format!("{cases} without a result {whose}"))
        .collect();
    let left_out = (!reasons.is_empty()).then(|| format!("left out: {}", reasons.join(", ")));
    let what = if metric.metric == Metric::Votes { "not asked, or without a vote" } else { "not asked" };
    let not_asked = (metric.not_asked > 0).then(|| format!("{} {what}", metric.not_asked));
    left_out.into_iter().chain(not_asked).collect()
}

fn summary(metric: Metric, summary: Option<&Summary>) -> AnyView {
    let Some(summary) = summary else { return view! { "–" }.into_any() };
    let details = match metric {
        Metric::PassRate | Metric::Score => None,
        _ => Some((
            format!("median {}", metric.in_words(summary.median)),
            format!("p95 {}", metric.in_words(summary.p95)),
        )),
    };
    view! {
        {metric.in_words(summary.mean)}
        {details.map(|(median, high)| {
            view! {
                <br />
                <span class="faint small">{median}</span>
                <br />
                <span class="faint small">{high}</span>
            }
        })}
    }
    .into_any()
}

/// The choice of a winner: proposed by the evidence, decided by a person.
pub(super) fn winner(report: &Report, form: &LabForm, active: Option<&str>) -> AnyView {
    let run = &report.run;
    if run.version_a == run.version_b || report.metrics.is_empty() {
        return ().into_any();
    }
    if let Some(choice) = &report.choice {
        let chosen = choice.chosen_at.into();
        let now = chrono::Utc::now().timestamp();
        let by = choice.chosen_by.as_ref().map(|name| format!(" by {name}"));
        let state = match active {
            Some(active) if active == choice.version.to_string() => "It is live.".to_owned(),
            Some(active) => format!("{active} is live now."),
            None => "Nothing is live.".to_owned(),
        };
        return view! {
            <section class="notice" aria-labelledby="winner-title">
                <h2 id="winner-title">{format!("{} was chosen: {}", choice.winner.as_str().to_uppercase(), choice.version)}</h2>
                <blockquote class="notes">{choice.reason.clone()}</blockquote>
                <p class="faint small"><RelativeTime moment=chosen now /> {by} ". " {state}</p>
            </section>
        }
        .into_any();
    }
    let proposed = match report.outcome.as_str() {
        "b_is_better" => "b",
        "a_is_better" => "a",
        _ => "",
    };
    let picked = form.value("winner", proposed);
    let says = match (report.outcome.as_str(), run.status) {
        ("b_is_better" | "a_is_better", _) => "The evidence names one. You decide.",
        ("no_verdict", _) => "There is no verdict. You may decide all the same, and say why.",
        ("equivalent", _) => "The evidence says that it does not matter. You decide.",
        (_, RunStatus::Finished) => "The evidence names none. You may decide all the same, and say why.",
        _ => "There is no verdict. You may decide all the same, and say why.",
    };
    let goes = |version: versioning::Version| {
        let is_above =
            active.and_then(|active| active.parse::<versioning::Version>().ok()).is_none_or(|active| version > active);
        match active {
            Some(active) if *active == version.to_string() => "is live already",
            _ if is_above => "would be promoted",
            _ => "is below what is live: its text would become the next patch",
        }
    };
    let option = |side: &'static str, version: versioning::Version| {
        let is_checked = picked == side;
        view! {
            <label class="check">
                <input type="radio" name="winner" value=side checked=is_checked />
                <span>
                    {format!("{} ", side.to_uppercase())} <span class="version">{version.to_string()}</span>
                    <span class="faint small">{format!(" {}", goes(version))}</span>
                </span>
            </label>
        }
        .into_any()
    };
    let problem =
        form.problem("winner").map(|problem| view! { <span class="problem small" role="alert">{problem}</span> });
    view! {
        <section aria-labelledby="winner-title">
            <h2 id="winner-title">"Winner"</h2>
            <p class="faint small">{says}</p>
            <form method="post" action=format!("/lab/runs/{}/winner", run.id) class="stack">
                <fieldset>
                    <legend class="visually-hidden">"Which version wins"</legend>
                    {option("a", run.version_a)}
                    {option("b", run.version_b)}
                    {problem}
                </fieldset>
                {form.lines("reason", "Why", "", 2, "Whoever reads it later was not there.")}
                <div class="filters">{form.line("chosen_by", "Your name", &remembered_author(), "")}</div>
                {form.check("go_live", "true", "Make it live", false)}
                <p class="buttons"><button type="submit" class="primary">"Choose the winner"</button></p>
            </form>
        </section>
    }
    .into_any()
}
