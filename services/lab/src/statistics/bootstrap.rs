//! The bootstrap interval of a mean difference.
//!
//! Cases are drawn again and again with replacement, and the spread of the means shows how far the observed mean may be
//! off. The interval is BCa: corrected for bias and for skewness ("accelerated"), after Efron and Tibshirani, "An
//! Introduction to the Bootstrap", 1993, section 14.3. Where all resamples can be counted they are (Fisher and Hall,
//! Journal of Statistical Planning and Inference 27, 1991), otherwise [`RESAMPLES`] of them are drawn.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::{Confidence, Differences, Estimate, Interval, lattice::Lattice, normal_quantile, normal_share};

/// How many times the cases are drawn anew, where not all resamples can be counted.
pub const RESAMPLES: usize = 9_999;

/// The mean difference with its BCa interval: exact for differences that are whole multiples of a step, as means over
/// repeats are, otherwise from [`RESAMPLES`] resamples with this seed.
///
/// `range` is the largest difference that the metric can have, if there is one: 1 for scores from 0 to 1.
///
/// Where all differences are equal (with a single case they always are) resampling shows no spread. Then, if the metric
/// has a range, the interval is what as many cases can rule out: a share q of all cases differs otherwise and by the
/// whole range, and yet none of n did, with probability (1 - q)^n; q is the largest share for which that is at least
/// half of the error allowed (the "rule of three", Hanley and Lippman-Hand, JAMA 249, 1983). Without a range there is
/// no interval.
pub fn mean_difference(differences: &Differences, range: Option<f64>, confidence: Confidence, seed: u64) -> Estimate {
    let values = differences.as_slice();
    if values.iter().all(|difference| *difference == values[0]) {
        return without_spread(differences, range, confidence);
    }
    match Lattice::of(differences).and_then(|lattice| lattice.resampled()) {
        Some(means) => {
            let interval = corrected(
                differences,
                means.share_below(),
                (|share| means.quantile_below(share), |share| means.quantile_above(share)),
                confidence,
            );
            Estimate { value: differences.mean(), interval: Some(interval) }
        }
        None => from_resamples(differences, range, confidence, seed, RESAMPLES),
    }
}

/// [`mean_difference`] from so many resamples, drawn.
pub(super) fn from_resamples(
    differences: &Differences,
    range: Option<f64>,
    confidence: Confidence,
    seed: u64,
    resamples: usize,
) -> Estimate {
    let values = differences.as_slice();
    if values.iter().all(|difference| *difference == values[0]) {
        return without_spread(differences, range, confidence);
    }
    let interval = bca(differences, resampled_means(values, seed, resamples), confidence);
    Estimate { value: differences.mean(), interval: Some(interval) }
}

/// Of differences that are all equal.
fn without_spread(differences: &Differences, range: Option<f64>, confidence: Confidence) -> Estimate {
    let value = differences.as_slice()[0];
    let interval = range.map(|range| {
        let share = 1.0 - (confidence.alpha() / 2.0).powf(1.0 / differences.cases() as f64);
        // The rest keeps the common value.
        let toward = |end: f64| value + share * (end - value);
        Interval { lower: toward(-range), upper: toward(range) }
    });
    Estimate { value, interval }
}

fn resampled_means(values: &[f64], seed: u64, resamples: usize) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let count = values.len() as u128;
    (0..resamples)
        .map(|_| {
            let sum: f64 = (0..values.len())
                // The upper half of the product is an index. Some are more likely than others by at most count / 2^64.
                .map(|_| values[((u128::from(random.next_u64()) * count) >> 64) as usize])
                .sum();
            sum / values.len() as f64
        })
        .collect()
}

/// The BCa interval from the means of resamples; not all differences may be equal.
pub(super) fn bca(differences: &Differences, mut means: Vec<f64>, confidence: Confidence) -> Interval {
    means.sort_by(f64::total_cmp);
    let mean = differences.mean();
    let resamples = means.len() as f64;
    // A mean that differs from the observed one only by how it was rounded is equal to it.
    let rounding = 1e-12 * differences.as_slice().iter().fold(0.0_f64, |largest, d| largest.max(d.abs()));
    let below = means.partition_point(|resampled| *resampled < mean - rounding) as f64;
    let up_to = means.partition_point(|resampled| *resampled <= mean + rounding) as f64;
    // Equal ones count half. The share stays off 0 and 1, where the correction would be infinite.
    let share = ((below + up_to) / 2.0 / resamples).clamp(0.5 / resamples, 1.0 - 0.5 / resamples);
    corrected(differences, share, (|share| quantile(&means, share), |share| quantile(&means, 1.0 - share)), confidence)
}

/// The BCa interval, when this share of resamples has a mean below the observed one and these are the means that have a
/// share of the others below and above them.
fn corrected(
    differences: &Differences,
    share: f64,
    (quantile_below, quantile_above): (impl Fn(f64) -> f64, impl Fn(f64) -> f64),
    confidence: Confidence,
) -> Interval {
    let bias = normal_quantile(share);
    let mean = differences.mean();

    // Equation 14.15, written out for a mean: leaving out a case moves the mean against the case's own deviation.
    let deviations = differences.as_slice().iter().map(|difference| difference - mean);
    let (squares, cubes) = deviations.fold((0.0, 0.0), |(squares, cubes), d| (squares + d * d, cubes + d * d * d));
    let spread = squares.powf(1.5);
    let acceleration = if spread > 0.0 { cubes / (6.0 * spread) } else { 0.0 };

    // Equation 14.10.
    let end = |z: f64| {
        let shifted = bias + z;
        bias + shifted / (1.0 - acceleration * shifted)
    };
    Interval {
        lower: quantile_below(normal_share(end(-confidence.z()))),
        upper: quantile_above(normal_share(-end(confidence.z()))),
    }
}

/// The quantile of values in order, between two of them in proportion (Hyndman and Fan, The American Statistician 50,
/// 1996, definition 7).
fn quantile(ordered: &[f64], share: f64) -> f64 {
    let position = share * (ordered.len() - 1) as f64;
    let index = (position.floor() as usize).min(ordered.len() - 1);
    let next = (index + 1).min(ordered.len() - 1);
    ordered[index] + (ordered[next] - ordered[index]) * (position - index as f64)
}
