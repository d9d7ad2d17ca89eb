//! The winner: the page proposes, a person decides.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use versioning::{Author, Notes, Promotion, Reissue, Version, VersionStatus, VersioningError};

use crate::{Choice, Lab, LabError, RunStatus, Side};

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
    /// Keeps the choice of a winner, with the figures as they stand, and makes it live if that was asked for. What goes live is
    /// refused or done before the choice is kept, so that a choice never claims what did not happen.
    ///
    /// # Errors
    /// There is no such run; it is not over; a winner was chosen already; the reason is missing; the registry refuses the
    /// promotion.
    pub async fn choose(&self, id: Uuid, request: WinnerRequest) -> Result<Chosen, LabError> {
        let report = self.report(id).await?;
        let run = &report.run;
        if run.status == RunStatus::Running {
            return Err(LabError::StillRunning);
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
        let live = if request.go_live {
            Some(self.go_live(run.agent_type.clone(), version, &request, id).await?)
        } else {
            None
        };
        let figures = serde_json::json!({
            "outcome": report.outcome,
            "headline": report.headline,
            "evidence": report.evidence,
            "verdict": report.verdict,
            "live": live,
        });
        let by = request.chosen_by.as_ref().map(Author::as_str);
        self.store.choose(run, request.winner, reason, by, figures).await?;
        tracing::info!(run = %id, agent = %run.agent_type, %version, live = ?live.map(|live| live.to_string()), "a winner was chosen");
        let choice =
            self.store.choice(id).await?.ok_or_else(|| LabError::inconsistent("a choice that was kept is gone"))?;
        Ok(Chosen { choice, live })
    }

    async fn go_live(
        &self,
        agent_type: versioning::AgentType,
        version: Version,
        request: &WinnerRequest,
        run: Uuid,
    ) -> Result<Version, LabError> {
        let management = &self.services.management;
        let content = management.get_prompt_content(&agent_type, version).await?;
        let active = management.active(&agent_type).await?.map(|active| active.version.version);
        let by = request.chosen_by.clone();
        match content.version.status {
            VersionStatus::Active => Ok(version),
            VersionStatus::Draft => {
                let promotion = Promotion { agent_type, version, expected_active: active, promoted_by: by };
                Ok(management.promote_to_active(promotion).await?.version)
            }
            VersionStatus::Superseded => {
                let notes = Notes::parse(format!("Text of {version}, which won run {run} in the lab."))
                    .map_err(VersioningError::from)?;
                let reissue = Reissue { agent_type, version, created_by: by, notes };
                Ok(management.reissue(reissue).await?.version)
            }
        }
    }
}
