//! Blind review: people say which answer is better without knowing whose it is.
//!
//! What was voted stays hidden until somebody ends the review, and from then on nobody votes any more. Were it shown
//! earlier, people could vote, or be asked to vote, until the result is the one that somebody wants: no test holds its
//! level when it is looked at until it suits (Armitage, McPherson and Rowe, Journal of the Royal Statistical Society A
//! 132, 1969).

use std::sync::Arc;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use versioning::Author;

use crate::{Lab, LabError, Run, RunStatus, Side, Vote, cases::TestCase, schedule::shuffle, store::Read};

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
    /// The next pair for a reviewer, in an order and with sides of their own; none when all have been seen.
    ///
    /// A pair is two answers that differ. Identical ones are not shown: nobody can prefer one of them, so a vote on them is a tie
    /// or a slip. The sign test drops ties (Dixon and Mood, Journal of the American Statistical Association 41, 1946), hence
    /// leaving them out changes neither its p-value nor the estimate, and the reviewer's time goes to pairs that tell something.
    ///
    /// # Errors
    /// There is no such run, it is not over, or its review has ended.
    pub async fn next_pair(&self, id: Uuid, reviewer: &Author) -> Result<Option<BlindPair>, LabError> {
        let run = self.open_to_review(id).await?;
        let pairs = self.review_order(&run, reviewer).await?;
        let voted_on = self.store.voted_on(id, Some(reviewer.as_str())).await?;
        let voted = count(pairs.iter().filter(|pair| voted_on.contains(pair)).count());
        let Some(&(case_number, repeat)) = pairs.iter().find(|pair| !voted_on.contains(pair)) else { return Ok(None) };
        let mut answers = self.store.answers(id, Read::These(&[case_number])).await?;
        let mut text = |side| {
            let answer = answers.iter_mut().find(|answer| (answer.repeat, answer.side) == (repeat, side));
            answer.and_then(|answer| answer.answer.take())
        };
        let test_case = self.store.run_cases_of(id, &[case_number]).await?.remove(&case_number);
        let (Some(a), Some(b), Some(test_case)) = (text(Side::A), text(Side::B), test_case) else {
            return Err(LabError::inconsistent(format!("pair {case_number} {repeat} of run {id}")));
        };
        let (left, right) = if a_is_left(run.plan.seed, reviewer, case_number, repeat) { (a, b) } else { (b, a) };
        Ok(Some(BlindPair { case_number, repeat, test_case, left, right, voted, pairs: count(pairs.len()) }))
    }

    /// Keeps a vote: for the answer on the left, on the right, or neither. Until the review ends, a second vote on a pair
    /// replaces the first.
    ///
    /// # Errors
    /// There is no such run or pair, the run is not over, or its review has ended.
    pub async fn vote(
        &self,
        id: Uuid,
        reviewer: &Author,
        (case_number, repeat): (u32, u32),
        place: Place,
    ) -> Result<(), LabError> {
        let run = self.open_to_review(id).await?;
        if !self.reviewable(&run).await?.contains(&(case_number, repeat)) {
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

    /// Ends the review, for everybody and for good: what was voted is counted and shown.
    ///
    /// # Errors
    /// There is no such run, it is not over, or its review has ended; nobody has voted; or votes decide, and a pair has
    /// none.
    pub async fn end_review(&self, id: Uuid) -> Result<Run, LabError> {
        let run = self.open_to_review(id).await?;
        let pairs = count(self.reviewable(&run).await?.len());
        // A vote is never taken back, so there are no fewer of them when the review ends in a moment.
        let missing = pairs - self.voted_pairs(&run).await?;
        if missing > 0 && (missing == pairs || run.plan.has_votes_decide()) {
            return Err(LabError::PairsWithoutVote { missing, pairs });
        }
        if !self.store.end_review(id).await? {
            return Err(LabError::ReviewHasEnded);
        }
        tracing::info!(run = %id, pairs, missing, "the blind review of a run has ended");
        self.run(id).await
    }

    /// How many of the pairs that people can choose between have a vote. A vote on identical answers, from before those were
    /// left out, is on none of them.
    pub(crate) async fn voted_pairs(&self, run: &Run) -> Result<u32, LabError> {
        let pairs = self.reviewable(run).await?;
        let voted_on = self.store.voted_on(run.id, None).await?;
        Ok(count(pairs.iter().filter(|pair| voted_on.contains(pair)).count()))
    }

    /// A run that people may review.
    async fn open_to_review(&self, id: Uuid) -> Result<Run, LabError> {
        let run = self.run(id).await?;
        match (run.status, run.review_ended_at) {
            (RunStatus::Running, _) => Err(LabError::StillRunning),
            (_, Some(_)) => Err(LabError::ReviewHasEnded),
            _ => Ok(run),
        }
    }

    /// The pairs of a run that people can choose between, in a reviewer's order.
    async fn review_order(&self, run: &Run, reviewer: &Author) -> Result<Vec<(u32, u32)>, LabError> {
        let mut pairs = self.reviewable(run).await?.to_vec();
        shuffle(&mut pairs, &mut random(run.plan.seed, reviewer, 0));
        Ok(pairs)
    }

    /// The pairs of a run that people can choose between, by case and repeat.
    pub(crate) async fn reviewable(&self, run: &Run) -> Result<Arc<Vec<(u32, u32)>>, LabError> {
        self.kept.pairs(run, self.store.reviewable(run.id)).await
    }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
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
