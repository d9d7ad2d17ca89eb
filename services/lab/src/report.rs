//! From results to a verdict, in figures and in words.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    AnswerRecord, Choice, Lab, LabError, Metric, Run, RunStatus, Side, Vote,
    results::Collected,
    statistics::{Differences, Doubt, Evidence, NoiseFloor, Outcome, PairedPasses, Plan, Verdict, Votes, verdict},
};

/// What a run says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Report {
    /// The run.
    pub run: Run,
    /// What may be said: `b_is_better`, `a_is_better`, `equivalent`, `cannot_tell`, `same_version`, or `no_verdict`.
    pub outcome: String,
    /// The verdict in a few words.
    pub headline: String,
    /// The evidence in one sentence.
    pub evidence: String,
    /// About how many cases, in total, would settle it; none when it is settled, or when nothing hints at a number.
    pub cases_needed: Option<u64>,
    /// Everything computed, for those who want to check it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub verdict: Option<Verdict>,
    /// Each metric for which there are results.
    pub metrics: Vec<MetricReport>,
    /// Votes of people: for A, for B, ties.
    pub votes: (u64, u64, u64),
    /// Pairs that the judge compared, and how often its preference flipped with the order.
    pub compared: (u64, u64),
    /// The winner, if one was chosen.
    pub choice: Option<Choice>,
}

/// What one metric says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricReport {
    /// Which.
    pub metric: Metric,
    /// Whether the verdict is about it.
    pub is_primary: bool,
    /// Whether it decides at all; what does not is shown for information.
    pub decides: bool,
    /// Cases without a result of it on one of the sides.
    pub left_out: u32,
    /// The values of A, one for each case.
    pub a: Option<Summary>,
    /// The values of B.
    pub b: Option<Summary>,
    /// The test and the estimate.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub evidence: Evidence,
}

/// A distribution in a few figures, in the metric's units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Summary {
    /// The mean.
    pub mean: f64,
    /// Half of the cases are below it.
    pub median: f64,
    /// 19 of 20 cases are below it.
    pub p95: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// All values, in the order of the cases.
    #[serde(skip)]
    pub values: Vec<f64>,
}

impl Summary {
    fn of(values: Vec<f64>) -> Option<Self> {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        // The nearest rank (Hyndman and Fan, The American Statistician 50, 1996, definition 1).
        let at = |share: f64| {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rank among a few thousand values"
            )]
            let rank = (sorted.len() as f64 * share).ceil() as usize;
            sorted[rank.clamp(1, sorted.len()) - 1]
        };
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        #[expect(clippy::cast_precision_loss, reason = "a count of cases")]
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        Some(Self { mean, median: at(0.5), p95: at(0.95), min, max, values })
    }
}

impl Lab {
    /// What a run says: computed anew from what was recorded, so that later votes count.
    ///
    /// # Errors
    /// There is no such run, or the database is away.
    pub async fn report(&self, id: Uuid) -> Result<Report, LabError> {
        let run = self.run(id).await?;
        let collected = self.collect(id).await?;
        let votes = self.store.votes(id).await?;
        let choice = self.store.choice(id).await?;
        // Resampling takes a processor for a while.
        let report = versioning::aside(move || write(run, &collected, &votes)).await?;
        Ok(Report { choice, ..report })
    }
}

type CastVote = (u32, u32, String, Vote);

fn write(run: Run, collected: &Collected, votes: &[CastVote]) -> Report {
    let plan = run.plan.statistical();
    let others = run.plan.others();
    let metrics: Vec<MetricReport> = Metric::ALL
        .into_iter()
        .filter_map(|metric| {
            let (evidence, left_out) = evidence(metric, collected, votes, (Side::A, Side::B), plan)?;
            let values = |side| Summary::of(values(metric, collected, side));
            let floor = run.noise_sides().and_then(|sides| self::evidence(metric, collected, &[], sides, plan));
            let evidence = match floor {
                Some((noise, _)) if run.version_a != run.version_b => {
                    evidence.with_noise_floor(NoiseFloor::of(&noise.difference))
                }
                _ => evidence,
            };
            Some(MetricReport {
                metric,
                is_primary: metric == run.plan.primary,
                decides: metric == run.plan.primary || others.contains(&metric),
                left_out,
                a: values(Side::A),
                b: values(Side::B),
                evidence,
            })
        })
        .collect();
    let of_pairs = |vote: Vote| votes.iter().filter(|(.., cast)| *cast == vote).count() as u64;
    let flipped = collected.pairs.values().filter(|pair| pair.flipped).count() as u64;
    let mut report = Report {
        outcome: "no_verdict".into(),
        headline: String::new(),
        evidence: String::new(),
        cases_needed: None,
        verdict: None,
        votes: (of_pairs(Vote::A), of_pairs(Vote::B), of_pairs(Vote::Tie)),
        compared: (collected.pairs.len() as u64, flipped),
        choice: None,
        metrics,
        run,
    };
    conclude(&mut report, plan);
    report
}

