//! Which calls a run makes, in which order. Pure: the same plan gives the same calls.

use agents::{Price, Prices, estimate_tokens};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

use crate::{
    RunPlan, Side,
    cases::TestCase,
    checks::{Check, pair_prompt, rubric_prompt},
    messages::Messages,
};

/// Tokens that an answer is taken to have at most, when the plan sets no limit. A run with a budget asks for no more
/// (the form of a new run says so, in figures).
pub const ASSUMED_OUTPUT_TOKENS: u32 = 4_096;

/// The limit of a judge's answer, in tokens: a sentence of JSON, and what a model that reasons thinks before.
pub const JUDGE_OUTPUT_TOKENS: u32 = 4_096;

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// A version is asked.
    Answer {
        /// Which.
        side: Side,
    },
    /// A judge decides a check of an answer.
    Rubric {
        /// Whose answer.
        side: Side,
        /// Which check of the case, from 0.
        check: usize,
    },
    /// A judge compares the answers of A and B.
    Pair {
        /// Whether it sees that of A first.
        a_first: bool,
    },
}

impl CallKind {
    /// The name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer",
            Self::Rubric { .. } => "rubric",
            Self::Pair { .. } => "pair",
        }
    }

    /// How many answers it waits for.
    pub(crate) fn waits_for(self) -> i16 {
        match self {
            Self::Answer { .. } => 0,
            Self::Rubric { .. } => 1,
            Self::Pair { .. } => 2,
        }
    }
}

/// A call to be made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlannedCall {
    pub kind: CallKind,
    /// Of the case, from 1.
    pub case_number: u32,
    /// From 1.
    pub repeat: u32,
    /// Tokens sent, by estimate; of a judge at most, because the answers are not there yet.
    pub input_tokens: u64,
    /// What it costs at most, by estimate, in US dollars.
    pub estimate_usd: f64,
}

/// What the prices of a run's models are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunPrices {
    /// Of the model that answers.
    pub model: Option<Price>,
    /// Of the judge.
    pub judge: Option<Price>,
}

impl RunPrices {
    pub(crate) fn of(plan: &RunPlan, prices: &Prices) -> Self {
        Self {
            model: plan.model.as_ref().and_then(|model| prices.of(model)),
            judge: plan.judge.as_ref().and_then(|judge| prices.of(judge)),
        }
    }
}

/// The calls of a run. Every pair of a case and a repeat stays together, the pairs and the sides within each in an order drawn
/// from the plan's seed: whatever drifts while a run goes on (load, caches, a provider's mood) meets A and B alike. Judges
/// follow.
///
/// `sides` names each side with its messages, case by case.
pub(crate) fn schedule(
    plan: &RunPlan,
    cases: &[TestCase],
    sides: &[(Side, Vec<Messages>)],
    prices: RunPrices,
) -> Vec<PlannedCall> {
    let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
    let mut blocks: Vec<(usize, u32)> =
        (0..cases.len()).flat_map(|case| (1..=plan.repeats).map(move |repeat| (case, repeat))).collect();
    shuffle(&mut blocks, &mut random);
    let answer_tokens = plan.settings.max_tokens.unwrap_or(ASSUMED_OUTPUT_TOKENS);
    let cost =
        |price: Option<Price>, input: u64, output: u32| price.map_or(0.0, |price| price.cost(input, u64::from(output)));
    let number = |case: usize| u32::try_from(case + 1).unwrap_or(u32::MAX);
    let (mut answers, mut judges) = (Vec::new(), Vec::new());
    for (case, repeat) in blocks {
        let mut order: Vec<&(Side, Vec<Messages>)> = sides.iter().collect();
        shuffle(&mut order, &mut random);
        let test_case = &cases[case];
        let push = |to: &mut Vec<PlannedCall>, kind, input_tokens, estimate_usd| {
            to.push(PlannedCall { kind, case_number: number(case), repeat, input_tokens, estimate_usd });
        };
        for (side, messages) in order {
            let input = messages[case].tokens();
            let estimate = cost(prices.model, input, answer_tokens);
            push(&mut answers, CallKind::Answer { side: *side }, input, estimate);
            for (check, rubric) in rubrics(test_case) {
                let prompt = rubric_prompt(rubric, &test_case.input, "", test_case.expected.as_deref());
                let input = estimate_tokens(&prompt.system) + estimate_tokens(&prompt.user) + u64::from(answer_tokens);
                let estimate = cost(prices.judge, input, JUDGE_OUTPUT_TOKENS);
                push(&mut judges, CallKind::Rubric { side: *side, check }, input, estimate);
            }
        }
        if let Some(question) = &plan.question {
            for a_first in [true, false] {
                let prompt = pair_prompt(question, &test_case.input, "", "");
                let input =
                    estimate_tokens(&prompt.system) + estimate_tokens(&prompt.user) + 2 * u64::from(answer_tokens);
                let estimate = cost(prices.judge, input, JUDGE_OUTPUT_TOKENS);
                push(&mut judges, CallKind::Pair { a_first }, input, estimate);
            }
        }
    }
    answers.append(&mut judges);
    answers
}

