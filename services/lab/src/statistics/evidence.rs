//! What one metric says: the test and the estimate that fit it.

use serde::{Deserialize, Serialize};

use super::{
    Confidence, Differences, Estimate, LeftOut, NoiseFloor, PairedPasses, Side, StatisticsError, Votes, bootstrap,
    left_out::{Imagined, MOST_LEFT_OUT, WorstCases},
    mcnemar::wilson,
    normal_quantile, permutation, power, wilcoxon,
};

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Larger ones: pass rate, score, votes.
    Higher,
    /// Smaller ones: latency, tokens, cost.
    Lower,
}

impl Better {
    /// Which version this difference, B minus A, speaks for; none when there is no difference.
    pub fn side(self, difference: f64) -> Option<Side> {
        match (self, difference > 0.0, difference < 0.0) {
            (Self::Higher, true, _) | (Self::Lower, _, true) => Some(Side::B),
            (Self::Higher, _, true) | (Self::Lower, true, _) => Some(Side::A),
            _ => None,
        }
    }
}

/// What was settled before the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The confidence of every interval; what it leaves is the level that all deciding metrics share.
    pub confidence: Confidence,
    /// How many metrics decide, the primary one among them; at least 1.
    pub deciding_metrics: u32,
    /// Where resampling begins, so that it can be repeated.
    pub seed: u64,
}

impl Plan {
    /// The level at which a single metric is sure to count, whatever the others say: the first step of Holm's method.
    pub fn alpha_each(self) -> f64 {
        self.confidence.alpha() / f64::from(self.deciding_metrics.max(1))
    }
}

/// What one metric says of A and B.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The metric's name.
    pub metric: String,
    /// Which values are better.
    pub better: Better,
    /// How many cases (of votes: decided votes) there are.
    pub cases: u64,
    /// How many cases it took to get those: of votes more, because ties are among them.
    pub seen: u64,
    /// B minus A, in the metric's units, with its interval at the plan's confidence.
    pub difference: Estimate,
    /// The two-sided p-value of this metric alone.
    pub p_value: f64,
    /// The smallest difference, in the metric's units, that as many cases can tell; none when they can tell none.
    pub detectable: Option<f64>,
    /// What the metric differs by without a cause; none without an A/A run.
    pub noise_floor: Option<NoiseFloor>,
    /// Cases that were asked and have no result of this metric.
    pub left_out: LeftOut,
    /// How those could have gone that were left out because of one side; none when there are none.
    pub worst_cases: Option<WorstCases>,
    /// Cases with a result that neither version answered: both failed, which says nothing of how alike they are.
    pub unanswered: u64,
}

impl Evidence {
    /// Of a metric that each case passes or fails once: exact McNemar test and Newcombe's interval. Higher is better;
    /// the unit is a share of the cases.
    pub fn of_passes(metric: impl Into<String>, passes: PairedPasses, plan: Plan) -> Self {
        let cases = passes.cases();
        // Few discordant cases may be so few by chance. A promise of what can be told rests on the upper end of what
        // their share may be, as sure as the promise itself.
        let churn = wilson(passes.discordant() as f64, cases as f64, normal_quantile(power::POWER)).upper;
        Self {
            metric: metric.into(),
            better: Better::Higher,
            cases,
            seen: cases,
            difference: passes.difference(plan.confidence),
            p_value: passes.p_value(),
            detectable: power::detectable_pass_difference(cases, churn, plan.alpha_each()),
            noise_floor: None,
            left_out: LeftOut::default(),
            worst_cases: None,
            unanswered: 0,
        }
    }

    /// Of a metric that each case passes or fails once or several times; a pair holds what A and what B got on a case, 1
    /// for passing and 0 for failing. Once is counted ([`Evidence::of_passes`]), several times are averaged
    /// ([`Evidence::of_scores`]).
    ///
    /// # Errors
    /// As [`Differences::of_repeats`].
    pub fn of_repeated_passes(
        metric: impl Into<String>,
        cases: &[(Vec<f64>, Vec<f64>)],
        plan: Plan,
    ) -> Result<Self, StatisticsError> {
        let differences = Differences::of_repeats(cases)?;
        if cases.iter().all(|(a, b)| a.len() == 1 && b.len() == 1) {
            let passes = PairedPasses::count(cases.iter().map(|(a, b)| (a[0] > 0.5, b[0] > 0.5)))?;
            return Ok(Self::of_passes(metric, passes, plan));
        }
        Ok(Self::of_scores(metric, &differences, Some(1.0), plan))
    }