fn conclude(report: &mut Report, plan: Plan) {
    let run = &report.run;
    let primary = report.metrics.iter().find(|metric| metric.is_primary);
    let (headline, evidence) = match (run.status, primary) {
        (RunStatus::Running, _) => (
            "Not finished yet".to_owned(),
            "The verdict is computed when every call is over: looking earlier and stopping at a good moment finds differences \
             that are not there."
                .to_owned(),
        ),
        (RunStatus::Cancelled, _) => (
            "No verdict".to_owned(),
            "The run was stopped by a person, perhaps because of what it showed, so its figures prove nothing. Start a new run."
                .to_owned(),
        ),
        (_, None) => (
            "No verdict".to_owned(),
            format!("No case has a result for the {} on both sides. The cases below say why.", run.plan.primary.label()),
        ),
        (_, Some(primary)) if run.version_a == run.version_b => {
            report.outcome = "same_version".into();
            let floor = NoiseFloor::of(&primary.evidence.difference);
            (
                format!("{} against itself", run.version_a),
                format!(
                    "Two answers of the same version differ by up to {} in the {} without any cause, over {} cases.",
                    primary.metric.difference_in_words(floor.value()),
                    primary.metric.label(),
                    primary.evidence.cases
                ),
            )
        }
        (_, Some(primary)) => {
            let others = report
                .metrics
                .iter()
                .filter(|metric| metric.decides && !metric.is_primary)
                .map(|metric| metric.evidence.clone())
                .collect();
            let reached = verdict(primary.evidence.clone(), others, run.plan.margin, plan);
            let words = in_words(run, primary.metric, &reached);
            report.outcome = match &reached.outcome {
                Outcome::BIsBetter => "b_is_better",
                Outcome::AIsBetter => "a_is_better",
                Outcome::Equivalent { .. } => "equivalent",
                Outcome::CannotTell { .. } => "cannot_tell",
            }
            .into();
            report.cases_needed = match &reached.outcome {
                Outcome::CannotTell { cases_needed, .. } => *cases_needed,
                _ => None,
            };
            report.verdict = Some(reached);
            words
        }
    };
    (report.headline, report.evidence) = (headline, evidence);
    if report.run.status == RunStatus::OutOfBudget {
        report.evidence.push_str(" The budget ended the run before all cases were done.");
    }
}

/// The verdict and its evidence, in words.
fn in_words(run: &Run, metric: Metric, verdict: &Verdict) -> (String, String) {
    let evidence = &verdict.primary.evidence;
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
    let p_value = verdict.primary.adjusted_p_value;
    let p_value = if p_value < 0.000_1 { "p < 0.0001".to_owned() } else { format!("p = {p_value:.4}") };
    let unit = if metric == Metric::Votes { "decided votes" } else { "cases" };
    let facts = format!(
        "B's {} is {direction}{}{interval} ({p_value}, {} {unit}).",
        metric.label(),
        if difference == 0.0 { String::new() } else { format!(" by {}", metric.difference_in_words(difference.abs())) },
        evidence.cases,
    );
    let headline = match &verdict.outcome {
        Outcome::BIsBetter => format!("B is better: {}", run.version_b),
        Outcome::AIsBetter => format!("A is better: {}", run.version_a),
        Outcome::Equivalent { margin } => format!("Equivalent within {}", metric.difference_in_words(*margin)),
        Outcome::CannotTell { .. } => "Cannot tell".to_owned(),
    };
    let Outcome::CannotTell { doubt, cases_needed } = &verdict.outcome else { return (headline, facts) };
    let why = match doubt {
        Doubt::TooFewCases { fewest } => {
            format!("With so few cases no result could have been told from chance; {fewest} is the least.")
        }
        Doubt::Chance => "A difference as large as that may be chance.".to_owned(),
        Doubt::Noise { floor } => {
            format!(
                "Answers of one and the same version differ by {} without any cause.",
                metric.difference_in_words(*floor)
            )
        }
        Doubt::MetricsDisagree { metrics } => {
            format!("The {} favours one version, the {} the other.", metric.label(), metrics.join(" and the "))
        }
    };
    let more = cases_needed.map_or_else(String::new, |needed| format!(" About {needed} cases in all would settle it."));
    (headline, format!("{facts} {why}{more}"))
}

