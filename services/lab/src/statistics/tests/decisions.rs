//! What is refused, what is said of degenerate results, and what the verdict is.

use super::*;

fn scores(values: &[f64]) -> Evidence {
    Evidence::of_scores("score", &differences(values), Some(1.0), PLAN)
}

fn latency(values: &[f64], plan: Plan) -> Evidence {
    Evidence::of_quantities("latency", &differences(values), plan)
}

fn judged(primary: Evidence) -> Outcome {
    verdict(primary, Vec::new(), None, PLAN).outcome
}

#[test]
fn refuses_what_cannot_be_compared() {
    assert_eq!(Differences::new(Vec::new()), Err(StatisticsError::NoCases));
    assert_eq!(Differences::between(&[], &[]), Err(StatisticsError::NoCases));
    assert_eq!(Differences::between(&[1.0], &[]), Err(StatisticsError::NotPaired { a: 1, b: 0 }));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e101] {
        assert_eq!(Differences::new(vec![0.0, bad]), Err(StatisticsError::NotANumber { case: 1 }));
        assert_eq!(Differences::between(&[0.0, bad], &[0.0, 1.0]), Err(StatisticsError::NotANumber { case: 1 }));
    }
    assert_eq!(
        Differences::of_repeats(&[(vec![1.0], vec![1.0]), (vec![1.0], vec![])]),
        Err(StatisticsError::NoRepeats { case: 1 })
    );
    assert_eq!(PairedPasses::count([]), Err(StatisticsError::NoCases));
    for share in [0.5, 1.0, 95.0, f64::NAN] {
        assert_eq!(Confidence::new(share), Err(StatisticsError::Confidence));
    }
}

#[test]
fn repeats_count_as_one_case() {
    let cases = [(vec![0.0, 1.0, 1.0], vec![1.0]), (vec![0.5, 0.5], vec![0.0, 1.0, 0.5])];
    let sample = Differences::of_repeats(&cases).unwrap();
    assert_eq!(sample.cases(), 2);
    assert_close(sample.as_slice()[0], 1.0 / 3.0, "first");
    assert_close(sample.as_slice()[1], 0.0, "second");
}

#[test]
fn counting_cases_gives_the_same_as_the_counts() {
    let cases = [(true, true), (true, false), (false, true), (false, true), (false, false)];
    assert_eq!(PairedPasses::count(cases), PairedPasses::new(1, 1, 2, 1));
}

#[test]
fn nothing_that_differs_is_no_evidence() {
    for cases in [1, 2, 7, 60, 500] {
        let sample = differences(&vec![0.0; cases]);
        assert_eq!(permutation::p_value(&sample, 1), 1.0);
        assert_eq!(wilcoxon::signed_rank(&sample).p_value, 1.0);
        assert_eq!(wilcoxon::hodges_lehmann(&sample, Confidence::NINETY_FIVE).value, 0.0);
    }
    let ties = Votes { for_a: 0, for_b: 0, ties: 9 };
    assert_eq!(ties.p_value(), 1.0);
    assert_eq!(ties.preference(Confidence::NINETY_FIVE), Estimate { value: 0.0, interval: None });
}

#[test]
fn equal_differences_have_an_interval_only_with_a_range() {
    let of = |cases: usize, range| {
        bootstrap::mean_difference(&differences(&vec![0.0; cases]), range, Confidence::NINETY_FIVE, 1).interval
    };
    assert_eq!(of(20, None), None);
    // 1 - 0.025^(1/20) = 0.16843347098308542, the upper Clopper–Pearson limit of 0 in 20.
    assert_interval(of(20, Some(1.0)), Some((-0.168_433_470_983_085_4, 0.168_433_470_983_085_4)), "20");
    assert!(of(1, Some(1.0)).unwrap().half_width() > 0.97);
    assert!(of(500, Some(1.0)).unwrap().half_width() < 0.01);
}

#[test]
fn large_samples_are_quick_and_finite() {
    let sample = differences(&(0..20_000).map(|case| f64::from((case * 7919) % 1000 - 480)).collect::<Vec<_>>());
    let estimate = wilcoxon::hodges_lehmann(&sample, Confidence::NINETY_FIVE);
    let interval = estimate.interval.unwrap();
    assert!(interval.lower < estimate.value && estimate.value < interval.upper);
    assert!((estimate.value - 19.5).abs() < 1.0, "{estimate:?}");
}

