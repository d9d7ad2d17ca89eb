//! From the answers of a run to what each metric says.

use std::collections::{BTreeMap, BTreeSet};

use super::CastVote;
use crate::{
    AnswerRecord, Metric, Side, Vote,
    results::Collected,
    statistics::{self, Differences, Evidence, LeftOut, Plan, Votes},
};

/// What a metric has of a case under one version.
enum Known<T> {
    /// The values, repeat by repeat.
    All(T),
    /// At least one repeat has none.
    Lacking,
    /// The run ended before it was asked, or judged, which says nothing about the version.
    NotAsked,
}

impl<T> From<Option<T>> for Known<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Lacking, Self::All)
    }
}

/// What a metric says between two sides.
pub(super) struct Found {
    /// The test and the estimate; which cases have no result although they were asked is part of it.
    pub evidence: Evidence,
    /// Cases that nobody was asked about.
    pub not_asked: u32,
}

/// The test and the estimate of a metric between two sides; none without any result.
pub(super) fn evidence(
    metric: Metric,
    collected: &Collected,
    votes: &[CastVote],
    (one, other): (Side, Side),
    plan: Plan,
) -> Option<Found> {
    let all = cases(collected);
    if matches!(metric, Metric::Preference | Metric::Votes) {
        return ((one, other) == (Side::A, Side::B)).then(|| opinions(metric, collected, votes, plan))?;
    }
    let mut not_asked = 0;
    let mut left_out = LeftOut::default();
    let mut pairs: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    let mut unanswered = 0;
    let is_answered = |case, side| collected.of(case, side).any(|answer| answer.status == "answered");
    for case in 1..=all {
        match (known(metric, collected, case, one), known(metric, collected, case, other)) {
            (Known::NotAsked, _) | (_, Known::NotAsked) => not_asked += 1,
            (Known::All(a), Known::All(b)) => {
                unanswered += u64::from(!is_answered(case, one) && !is_answered(case, other));
                pairs.push((a, b));
            }
            (a, b) => count(&mut left_out, &a, &b),
        }
    }
    let differences = Differences::of_repeats(&pairs).ok()?;
    let name = metric.label();
    let more = left_out.one_sided();
    let evidence = match metric {
        Metric::PassRate => {
            let of = |pairs: &[_]| Evidence::of_repeated_passes(name, pairs, plan);
            let imagined = |side| {
                let results = |is_favoured: bool| pairs[0].0.iter().map(|_| f64::from(u8::from(is_favoured))).collect();
                let pair = (results(side == statistics::Side::A), results(side == statistics::Side::B));
                let all: Vec<_> = pairs.iter().chain((0..more).map(|_| &pair)).cloned().collect();
                of(&all)
            };
            let (for_a, for_b) = (imagined(statistics::Side::A).ok()?, imagined(statistics::Side::B).ok()?);
            of(&pairs).ok()?.leaving_out(left_out, |side| match side {
                statistics::Side::A => for_a.clone(),
                statistics::Side::B => for_b.clone(),
            })
        }
        Metric::Score => {
            let of = |differences: &Differences| Evidence::of_scores(name, differences, Some(1.0), plan);
            of(&differences)
                .leaving_out(left_out, |side| of(&differences.with_more(more, Some(1.0), side == statistics::Side::B)))
        }
        // Smaller values are better.
        _ => {
            let of = |differences: &Differences| Evidence::of_quantities(name, differences, plan);
            of(&differences)
                .leaving_out(left_out, |side| of(&differences.with_more(more, None, side == statistics::Side::A)))
        }
    };
    Some(Found { evidence: evidence.with_unanswered(unanswered), not_asked })
}

