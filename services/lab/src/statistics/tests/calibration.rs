//! Many experiments with a known truth: how often the lab errs, and how often it finds.
//!
//! The pass rate is what a verdict is mostly about, and its verdict is held to the letter: with no true difference a
//! winner is named in at most 5 percent of 2,000 experiments in every cell of a grid, and a difference of the size that
//! a run says it could have told is then found, on the right side, in at least 80 percent of 2,000. Exact tests of
//! counts make that possible: their probability of erring stays below their level, because counts come in steps. All
//! goes through the same [`Evidence`] and [`verdict()`] as a run's figures. The seeds are fixed and were not chosen: each
//! is the first that was tried.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

use super::*;

const EXPERIMENTS: u32 = 2_000;
const CASES: [usize; 3] = [20, 50, 200];
const PASSING: [f64; 3] = [0.5, 0.8, 0.95];

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

/// Cases that pass with these rates, under A and under B independently, as often as there are repeats.
fn experiment(random: &mut ChaCha8Rng, (repeats, cases): (usize, usize), rate_a: f64, rate_b: f64) -> Evidence {
    let mut side = |rate: f64| (0..repeats).map(|_| f64::from(u8::from(uniform(random) < rate))).collect::<Vec<_>>();
    let results: Vec<_> = (0..cases).map(|_| (side(rate_a), side(rate_b))).collect();
    Evidence::of_repeated_passes("pass rate", &results, PLAN).unwrap()
}

fn winner(evidence: Evidence) -> Option<Side> {
    match verdict(evidence, Vec::new(), None, PLAN).outcome {
        Outcome::AIsBetter => Some(Side::A),
        Outcome::BIsBetter => Some(Side::B),
        _ => None,
    }
}

/// The share that a test at a level of 5 percent exceeds by chance in one of 1,000 simulations.
///
/// Where results do not come in steps, such a test errs in exactly 5 percent, so that of 2,000 experiments more than 100
/// err in every other simulation.
fn assert_rare(rate: f64, of: impl std::fmt::Debug) {
    let limit = (100..).find(|errors| binomial::at_least(errors + 1, EXPERIMENTS.into(), 0.05) < 0.001).unwrap();
    assert!(rate * f64::from(EXPERIMENTS) <= limit as f64, "{of:?}: {rate}");
}

/// With no true difference a winner is named in at most 5 percent of the experiments: in every cell, with no allowance
/// for chance.
fn assert_no_false_winner(repeats: usize) {
    for cases in CASES {
        for passing in PASSING {
            let named = rate(1, |random| winner(experiment(random, (repeats, cases), passing, passing)).is_some());
            assert!(named <= 0.05, "{repeats} x {cases} cases that pass at {passing}: {named}");
        }
    }
}

#[test]
fn no_winner_is_named_where_there_is_none() {
    assert_no_false_winner(1);
}

#[test]
fn no_winner_is_named_where_there_is_none_with_repeats() {
    assert_no_false_winner(3);
}

/// What a run without a difference says that it could have told is made true, and another run is asked. The worse
/// version passes less often by that much; where so much does not fit below the pass rate, it never passes and the
/// other one passes more often than the pass rate.
fn assert_found(repeats: usize, cases: usize, passing: f64) {
    let mut wrong = 0;
    let found = rate(11, |random| {
        let detectable = experiment(random, (repeats, cases), passing, passing).detectable.unwrap();
        let worse = (passing - detectable).max(0.0);
        let named = winner(experiment(random, (repeats, cases), worse + detectable, worse));
        wrong += u32::from(named == Some(Side::B));
        named == Some(Side::A)
    });
    let wrong = f64::from(wrong) / f64::from(EXPERIMENTS);
    assert!(found >= 0.8 && wrong < 0.005, "{repeats} x {cases} cases that pass at {passing}: {found}, {wrong} wrong");
}

/// The same with a better version, which passes more often. Only few cells have room above the pass rate for what they
/// can tell: 1 less the pass rate is less than that in all others, so that no version could be better by so much.
fn assert_found_upwards(repeats: usize, cases: usize, passing: f64) {
    let mut wrong = 0;
    let found = rate(12, |random| {
        let detectable = experiment(random, (repeats, cases), passing, passing).detectable.unwrap();
        assert!(passing + detectable <= 1.0, "{repeats} x {cases} at {passing}: {detectable}");
        let named = winner(experiment(random, (repeats, cases), passing, passing + detectable));
        wrong += u32::from(named == Some(Side::A));
        named == Some(Side::B)
    });
    let wrong = f64::from(wrong) / f64::from(EXPERIMENTS);
    assert!(found >= 0.8 && wrong < 0.005, "{repeats} x {cases} cases that pass at {passing}: {found}, {wrong} wrong");
}

#[test]
fn a_difference_that_it_says_it_can_tell_is_told() {
    for cases in CASES {
        for passing in PASSING {
            assert_found(1, cases, passing);
        }
    }
    for (cases, passing) in [(50, 0.5), (200, 0.5), (200, 0.8)] {
        assert_found_upwards(1, cases, passing);
    }
}

#[test]
fn a_difference_that_it_says_it_can_tell_is_told_with_repeats() {
    for cases in CASES {
        for passing in PASSING {
            assert_found(3, cases, passing);
        }
    }
    for (cases, passing) in [(50, 0.5), (200, 0.5), (200, 0.8)] {
        assert_found_upwards(3, cases, passing);
    }
}

#[test]
fn drawing_signs_rarely_finds_a_difference_where_there_is_none() {
    let found = rate(3, |random| permutation::drawn(&skewed(random, 40), 5) <= 0.05);
    assert_rare(found, "drawn");
}

#[test]
fn signed_rank_rarely_finds_a_difference_where_there_is_none() {
    for cases in [7, 20, 80] {
        let found = rate(4, |random| wilcoxon::signed_rank(&skewed(random, cases)).p_value <= 0.05);
        assert_rare(found, cases);
        let tied = rate(5, |random| wilcoxon::signed_rank(&repeated(random, cases, 0.8, 0.8)).p_value <= 0.05);
        assert_rare(tied, cases);
    }
}

#[test]
fn sign_rarely_finds_a_difference_where_there_is_none() {
    for count in [6, 17, 60, 300_u32] {
        let found = rate(6, |random| {
            let for_a = (0..count).filter(|_| uniform(random) < 0.5).count() as u32;
            votes(for_a, count - for_a).p_value() <= 0.05
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
        let estimate = bootstrap::mean_difference(&sample, None, Confidence::NINETY_FIVE, 1);
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
