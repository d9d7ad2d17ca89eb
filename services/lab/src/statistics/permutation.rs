//! The paired permutation test of a mean difference.
//!
//! If A and B do not differ, each case's difference might as well have had the other sign. The p-value is the share of
//! all choices of signs whose mean is at least as far from 0 as the observed one (Fisher, "The Design of Experiments",
//! 1935, section 21). It asks for no shape of the distribution.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::{Differences, lattice::Lattice};

/// Up to so many differences that are not 0, every choice of signs is counted whatever the differences are.
pub const EXACT_CASES: usize = 30;

/// How many choices of signs are drawn when they cannot be counted.
pub const DRAWS: u32 = 9_999;

/// The p-value of the mean difference: exact for differences that are whole multiples of a step, as means over repeats
/// are, and with up to [`EXACT_CASES`] differences that are not 0; otherwise from [`DRAWS`] draws with this seed.
///
/// Among draws the observed choice of signs counts as one, so that p is never 0 and the test never too bold: (b + 1) /
/// (m + 1) (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 4.2; Phipson and Smyth,
/// Statistical Applications in Genetics and Molecular Biology 9, 2010).
pub fn p_value(differences: &Differences, seed: u64) -> f64 {
    match Lattice::of(differences).and_then(|lattice| lattice.as_far()) {
        Some(share) => share,
        None if differences.as_slice().iter().filter(|value| **value != 0.0).count() <= EXACT_CASES => {
            counted(differences)
        }
        None => drawn(differences, seed),
    }
}

/// The p-value of all choices of signs, whatever the differences are.
pub(super) fn counted(differences: &Differences) -> f64 {
    let (magnitudes, threshold) = magnitudes(differences);
    exact(&magnitudes, threshold)
}

/// The p-value of [`DRAWS`] choices of signs.
pub(super) fn drawn(differences: &Differences, seed: u64) -> f64 {
    let (magnitudes, threshold) = magnitudes(differences);
    let as_far = draw(&magnitudes, threshold, seed);
    f64::from(as_far + 1) / f64::from(DRAWS + 1)
}

/// How large the differences are that are not 0, and from which sum on a choice of signs is as far from 0 as theirs.
fn magnitudes(differences: &Differences) -> (Vec<f64>, f64) {
    // The sign of 0 changes nothing.
    let magnitudes: Vec<f64> = differences.as_slice().iter().filter(|value| **value != 0.0).map(|d| d.abs()).collect();
    let observed = differences.as_slice().iter().sum::<f64>().abs();
    // A sum that differs only by how it was rounded is as far from 0 as the observed one.
    let threshold = observed - 1e-12 * magnitudes.iter().sum::<f64>();
    (magnitudes, threshold)
}

/// The share of all choices of signs whose sum is at least `threshold` from 0.
///
/// The 2^n sums are those of one half of the cases plus those of the other. With the second half's sums in order, each
/// of the first half finds its partners by halving: 2^(n/2) steps in place of 2^n (Horowitz and Sahni, Journal of the
/// ACM 21, 1974).
fn exact(magnitudes: &[f64], threshold: f64) -> f64 {
    if threshold <= 0.0 {
        return 1.0;
    }
    let (first, second) = magnitudes.split_at(magnitudes.len() / 2);
    let mut partners = signed_sums(second);
    partners.sort_by(f64::total_cmp);
    // The sums come in pairs of opposite signs: those above and those below are equally many.
    let above: usize = signed_sums(first)
        .into_iter()
        .map(|sum| partners.len() - partners.partition_point(|partner| sum + partner < threshold))
        .sum();
    2.0 * above as f64 / (magnitudes.len() as f64).exp2()
}

/// The sums of all choices of signs.
fn signed_sums(magnitudes: &[f64]) -> Vec<f64> {
    magnitudes
        .iter()
        .fold(vec![0.0], |sums, magnitude| sums.iter().flat_map(|sum| [sum - magnitude, sum + magnitude]).collect())
}

/// How many of [`DRAWS`] choices of signs have a sum at least `threshold` from 0.
fn draw(magnitudes: &[f64], threshold: f64, seed: u64) -> u32 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let total: f64 = magnitudes.iter().sum();
    let mut as_far = 0_u32;
    for _ in 0..DRAWS {
        let mut positive = 0.0;
        for chunk in magnitudes.chunks(64) {
            let mut signs = random.next_u64();
            for magnitude in chunk {
                if signs & 1 == 1 {
                    positive += magnitude;
                }
                signs >>= 1;
            }
        }
        as_far += u32::from((2.0 * positive - total).abs() >= threshold);
    }
    as_far
}
