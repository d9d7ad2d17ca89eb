//! The smallest difference that a number of cases can tell, and the number that a difference needs.
//!
//! "Can tell" means: a true difference of this size is found, on the right side, with probability [`POWER`].

use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF, Discrete, StudentsT};

use super::{
    Confidence, Differences, Interval,
    binomial::{at_least, bisect},
    normal_quantile,
};

/// The probability with which a difference that can be told is found (Cohen, "Statistical Power Analysis", 1988,
/// section 2.4).
pub const POWER: f64 = 0.8;

/// The largest number of cases that is looked at.
pub const MOST_CASES: u64 = 100_000;

/// The fewest cases with which any of the exact tests can fall to `alpha`: that all of n cases favour the same side has
/// a two-sided p-value of 2 / 2^n.
pub fn fewest_cases(alpha: f64) -> u64 {
    (2.0 / alpha).log2().ceil().max(1.0) as u64
}

/// The probability, from 0 to 1, that the exact McNemar test at this level finds B better, when B passes `improved` and
/// fails `worsened` of the cases (both shares) on which A does the opposite.
///
/// It is exact: the power for each number of discordant cases, weighted by the probability of that number (Duffy,
/// Statistics in Medicine 3, 1984).
pub fn pass_power(cases: u64, improved: f64, worsened: f64, alpha: f64) -> f64 {
    if improved <= 0.0 {
        return 0.0;
    }
    let discordance = (improved + worsened).min(1.0);
    let Ok(discordant) = Binomial::new(discordance, cases) else { return 0.0 };
    let expected = cases as f64 * discordance;
    // What lies farther out has no weight that would show.
    let reach = 8.0 * (expected * (1.0 - discordance)).sqrt() + 10.0;
    let first = (expected - reach).max(0.0) as u64;
    let last = ((expected + reach).ceil() as u64).min(cases);
    let share = improved / discordance;
    let mut needed = first / 2;
    (first..=last)
        .map(|count| {
            // More discordant cases never need fewer on one side.
            while needed <= count && 2.0 * at_least(needed, count, 0.5) > alpha {
                needed += 1;
            }
            let found = if share < 1.0 { at_least(needed, count, share) } else { f64::from(needed <= count) };
            discordant.pmf(count) * found
        })
        .sum::<f64>()
        .clamp(0.0, 1.0)
}

/// The smallest difference of pass rates, above 0 and up to 1, that so many cases can tell; none when they can tell
/// none.
///
/// `churn` is the share of cases that pass under one version alone though nothing differs, half of them either way. The
/// difference comes on top of it, from cases that agreed: the number of discordant cases grows with it (as in the table
/// of Connor, Biometrics 43, 1987). For answers that are independent given their pass rates this is the least
/// favourable case.
pub fn detectable_pass_difference(cases: u64, churn: f64, alpha: f64) -> Option<f64> {
    let is_missed = |difference: f64| power_at(cases, difference, churn, alpha) < POWER;
    if is_missed(1.0) {
        return None;
    }
    // Half a step up: on the far side of the boundary.
    Some((bisect(0.0, 1.0, 1e-6, is_missed) + 1e-6).min(1.0))
}

/// About how many cases tell this difference of pass rates on top of this churn (see [`detectable_pass_difference`]);
/// none when it takes more than [`MOST_CASES`]. The power of an exact test is not quite monotone in the number of
/// cases, so that a few less may do.
pub fn cases_for_pass_difference(difference: f64, churn: f64, alpha: f64) -> Option<u64> {
    let is_missed = |cases: u64| power_at(cases, difference, churn, alpha) < POWER;
    let (mut low, mut high) = (1, 2);
    while is_missed(high) {
        if high >= MOST_CASES {
            return None;
        }
        (low, high) = (high, (high * 2).min(MOST_CASES));
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_missed(middle) { low = middle } else { high = middle }
    }
    Some(high)
}

fn power_at(cases: u64, difference: f64, churn: f64, alpha: f64) -> f64 {
    let difference = difference.min(1.0);
    let discordance = (churn + difference).min(1.0);
    pass_power(cases, discordance.midpoint(difference), discordance.midpoint(-difference), alpha)
}

/// The smallest difference that a test at level `alpha` can tell where the interval at this confidence is so wide:
/// about (z(1 - alpha/2) + z(power)) standard errors, of which the interval's half-width shows how large they are
/// (Cohen, section 2).
pub fn detectable_from_interval(interval: Interval, confidence: Confidence, alpha: f64) -> f64 {
    interval.half_width() / confidence.z() * (level_quantile(alpha) + normal_quantile(POWER))
}

/// The smallest mean difference that as many cases with such differences can tell at level `alpha`; none when they are
/// all equal.
///
/// A difference of d takes (z(1 - alpha/2) + z(power)) standard errors (Cohen, section 2), here with Student's
/// quantiles. Two things would make that promise too much, and both are allowed for. The variance is known only from
/// the cases: its upper limit is taken, as sure as the power. And a score seldom moves by the same amount in every
/// case: if the mean moves by d because some cases jump, and jumps are of the size E(x^2) / E|x| that is seen, the
/// variance grows by d times that size.
pub fn detectable_mean_difference(differences: &Differences, alpha: f64) -> Option<f64> {
    let values = differences.as_slice();
    let cases = values.len() as f64;
    let mean = differences.mean();
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let freedom = cases - 1.0;
    if freedom < 1.0 || squares <= 0.0 {
        return None;
    }
    let chi_squared = ChiSquared::new(freedom).ok()?;
    let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
    let variance = squares / chi_squared.inverse_cdf(1.0 - POWER);
    let jump =
        values.iter().map(|value| value * value).sum::<f64>() / values.iter().map(|value| value.abs()).sum::<f64>();
    let errors = student.inverse_cdf(1.0 - alpha / 2.0) + student.inverse_cdf(POWER);
    // d = errors * sqrt((variance + d * jump) / cases), solved for d.
    let factor = errors * errors / cases;
    Some((factor * jump + (factor * jump * factor * jump + 4.0 * factor * variance).sqrt()) / 2.0)
}

/// The smallest difference that can be told when it has to lie beyond a noise floor too. Both are in the metric's
/// units; `detectable` is what the test alone, at level `alpha`, can tell.
pub fn detectable_beyond_floor(detectable: f64, floor: f64, alpha: f64) -> f64 {
    let above = normal_quantile(POWER);
    // The estimate falls short of the truth by no more than this with the probability asked for.
    detectable.max(floor + detectable * above / (level_quantile(alpha) + above))
}

/// About how many cases tell `difference`, when `cases` tell `detectable`: standard errors shrink with the square root.
pub fn cases_for_difference(cases: u64, detectable: f64, difference: f64) -> u64 {
    // A cast stops at the largest number.
    (cases as f64 * (detectable / difference).powi(2)).ceil() as u64
}

fn level_quantile(alpha: f64) -> f64 {
    normal_quantile(1.0 - alpha / 2.0)
}
