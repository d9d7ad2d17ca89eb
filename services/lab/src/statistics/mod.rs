//! From paired results to a verdict.
//!
//! Every difference is B minus A, of the same case. A metric goes through four steps: its results become
//! [`Differences`] or counts, a test gives a p-value and an [`Estimate`] ([`evidence`] picks the test that fits the
//! metric), [`holm`] adjusts the p-values of all metrics that decide, and [`verdict()`] says what that allows to say.
//!
//! - [`mcnemar`] for pass or fail, once per case.
//! - [`permutation`] and [`bootstrap`] for scores, and means over the repeats of a case.
//! - [`wilcoxon`] for latency, tokens and cost, where a few results are far from the rest.
//! - [`sign`] for votes.
//! - [`left_out`] for cases without a result.
//! - [`noise`] for how far two runs of the same version are apart.
//! - [`power`] for the smallest difference that a number of cases can tell.
//!
//! Unless a function says otherwise, p-values are two-sided and from 0 to 1, and nothing here fails: what cannot be
//! computed with is refused when a value is made.

mod binomial;
pub mod bootstrap;
pub mod evidence;
pub mod holm;
mod lattice;
pub mod left_out;
pub mod mcnemar;
pub mod noise;
pub mod permutation;
pub mod power;
pub mod sign;
pub mod verdict;
pub mod wilcoxon;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

pub use evidence::{Better, Evidence, Plan};
pub use left_out::LeftOut;
pub use mcnemar::PairedPasses;
pub use noise::NoiseFloor;
pub use sign::Votes;
pub use verdict::{Doubt, Finding, Outcome, Side, Verdict, verdict};

/// Why results cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatisticsError {
    /// There is no case.
    #[error("There is nothing to compare: no case has a result. Run at least one case on both versions.")]
    NoCases,
    /// The two sides do not have the same cases.
    #[error("Version A has {a} results and version B has {b}. Compare results of the same cases.")]
    NotPaired {
        /// How many results A has.
        a: usize,
        /// How many results B has.
        b: usize,
    },
    /// A case has no result on one of the sides.
    #[error("Case {case} has no result on one of the sides. Leave it out, or count it as failed.")]
    NoRepeats {
        /// Which case, from 0.
        case: usize,
    },
    /// A result is not a number, infinite, or too large to compute with (beyond 1e100).
    #[error("The result of case {case} is not a number that can be computed with. Correct it, or leave the case out.")]
    NotANumber {
        /// Which case, from 0.
        case: usize,
    },
    /// A confidence that is not between 0.5 and 1.
    #[error("A confidence lies above 0.5 and below 1, such as 0.95.")]
    Confidence,
}

/// How sure an interval is, and with it the level of a test: above 0.5 and below 1, as a share.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

impl Confidence {
    /// What is customary.
    pub const NINETY_FIVE: Self = Self(0.95);

    /// The confidence of this share.
    ///
    /// # Errors
    /// [`StatisticsError::Confidence`] when it is not above 0.5 and below 1.
    pub fn new(share: f64) -> Result<Self, StatisticsError> {
        if share > 0.5 && share < 1.0 { Ok(Self(share)) } else { Err(StatisticsError::Confidence) }
    }

    /// As a share, such as 0.95.
    pub fn share(self) -> f64 {
        self.0
    }

    /// The error that is left, on both sides together, such as 0.05.
    pub fn alpha(self) -> f64 {
        1.0 - self.0
    }

    /// How many standard errors a two-sided normal interval reaches to each side, such as 1.96.
    pub(crate) fn z(self) -> f64 {
        normal_quantile(1.0 - self.alpha() / 2.0)
    }
}

impl TryFrom<f64> for Confidence {
    type Error = StatisticsError;

    fn try_from(share: f64) -> Result<Self, StatisticsError> {
        Self::new(share)
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

/// A confidence interval, in the units of what it is about. Both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

impl Interval {
    /// Half of its width.
    pub fn half_width(self) -> f64 {
        (self.upper - self.lower) / 2.0
    }

    /// Whether it lies within `margin` of 0, on both sides.
    pub fn is_within(self, margin: f64) -> bool {
        self.lower >= -margin && self.upper <= margin
    }

    /// Whether 0 belongs to it.
    pub fn holds_zero(self) -> bool {
        self.lower <= 0.0 && self.upper >= 0.0
    }
}

/// How far B is from A: above 0 when B has the larger values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The best guess, in the units of the metric.
    pub value: f64,
    /// Where the true difference may lie; none when there are too few cases to say.
    pub interval: Option<Interval>,
}

/// The differences, B minus A, of one metric: one for each case, at least one, each a number up to 1e100.
#[derive(Debug, Clone, PartialEq)]
pub struct Differences(Vec<f64>);

impl Differences {
    /// The largest magnitude that is computed with: its cube is still a number.
    const LARGEST: f64 = 1e100;