    /// Of a score, or of a mean over the repeats of a case (of pass or fail too): permutation test and BCa interval.
    /// Higher is better; `range` is the largest possible difference, if there is one, such as 1 for scores from 0 to 1.
    pub fn of_scores(metric: impl Into<String>, differences: &Differences, range: Option<f64>, plan: Plan) -> Self {
        let difference = bootstrap::mean_difference(differences, range, plan.confidence, plan.seed);
        let p_value = permutation::p_value(differences, plan.seed);
        let mut evidence = Self::of_differences(metric.into(), Better::Higher, differences, difference, p_value, plan);
        if evidence.detectable.is_some()
            && let Some(detectable) = power::detectable_mean_difference(differences, plan.alpha_each())
        {
            evidence.detectable = Some(detectable);
        }
        evidence
    }

    /// Of a quantity such as latency, tokens or cost: signed-rank test and Hodges–Lehmann interval. Lower is better.
    pub fn of_quantities(metric: impl Into<String>, differences: &Differences, plan: Plan) -> Self {
        let difference = wilcoxon::hodges_lehmann(differences, plan.confidence);
        let p_value = wilcoxon::signed_rank(differences).p_value;
        Self::of_differences(metric.into(), Better::Lower, differences, difference, p_value, plan)
    }

    /// Of votes: exact sign test. Higher is better; the unit is a share of the decided votes.
    pub fn of_votes(metric: impl Into<String>, votes: Votes, plan: Plan) -> Self {
        let cases = votes.decided();
        Self {
            metric: metric.into(),
            better: Better::Higher,
            cases,
            seen: votes.cast(),
            difference: votes.preference(plan.confidence),
            p_value: votes.p_value(),
            // Decided votes are discordant, all of them.
            detectable: power::detectable_pass_difference(cases, 1.0, plan.alpha_each()),
            noise_floor: None,
            left_out: LeftOut::default(),
            worst_cases: None,
            unanswered: 0,
        }
    }

    /// The same with the floor of an A/A run.
    #[must_use]
    pub fn with_noise_floor(mut self, floor: NoiseFloor) -> Self {
        self.noise_floor = Some(floor);
        self
    }

    /// The same with so many cases that neither version answered.
    #[must_use]
    pub fn with_unanswered(mut self, unanswered: u64) -> Self {
        self.unanswered = unanswered;
        self
    }

    /// Whether neither version answered more than [`MOST_LEFT_OUT`] of the cases.
    pub fn lacks_answers(&self) -> bool {
        self.unanswered as f64 > MOST_LEFT_OUT * self.seen as f64
    }

    /// The same with the cases that were left out; `in_favour_of` gives this evidence as it would be if all those that
    /// were left out because of one side spoke for that version.
    #[must_use]
    pub fn leaving_out(mut self, left_out: LeftOut, in_favour_of: impl Fn(Side) -> Self) -> Self {
        self.left_out = left_out;
        self.worst_cases = (left_out.one_sided() > 0).then(|| {
            let imagined = |side| {
                let Self { difference, p_value, .. } = in_favour_of(side);
                Imagined { difference, p_value }
            };
            WorstCases { for_a: imagined(Side::A), for_b: imagined(Side::B) }
        });
        self
    }

    fn of_differences(
        metric: String,
        better: Better,
        differences: &Differences,
        difference: Estimate,
        p_value: f64,
        plan: Plan,
    ) -> Self {
        let cases = differences.cases() as u64;
        let alpha = plan.alpha_each();
        let detectable = difference
            .interval
            .filter(|_| cases >= power::fewest_cases(alpha))
            .map(|interval| power::detectable_from_interval(interval, plan.confidence, alpha));
        Self {
            metric,
            better,
            cases,
            seen: cases,
            difference,
            p_value,
            detectable,
            noise_floor: None,
            left_out: LeftOut::default(),
            worst_cases: None,
            unanswered: 0,
        }
    }
}
