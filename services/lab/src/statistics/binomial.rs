//! Exact probabilities of the binomial distribution, through the regularised incomplete beta function.

use statrs::function::beta::beta_reg;

/// The probability of at least `successes` in `trials` that each succeed with probability `share`, strictly between 0
/// and 1.
pub(crate) fn at_least(successes: u64, trials: u64, share: f64) -> f64 {
    match successes {
        0 => 1.0,
        _ if successes > trials => 0.0,
        // NIST Digital Library of Mathematical Functions, 8.17.5.
        _ => beta_reg(successes as f64, (trials - successes + 1) as f64, share),
    }
}

/// The two-sided p-value of so many successes and failures when both are equally likely.
///
/// The distribution is symmetric, so that twice the smaller tail is the sum of all outcomes that are not more likely.
pub(crate) fn fair_coin(successes: u64, failures: u64) -> f64 {
    (2.0 * at_least(successes.max(failures), successes + failures, 0.5)).min(1.0)
}

/// The value between `low` and `high` where a condition that holds below it and not above it changes.
pub(crate) fn bisect(mut low: f64, mut high: f64, precision: f64, holds_at: impl Fn(f64) -> bool) -> f64 {
    while high - low > precision {
        let middle = low + (high - low) / 2.0;
        // Two neighbouring numbers have none between them.
        if middle <= low || middle >= high {
            break;
        }
        if holds_at(middle) { low = middle } else { high = middle }
    }
    low + (high - low) / 2.0
}
