//! The tests of the statistics: against references, by properties, by what they decide, and under the null hypothesis.

mod calibration;
mod counts;
mod decisions;
mod properties;
mod reference;
mod samples;

use super::*;

const PLAN: Plan = Plan { confidence: Confidence::NINETY_FIVE, deciding_metrics: 1, seed: 7 };

fn differences(values: &[f64]) -> Differences {
    Differences::new(values.to_vec()).unwrap()
}

fn passes((both, only_a, only_b, neither): counts::Table) -> PairedPasses {
    PairedPasses::new(both, only_a, only_b, neither).unwrap()
}

fn votes(for_a: u32, for_b: u32) -> Votes {
    Votes { for_a, for_b, ties: 0 }
}

/// Equal to nine digits, counted from the larger of the two and 1.
fn assert_close(actual: f64, expected: f64, of: impl std::fmt::Debug) {
    let error = (actual - expected).abs() / expected.abs().max(1.0);
    assert!(error <= 1e-9, "{of:?}: {actual} is not {expected}");
}

fn assert_interval(actual: Option<Interval>, expected: Option<(f64, f64)>, of: impl std::fmt::Debug) {
    match (actual, expected) {
        (Some(actual), Some((lower, upper))) => {
            assert_close(actual.lower, lower, &of);
            assert_close(actual.upper, upper, &of);
        }
        (None, None) => {}
        _ => panic!("{of:?}: {actual:?} is not {expected:?}"),
    }
}
