//! The signed-rank test and its estimate, for metrics such as latency where a few results are far from the rest.
//!
//! Cases without a difference are ranked with the others and then left out (Pratt, Journal of the American Statistical
//! Association 54, 1959). Leaving them out before ranking, as Wilcoxon did, can turn a difference that points to B into
//! one that points to A when every result moves toward B by the same amount.

use super::{Confidence, Differences, Estimate, Interval, normal_quantile, normal_share};

/// Up to so many cases the distribution of the ranks is computed exactly; above, it is approximated.
pub const EXACT_CASES: usize = 50;

/// What the test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRank {
    /// The sum of the ranks of the differences above 0.
    pub statistic: f64,
    /// The two-sided p-value.
    pub p_value: f64,
    /// Whether the p-value is exact.
    pub is_exact: bool,
}

/// The Wilcoxon signed-rank test (Biometrics Bulletin 1, 1945): whether the differences lie symmetrically around 0.
///
/// With up to [`EXACT_CASES`] cases it is exact, also with ties: every choice of signs of the very ranks that occurred
/// is counted. Above it is the normal approximation with the variance corrected for ties and zeros and the distance for
/// continuity (Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 3rd edition 2014, section 3.1; for
/// zeros Cureton, Journal of the American Statistical Association 62, 1967).
pub fn signed_rank(differences: &Differences) -> SignedRank {
    let ranks = doubled_ranks(differences.as_slice());
    let positive: u64 = ranks.iter().filter(|rank| rank.is_positive).map(|rank| rank.doubled).sum();
    let is_exact = differences.cases() <= EXACT_CASES;
    let p_value = if is_exact {
        let distribution = rank_sums(ranks.iter().map(|rank| rank.doubled as usize));
        let at = positive as usize;
        let tail = |sums: &[f64]| sums.iter().sum::<f64>();
        (2.0 * tail(&distribution[..=at]).min(tail(&distribution[at..]))).min(1.0)
    } else {
        approximate(&ranks, positive)
    };
    SignedRank { statistic: positive as f64 / 2.0, p_value, is_exact }
}

/// The rank of a difference that is not 0. Ranks are doubled: that of two tied differences may be a half.
struct Rank {
    doubled: u64,
    is_positive: bool,
}

fn doubled_ranks(differences: &[f64]) -> Vec<Rank> {
    let mut ordered = differences.to_vec();
    ordered.sort_by(|one, other| one.abs().total_cmp(&other.abs()));
    let mut ranks = Vec::with_capacity(ordered.len());
    let mut before = 0;
    for tied in ordered.chunk_by(|one, other| one.abs() == other.abs()) {
        // Tied ones share the mean of the ranks from `before + 1` to `before + tied.len()`.
        let doubled = (2 * before + tied.len() + 1) as u64;
        before += tied.len();
        ranks.extend(
            tied.iter().filter(|value| **value != 0.0).map(|value| Rank { doubled, is_positive: *value > 0.0 }),
        );
    }
    ranks
}

/// The probability of each sum of the ranks whose sign is positive, when every sign is as likely as the other.
fn rank_sums(ranks: impl Iterator<Item = usize>) -> Vec<f64> {
    ranks.fold(vec![1.0], |sums, rank| {
        let mut next = vec![0.0; sums.len() + rank];
        for (sum, probability) in sums.into_iter().enumerate() {
            next[sum] += probability / 2.0;
            next[sum + rank] += probability / 2.0;
        }
        next
    })
}

fn approximate(ranks: &[Rank], positive: u64) -> f64 {
    // The ranks carry ties and zeros in them: half of their sum is the mean, a quarter of their squares the variance.
    let (sum, squares) = ranks.iter().fold((0.0, 0.0), |(sum, squares), rank| {
        let rank = rank.doubled as f64 / 2.0;
        (sum + rank, squares + rank * rank)
    });
    let distance = ((positive as f64 / 2.0 - sum / 2.0).abs() - 0.5).max(0.0);
    if squares == 0.0 { 1.0 } else { (2.0 * normal_share(-distance / (squares / 4.0).sqrt())).min(1.0) }
}

/// The median of the means of all pairs of differences, each with itself too (Hodges and Lehmann, Annals of
/// Mathematical Statistics 34, 1963), with the interval that comes from the signed-rank test (Hollander, Wolfe and
/// Chicken, section 3.3).
///
/// The interval asks only for a symmetric distribution. Up to [`EXACT_CASES`] cases its ends are exact (its confidence
/// is the next possible one at or above that asked for), above they come from the normal approximation. Too few cases
/// for the confidence have no interval: fewer than 6 for 95 percent.
pub fn hodges_lehmann(differences: &Differences, confidence: Confidence) -> Estimate {
    let mut ordered = differences.as_slice().to_vec();
    ordered.sort_by(f64::total_cmp);
    let cases = ordered.len() as u64;
    let pairs = cases * (cases + 1) / 2;
    let value = match pairs % 2 {
        1 => pair_mean(&ordered, pairs / 2 + 1),
        _ => (pair_mean(&ordered, pairs / 2) + pair_mean(&ordered, pairs / 2 + 1)) / 2.0,
    };
    let outside = outside(cases, confidence);
    let interval = (outside > 0)
        .then(|| Interval { lower: pair_mean(&ordered, outside), upper: pair_mean(&ordered, pairs + 1 - outside) });
    Estimate { value, interval }
}

/// Which pair, counted from the lowest mean, is the end of the interval; 0 when there is none.
fn outside(cases: u64, confidence: Confidence) -> u64 {
    let half = confidence.alpha() / 2.0;
    if cases <= EXACT_CASES as u64 {
        // So many sums of ranks, from the lowest, that together they have at most half of the error allowed.
        let mut total = 0.0;
        rank_sums(1..=cases as usize)
            .into_iter()
            .take_while(|probability| {
                total += probability;
                total <= half
            })
            .count() as u64
    } else {
        let cases = cases as f64;
        let middle = cases * (cases + 1.0) / 4.0;
        let deviation = (cases * (cases + 1.0) * (2.0 * cases + 1.0) / 24.0).sqrt();
        (middle + normal_quantile(half) * deviation).floor().max(0.0) as u64
    }
}

/// The mean of a pair of differences, counted from the lowest and from 1.
///
/// There are half a million pairs of a thousand cases, so they are not listed: the sum is found by halving the numbers
/// between the lowest and the highest sum, down to two neighbours, and counting at each step the pairs up to it in one
/// pass.
fn pair_mean(ordered: &[f64], place: u64) -> f64 {
    let mut low = in_order(2.0 * ordered[0]);
    let mut high = in_order(2.0 * ordered[ordered.len() - 1]);
    while low < high {
        let middle = low + (high - low) / 2;
        if pairs_up_to(ordered, from_order(middle)) >= place { high = middle } else { low = middle + 1 }
    }
    from_order(low) / 2.0
}

/// How many pairs, each with itself too, have at most this sum.
fn pairs_up_to(ordered: &[f64], sum: f64) -> u64 {
    let mut partners = ordered.len();
    let mut pairs = 0;
    for (index, value) in ordered.iter().enumerate() {
        // The larger the one, the smaller the other.
        while partners > index && value + ordered[partners - 1] > sum {
            partners -= 1;
        }
        if partners <= index {
            break;
        }
        pairs += (partners - index) as u64;
    }
    pairs
}

/// A whole number for each number, in the same order.
fn in_order(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn from_order(place: u64) -> f64 {
    f64::from_bits(if place >> 63 == 1 { place & !(1 << 63) } else { !place })
}
