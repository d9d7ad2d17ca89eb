//! What may be said of A and B.

use serde::{Deserialize, Serialize};

use super::{Evidence, Interval, NoiseFloor, Plan, holm, power};

/// One of the two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The first version.
    A,
    /// The second version.
    B,
}

/// What the experiment allows to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Outcome {
    /// B is better.
    BIsBetter,
    /// A is better.
    AIsBetter,
    /// Whatever difference there is, it is smaller than the margin that matters.
    Equivalent {
        /// The margin, in the units of the primary metric.
        margin: f64,
    },
    /// No difference that can be told, and none that can be ruled out.
    CannotTell {
        /// Why.
        doubt: Doubt,
        /// About how many cases, in total, would settle it; none when nothing hints at a number.
        cases_needed: Option<u64>,
    },
}

/// Why nothing can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum Doubt {
    /// With so few cases no result could have been told.
    TooFewCases {
        /// The fewest with which one could.
        fewest: u64,
    },
    /// The difference may be chance.
    Chance,
    /// The difference is no larger than that between two runs of the same version.
    Noise {
        /// How large that is, in the units of the primary metric.
        floor: f64,
    },
    /// The primary metric favours one version, and other deciding ones the other.
    MetricsDisagree {
        /// The names of those others.
        metrics: Vec<String>,
    },
    /// The primary metric is equivalent within the margin, and other deciding ones are not the same.
    OthersDiffer {
        /// The margin, in the units of the primary metric.
        margin: f64,
        /// The names of those others.
        metrics: Vec<String>,
    },
    /// Neither version answered so many cases that they are alike only in failing.
    Unanswered {
        /// How many.
        cases: u64,
    },
    /// Too many cases were left out, or enough to turn what the others say.
    LeftOut {
        /// Whether there are too many of them, whatever they would have been.
        too_many: bool,
    },
}

/// What one metric says next to the others that decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The evidence.
    pub evidence: Evidence,
    /// The p-value among all deciding metrics, after Holm.
    pub adjusted_p_value: f64,
    /// Which version is better by the cases that have a result; none when they cannot tell.
    pub points_to: Option<Side>,
    /// Which version is better by this metric, the cases that were left out considered; none when it cannot tell.
    pub favours: Option<Side>,
    /// The smallest difference, in the metric's units, that as many cases can tell, beyond the noise floor if there is
    /// one.
    pub detectable: Option<f64>,
}

/// The verdict and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What may be said.
    pub outcome: Outcome,
    /// The primary metric, which the outcome is about.
    pub primary: Finding,
    /// The other metrics that decide, in the order given.
    pub others: Vec<Finding>,
}

/// The verdict by a primary metric and others that decide too, with the margin (in the primary metric's units) below
/// which a difference does not matter. Metric, margin and plan have to be chosen before the run; what is only looked at
/// is not given here.
///
/// In this order:
/// 1. *Equivalent* when the interval of the primary metric lies within the margin on both sides, even if the difference
///    can be told: it was said beforehand not to matter. At a confidence of 95 percent that is two one-sided tests at
///    2.5 percent each (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987). No other deciding metric
///    may tell a difference: that one was not said not to matter. Nor may more than a fifth of the cases be answered by
///    neither version: failing alike, because a model is away, hides a difference as well as it shows none.
/// 2. *Better* when the adjusted p-value of the primary metric is at most the level, its interval does not hold 0, the
///    difference lies outside the noise floor, and no other deciding metric points to the other version by the same
///    rule.
/// 3. *Cannot tell* otherwise.
///
/// Test and interval come from different constructions and may disagree at the edge. A winner needs both, so that no
/// verdict contradicts the interval that is shown with it; that can only take back a finding.
///
/// What is concluded has to stand in spite of the cases that were left out ([`super::left_out`]).
///
/// Without a true difference in any metric, a version is named better in at most 5 of 100 experiments at 95 percent.
pub fn verdict(primary: Evidence, others: Vec<Evidence>, margin: Option<f64>, plan: Plan) -> Verdict {
    let p_values: Vec<f64> = std::iter::once(&primary).chain(&others).map(|evidence| evidence.p_value).collect();
    let mut adjusted = holm::adjusted(&p_values).into_iter();
    let mut next = |evidence| finding(evidence, adjusted.next().unwrap_or(1.0), plan);
    let primary = next(primary);
    let others: Vec<Finding> = others.into_iter().map(next).collect();
    let outcome = outcome(&primary, &others, margin, plan);
    Verdict { outcome, primary, others }
}

fn finding(evidence: Evidence, adjusted_p_value: f64, plan: Plan) -> Finding {
    let difference = evidence.difference.value;
    let is_noise = evidence.noise_floor.is_some_and(|floor| floor.contains(difference));
    let is_told = adjusted_p_value <= plan.confidence.alpha()
        && !evidence.difference.interval.is_some_and(Interval::holds_zero)
        && !is_noise;
    let points_to = evidence.better.side(difference).filter(|_| is_told);
    let favours = points_to.filter(|side| stands(&evidence, *side, plan));
    let floor = evidence.noise_floor.map_or(0.0, NoiseFloor::value);
    let detectable =
        evidence.detectable.map(|detectable| power::detectable_beyond_floor(detectable, floor, plan.alpha_each()));
    Finding { evidence, adjusted_p_value, points_to, favours, detectable }
}

