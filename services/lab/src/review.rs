//! Blind review: people say which answer is better without knowing whose it is.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use versioning::Author;

use crate::{Lab, LabError, RunStatus, Side, Vote, cases::TestCase, schedule::shuffle};

/// Two answers, and nothing that says whose they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlindPair {
    /// The number of the case, from 1.
    pub case_number: u32,
    /// Which repeat, from 1.
    pub repeat: u32,
    /// The case.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub test_case: TestCase,
    /// The answer on the left.
    pub left: String,
    /// The answer on the right.
    pub right: String,
    /// Pairs that the reviewer has voted on.
    pub voted: u32,
    /// Pairs there are.
    pub pairs: u32,
}

impl Lab {
    /// The next pair for a reviewer, in an order and with sides of their own; none when all have been seen. A pair is two answers
    /// that differ.
    ///
    /// # Errors
    /// There is no such run, or it is not over.
    pub async fn next_pair(&self, id: Uuid, reviewer: &Author) -> Result<Option<BlindPair>, LabError> {
        let run = self.run(id).await?;
        if run.status == RunStatus::Running {
            return Err(LabError::StillRunning);
        }
        let pairs = self.review_order(id, run.plan.seed, reviewer).await?;
        let votes = self.store.votes(id).await?;
        let is_voted = |case: u32, repeat: u32| {
            votes
                .iter()
                .any(|(number, other, name, _)| (*number, *other, name.as_str()) == (case, repeat, reviewer.as_str()))
        };
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let voted = count(pairs.iter().filter(|(case, repeat)| is_voted(*case, *repeat)).count());
        for &(case_number, repeat) in pairs.iter().filter(|(case, repeat)| !is_voted(*case, *repeat)) {
            let cases = self.store.run_cases(id).await?;
            let answers = self.store.answers(id, Some(case_number..=case_number)).await?;
            let text = |side| {
                answers
                    .iter()
                    .find(|answer| (answer.case_number, answer.repeat, answer.side) == (case_number, repeat, side))
                    .and_then(|answer| answer.answer.clone())
            };
            let (Some(a), Some(b)) = (text(Side::A), text(Side::B)) else { continue };
            let Some(test_case) = usize::try_from(case_number - 1).ok().and_then(|place| cases.get(place)) else {
                continue;
            };
            let (left, right) = if a_is_left(run.plan.seed, reviewer, case_number, repeat) { (a, b) } else { (b, a) };
            let test_case = test_case.clone();
            return Ok(Some(BlindPair {
                case_number,
                repeat,
                test_case,
                left,
                right,
                voted,
                pairs: count(pairs.len()),
            }));
        }
        Ok(None)
    }

    /// Keeps a vote: for the answer on the left, on the right, or neither. A second vote on a pair replaces the first.
    ///
    /// # Errors
    /// There is no such run or pair, or the run is not over.
    pub async fn vote(
        &self,
        id: Uuid,
        reviewer: &Author,
        (case_number, repeat): (u32, u32),
        place: Place,
    ) -> Result<(), LabError> {
        let run = self.run(id).await?;
        if run.status == RunStatus::Running {
            return Err(LabError::StillRunning);
        }
        if !self.review_order(id, run.plan.seed, reviewer).await?.contains(&(case_number, repeat)) {
            return Err(LabError::UnknownPair { case: case_number, repeat });
        }
        let a_left = a_is_left(run.plan.seed, reviewer, case_number, repeat);
        let vote = match (place, a_left) {
            (Place::Tie, _) => Vote::Tie,
            (Place::Left, true) | (Place::Right, false) => Vote::A,
            (Place::Left, false) | (Place::Right, true) => Vote::B,
        };
        self.store.vote(id, (case_number, repeat), reviewer.as_str(), vote).await
    }

    /// The pairs of a run that have both answers, in a reviewer's order.
    async fn review_order(&self, id: Uuid, seed: u64, reviewer: &Author) -> Result<Vec<(u32, u32)>, LabError> {
        let answers = self.store.answers(id, None).await?;
        let has = |case: u32, repeat: u32, side: Side| {
            answers.iter().any(|answer| {
                (answer.case_number, answer.repeat, answer.side) == (case, repeat, side) && answer.status == "answered"
            })
        };
        let mut pairs: Vec<(u32, u32)> = answers
            .iter()
            .filter(|answer| answer.side == Side::A && answer.status == "answered")
            .map(|answer| (answer.case_number, answer.repeat))
            .filter(|(case, repeat)| has(*case, *repeat, Side::B))
            .collect();
        shuffle(&mut pairs, &mut random(seed, reviewer, 0));
        Ok(pairs)
    }
}

/// Which answer a reviewer finds better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// The one on the left.
    Left,
    /// The one on the right.
    Right,
    /// Neither.
    Tie,
}

/// Whether the answer of A is on the left: as good as tossed, and always the same for a reviewer and pair.
fn a_is_left(seed: u64, reviewer: &Author, case: u32, repeat: u32) -> bool {
    random(seed, reviewer, (u64::from(case) << 32) | u64::from(repeat)).next_u64() & 1 == 0
}

fn random(seed: u64, reviewer: &Author, stream: u64) -> ChaCha8Rng {
    // FNV-1a (Fowler, Noll and Vo): all that is asked of it is that names give different streams.
    let name = reviewer
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ name);
    random.set_stream(stream);
    random
}
