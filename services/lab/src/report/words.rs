//! A verdict and its evidence in words.

use super::MetricReport;
use crate::{
    Metric, Run, Side,
    statistics::{Doubt, Finding, LeftOut, Outcome, Verdict},
};

/// What the cases of a metric are.
pub(super) fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::Votes => "decided votes",
        Metric::Preference => "decided comparisons",
        _ => "cases",
    }
}

/// The verdict in a few words, and the evidence.
pub(super) fn in_words(run: &Run, metric: Metric, verdict: &Verdict) -> (String, String) {
    let evidence = &verdict.primary.evidence;
    let mut sentences = vec![facts(run, metric, &verdict.primary)];
    sentences.extend(left_out(evidence.left_out, evidence.seen));
    let headline = match &verdict.outcome {
        Outcome::BIsBetter => format!("B is better: {}", run.version_b),
        Outcome::AIsBetter => format!("A is better: {}", run.version_a),
        Outcome::Equivalent { margin } => format!("Equivalent within {}", metric.difference_in_words(*margin)),
        Outcome::CannotTell { .. } => "Cannot tell".to_owned(),
    };
    if let Outcome::CannotTell { doubt, cases_needed } = &verdict.outcome {
        sentences.push(why(metric, doubt, &verdict.others));
        sentences.extend(cases_needed.map(|needed| format!("About {needed} cases in all would settle it.")));
    }
    (headline, sentences.join(" "))
}

fn facts(run: &Run, metric: Metric, finding: &Finding) -> String {
    let evidence = &finding.evidence;
    let difference = evidence.difference.value;
    let direction = match (difference > 0.0, difference < 0.0) {
        (true, _) => "higher",
        (_, true) => "lower",
        _ => "no different",
    };
    let interval = evidence.difference.interval.map_or_else(String::new, |interval| {
        format!(
            ", {:.0} % interval {} to {}",
            run.plan.confidence.share() * 100.0,
            metric.difference_in_words(interval.lower),
            metric.difference_in_words(interval.upper)
        )
    });
    let p_value = finding.adjusted_p_value;
    let p_value = if p_value < 0.000_1 { "p < 0.0001".to_owned() } else { format!("p = {p_value:.4}") };
    format!(
        "B's {} is {direction}{}{interval} ({p_value}, {} {}).",
        metric.label(),
        if difference == 0.0 { String::new() } else { format!(" by {}", metric.difference_in_words(difference.abs())) },
        evidence.cases,
        unit(metric),
    )
}

/// Which cases are not among those that have a result.
fn left_out(left_out: LeftOut, with_result: u64) -> Option<String> {
    let reasons: Vec<String> = [
        (left_out.of_a, "because A has no result"),
        (left_out.of_b, "because B has no result"),
        (left_out.of_both, "because neither has one"),
    ]
    .into_iter()
    .filter(|(cases, _)| *cases > 0)
    .map(|(cases, reason)| format!("{cases} {reason}"))
    .collect();
    let all = left_out.all();
    (all > 0).then(|| format!("{all} of {} cases were left out: {}.", all + with_result, reasons.join(", ")))
}

/// What the budget left undone.
pub(super) fn budget(primary: Option<&MetricReport>) -> String {
    match primary {
        Some(metric) if metric.not_asked > 0 => {
            let asked = metric.evidence.seen + metric.evidence.left_out.all();
            let all = asked + u64::from(metric.not_asked);
            let undone = metric.not_asked;
            format!(
                " The budget ended the run before {undone} of {all} cases were asked in full; they count for neither \
                 version."
            )
        }
        Some(_) => " The budget ended the run before every call was made.".to_owned(),
        None => " The budget ended the run before all cases were asked.".to_owned(),
    }
}

/// Why nothing can be told.
fn why(metric: Metric, doubt: &Doubt, others: &[Finding]) -> String {
    match doubt {
        Doubt::TooFewCases { fewest } => {
            format!("With so few {} no result could have been told from chance; {fewest} is the least.", unit(metric))
        }
        Doubt::Chance => "A difference as large as that may be chance.".to_owned(),
        Doubt::Noise { floor } => format!(
            "Answers of one and the same version differ by {} without any cause.",
            metric.difference_in_words(*floor)
        ),
        Doubt::MetricsDisagree { metrics } => {
            format!("The {} favours one version, the {} the other.", metric.label(), metrics.join(" and the "))
        }
        Doubt::OthersDiffer { margin, .. } => {
            let differing: Vec<String> = others
                .iter()
                .filter_map(|other| {
                    let side = Side::from(other.points_to?).as_str().to_uppercase();
                    Some(format!("the {} favours {side}", other.evidence.metric))
                })
                .collect();
            format!(
                "That is equivalent within {}, but {}.",
                metric.difference_in_words(*margin),
                differing.join(" and ")
            )
        }
        Doubt::Unanswered { cases } => format!(
            "Neither version answered {cases} of them, and failing alike says nothing of how they answer. See why the \
             calls failed, and start a new run."
        ),
        Doubt::LeftOut { too_many: true } => {
            "So many were left out that the others may be the easy ones. See why they \
                                              have no result, and start a new run."
                .to_owned()
        }
        Doubt::LeftOut { too_many: false } => {
            "If those went the other way, nothing could be told. See why they have no \
                                               result, and start a new run."
                .to_owned()
        }
    }
}