/// The test and the estimate of a metric between two sides, and how many cases were left out; none without any result.
fn evidence(
    metric: Metric,
    collected: &Collected,
    votes: &[CastVote],
    (one, other): (Side, Side),
    plan: Plan,
) -> Option<(Evidence, u32)> {
    let all = u32::try_from(collected.cases.len()).unwrap_or(u32::MAX);
    let name = metric.label();
    if matches!(metric, Metric::Preference | Metric::Votes) {
        let mut counted = Votes::default();
        let mut seen = 0;
        for case in 1..=all {
            // Repeats and reviewers of a case are no cases of their own: together they have one vote.
            let cast: Vec<Vote> = match metric {
                Metric::Votes => votes.iter().filter(|(number, ..)| *number == case).map(|(.., vote)| *vote).collect(),
                _ => collected.pairs.range((case, 0)..=(case, u32::MAX)).map(|(_, pair)| pair.preference).collect(),
            };
            if cast.is_empty() {
                continue;
            }
            seen += 1;
            let of = |side| cast.iter().filter(|vote| **vote == side).count();
            match of(Vote::A).cmp(&of(Vote::B)) {
                std::cmp::Ordering::Greater => counted.for_a += 1,
                std::cmp::Ordering::Less => counted.for_b += 1,
                std::cmp::Ordering::Equal => counted.ties += 1,
            }
        }
        let is_meant = (one, other) == (Side::A, Side::B);
        return (seen > 0 && is_meant).then(|| (Evidence::of_votes(name, counted, plan), all - seen));
    }
    let pairs: Vec<(Vec<f64>, Vec<f64>)> = (1..=all)
        .filter_map(|case| Some((known(metric, collected, case, one)?, known(metric, collected, case, other)?)))
        .collect();
    let left_out = all - u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    let differences = Differences::of_repeats(&pairs).ok()?;
    let evidence = match metric {
        Metric::PassRate if pairs.iter().all(|(a, b)| a.len() == 1 && b.len() == 1) => {
            let passes = pairs.iter().map(|(a, b)| (a[0] > 0.5, b[0] > 0.5));
            Evidence::of_passes(name, PairedPasses::count(passes).ok()?, plan)
        }
        Metric::PassRate | Metric::Score => Evidence::of_scores(name, &differences, Some(1.0), plan),
        _ => Evidence::of_quantities(name, &differences, plan),
    };
    Some((evidence, left_out))
}

/// The values of a metric for a case and side, repeat by repeat; none when one of them is not known.
fn known(metric: Metric, collected: &Collected, case: u32, side: Side) -> Option<Vec<f64>> {
    let values: Vec<f64> =
        collected.of(case, side).map(|answer| value(metric, answer)).collect::<Option<Vec<f64>>>()?;
    (!values.is_empty()).then_some(values)
}

/// The mean over the repeats of each case for which a metric is known.
fn values(metric: Metric, collected: &Collected, side: Side) -> Vec<f64> {
    let all = u32::try_from(collected.cases.len()).unwrap_or(u32::MAX);
    (1..=all)
        .filter_map(|case| {
            let values = known(metric, collected, case, side)?;
            let count = u32::try_from(values.len()).map_or(f64::MAX, f64::from);
            Some(values.iter().sum::<f64>() / count)
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^52")]
fn value(metric: Metric, answer: &AnswerRecord) -> Option<f64> {
    match metric {
        Metric::PassRate => answer.passed.map(|passed| f64::from(u8::from(passed))),
        Metric::Score => answer.score,
        Metric::Latency => answer.latency_ms,
        Metric::FirstToken => answer.first_token_ms,
        Metric::OutputTokens => answer.output_tokens.map(|tokens| tokens as f64),
        Metric::Cost => answer.cost_usd,
        Metric::Preference | Metric::Votes => None,
    }
}
