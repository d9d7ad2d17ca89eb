//! The winner.

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::LabStore;
use crate::{LabError, Run, Side, model::Choice};

/// What a person decided about a run.
#[derive(Debug)]
pub(crate) struct Decision {
    pub run: Run,
    pub winner: Side,
    pub reason: String,
    pub chosen_by: Option<String>,
    /// The verdict as it stands, and what is live by the decision.
    pub figures: serde_json::Value,
}

impl Decision {
    /// Writes it, in whichever transaction it belongs to. A run that has its winner already refuses another one.
    pub(crate) async fn write(self, connection: &mut PgConnection) -> Result<(), LabError> {
        let Self { run, winner, reason, chosen_by, figures } = self;
        sqlx::query!(
            "insert into lab_choices (run_id, winner, agent_type, version, reason, figures, chosen_by)
                values ($1, $2, $3, $4, $5, $6, $7)",
            run.id,
            winner.as_str(),
            run.agent_type.as_str(),
            run.version_of(winner).to_string(),
            reason,
            Json(figures) as _,
            chosen_by,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

impl LabStore {
    /// Keeps the choice of a winner; its event is written with it.
    pub(crate) async fn choose(&self, decision: Decision) -> Result<(), LabError> {
        let mut connection = self.pool.acquire().await?;
        decision.write(&mut connection).await
    }

    /// The winner, if one was chosen.
    pub(crate) async fn choice(&self, run: Uuid) -> Result<Option<Choice>, LabError> {
        sqlx::query!("select winner, version, reason, chosen_by, chosen_at from lab_choices where run_id = $1", run)
            .fetch_optional(&self.pool)
            .await?
            .map(|row| {
                Ok(Choice {
                    winner: Side::from_name(&row.winner)
                        .ok_or_else(|| LabError::inconsistent(format!("winner {}", row.winner)))?,
                    version: row.version.parse().map_err(LabError::inconsistent)?,
                    reason: row.reason,
                    chosen_by: row.chosen_by,
                    chosen_at: row.chosen_at,
                })
            })
            .transpose()
    }
}