/// Whether a version is better by this metric even if all cases that were left out because of one side spoke against it.
fn stands(evidence: &Evidence, side: Side, plan: Plan) -> bool {
    let is_better_at_worst = evidence.worst_cases.is_none_or(|worst| {
        let imagined = worst.against(side);
        imagined.p_value <= plan.alpha_each() && evidence.better.side(imagined.difference.value) == Some(side)
    });
    is_better_at_worst && !evidence.left_out.are_too_many(evidence.seen)
}

fn outcome(primary: &Finding, others: &[Finding], margin: Option<f64>, plan: Plan) -> Outcome {
    let evidence = &primary.evidence;
    let names = |are_meant: &dyn Fn(Side) -> bool| -> Vec<String> {
        others
            .iter()
            .filter(|other| other.points_to.is_some_and(are_meant))
            .map(|other| other.evidence.metric.clone())
            .collect()
    };
    let within = margin.filter(|margin| is_within(evidence.difference.interval, *margin));
    let is_equivalent = |margin: f64| {
        let is_at_worst = evidence.worst_cases.is_none_or(|worst| {
            [worst.for_a, worst.for_b].iter().all(|imagined| is_within(imagined.difference.interval, margin))
        });
        is_at_worst && !evidence.left_out.are_too_many(evidence.seen) && !evidence.lacks_answers()
    };
    let doubt = match (within.filter(|margin| is_equivalent(*margin)), primary.favours) {
        (Some(margin), _) => {
            let metrics = names(&|_| true);
            if metrics.is_empty() {
                return Outcome::Equivalent { margin };
            }
            Doubt::OthersDiffer { margin, metrics }
        }
        (None, Some(side)) => {
            let metrics = names(&|pointed| pointed != side);
            if metrics.is_empty() {
                return if side == Side::B { Outcome::BIsBetter } else { Outcome::AIsBetter };
            }
            Doubt::MetricsDisagree { metrics }
        }
        (None, None) => doubt(primary, within.is_some(), plan),
    };
    let cases_needed = match doubt {
        // More cases do not reconcile metrics, nor do they bring back those that failed.
        Doubt::MetricsDisagree { .. }
        | Doubt::OthersDiffer { .. }
        | Doubt::LeftOut { .. }
        | Doubt::Unanswered { .. } => None,
        _ => cases_needed(primary, margin, plan),
    };
    Outcome::CannotTell { doubt, cases_needed }
}

fn is_within(interval: Option<Interval>, margin: f64) -> bool {
    interval.is_some_and(|interval| interval.is_within(margin))
}

/// `is_within` says whether the cases that have a result lie within the margin.
fn doubt(primary: &Finding, is_within: bool, plan: Plan) -> Doubt {
    let evidence = &primary.evidence;
    let too_many = evidence.left_out.are_too_many(evidence.seen);
    let unanswered = Doubt::Unanswered { cases: evidence.unanswered };
    if too_many || primary.points_to.is_some() || (is_within && !evidence.lacks_answers()) {
        return Doubt::LeftOut { too_many };
    }
    if is_within {
        return unanswered;
    }
    let fewest = power::fewest_cases(plan.alpha_each());
    if evidence.cases < fewest {
        return Doubt::TooFewCases { fewest };
    }
    match evidence.noise_floor {
        Some(floor)
            if primary.adjusted_p_value <= plan.confidence.alpha() && floor.contains(evidence.difference.value) =>
        {
            Doubt::Noise { floor: floor.value() }
        }
        _ if evidence.lacks_answers() => unanswered,
        _ => Doubt::Chance,
    }
}

/// The number of cases, in all, that would tell a difference as large as the observed, beyond the noise floor if there is one;
/// where the observed lies within the margin, the number that would also tell that there is none as large as the margin.
fn cases_needed(primary: &Finding, margin: Option<f64>, plan: Plan) -> Option<u64> {
    let evidence = &primary.evidence;
    let observed = evidence.difference.value.abs();
    let within = margin.filter(|margin| observed < *margin);
    let difference = within.unwrap_or(observed);
    let fewest = power::fewest_cases(plan.alpha_each());
    let needed = match primary.detectable {
        Some(detectable) if difference > 0.0 => {
            let needed = power::cases_for_difference(evidence.cases, detectable, difference);
            let needed = if within.is_some() { power::cases_for_equivalence(needed, plan.confidence) } else { needed };
            // As many as there are did not settle it.
            needed.max(fewest).max(evidence.cases + 1)
        }
        None if evidence.cases < fewest => fewest,
        _ => return None,
    };
    // Of votes only some are decided, and more cases have ties among them as these had.
    let seen_for_one = evidence.seen as f64 / evidence.cases as f64;
    (evidence.cases > 0).then(|| (needed as f64 * seen_for_one).ceil() as u64)
}
