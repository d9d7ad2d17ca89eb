//! Many experiments with a known truth: how often a test errs, and how often it finds.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::*;

const EXPERIMENTS: u32 = 2_000;

/// A number from 0 up to 1.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The share of experiments for which this holds.
fn rate(seed: u64, holds: impl FnMut(&mut ChaCha8Rng) -> bool) -> f64 {
    rate_of(EXPERIMENTS, seed, holds)
}

fn rate_of(experiments: u32, seed: u64, mut holds: impl FnMut(&mut ChaCha8Rng) -> bool) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let times: u32 = (0..experiments).map(|_| u32::from(holds(&mut random))).sum();
    f64::from(times) / f64::from(experiments)
}

/// Cases that pass with these rates, under A and under B independently.
fn pass_fail(random: &mut ChaCha8Rng, cases: usize, rate_a: f64, rate_b: f64) -> PairedPasses {
    PairedPasses::count((0..cases).map(|_| (uniform(random) < rate_a, uniform(random) < rate_b))).unwrap()
}

/// Latencies with a long tail, as differences.
fn skewed(random: &mut ChaCha8Rng, cases: usize) -> Differences {
    let mut latency = || (500.0 / (uniform(random) + 0.01).powf(0.7)).round();
    Differences::between(
        &(0..cases).map(|_| latency()).collect::<Vec<_>>(),
        &(0..cases).map(|_| latency()).collect::<Vec<_>>(),
    )
    .unwrap()
}

/// Means over three repeats of passing or failing.
fn repeated(random: &mut ChaCha8Rng, cases: usize, rate_a: f64, rate_b: f64) -> Differences {
    let mut side = |rate: f64| (0..3).map(|_| f64::from(u8::from(uniform(random) < rate))).collect::<Vec<_>>();
    Differences::of_repeats(&(0..cases).map(|_| (side(rate_a), side(rate_b))).collect::<Vec<_>>()).unwrap()
}

fn assert_rare(rate: f64, of: impl std::fmt::Debug) {
    assert!(rate <= 0.06, "{of:?}: {rate}");
}

#[test]
fn mcnemar_rarely_finds_a_difference_where_there_is_none() {
    for cases in [20, 50, 200] {
        for passing in [0.5, 0.8, 0.95] {
            let found = rate(1, |random| pass_fail(random, cases, passing, passing).p_value() < 0.05);
            assert_rare(found, (cases, passing));
        }
    }
}

#[test]
fn permutation_rarely_finds_a_difference_where_there_is_none() {
    for (cases, passing) in [(8, 0.5), (16, 0.5), (20, 0.8), (20, 0.95)] {
        let found = rate(2, |random| permutation::p_value(&repeated(random, cases, passing, passing), 5) < 0.05);
        assert_rare(found, (cases, passing));
    }
    // Drawing takes longer, so there are fewer experiments: three deviations of 300 make 0.088.
    let found = rate_of(300, 3, |random| permutation::p_value(&skewed(random, 40), 5) < 0.05);
    assert!(found <= 0.088, "{found}");
}

#[test]
fn signed_rank_rarely_finds_a_difference_where_there_is_none() {
    for cases in [7, 20, 80] {
        let found = rate(4, |random| wilcoxon::signed_rank(&skewed(random, cases)).p_value < 0.05);
        assert_rare(found, cases);
        let tied = rate(5, |random| wilcoxon::signed_rank(&repeated(random, cases, 0.8, 0.8)).p_value < 0.05);
        assert_rare(tied, cases);
    }
}

#[test]
fn sign_rarely_finds_a_difference_where_there_is_none() {
    for count in [6, 17, 60, 300_u32] {
        let found = rate(6, |random| {
            let for_a = (0..count).filter(|_| uniform(random) < 0.5).count() as u32;
            votes(for_a, count - for_a).p_value() < 0.05
        });
        assert_rare(found, count);
    }
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for (cases, rate_a, rate_b) in [(20, 0.5, 0.8), (50, 0.95, 0.95), (200, 0.8, 0.9)] {
        let held = rate(7, |random| {
            let interval = pass_fail(random, cases, rate_a, rate_b).difference(Confidence::NINETY_FIVE).interval;
            interval.is_some_and(|interval| interval.lower <= rate_b - rate_a && rate_b - rate_a <= interval.upper)
        });
        assert!(held >= 0.94, "{cases} {rate_a} {rate_b}: {held}");
    }
    // Computing an interval takes longer, so there are fewer experiments: 500 have a deviation of 0.01.
    for cases in [7, 30, 60] {
        let held = rate_of(500, 8, |random| {
            let interval = wilcoxon::hodges_lehmann(&skewed(random, cases), Confidence::NINETY_FIVE).interval;
            interval.is_some_and(|interval| interval.lower <= 0.0 && 0.0 <= interval.upper)
        });
        assert!(held >= 0.92, "{cases}: {held}");
    }
    // The bootstrap is asymptotic: with 40 cases 95 percent are not quite reached.
    let held = rate_of(500, 9, |random| {
        let sample = repeated(random, 40, 0.5, 0.5);
        let estimate = bootstrap::from_resamples(&sample, None, Confidence::NINETY_FIVE, 1, 499);
        estimate.interval.is_some_and(|interval| interval.lower <= 0.0 && 0.0 <= interval.upper)
    });
    assert!(held >= 0.91, "{held}");
}

#[test]
fn several_metrics_together_rarely_name_a_winner_where_there_is_none() {
    let plan = Plan { deciding_metrics: 3, ..PLAN };
    let named = rate(10, |random| {
        let primary = Evidence::of_passes("passes", pass_fail(random, 20, 0.8, 0.8), plan);
        let others = vec![
            Evidence::of_quantities("latency", &skewed(random, 20), plan),
            Evidence::of_votes("votes", votes((random.next_u64() % 12) as u32, (random.next_u64() % 12) as u32), plan),
        ];
        matches!(verdict(primary, others, None, plan).outcome, Outcome::AIsBetter | Outcome::BIsBetter)
    });
    assert!(named <= 0.05, "{named}");
}

#[test]
fn a_difference_that_it_says_it_can_detect_is_found_on_the_right_side() {
    // What a run without a difference says it could have told is then made true, against B: there the spread grows.
    for (cases, passing) in [(20, 0.8), (50, 0.8), (50, 0.95), (200, 0.5)] {
        // Drawing signs for 200 cases takes too long.
        for is_repeated in if cases > 50 { vec![false] } else { vec![false, true] } {
            let run = |random: &mut ChaCha8Rng, rate_b: f64| {
                if is_repeated {
                    // Without the interval, which would take most of the time.
                    let sample = repeated(random, cases, passing, rate_b);
                    (power::detectable_mean_difference(&sample, 0.05), sample.mean(), permutation::p_value(&sample, 5))
                } else {
                    let sample = pass_fail(random, cases, passing, rate_b);
                    let evidence = Evidence::of_passes("passes", sample, PLAN);
                    (evidence.detectable, evidence.difference.value, evidence.p_value)
                }
            };
            let mut wrong = 0;
            let right = rate_of(100, 11, |random| {
                let detectable = run(random, passing).0.unwrap_or(passing).min(passing);
                let (_, difference, p_value) = run(random, passing - detectable);
                wrong += u32::from(p_value <= 0.05 && difference > 0.0);
                p_value <= 0.05 && difference < 0.0
            });
            assert!(right >= 0.8 && wrong == 0, "{cases} {passing} {is_repeated}: {right} {wrong}");
        }
    }
}