/// What the pairwise judge or people prefer: one opinion for each case.
fn opinions(metric: Metric, collected: &Collected, votes: &[CastVote], plan: Plan) -> Option<Found> {
    let mut by_case: BTreeMap<u32, Vec<Vote>> = BTreeMap::new();
    if metric == Metric::Votes {
        for (case, _, _, vote) in votes {
            by_case.entry(*case).or_default().push(*vote);
        }
    } else {
        for ((case, _), pair) in &collected.pairs {
            by_case.entry(*case).or_default().push(pair.preference);
        }
    }
    let shown: BTreeSet<u32> = collected.reviewable.iter().map(|(case, _)| *case).collect();
    if by_case.is_empty() && (metric == Metric::Preference || !shown.is_empty()) {
        return None;
    }
    let mut counts = Votes::default();
    let mut left_out = LeftOut::default();
    let mut not_asked = 0;
    let unjudged: BTreeSet<u32> = collected.unjudged.pairs.iter().map(|(case, _)| *case).collect();
    for case in 1..=cases(collected) {
        let repeats = match (answered(collected, case, Side::A), answered(collected, case, Side::B)) {
            (Known::NotAsked, _) | (_, Known::NotAsked) => {
                not_asked += 1;
                continue;
            }
            (Known::All(repeats), Known::All(_)) => repeats.len(),
            (a, b) => {
                count(&mut left_out, &a, &b);
                continue;
            }
        };
        let cast = by_case.get(&case).map_or(&[][..], Vec::as_slice);
        match metric {
            // Nobody was asked about identical answers: neither is better.
            Metric::Votes if cast.is_empty() && shown.contains(&case) => {
                not_asked += 1;
                continue;
            }
            Metric::Preference if unjudged.contains(&case) => {
                not_asked += 1;
                continue;
            }
            Metric::Preference if cast.len() < repeats => {
                left_out.of_both += 1;
                continue;
            }
            _ => {}
        }
        // Repeats and reviewers of a case are no cases of their own: together they have one vote.
        let of = |side| cast.iter().filter(|vote| **vote == side).count();
        match of(Vote::A).cmp(&of(Vote::B)) {
            std::cmp::Ordering::Greater => counts.for_a += 1,
            std::cmp::Ordering::Less => counts.for_b += 1,
            std::cmp::Ordering::Equal => counts.ties += 1,
        }
    }
    let of = |votes| Evidence::of_votes(metric.label(), votes, plan);
    (counts.cast() > 0).then(|| Found {
        evidence: of(counts).leaving_out(left_out, |side| of(counts.with_more(left_out.one_sided(), side))),
        not_asked,
    })
}

/// The mean over the repeats of each case for which a metric is known.
pub(super) fn values(metric: Metric, collected: &Collected, side: Side) -> Vec<f64> {
    (1..=cases(collected))
        .filter_map(|case| {
            let Known::All(values) = known(metric, collected, case, side) else { return None };
            let count = u32::try_from(values.len()).map_or(f64::MAX, f64::from);
            Some(values.iter().sum::<f64>() / count)
        })
        .collect()
}

fn count<T>(left_out: &mut LeftOut, a: &Known<T>, b: &Known<T>) {
    match (a, b) {
        (Known::Lacking, Known::All(_)) => left_out.of_a += 1,
        (Known::All(_), Known::Lacking) => left_out.of_b += 1,
        _ => left_out.of_both += 1,
    }
}

fn cases(collected: &Collected) -> u32 {
    u32::try_from(collected.cases.len()).unwrap_or(u32::MAX)
}

/// The values of a metric for a case and side.
fn known(metric: Metric, collected: &Collected, case: u32, side: Side) -> Known<Vec<f64>> {
    let waits = |answer: &AnswerRecord| {
        matches!(metric, Metric::PassRate | Metric::Score)
            && collected.unjudged.answers.contains(&(answer.case_number, answer.repeat, answer.side))
    };
    of_repeats(
        collected,
        case,
        side,
        |answer| if waits(answer) { Known::NotAsked } else { value(metric, answer).into() },
    )
}

/// The answers to a case, as far as there are any to compare.
fn answered(collected: &Collected, case: u32, side: Side) -> Known<Vec<()>> {
    of_repeats(collected, case, side, |answer| (answer.status == "answered").then_some(()).into())
}

fn of_repeats<T>(
    collected: &Collected,
    case: u32,
    side: Side,
    value: impl Fn(&AnswerRecord) -> Known<T>,
) -> Known<Vec<T>> {
    let mut values = Vec::new();
    let mut is_lacking = false;
    for answer in collected.of(case, side) {
        if !matches!(answer.status.as_str(), "answered" | "failed") {
            return Known::NotAsked;
        }
        match value(answer) {
            Known::All(value) => values.push(value),
            Known::Lacking => is_lacking = true,
            Known::NotAsked => return Known::NotAsked,
        }
    }
    match (is_lacking, values.is_empty()) {
        (true, _) => Known::Lacking,
        (false, true) => Known::NotAsked,
        (false, false) => Known::All(values),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^52")]
fn value(metric: Metric, answer: &AnswerRecord) -> Option<f64> {
    match metric {
        Metric::PassRate => answer.passed.map(|passed| f64::from(u8::from(passed))),
        Metric::Score => answer.score,
        Metric::Latency => answer.latency_ms,
        Metric::FirstToken => answer.first_token_ms,
        Metric::OutputTokens => answer.output_tokens.map(|tokens| tokens as f64),
        Metric::Cost => answer.cost_usd,
        Metric::Preference | Metric::Votes => None,
    }
}