#[test]
fn names_the_better_version_by_the_direction_of_the_metric() {
    let up = [0.1, 0.2, 0.3, 0.2, 0.1, 0.4, 0.3, 0.2];
    let down = up.map(|value| -value);
    assert_eq!(judged(scores(&up)), Outcome::BIsBetter);
    assert_eq!(judged(scores(&down)), Outcome::AIsBetter);
    assert_eq!(judged(latency(&up, PLAN)), Outcome::AIsBetter);
    assert_eq!(judged(latency(&down, PLAN)), Outcome::BIsBetter);
    assert_eq!(judged(Evidence::of_votes("votes", votes(2, 14), PLAN)), Outcome::BIsBetter);
    assert_eq!(judged(Evidence::of_passes("passes", passes((20, 12, 1, 3)), PLAN)), Outcome::AIsBetter);
}

#[test]
fn a_few_points_more_on_twenty_cases_cannot_be_told() {
    let primary = Evidence::of_passes("passes", passes((15, 1, 2, 2)), PLAN);
    let Outcome::CannotTell { doubt: Doubt::Chance, cases_needed: Some(needed) } = judged(primary) else { panic!() };
    assert!(needed > 200, "{needed}");
}

#[test]
fn the_cases_that_are_needed_are_those_that_settle_it() {
    let needed = |table, margin| {
        let primary = Evidence::of_passes("passes", passes(table), PLAN);
        match verdict(primary, Vec::new(), margin, PLAN).outcome {
            Outcome::CannotTell { doubt: Doubt::Chance, cases_needed: Some(needed) } => needed,
            other => panic!("{other:?}"),
        }
    };
    // Three points of twenty: it is the difference that is to be told, however small the margin is.
    let table = (15, 1, 4, 0);
    assert_eq!(needed(table, Some(0.01)), needed(table, None));
    // None is seen: so many cases as would tell a difference as large as the margin, and a third more to rule it out.
    let even = needed((15, 2, 2, 1), Some(0.1));
    let seen = Evidence::of_passes("passes", passes((15, 2, 2, 1)), PLAN);
    let told = power::cases_for_difference(20, verdict(seen, Vec::new(), None, PLAN).primary.detectable.unwrap(), 0.1);
    assert_eq!(even, power::cases_for_equivalence(told, Confidence::NINETY_FIVE));
    // (1.9600 + 1.2816)² / (1.9600 + 0.8416)²
    assert_eq!(power::cases_for_equivalence(10_000, Confidence::NINETY_FIVE), 13_388);
}

#[test]
fn too_few_cases_are_said_to_be_too_few() {
    let outcome = judged(scores(&[0.4, 0.5, 0.3, 0.9, 0.8]));
    assert_eq!(outcome, Outcome::CannotTell { doubt: Doubt::TooFewCases { fewest: 6 }, cases_needed: Some(6) });
    assert_eq!(power::fewest_cases(0.05), 6);
    assert_eq!(power::fewest_cases(0.025), 7);
}

#[test]
fn equivalence_needs_the_whole_interval_within_the_margin() {
    let of = |table, margin| {
        verdict(Evidence::of_passes("passes", passes(table), PLAN), Vec::new(), Some(margin), PLAN).outcome
    };
    assert_eq!(of((950, 10, 12, 28), 0.03), Outcome::Equivalent { margin: 0.03 });
    assert!(matches!(of((19, 0, 0, 1), 0.03), Outcome::CannotTell { .. }));
    // A difference that can be told and was said not to matter.
    assert_eq!(of((9_000, 40, 80, 880), 0.02), Outcome::Equivalent { margin: 0.02 });
    assert_eq!(of((9_000, 40, 80, 880), 0.001), Outcome::BIsBetter);
}

#[test]
fn a_difference_within_the_noise_is_not_called_one() {
    let up = [0.1, 0.2, 0.3, 0.2, 0.1, 0.4, 0.3, 0.2];
    let floor = |values: &[f64]| {
        NoiseFloor::of(&bootstrap::mean_difference(&differences(values), Some(1.0), Confidence::NINETY_FIVE, 3))
    };
    let loud = floor(&[0.9, -0.8, 0.7, -0.9, 0.6, -0.7, 0.8, -0.5]);
    let calm = floor(&[0.01, -0.02, 0.01, 0.0, 0.0, -0.01, 0.02, 0.0]);
    let Outcome::CannotTell { doubt, .. } = judged(scores(&up).with_noise_floor(loud)) else { panic!() };
    assert_eq!(doubt, Doubt::Noise { floor: loud.value() });
    let told = verdict(scores(&up).with_noise_floor(calm), Vec::new(), None, PLAN);
    assert_eq!(told.outcome, Outcome::BIsBetter);
    assert!(told.primary.detectable > scores(&up).detectable || calm.value() < scores(&up).detectable.unwrap() * 0.7);
}

