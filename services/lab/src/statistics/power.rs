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
    let first = if discordance < 1.0 { (expected - reach).max(0.0) as u64 } else { cases };
    let last = ((expected + reach).ceil() as u64).min(cases);
    let share = improved / discordance;
    let mut by_chance = UpperTail::new(first, alpha / 2.0);
    let mut found = Tail::new(by_chance.needed, first, share.min(1.0));
    let mut weight = discordant.pmf(first);
    let mut power = weight * found.probability;
    for count in first + 1..=last {
        // From one number of discordant cases to the next; when all cases are discordant there is but one.
        weight *= (cases + 1 - count) as f64 / count as f64 * discordance / (1.0 - discordance);
        found.add_trial();
        if by_chance.add_trial() {
            found.add_needed();
        }
        power += weight * found.probability;
    }
    power.clamp(0.0, 1.0)
}

/// How many successes it takes to reject at most this often where success and failure are equally likely.
struct UpperTail {
    tail: Tail,
    needed: u64,
    at_most: f64,
}

impl UpperTail {
    fn new(trials: u64, at_most: f64) -> Self {
        let mut needed = trials / 2;
        // Never more than one beyond the trials: that many are impossible.
        while needed <= trials && at_least(needed, trials, 0.5) > at_most {
            needed += 1;
        }
        Self { tail: Tail::new(needed, trials, 0.5), needed, at_most }
    }

    /// One trial more; whether it takes one success more.
    fn add_trial(&mut self) -> bool {
        self.tail.add_trial();
        // One more trial never asks for fewer successes, nor for two more.
        let is_more = self.tail.probability > self.at_most;
        if is_more {
            self.tail.add_needed();
            self.needed += 1;
        }
        is_more
    }
}

/// The probability of at least so many successes, kept up to date as trials are added: a few multiplications in place of
/// an incomplete beta function each (NIST Digital Library of Mathematical Functions, 8.17.20 and 8.17.21).
struct Tail {
    needed: u64,
    trials: u64,
    share: f64,
    probability: f64,
    /// The probability of one success less than needed.
    just_missed: f64,
}

impl Tail {
    /// `needed` is at least 1 and at most one more than `trials`.
    fn new(needed: u64, trials: u64, share: f64) -> Self {
        let just_missed = match needed.checked_sub(1) {
            Some(successes) => Binomial::new(share, trials).map_or(0.0, |trials| trials.pmf(successes)),
            None => 0.0,
        };
        let probability = if share < 1.0 { at_least(needed, trials, share) } else { f64::from(needed <= trials) };
        Self { needed, trials, share, probability, just_missed }
    }

    fn add_trial(&mut self) {
        self.trials += 1;
        self.probability = (self.probability + self.share * self.just_missed).min(1.0);
        let failures = self.trials + 1 - self.needed;
        self.just_missed *= (1.0 - self.share) * self.trials as f64 / failures as f64;
    }

    fn add_needed(&mut self) {
        let failures = self.trials + 1 - self.needed;
        // Where failures are impossible, all trials succeed.
        self.just_missed = if self.share < 1.0 {
            self.just_missed * failures as f64 / self.needed as f64 * self.share / (1.0 - self.share)
        } else {
            f64::from(self.needed == self.trials)
        };
        self.probability = (self.probability - self.just_missed).max(0.0);
        self.needed += 1;
    }
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

/// About how many cases put the whole interval within a margin when there is no difference, with probability [`POWER`], if
/// `cases` tell a difference as large as the margin: either limit may be missed, so that it takes z((1 + power) / 2) standard
/// errors beyond the interval where the difference takes z(power) (Chow, Shao and Wang, "Sample Size Calculations in Clinical
/// Research", section 3.2).
pub fn cases_for_equivalence(cases: u64, confidence: Confidence) -> u64 {
    let both = confidence.z() + normal_quantile(POWER.midpoint(1.0));
    let one = confidence.z() + normal_quantile(POWER);
    (cases as f64 * (both / one).powi(2)).ceil() as u64
}

fn level_quantile(alpha: f64) -> f64 {
    normal_quantile(1.0 - alpha / 2.0)
}
