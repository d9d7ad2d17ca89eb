//! Cases without a result, and what they could have changed.
//!
//! A call that failed has no latency, no tokens and no cost, so that its case has to be left out. If one version fails
//! on what is hard for it, it is compared on what is easy for it. Two rules keep a verdict from resting on that:
//!
//! - When more than a fifth of the cases that were asked are left out, nothing is concluded: fewer than 5 percent bias
//!   little and more than 20 percent threaten what is concluded (Sackett, Richardson, Rosenberg and Haynes,
//!   "Evidence-based Medicine", 1997; Schulz and Grimes, The Lancet 359, 2002, on sample size slippages).
//! - Cases that were left out because of one side are counted against whatever is concluded, and it has to stand all
//!   the same: the worst case (National Research Council, "The Prevention and Treatment of Missing Data in Clinical
//!   Trials", 2010, chapter 5; after Lachin, Controlled Clinical Trials 20, 1999, who gives failures the worst rank).

use serde::{Deserialize, Serialize};

use super::{Estimate, Side};

/// The largest share of cases that may be left out.
pub const MOST_LEFT_OUT: f64 = 0.2;

/// Cases that were asked under both versions and have no result of a metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Under A alone.
    pub of_a: u32,
    /// Under B alone.
    pub of_b: u32,
    /// Under both, or for a reason that is of neither.
    pub of_both: u32,
}

impl LeftOut {
    /// All of them.
    pub fn all(self) -> u64 {
        self.one_sided() + u64::from(self.of_both)
    }

    /// Those for which one side has a result and the other has none.
    pub fn one_sided(self) -> u64 {
        u64::from(self.of_a) + u64::from(self.of_b)
    }

    /// Whether they are more than [`MOST_LEFT_OUT`] of all, when so many cases have a result.
    pub fn are_too_many(self, with_result: u64) -> bool {
        self.all() as f64 > MOST_LEFT_OUT * (self.all() + with_result) as f64
    }
}

/// What a metric would say if all cases that were left out because of one side favoured the same version.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Imagined {
    /// B minus A, in the metric's units.
    pub difference: Estimate,
    /// The two-sided p-value of this metric alone.
    pub p_value: f64,
}

/// Both ways in which the cases that were left out could have gone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorstCases {
    /// All of them for A.
    pub for_a: Imagined,
    /// All of them for B.
    pub for_b: Imagined,
}

impl WorstCases {
    /// What would be if all of them went against this version.
    pub fn against(&self, side: Side) -> &Imagined {
        match side {
            Side::A => &self.for_b,
            Side::B => &self.for_a,
        }
    }
}