#[test]
fn more_deciding_metrics_ask_for_more_evidence() {
    // 7 of 7: 2 / 2^7 = 0.0156; with four metrics 0.0625.
    let seven = [0.1, 0.2, 0.3, 0.2, 0.1, 0.4, 0.3];
    let plan = Plan { deciding_metrics: 4, ..PLAN };
    let idle = || latency(&[1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.5], plan);
    let judged = |others| verdict(scores(&seven), others, None, plan);
    assert_eq!(judged(Vec::new()).outcome, Outcome::BIsBetter);
    let many = judged(vec![idle(), idle(), idle()]);
    assert!(matches!(many.outcome, Outcome::CannotTell { .. }));
    assert_close(many.primary.adjusted_p_value, 0.0625, "adjusted");
}

#[test]
fn deciding_metrics_that_contradict_the_primary_one_leave_it_to_people() {
    let better = [0.1, 0.2, 0.3, 0.2, 0.1, 0.4, 0.3, 0.2, 0.5];
    let slower = [100.0, 240.0, 310.0, 90.0, 50.0, 400.0, 170.0, 20.0, 130.0];
    let plan = Plan { deciding_metrics: 2, ..PLAN };
    let found = verdict(scores(&better), vec![latency(&slower, plan)], None, plan);
    let doubt = Doubt::MetricsDisagree { metrics: vec!["latency".into()] };
    assert_eq!(found.outcome, Outcome::CannotTell { doubt, cases_needed: None });
    assert_eq!((found.primary.favours, found.others[0].favours), (Some(Side::B), Some(Side::A)));
}

#[test]
fn the_cases_that_a_difference_needs_are_those_of_the_literature() {
    // "About 500 paired cases for 80 percent power when 10 percent of cases improve and 5 percent worsen, about 200 at 15 and 5".
    let needed = |improved: f64, worsened: f64| {
        power::cases_for_pass_difference(improved - worsened, 2.0 * worsened, 0.05).unwrap()
    };
    let (hard, easier) = (needed(0.10, 0.05), needed(0.15, 0.05));
    assert!((450..=550).contains(&hard) && (150..=230).contains(&easier), "{hard} {easier}");
    assert_eq!(power::cases_for_pass_difference(0.0005, 0.9, 0.05), None);
}

#[test]
fn a_detectable_difference_is_detected_and_a_smaller_one_is_not() {
    for cases in [10, 20, 50, 200, 1_000] {
        for churn in [0.0_f64, 0.05, 0.2, 0.5, 0.9] {
            let difference = power::detectable_pass_difference(cases, churn, 0.05).unwrap();
            let found = |difference: f64| {
                let discordance = (churn + difference).min(1.0);
                power::pass_power(cases, (discordance + difference) / 2.0, (discordance - difference) / 2.0, 0.05)
            };
            assert!(found(difference) >= 0.8 && found(difference - 1e-4) < 0.8, "{cases} {churn} {difference}");
        }
    }
    assert_eq!(power::detectable_pass_difference(5, 0.5, 0.05), None);
}

#[test]
fn resamples_of_few_values_are_counted() {
    // Of 27 resamples of 0, 1 and 1: one has the sum 0, six have 1, twelve have 2, eight have 3.
    let means = lattice::Lattice::of(&differences(&[0.0, 0.2, 0.2])).unwrap().resampled().unwrap();
    assert_close(means.share_below(), (1.0 + 6.0 + 12.0 / 2.0) / 27.0, "share below");
    assert_close(means.quantile_below(0.03), 0.0, "1 of 27 is more than 3 percent");
    assert_close(means.quantile_below(0.04), 0.2 / 3.0, "1 of 27 is less than 4 percent");
    assert_close(means.quantile_above(0.29), 0.2, "8 of 27 are more than 29 percent");
    assert_close(means.quantile_above(0.30), 0.4 / 3.0, "8 of 27 are less than 30 percent");
}

