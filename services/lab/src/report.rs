//! From results to a verdict, in figures and in words.

mod evidence;
mod words;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::{
    evidence::{Found, evidence, values},
    words::{budget, in_words, unit},
};
use crate::{
    Choice, Lab, LabError, Metric, Run, RunStatus, Side, Vote,
    results::Collected,
    statistics::{Evidence, NoiseFloor, Outcome, Plan, Verdict, verdict},
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
    /// Votes of people: for A, for B, ties. None before the blind review has ended: until then nobody sees how it
    /// stands.
    pub votes: Option<(u64, u64, u64)>,
    /// Pairs of answers that people can choose between, and how many of them nobody has voted on.
    pub review: (u64, u64),
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
    /// Cases that were asked and have no result of it on one of the sides: the evidence says on which.
    pub left_out: u32,
    /// Cases that nobody was asked about, because the run ended before, or that nobody voted on. They say nothing about
    /// either version.
    pub not_asked: u32,
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
    /// What a run says. It follows from what was recorded, the votes of a review that has ended included, and is computed
    /// once for as long as that stays as it is. While the run goes on nothing is computed: no figure of it may be
    /// concluded from.
    ///
    /// # Errors
    /// There is no such run, or the database is away.
    pub async fn report(&self, id: Uuid) -> Result<Report, LabError> {
        let run = self.run(id).await?;
        if run.status == RunStatus::Running {
            return Ok(write(run, &Collected::default(), &[], 0));
        }
        let voted = self.voted_pairs(&run).await?;
        let report = self.kept.report(&run, voted, async {
            let (run, collected) = (run.clone(), self.collect(&run).await?);
            let mut votes = match run.review_ended_at {
                Some(_) => self.store.votes(id).await?,
                None => Vec::new(),
            };
            // Those on identical answers are from before these were left out.
            votes.retain(|(case, repeat, ..)| collected.reviewable.binary_search(&(*case, *repeat)).is_ok());
            // Resampling takes a processor for a while.
            Ok(versioning::aside(move || write(run, &collected, &votes, voted)).await?)
        });
        let report = Report::clone(&*report.await?);
        Ok(Report { choice: self.store.choice(id).await?, ..report })
    }
}

type CastVote = (u32, u32, String, Vote);

/// The report of a run; `votes` are those of a review that has ended, and so many pairs have one.
fn write(run: Run, collected: &Collected, votes: &[CastVote], voted_pairs: u32) -> Report {
    let plan = run.plan.statistical();
    let others = run.plan.others();
    let metrics: Vec<MetricReport> = Metric::ALL
        .into_iter()
        .filter_map(|metric| {
            let Found { evidence: found, not_asked } = evidence(metric, collected, votes, (Side::A, Side::B), plan)?;
            let values = |side| Summary::of(values(metric, collected, side));
            let floor = run.noise_sides().and_then(|sides| evidence(metric, collected, &[], sides, plan));
            let evidence = match floor {
                Some(Found { evidence: noise, .. }) if run.version_a != run.version_b => {
                    found.with_noise_floor(NoiseFloor::of(&noise.difference))
                }
                _ => found,
            };
            Some(MetricReport {
                metric,
                is_primary: metric == run.plan.primary,
                decides: metric == run.plan.primary || others.contains(&metric),
                left_out: u32::try_from(evidence.left_out.all()).unwrap_or(u32::MAX),
                not_asked,
                a: values(Side::A),
                b: values(Side::B),
                evidence,
            })
        })
        .collect();
    let of_pairs = |vote: Vote| votes.iter().filter(|(.., cast)| *cast == vote).count() as u64;
    let pairs = collected.reviewable.len() as u64;
    let flipped = collected.pairs.values().filter(|pair| pair.flipped).count() as u64;
    let mut report = Report {
        outcome: "no_verdict".into(),
        headline: String::new(),
        evidence: String::new(),
        cases_needed: None,
        verdict: None,
        votes: run.review_ended_at.map(|_| (of_pairs(Vote::A), of_pairs(Vote::B), of_pairs(Vote::Tie))),
        review: (pairs, pairs.saturating_sub(u64::from(voted_pairs))),
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
    let (pairs, missing) = report.review;
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
        _ if run.plan.has_votes_decide() && run.review_ended_at.is_none() && pairs > 0 => (
            "No verdict yet".to_owned(),
            format!(
                "Votes decide, and the blind review has not ended: {missing} of {pairs} pairs have no vote yet. What was \
                 voted is counted and shown when somebody ends it; looking earlier and stopping at a good moment finds \
                 differences that are not there."
            ),
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
                    "Two answers of the same version differ by up to {} in the {} without any cause, over {} {}.",
                    primary.metric.difference_in_words(floor.value()),
                    primary.metric.label(),
                    primary.evidence.cases,
                    unit(primary.metric)
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
        let primary = report.metrics.iter().find(|metric| metric.is_primary);
        report.evidence.push_str(&budget(primary));
    }
}
