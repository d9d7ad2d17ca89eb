//! The winner: the page proposes, a person decides.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use versioning::{Author, Notes, Reissue, Version, VersioningError};

use crate::{Choice, Lab, LabError, RunStatus, Side, store::Decision};

/// The longest reason, in characters.
const MAX_REASON: usize = 2_000;

/// The decision of a person.
#[derive(Debug, Clone, PartialEq)]
pub struct WinnerRequest {
    /// A or B.
    pub winner: Side,
    /// Why.
    pub reason: String,
    /// By whom.
    pub chosen_by: Option<Author>,
    /// Whether it goes live: promoted when it is above the active version, else reissued as the next patch.
    pub go_live: bool,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Chosen {
    /// The choice as it was kept.
    pub choice: Choice,
    /// What is live by it: the winner itself, or the patch with its text; none when it was not to go live.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub live: Option<Version>,
}

impl Lab {
    /// Keeps the choice of a winner, with the figures as they stand, and makes it live if that was asked for: in one transaction, so
    /// that a choice never claims what did not happen, and of several at once one alone counts.
    ///
    /// # Errors
    /// There is no such run; it is not over, or has one version on both sides; a winner was chosen already; the reason is
    /// missing; the registry refuses the promotion.
    pub async fn choose(&self, id: Uuid, request: WinnerRequest) -> Result<Chosen, LabError> {
        let report = self.report(id).await?;
        let run = &report.run;
        if run.status == RunStatus::Running {
            return Err(LabError::StillRunning);
        }
        if run.version_a == run.version_b {
            return Err(LabError::invalid(
                "winner",
                "same_version",
                format!(
                    "A and B are both {}. The run says how far answers of one version differ without a cause; it has no winner.",
                    run.version_a
                ),
            ));
        }
        if report.choice.is_some() {
            return Err(LabError::AlreadyChosen);
        }
        if !matches!(request.winner, Side::A | Side::B) {
            return Err(LabError::invalid("winner", "invalid_winner", "The winner is a or b."));
        }
        let reason = request.reason.trim();
        if reason.is_empty() || reason.chars().count() > MAX_REASON || reason.contains('\0') {
            return Err(LabError::invalid(
                "reason",
                "invalid_reason",
                format!("Say why in 1 to {MAX_REASON} characters: whoever reads it later was not there."),
            ));
        }
        let version = run.version_of(request.winner);
        let mut decision = Decision {
            run: run.clone(),
            winner: request.winner,
            reason: reason.to_owned(),
            chosen_by: request.chosen_by.as_ref().map(|author| author.as_str().to_owned()),
            figures: serde_json::json!({
                "outcome": report.outcome,
                "headline": report.headline,
                "evidence": report.evidence,
                "verdict": report.verdict,
                "live": null,
            }),
        };
        let live = if request.go_live {
            let notes = Notes::parse(format!("Text of {version}, which won run {id} in the lab."))
                .map_err(VersioningError::from)?;
            let reissue = Reissue { agent_type: run.agent_type.clone(), version, created_by: request.chosen_by, notes };
            let live = self.services.management.make_live(reissue, move |connection, live| {
                decision.figures["live"] = serde_json::json!(live);
                Box::pin(decision.write(connection))
            });
            Some(live.await?)
        } else {
            self.store.choose(decision).await?;
            None
        };
        tracing::info!(run = %id, agent = %run.agent_type, %version, live = ?live.map(|live| live.to_string()), "a winner was chosen");
        let choice =
            self.store.choice(id).await?.ok_or_else(|| LabError::inconsistent("a choice that was kept is gone"))?;
        Ok(Chosen { choice, live })
    }
}