#[test]
fn counting_resamples_gives_what_drawing_comes_near() {
    let thirds: Vec<f64> = (0..60_u32).map(|case| (f64::from(case * 7 % 5) - 1.5).round() / 3.0).collect();
    let sample = differences(&thirds);
    let of = |estimate: Estimate| estimate.interval.unwrap();
    let counted = of(bootstrap::mean_difference(&sample, None, Confidence::NINETY_FIVE, 1));
    let drawn = of(bootstrap::from_resamples(&sample, None, Confidence::NINETY_FIVE, 1, 99_999));
    // Means come in steps of a third of a case.
    let step = 1.0 / 3.0 / 60.0 + 1e-9;
    assert!((counted.lower - drawn.lower).abs() <= step && (counted.upper - drawn.upper).abs() <= step, "{drawn:?}");
    assert_eq!(counted, of(bootstrap::mean_difference(&sample, None, Confidence::NINETY_FIVE, 2)), "no seed matters");
}

#[test]
fn differences_without_a_step_are_drawn() {
    let odd: Vec<f64> = (1..40_u32).map(|case| f64::from(case).sqrt() - 3.0).collect();
    assert!(lattice::Lattice::of(&differences(&odd)).is_none());
    assert!(lattice::Lattice::of(&differences(&[0.0, 0.0])).is_none());
    let large = differences(&(0..20_000).map(|case| f64::from((case * 7919) % 1000 - 480)).collect::<Vec<_>>());
    assert!(lattice::Lattice::of(&large).unwrap().as_far().is_none(), "it would take too long");
}

#[test]
fn a_winner_needs_the_interval_too() {
    let mut evidence = scores(&[0.1, 0.2, 0.3, 0.2, 0.1, 0.4, 0.3, 0.2]);
    assert_eq!(judged(evidence.clone()), Outcome::BIsBetter);
    evidence.difference.interval = Some(Interval { lower: 0.0, upper: 0.5 });
    assert!(matches!(judged(evidence), Outcome::CannotTell { doubt: Doubt::Chance, .. }));
}

#[test]
fn failing_alike_is_no_equivalence() {
    let of = |table, unanswered, margin| {
        let evidence = Evidence::of_passes("passes", passes(table), PLAN).with_unanswered(unanswered);
        verdict(evidence, Vec::new(), margin, PLAN).outcome
    };
    let unanswered = |cases| Outcome::CannotTell { doubt: Doubt::Unanswered { cases }, cases_needed: None };
    assert_eq!(of((0, 0, 0, 300), 300, Some(0.05)), unanswered(300));
    assert_eq!(of((0, 0, 0, 300), 61, Some(0.05)), unanswered(61));
    assert_eq!(of((0, 0, 0, 300), 60, Some(0.05)), Outcome::Equivalent { margin: 0.05 }, "a fifth hides little");
    assert_eq!(of((0, 0, 0, 300), 300, None), unanswered(300));
    // That both failed takes nothing from a difference on the others.
    assert_eq!(of((0, 0, 50, 250), 250, None), of((0, 0, 50, 250), 0, None));
    assert_ne!(of((0, 0, 50, 250), 250, None), unanswered(250));
}

#[test]
fn equivalence_does_not_hide_what_another_deciding_metric_tells() {
    let plan = Plan { deciding_metrics: 2, ..PLAN };
    let equal = || Evidence::of_passes("passes", passes((950, 10, 12, 28)), plan);
    let slower = [100.0, 240.0, 310.0, 90.0, 50.0, 400.0, 170.0, 20.0, 130.0];
    let of = |values: &[f64]| verdict(equal(), vec![latency(values, plan)], Some(0.03), plan).outcome;
    let doubt = Doubt::OthersDiffer { margin: 0.03, metrics: vec!["latency".into()] };
    assert_eq!(of(&slower), Outcome::CannotTell { doubt: doubt.clone(), cases_needed: None });
    assert_eq!(of(&slower.map(|value| -value)), Outcome::CannotTell { doubt, cases_needed: None });
    assert_eq!(of(&[1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.5]), Outcome::Equivalent { margin: 0.03 });
}

/// Latencies of so many cases on which B is quicker, while others were left out.
fn quicker(cases: usize, left_out: LeftOut) -> Evidence {
    let sample = differences(&(0..cases).map(|case| -10.0 - case as f64).collect::<Vec<_>>());
    latency(sample.as_slice(), PLAN).leaving_out(left_out, |side| {
        latency(sample.with_more(left_out.one_sided(), None, side == Side::A).as_slice(), PLAN)
    })
}

