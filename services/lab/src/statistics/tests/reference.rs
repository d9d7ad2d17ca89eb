//! Equality with SciPy and statsmodels, to 1e-9.

use super::*;
use crate::statistics::tests::{counts, samples};

/// How one value of a table is held against ours.
fn for_samples<T: Copy>(references: &[T], check: impl Fn(&Differences, T, &[f64])) {
    assert_eq!(samples::SAMPLES.len(), references.len());
    for (sample, reference) in samples::SAMPLES.iter().zip(references) {
        check(&differences(sample), *reference, sample);
    }
}

#[test]
fn mcnemar_equals_statsmodels() {
    for (table, p_value, lower, upper) in counts::PASSES {
        let passes = passes(table);
        assert_close(passes.p_value(), p_value, table);
        assert_interval(passes.difference(Confidence::NINETY_FIVE).interval, Some((lower, upper)), table);
    }
}

#[test]
fn small_mcnemar_p_values_are_right_in_every_digit() {
    for (table, p_value, ..) in counts::PASSES {
        assert!((passes(table).p_value() / p_value - 1.0).abs() < 1e-9, "{table:?}");
    }
}

#[test]
fn newcombes_interval_is_the_published_one() {
    // Newcombe 1998, table III: 36, 12, 2, 0, with the difference the other way round. Fagerland, Lydersen and Laake,
    // Statistics in Medicine 33, 2014: airway hyper-responsiveness, 1, 1, 7, 12.
    for (table, lower, upper) in [((36, 2, 12, 0), 0.0569, 0.3404), ((1, 7, 1, 12), -0.507, -0.026)] {
        let interval = passes(table).difference(Confidence::NINETY_FIVE).interval.unwrap();
        assert!((interval.lower - lower).abs() < 5e-4 && (interval.upper - upper).abs() < 5e-4, "{interval:?}");
    }
}

#[test]
fn the_permutation_test_equals_scipy_and_draws_come_near() {
    for_samples(&samples::PERMUTATION, |sample, p_value, of| {
        assert_close(permutation::p_value(sample, 1), p_value, of);
        if of.iter().filter(|value| **value != 0.0).count() <= permutation::EXACT_CASES {
            assert_close(permutation::counted(sample), p_value, of);
        } else {
            let drawn = permutation::drawn(sample, 1);
            let deviation = (p_value * (1.0 - p_value) / f64::from(permutation::DRAWS)).sqrt();
            assert!((drawn - p_value).abs() < 4.0 * deviation + 1.0 / f64::from(permutation::DRAWS), "{of:?}: {drawn}");
        }
    });
}

#[test]
fn the_signed_rank_test_equals_scipy() {
    for_samples(&samples::SIGNED_RANK, |sample, p_value, of| {
        assert_close(wilcoxon::signed_rank(sample).p_value, p_value, of);
    });
    for_samples(&samples::SIGNED_RANK_STATISTIC, |sample, statistic, of| {
        assert_close(wilcoxon::signed_rank(sample).statistic, statistic, of);
    });
}

#[test]
fn the_hodges_lehmann_estimate_and_interval_are_those_of_all_pairs() {
    for_samples(&samples::HODGES_LEHMANN, |sample, value, of| {
        assert_close(wilcoxon::hodges_lehmann(sample, Confidence::NINETY_FIVE).value, value, of);
    });
    for_samples(&samples::HODGES_LEHMANN_INTERVAL, |sample, interval, of| {
        assert_interval(wilcoxon::hodges_lehmann(sample, Confidence::NINETY_FIVE).interval, interval, of);
    });
}

#[test]
fn the_signed_rank_figures_are_those_of_the_textbook() {
    // Hollander and Wolfe's depression scores, as in R: wilcox.test(x, y, paired = TRUE, conf.int = TRUE) gives V = 40, p-value =
    // 0.03906, interval 0.010 to 0.786, estimate 0.46.
    #[expect(clippy::approx_constant, reason = "3.14 is a score")]
    let after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
    let before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30];
    let sample = Differences::between(&after, &before).unwrap();
    let test = wilcoxon::signed_rank(&sample);
    assert!(test.is_exact);
    assert_close(test.statistic, 40.0, "V");
    assert_close(test.p_value, 0.039_062_5, "p");
    let estimate = wilcoxon::hodges_lehmann(&sample, Confidence::NINETY_FIVE);
    assert_close(estimate.value, 0.46, "estimate");
    assert_interval(estimate.interval, Some((0.01, 0.786)), "interval");
}

/// Means of resamples that Python can draw as well: `x = (x * 6364136223846793005 + 1442695040888963407) % 2**64`, from 12345;
/// each `x` takes `d[(x >> 33) % len(d)]`.
fn means_for_reference(sample: &[f64]) -> Vec<f64> {
    let mut state = 12_345_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sample[((state >> 33) % sample.len() as u64) as usize]
    };
    (0..999).map(|_| (0..sample.len()).map(|_| draw()).sum::<f64>() / sample.len() as f64).collect()
}

#[test]
fn the_bca_interval_of_all_resamples_equals_that_of_whole_numbers() {
    for_samples(&samples::BCA_INTERVAL_OF_ALL, |sample, interval, of| {
        let counted = !of.iter().all(|value| *value == of[0])
            && lattice::Lattice::of(sample).and_then(|lattice| lattice.resampled()).is_some();
        assert_eq!(counted, interval.is_some(), "{of:?}");
        if counted {
            let ours = bootstrap::mean_difference(sample, None, Confidence::NINETY_FIVE, 1).interval;
            assert_interval(ours, interval, of);
        }
    });
}

#[test]
fn the_bca_interval_of_given_resamples_equals_scipy() {
    for_samples(&samples::BCA_INTERVAL, |sample, interval, of| {
        let Some(interval) = interval else {
            assert_eq!(bootstrap::mean_difference(sample, None, Confidence::NINETY_FIVE, 1).interval, None, "{of:?}");
            return;
        };
        let ours = bootstrap::bca(sample, means_for_reference(of), Confidence::NINETY_FIVE);
        assert_interval(Some(ours), Some(interval), of);
    });
}

#[test]
fn the_sign_test_equals_scipy() {
    for ((for_a, for_b), p_value, lower, upper) in counts::VOTES {
        let votes = votes(for_a, for_b);
        assert_close(votes.p_value(), p_value, votes);
        assert_interval(votes.preference(Confidence::NINETY_FIVE).interval, Some((lower, upper)), votes);
    }
}

#[test]
fn holm_equals_statsmodels() {
    for (p_values, expected) in counts::HOLM {
        for (ours, expected) in holm::adjusted(p_values).into_iter().zip(expected) {
            assert_close(ours, *expected, p_values);
        }
    }
}

#[test]
fn the_power_of_mcnemar_equals_scipy() {
    for ((cases, improved, worsened, alpha), expected) in counts::POWER {
        assert_close(power::pass_power(cases, improved, worsened, alpha), expected, (cases, improved, worsened, alpha));
    }
}
