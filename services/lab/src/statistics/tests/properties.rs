//! What holds for all inputs.

use proptest::{collection::vec, prelude::*};

use super::*;

const SURE: Confidence = Confidence::NINETY_FIVE;

/// Differences with and without ties and zeros, few and many.
fn any_sample() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        vec((-4..5_i32).prop_map(f64::from), 1..60),
        vec(-100.0..100.0_f64, 1..60),
        vec((-50..1000_i32).prop_map(|value| f64::from(value) / 8.0), 1..40),
    ]
}

fn mirrored(sample: &[f64]) -> Differences {
    differences(&sample.iter().map(|value| -value).collect::<Vec<_>>())
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(1.0)
}

fn are_mirrored(one: Estimate, other: Estimate) -> bool {
    let ends = match (one.interval, other.interval) {
        (Some(one), Some(other)) => near(one.lower, -other.upper) && near(one.upper, -other.lower),
        (one, other) => one == other,
    };
    near(one.value, -other.value) && ends
}

fn holds_its_value(estimate: Estimate) -> bool {
    estimate.interval.is_none_or(|interval| interval.lower <= estimate.value && estimate.value <= interval.upper)
}

/// Whether the one estimate is the other plus `by`.
fn is_shifted(one: Estimate, other: Estimate, by: f64) -> bool {
    let shifted = Estimate {
        value: one.value + by,
        interval: one.interval.map(|ends| Interval { lower: ends.lower + by, upper: ends.upper + by }),
    };
    let ends = match (shifted.interval, other.interval) {
        (Some(one), Some(other)) => near(one.lower, other.lower) && near(one.upper, other.upper),
        (one, other) => one == other,
    };
    near(shifted.value, other.value) && ends
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn swapping_the_versions_mirrors_every_figure_of_differences(sample in any_sample(), seed: u64) {
        let (one, other) = (differences(&sample), mirrored(&sample));
        prop_assert_eq!(permutation::p_value(&one, seed), permutation::p_value(&other, seed));
        prop_assert!(near(wilcoxon::signed_rank(&one).p_value, wilcoxon::signed_rank(&other).p_value));
        prop_assert!(are_mirrored(wilcoxon::hodges_lehmann(&one, SURE), wilcoxon::hodges_lehmann(&other, SURE)));
        let mean = |sample| bootstrap::from_resamples(sample, Some(1000.0), SURE, seed, 499);
        prop_assert!(are_mirrored(mean(&one), mean(&other)));
    }

    #[test]
    fn swapping_the_versions_mirrors_counts(table: (u8, u8, u8, u8), ties: u8) {
        let (both, only_a, only_b, neither) = (table.0.into(), table.1.into(), table.2.into(), table.3.into());
        if let Ok(one) = PairedPasses::new(both, only_a, only_b, neither) {
            let other = PairedPasses::new(both, only_b, only_a, neither).unwrap();
            prop_assert_eq!(one.p_value(), other.p_value());
            prop_assert!(are_mirrored(one.difference(SURE), other.difference(SURE)));
            prop_assert!(holds_its_value(one.difference(SURE)));
            prop_assert!((0.0..=1.0).contains(&one.p_value()));
        }
        let one = Votes { for_a: only_a, for_b: only_b, ties: ties.into() };
        let other = Votes { for_a: only_b, for_b: only_a, ties: 0 };
        prop_assert_eq!(one.p_value(), other.p_value());
        prop_assert!(are_mirrored(one.preference(SURE), other.preference(SURE)));
        prop_assert!(holds_its_value(one.preference(SURE)));
        prop_assert!((0.0..=1.0).contains(&one.p_value()));
    }

    #[test]
    fn the_same_seed_gives_the_same_and_p_is_a_probability(sample in any_sample(), seed: u64) {
        let sample = differences(&sample);
        let p = permutation::p_value(&sample, seed);
        prop_assert_eq!(p, permutation::p_value(&sample, seed));
        prop_assert!(p > 0.0 && p <= 1.0);
        let p = wilcoxon::signed_rank(&sample).p_value;
        prop_assert!(p > 0.0 && p <= 1.0);
        let mean = |seed| bootstrap::from_resamples(&sample, None, SURE, seed, 499);
        prop_assert_eq!(mean(seed), mean(seed));
        prop_assert!(holds_its_value(wilcoxon::hodges_lehmann(&sample, SURE)));
    }

    #[test]
    fn adding_a_constant_shifts_the_estimates(sample in vec(-100.0..100.0_f64, 2..60), by in -50.0..50.0_f64, seed: u64) {
        let (one, other) = (differences(&sample), differences(&sample.iter().map(|d| d + by).collect::<Vec<_>>()));
        prop_assert!(is_shifted(wilcoxon::hodges_lehmann(&one, SURE), wilcoxon::hodges_lehmann(&other, SURE), by));
        let mean = |sample| bootstrap::from_resamples(sample, None, SURE, seed, 499);
        prop_assert!(is_shifted(mean(&one), mean(&other), by));
    }

    #[test]
    fn a_wider_confidence_gives_a_wider_interval(sample in vec(-100.0..100.0_f64, 8..60), seed: u64) {
        let sample = differences(&sample);
        let wide = Confidence::new(0.98).unwrap();
        let width = |estimate: Estimate| estimate.interval.unwrap().half_width();
        prop_assert!(width(wilcoxon::hodges_lehmann(&sample, SURE)) <= width(wilcoxon::hodges_lehmann(&sample, wide)));
        let mean = |confidence| bootstrap::from_resamples(&sample, None, confidence, seed, 499);
        prop_assert!(width(mean(SURE)) <= width(mean(wide)));
    }

    #[test]
    fn holm_raises_keeps_the_order_and_never_exceeds_bonferroni(p_values in vec(0.0..=1.0_f64, 0..12)) {
        let adjusted = holm::adjusted(&p_values);
        for (index, p) in p_values.iter().enumerate() {
            prop_assert!(adjusted[index] >= *p && adjusted[index] <= (p * p_values.len() as f64).min(1.0));
            for (other, q) in p_values.iter().enumerate() {
                prop_assert!(p >= q || adjusted[index] <= adjusted[other]);
            }
        }
    }

    #[test]
    fn differences_that_differ_only_by_rounding_are_tied(tenths in vec((0..100_i32, 0..100_i32), 1..30)) {
        let side = |of: fn(&(i32, i32)) -> i32| tenths.iter().map(|pair| f64::from(of(pair)) / 10.0).collect::<Vec<_>>();
        let sample = Differences::between(&side(|pair| pair.0), &side(|pair| pair.1)).unwrap();
        for (one, this) in sample.as_slice().iter().zip(&tenths) {
            prop_assert!((one - f64::from(this.1 - this.0) / 10.0).abs() < 1e-9);
            for (other, that) in sample.as_slice().iter().zip(&tenths) {
                prop_assert_eq!(one == other, this.1 - this.0 == that.1 - that.0);
            }
        }
    }

    #[test]
    fn swapping_the_versions_mirrors_the_verdict(sample in vec((-2..6_i32).prop_map(f64::from), 1..16)) {
        let of = |sample: &Differences| {
            verdict(Evidence::of_scores("score", sample, None, PLAN), Vec::new(), Some(0.2), PLAN).outcome
        };
        let (one, other) = (of(&differences(&sample)), of(&mirrored(&sample)));
        match one {
            Outcome::BIsBetter => prop_assert_eq!(other, Outcome::AIsBetter),
            Outcome::AIsBetter => prop_assert_eq!(other, Outcome::BIsBetter),
            one => prop_assert_eq!(std::mem::discriminant(&one), std::mem::discriminant(&other)),
        }
    }
}
