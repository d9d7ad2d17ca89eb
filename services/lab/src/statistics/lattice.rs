//! Differences that are whole multiples of one step, and the exact distributions of their sums.
//!
//! Means over the repeats of a case are such: of passing or failing three times, every difference is a number of thirds.
//! Then the sums that a choice of signs or a resample may have are few, and their probabilities follow one case after
//! the other (the "shift algorithm" of Streitberg and Röhmel, Statistical Software Newsletter 12, 1986). Where that takes
//! too long, or there is no such step, chance has to be drawn.

use super::Differences;

/// Additions and multiplications at most; above, drawing is quicker.
const MOST_STEPS: usize = 20_000_000;

/// The largest number of steps that a single difference may have.
const MOST_STEPS_OF_ONE: f64 = 10_000.0;

/// Into how many parts the smallest difference is divided to find the step; the most repeats of a case are 50.
const MOST_PARTS: u32 = 60;

/// What is left of probabilities when everything less likely than this is dropped is off by less than rounding.
const NEGLIGIBLE: f64 = 1e-30;

/// Differences in whole numbers of a step; not all of them are 0.
pub(super) struct Lattice {
    step: f64,
    counts: Vec<i32>,
}

impl Lattice {
    /// The differences in whole numbers of a step; none when there is no such step, or all are 0.
    pub(super) fn of(differences: &Differences) -> Option<Self> {
        let values = differences.as_slice();
        let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let smallest = values.iter().map(|value| value.abs()).filter(|size| *size > 0.0).reduce(f64::min)?;
        // Thirds are no binary numbers: they are whole multiples of a step but for what was rounded.
        let rounding = largest * 1e-9;
        (1..=MOST_PARTS)
            .map(|parts| smallest / f64::from(parts))
            .take_while(|step| largest / step <= MOST_STEPS_OF_ONE)
            .find(|step| values.iter().all(|value| (value - (value / step).round() * step).abs() <= rounding))
            .map(|step| Self { step, counts: values.iter().map(|value| (value / step).round() as i32).collect() })
    }

    /// The share of all choices of signs whose sum is at least as far from 0 as that of the differences; none when it
    /// takes too long to say.
    pub(super) fn as_far(&self) -> Option<f64> {
        let observed = self.counts.iter().map(|count| i64::from(*count)).sum::<i64>().unsigned_abs() as usize;
        let sizes: Vec<usize> =
            self.counts.iter().filter(|count| **count != 0).map(|count| count.unsigned_abs() as usize).collect();
        let total: usize = sizes.iter().sum();
        if observed == 0 {
            return Some(1.0);
        }
        if sizes.len().saturating_mul(total) > MOST_STEPS {
            return None;
        }
        // The probability of each sum of those sizes whose sign is positive.
        let mut positive = vec![0.0; total + 1];
        positive[0] = 1.0;
        let mut reached = 0;
        for size in sizes {
            reached += size;
            // Downwards, so that what is read was not yet written.
            for sum in (0..=reached).rev() {
                let with = if sum >= size { positive[sum - size] } else { 0.0 };
                positive[sum] = (positive[sum] + with) / 2.0;
            }
        }
        // The sum of all is twice the positive part less the total. It has the same distribution on both sides of 0.
        let above: f64 = positive[(total + observed).div_ceil(2)..].iter().sum();
        // A thousand equal signs are less likely than the smallest number.
        Some((2.0 * above).clamp(f64::MIN_POSITIVE, 1.0))
    }

    /// The distribution of the mean of as many cases, drawn with replacement; none when it takes too long to say.
    pub(super) fn resampled(&self) -> Option<ResampledMeans> {
        let cases = self.counts.len();
        let lowest = *self.counts.iter().min()?;
        let mut shares: Vec<(usize, f64)> = Vec::new();
        for count in &self.counts {
            let above = (count - lowest) as usize;
            match shares.iter_mut().find(|(other, _)| *other == above) {
                Some((_, share)) => *share += 1.0 / cases as f64,
                None => shares.push((above, 1.0 / cases as f64)),
            }
        }
        let span = shares.iter().map(|(above, _)| *above).max()?;
        let mut first = 0_i64;
        let mut probabilities = vec![1.0];
        let mut steps = 0_usize;
        for _ in 0..cases {
            steps += probabilities.len() * shares.len();
            if steps > MOST_STEPS {
                return None;
            }
            let mut next = vec![0.0; probabilities.len() + span];
            for (above, share) in &shares {
                for (to, probability) in next[*above..].iter_mut().zip(&probabilities) {
                    *to += probability * share;
                }
            }
            let start = next.iter().position(|probability| *probability > NEGLIGIBLE)?;
            let end = next.iter().rposition(|probability| *probability > NEGLIGIBLE)?;
            first += start as i64 + i64::from(lowest);
            next.truncate(end + 1);
            next.drain(..start);
            probabilities = next;
        }
        let observed = self.counts.iter().map(|count| i64::from(*count)).sum();
        Some(ResampledMeans { unit: self.step / cases as f64, first, observed, probabilities })
    }
}

/// The distribution of the mean of cases drawn with replacement.
pub(super) struct ResampledMeans {
    unit: f64,
    first: i64,
    observed: i64,
    probabilities: Vec<f64>,
}

impl ResampledMeans {
    /// The share of resamples whose mean is below the observed one; equal ones count half.
    pub(super) fn share_below(&self) -> f64 {
        let place = (self.observed - self.first).max(0) as usize;
        let equal = self.probabilities.get(place).copied().unwrap_or_default();
        self.probabilities.iter().take(place).sum::<f64>() + equal / 2.0
    }

    /// The least mean that with all below it has at least this share.
    pub(super) fn quantile_below(&self, share: f64) -> f64 {
        self.mean_at(reached(self.probabilities.iter(), share))
    }

    /// The largest mean that with all above it has at least this share.
    pub(super) fn quantile_above(&self, share: f64) -> f64 {
        self.mean_at(self.probabilities.len() - 1 - reached(self.probabilities.iter().rev(), share))
    }

    fn mean_at(&self, place: usize) -> f64 {
        (self.first + place as i64) as f64 * self.unit
    }
}

/// After how many more than the first the probabilities add up to this share.
fn reached<'a>(probabilities: impl ExactSizeIterator<Item = &'a f64>, share: f64) -> usize {
    let last = probabilities.len() - 1;
    let mut sum = 0.0;
    probabilities
        .take_while(|probability| {
            sum += **probability;
            sum < share
        })
        .count()
        .min(last)
}