    /// These differences, one for each case.
    ///
    /// # Errors
    /// [`StatisticsError::NoCases`] and [`StatisticsError::NotANumber`].
    pub fn new(differences: Vec<f64>) -> Result<Self, StatisticsError> {
        if differences.is_empty() {
            return Err(StatisticsError::NoCases);
        }
        match differences.iter().position(|value| !is_usable(*value)) {
            Some(case) => Err(StatisticsError::NotANumber { case }),
            None => Ok(Self(differences)),
        }
    }

    /// The differences between the results of A and of B, given in the same order of cases.
    ///
    /// # Errors
    /// [`StatisticsError::NoCases`], [`StatisticsError::NotPaired`] and [`StatisticsError::NotANumber`].
    pub fn between(a: &[f64], b: &[f64]) -> Result<Self, StatisticsError> {
        if a.len() != b.len() {
            return Err(StatisticsError::NotPaired { a: a.len(), b: b.len() });
        }
        if let Some(case) = a.iter().zip(b).position(|(a, b)| !is_usable(*a) || !is_usable(*b)) {
            return Err(StatisticsError::NotANumber { case });
        }
        // 0.3 - 0.2 and 0.2 - 0.1 are the same difference and not the same binary number. Differences that are equal
        // but for rounding have to be tied, so they are put on a grid far below what a metric can resolve: a trillionth
        // (2^-40) of the largest result. The grid's step is a power of two, so that nothing is rounded a second time.
        let largest = a.iter().chain(b).fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let step = (largest.log2().ceil() - 40.0).exp2();
        let on_grid = |difference: f64| if step.is_normal() { (difference / step).round() * step } else { difference };
        Self::new(a.iter().zip(b).map(|(a, b)| on_grid(b - a)).collect())
    }

    /// The differences between the means over the repeats of each case: a pair holds what A and what B got on a case.
    ///
    /// Repeats of a case are no cases of their own: they are alike, so that counting them as independent would promise
    /// more than there is. The mean keeps one number for a case (Cox, "Planning of Experiments", 1958, on the
    /// experimental unit).
    ///
    /// # Errors
    /// [`StatisticsError::NoCases`], [`StatisticsError::NoRepeats`] when a side of a case is empty, and
    /// [`StatisticsError::NotANumber`].
    pub fn of_repeats(cases: &[(Vec<f64>, Vec<f64>)]) -> Result<Self, StatisticsError> {
        if let Some(case) = cases.iter().position(|(a, b)| a.is_empty() || b.is_empty()) {
            return Err(StatisticsError::NoRepeats { case });
        }
        let a: Vec<_> = cases.iter().map(|(a, _)| mean(a)).collect();
        let b: Vec<_> = cases.iter().map(|(_, b)| mean(b)).collect();
        Self::between(&a, &b)
    }

    /// The same with so many more, each this large; without a size as large as the largest there is, above 0 or below.
    #[must_use]
    pub fn with_more(&self, cases: u64, size: Option<f64>, is_above: bool) -> Self {
        let largest = || self.0.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let size = size.unwrap_or_else(largest);
        let more = (0..cases).map(|_| if is_above { size } else { -size });
        Self(self.0.iter().copied().chain(more).collect())
    }

    /// One number for each case.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// How many cases there are.
    pub fn cases(&self) -> usize {
        self.0.len()
    }

    /// Their mean.
    pub fn mean(&self) -> f64 {
        mean(&self.0)
    }
}

fn is_usable(value: f64) -> bool {
    value.abs() <= Differences::LARGEST
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The value below which the standard normal distribution has this share.
fn normal_quantile(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}

/// The share of the standard normal distribution below this value.
fn normal_share(value: f64) -> f64 {
    Normal::standard().cdf(value)
}

#[cfg(test)]
mod tests;
