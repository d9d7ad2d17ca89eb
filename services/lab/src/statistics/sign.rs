//! Votes on which of two answers is better.

use serde::{Deserialize, Serialize};

use super::{
    Confidence, Estimate, Interval, Side,
    binomial::{at_least, bisect, fair_coin},
};

/// How the votes fell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Votes {
    /// Votes for A.
    pub for_a: u32,
    /// Votes for B.
    pub for_b: u32,
    /// Votes for neither, and verdicts that flipped with the order.
    pub ties: u32,
}

impl Votes {
    /// The votes that are no ties.
    pub fn decided(self) -> u64 {
        u64::from(self.for_a) + u64::from(self.for_b)
    }

    /// All votes.
    pub fn cast(self) -> u64 {
        self.decided() + u64::from(self.ties)
    }

    /// The same with so many more for this version.
    #[must_use]
    pub fn with_more(mut self, votes: u64, side: Side) -> Self {
        let of_side = match side {
            Side::A => &mut self.for_a,
            Side::B => &mut self.for_b,
        };
        *of_side = of_side.saturating_add(u32::try_from(votes).unwrap_or(u32::MAX));
        self
    }

    /// The exact sign test: whether a vote goes to either side with probability one half. Ties are dropped: they favour
    /// neither side (Dixon and Mood, Journal of the American Statistical Association 41, 1946). 1 when every vote is a
    /// tie.
    ///
    /// Votes have to be independent: of several votes on one case, only their majority may be counted.
    pub fn p_value(self) -> f64 {
        fair_coin(u64::from(self.for_a), u64::from(self.for_b))
    }

    /// The share of B minus the share of A among the decided votes, from -1 to 1, with the exact interval (Clopper and
    /// Pearson, Biometrika 26, 1934) of the one share carried over to the difference. 0 and no interval when all are
    /// ties.
    pub fn preference(self, confidence: Confidence) -> Estimate {
        let decided = self.decided();
        if decided == 0 {
            return Estimate { value: 0.0, interval: None };
        }
        let difference = f64::from(self.for_b) - f64::from(self.for_a);
        let half = confidence.alpha() / 2.0;
        // The smallest share of a side with which it still gets as many votes often enough. The upper end of the one is
        // the lower end of the other, from 1.
        let lowest = |votes: u32| match votes {
            0 => 0.0,
            _ => bisect(0.0, 1.0, 0.0, |share| share <= 0.0 || at_least(u64::from(votes), decided, share) < half),
        };
        let interval = Interval { lower: 2.0 * lowest(self.for_b) - 1.0, upper: 1.0 - 2.0 * lowest(self.for_a) };
        Estimate { value: difference / decided as f64, interval: Some(interval) }
    }
}