#[test]
fn a_version_does_not_win_by_the_cases_that_it_did_not_fail() {
    let of = |cases, left_out| verdict(quicker(cases, left_out), Vec::new(), None, PLAN);
    let left_out = |of_a, of_b, of_both| LeftOut { of_a, of_b, of_both };
    let doubt = |too_many| Outcome::CannotTell { doubt: Doubt::LeftOut { too_many }, cases_needed: None };
    assert_eq!(of(20, left_out(0, 0, 0)).outcome, Outcome::BIsBetter);
    assert_eq!(of(20, left_out(0, 20, 0)).outcome, doubt(true));
    assert_eq!(of(20, left_out(3, 0, 3)).outcome, doubt(true), "whosever they are");
    // One of 21 does not turn it. Of eight, one makes 8 of 9 ranks, and the largest speaks against it.
    assert_eq!(of(20, left_out(0, 1, 0)).outcome, Outcome::BIsBetter);
    assert_eq!(of(20, left_out(0, 0, 4)).outcome, Outcome::BIsBetter, "nobody is favoured");
    let few = of(8, left_out(0, 2, 0));
    assert_eq!(few.outcome, doubt(false));
    assert_eq!((few.primary.points_to, few.primary.favours), (Some(Side::B), None));
}

#[test]
fn equivalence_needs_the_cases_that_were_left_out() {
    let of = |of_b| {
        let evidence =
            |only_a, only_b| Evidence::of_passes("passes", passes((950, 10 + only_a, 12 + only_b, 28)), PLAN);
        let left_out = LeftOut { of_b, ..LeftOut::default() };
        let found = evidence(0, 0).leaving_out(left_out, |side| match side {
            Side::A => evidence(of_b, 0),
            Side::B => evidence(0, of_b),
        });
        verdict(found, Vec::new(), Some(0.03), PLAN).outcome
    };
    assert_eq!(of(5), Outcome::Equivalent { margin: 0.03 });
    assert_eq!(of(50), Outcome::CannotTell { doubt: Doubt::LeftOut { too_many: false }, cases_needed: None });
}

#[test]
fn a_metric_with_cases_left_out_still_contradicts() {
    let plan = Plan { deciding_metrics: 2, ..PLAN };
    let better = scores(&[0.1, 0.2, 0.3, 0.2, 0.1, 0.4, 0.3, 0.2, 0.5]);
    let slower = differences(&[100.0, 240.0, 310.0, 90.0, 50.0, 400.0, 170.0, 20.0, 130.0]);
    let left_out = LeftOut { of_b: 9, ..LeftOut::default() };
    let other = latency(slower.as_slice(), plan)
        .leaving_out(left_out, |side| latency(slower.with_more(9, None, side == Side::A).as_slice(), plan));
    let doubt = Doubt::MetricsDisagree { metrics: vec!["latency".into()] };
    assert_eq!(verdict(better, vec![other], None, plan).outcome, Outcome::CannotTell { doubt, cases_needed: None });
}

#[test]
fn of_votes_the_cases_needed_count_ties_too() {
    let needed = |votes: Votes| match judged(Evidence::of_votes("votes", votes, PLAN)) {
        Outcome::CannotTell { cases_needed, doubt } => (cases_needed, doubt),
        told => panic!("{told:?}"),
    };
    // Of 200 cases 3 were decided, and 6 decided ones are the least.
    let (cases, doubt) = needed(Votes { for_a: 0, for_b: 3, ties: 197 });
    assert_eq!((cases, doubt), (Some(400), Doubt::TooFewCases { fewest: 6 }));
    let (all_decided, _) = needed(Votes { for_a: 8, for_b: 12, ties: 0 });
    let (half_decided, _) = needed(Votes { for_a: 8, for_b: 12, ties: 20 });
    assert_eq!(half_decided.unwrap(), 2 * all_decided.unwrap());
    assert_eq!(needed(Votes { for_a: 0, for_b: 0, ties: 9 }).0, None, "nothing hints at a number");
}

#[test]
fn the_cases_needed_have_to_tell_it_from_the_noise() {
    let up = scores(&[0.1, 0.2, 0.3, 0.2, 0.1, 0.4, 0.3, 0.2]);
    let floor = NoiseFloor::of(&Estimate { value: 0.3, interval: None });
    let found = verdict(up.with_noise_floor(floor), Vec::new(), None, PLAN);
    let Outcome::CannotTell { doubt: Doubt::Noise { .. }, cases_needed: Some(needed) } = found.outcome else {
        panic!()
    };
    let detectable = found.primary.detectable.unwrap();
    assert!(detectable > found.primary.evidence.detectable.unwrap());
    assert_eq!(needed, power::cases_for_difference(8, detectable, found.primary.evidence.difference.value));
}