/// The checks of a case that a judge decides, with their places.
pub(crate) fn rubrics(case: &TestCase) -> impl Iterator<Item = (usize, &str)> {
    case.checks.iter().enumerate().filter_map(|(index, check)| match check {
        Check::LlmRubric { value, .. } => Some((index, value.as_str())),
        _ => None,
    })
}

/// Puts the items in a random order (Durstenfeld, Communications of the ACM 7, 1964, algorithm 235).
pub(crate) fn shuffle<T>(items: &mut [T], random: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        // The high half of a product is a number below the count; its bias is at most the count over 2^64.
        let other = ((u128::from(random.next_u64()) * (last as u128 + 1)) >> 64) as usize;
        items.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn case(name: &str, checks: Vec<Check>) -> TestCase {
        TestCase {
            name: name.into(),
            input: "What is it?".into(),
            variables: BTreeMap::new(),
            expected: None,
            tags: Vec::new(),
            checks,
        }
    }

    fn planned(seed: u64, question: Option<&str>) -> Vec<PlannedCall> {
        let model = "compatible::test-model".parse().ok();
        let plan = RunPlan { repeats: 3, question: question.map(Into::into), ..RunPlan::new(model, seed) };
        let cases: Vec<TestCase> = (0..20)
            .map(|n| case(&n.to_string(), vec![Check::LlmRubric { value: "Polite".into(), threshold: None }]))
            .collect();
        let messages: Vec<Messages> =
            cases.iter().map(|case| Messages { system: "You help.".into(), user: case.input.clone() }).collect();
        let price = Some(Price { input_usd_per_million: 1.0, output_usd_per_million: 2.0 });
        schedule(
            &plan,
            &cases,
            &[(Side::A, messages.clone()), (Side::B, messages)],
            RunPrices { model: price, judge: price },
        )
    }

    #[test]
    fn every_call_is_planned_once() {
        let calls = planned(7, Some("Which is shorter?"));
        // 20 cases, 3 repeats: 2 answers, 2 rubrics, 2 comparisons each.
        assert_eq!(calls.len(), 20 * 3 * 6);
        let mut keys: Vec<String> =
            calls.iter().map(|call| format!("{:?} {} {}", call.kind, call.case_number, call.repeat)).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), calls.len());
        assert!(calls.iter().all(|call| call.estimate_usd > 0.0));
        let first_judge = calls.iter().position(|call| !matches!(call.kind, CallKind::Answer { .. })).unwrap();
        assert_eq!(first_judge, 20 * 3 * 2, "judges follow the answers");
    }

    #[test]
    fn a_and_b_are_interleaved_by_the_seed() {
        let order = |seed| {
            planned(seed, None)
                .into_iter()
                .filter_map(|call| match call.kind {
                    CallKind::Answer { side } => Some((side, call.case_number, call.repeat)),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        let calls = order(7);
        for pair in calls.chunks(2) {
            assert_eq!((pair[0].1, pair[0].2), (pair[1].1, pair[1].2), "a pair stays together");
            assert_ne!(pair[0].0, pair[1].0);
        }
        let a_first = calls.chunks(2).filter(|pair| pair[0].0 == Side::A).count();
        assert!((15..=45).contains(&a_first), "{a_first} of 60 pairs begin with A");
        assert_eq!(calls, order(7), "the same seed, the same order");
        assert_ne!(calls, order(8));
    }
}
