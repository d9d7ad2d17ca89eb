//! How far two runs of the same version are apart.

use serde::{Deserialize, Serialize};

use super::Estimate;

/// What a metric differs by when nothing differs, from a run of one version against itself: in the metric's units, at
/// least 0.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct NoiseFloor(f64);

impl NoiseFloor {
    /// The floor from the A/A estimate of a metric, made by the same function as the A/B estimate it is held against.
    ///
    /// It is half the width of the interval, which is how far an estimate strays when the truth is 0; or the A/A
    /// difference itself where that strayed farther, because what was seen without a cause needs none. This is a rule
    /// of ours, on top of the test and never in its place: it can only take back a difference. It is meant for A/A and
    /// A/B runs of the same cases.
    pub fn of(same_version: &Estimate) -> Self {
        let half_width = same_version.interval.map_or(0.0, super::Interval::half_width);
        Self(half_width.max(same_version.value.abs()))
    }

    /// The floor, in the metric's units.
    pub fn value(self) -> f64 {
        self.0
    }

    /// Whether an A/B difference is no larger than what was seen without a cause.
    pub fn contains(self, difference: f64) -> bool {
        difference.abs() <= self.0
    }
}
