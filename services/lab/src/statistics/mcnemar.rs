//! Pass or fail of the same cases under A and under B.

use serde::{Deserialize, Serialize};

use super::{Confidence, Estimate, Interval, StatisticsError, binomial::fair_coin};

/// How many cases passed where. There is at least one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Counts", into = "Counts")]
pub struct PairedPasses(Counts);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    both: u32,
    only_a: u32,
    only_b: u32,
    neither: u32,
}

impl PairedPasses {
    /// The counts: cases that passed under both, under A alone, under B alone, and under neither.
    ///
    /// # Errors
    /// [`StatisticsError::NoCases`] when all are 0.
    pub fn new(both: u32, only_a: u32, only_b: u32, neither: u32) -> Result<Self, StatisticsError> {
        Counts { both, only_a, only_b, neither }.try_into()
    }

    /// Counts cases, of each whether it passed under A and whether it passed under B.
    ///
    /// # Errors
    /// [`StatisticsError::NoCases`] when there is none.
    pub fn count(cases: impl IntoIterator<Item = (bool, bool)>) -> Result<Self, StatisticsError> {
        let mut counts = Counts { both: 0, only_a: 0, only_b: 0, neither: 0 };
        for case in cases {
            match case {
                (true, true) => counts.both += 1,
                (true, false) => counts.only_a += 1,
                (false, true) => counts.only_b += 1,
                (false, false) => counts.neither += 1,
            }
        }
        counts.try_into()
    }

    /// How many cases there are.
    pub fn cases(self) -> u64 {
        u64::from(self.0.both) + u64::from(self.0.only_a) + u64::from(self.0.only_b) + u64::from(self.0.neither)
    }

    /// How many cases passed under one of the two alone: the only ones that tell A from B.
    pub fn discordant(self) -> u64 {
        u64::from(self.0.only_a) + u64::from(self.0.only_b)
    }

    /// The exact McNemar test: if A and B pass equally often, a case that passed under one alone did so under either
    /// with probability one half (McNemar, Psychometrika 12, 1947; in its exact form Mosteller, Psychometrika 17,
    /// 1952).
    pub fn p_value(self) -> f64 {
        fair_coin(u64::from(self.0.only_a), u64::from(self.0.only_b))
    }

    /// The pass rate of B minus that of A, from -1 to 1, with the interval by squaring and adding the Wilson intervals
    /// of the two rates and their correlation, corrected for continuity (Newcombe, Statistics in Medicine 17, 1998,
    /// 2635–2650, method 10). It holds its confidence also near 0 and 1 and with few cases, where the textbook's
    /// interval does not.
    pub fn difference(self, confidence: Confidence) -> Estimate {
        let Counts { both, only_a, only_b, neither } = self.0;
        let [both, only_a, only_b, neither] = [both, only_a, only_b, neither].map(f64::from);
        let cases = both + only_a + only_b + neither;
        let z = confidence.z();
        let (passes_a, passes_b) = (both + only_a, both + only_b);
        let (rate_a, rate_b) = (passes_a / cases, passes_b / cases);
        let (wilson_a, wilson_b) = (wilson(passes_a, cases, z), wilson(passes_b, cases, z));

        let margins = passes_a * (cases - passes_a) * passes_b * (cases - passes_b);
        let agreement = both * neither - only_a * only_b;
        // Only a positive agreement is corrected, and by no more than to 0.
        let corrected = if agreement > 0.0 { (agreement - cases / 2.0).max(0.0) } else { agreement };
        let correlation = if margins > 0.0 { corrected / margins.sqrt() } else { 0.0 };

        // Rounding may leave a little less than 0 where the root is of 0.
        let reach =
            |one: f64, other: f64| (one * one - 2.0 * correlation * one * other + other * other).max(0.0).sqrt();
        // The difference of counts first: it is exact, and exactly mirrored when A and B are swapped.
        let value = (only_b - only_a) / cases;
        Estimate {
            value,
            interval: Some(Interval {
                lower: (value - reach(rate_b - wilson_b.lower, wilson_a.upper - rate_a)).max(-1.0),
                upper: (value + reach(wilson_b.upper - rate_b, rate_a - wilson_a.lower)).min(1.0),
            }),
        }
    }
}

/// The score interval of a rate (Wilson, Journal of the American Statistical Association 22, 1927).
pub(crate) fn wilson(passes: f64, cases: f64, z: f64) -> Interval {
    let square = z * z;
    let root = z * (square + 4.0 * passes * (cases - passes) / cases).sqrt();
    let twice = 2.0 * (cases + square);
    Interval {
        lower: ((2.0 * passes + square - root) / twice).max(0.0),
        upper: ((2.0 * passes + square + root) / twice).min(1.0),
    }
}

impl TryFrom<Counts> for PairedPasses {
    type Error = StatisticsError;

    fn try_from(counts: Counts) -> Result<Self, StatisticsError> {
        let passes = Self(counts);
        if passes.cases() == 0 { Err(StatisticsError::NoCases) } else { Ok(passes) }
    }
}

impl From<PairedPasses> for Counts {
    fn from(passes: PairedPasses) -> Self {
        passes.0
    }
}
