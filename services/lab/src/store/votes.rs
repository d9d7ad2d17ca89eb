//! Blind review: what people can choose between, what they chose, and its end.

use std::collections::HashSet;

use uuid::Uuid;

use super::{LabStore, count};
use crate::{LabError, model::Vote};

impl LabStore {
    /// The pairs of a run that people can choose between: A and B both answered, and not with the same text.
    pub(crate) async fn reviewable(&self, run: Uuid) -> Result<Vec<(u32, u32)>, LabError> {
        sqlx::query!(
            "select a.case_number, a.repeat
                from lab_calls a join lab_calls b using (run_id, kind, case_number, repeat, status)
                where run_id = $1 and kind = 'answer' and status = 'answered' and a.side = 'a' and b.side = 'b'
                    and a.answer <> b.answer
                order by a.case_number, a.repeat",
            run,
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| Ok((count(row.case_number)?, count(row.repeat)?)))
        .collect()
    }

    /// The pairs that a reviewer has voted on, or, without one, that anybody has.
    pub(crate) async fn voted_on(&self, run: Uuid, reviewer: Option<&str>) -> Result<HashSet<(u32, u32)>, LabError> {
        sqlx::query!(
            "select distinct case_number, repeat from lab_votes where run_id = $1 and ($2::text is null or reviewer = $2)",
            run,
            reviewer,
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| Ok((count(row.case_number)?, count(row.repeat)?)))
        .collect()
    }

    /// Keeps a vote; a later one of the same reviewer on the same pair replaces it.
    pub(crate) async fn vote(
        &self,
        run: Uuid,
        (case_number, repeat): (u32, u32),
        reviewer: &str,
        vote: Vote,
    ) -> Result<(), LabError> {
        sqlx::query!(
            "insert into lab_votes (run_id, case_number, repeat, reviewer, vote) values ($1, $2, $3, $4, $5)
                on conflict on constraint lab_votes_pkey do update set vote = excluded.vote, voted_at = now()",
            run,
            i32::try_from(case_number).unwrap_or(i32::MAX),
            i32::try_from(repeat).unwrap_or(i32::MAX),
            reviewer,
            vote.as_str(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The votes of a run: case, repeat, reviewer and vote.
    pub(crate) async fn votes(&self, run: Uuid) -> Result<Vec<(u32, u32, String, Vote)>, LabError> {
        sqlx::query!(
            "select case_number, repeat, reviewer, vote from lab_votes where run_id = $1
                order by case_number, repeat, reviewer",
            run
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| {
            let vote =
                Vote::from_name(&row.vote).ok_or_else(|| LabError::inconsistent(format!("vote {}", row.vote)))?;
            Ok((count(row.case_number)?, count(row.repeat)?, row.reviewer, vote))
        })
        .collect()
    }

    /// Ends the review of a run that is over; false when it has ended already. Votes that are being written are waited
    /// for, and the database refuses later ones.
    pub(crate) async fn end_review(&self, run: Uuid) -> Result<bool, LabError> {
        let done =
            sqlx::query!("update lab_runs set review_ended_at = now() where id = $1 and review_ended_at is null", run)
                .execute(&self.pool)
                .await?;
        Ok(done.rows_affected() == 1)
    }
}
