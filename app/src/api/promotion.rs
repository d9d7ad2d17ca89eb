//! What a promotion would do, to be confirmed.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::{remembered_author, services};
use crate::AppError;

/// What going live with a text would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionPreview {
    /// The agent.
    pub agent_type: String,
    /// The version whose text goes live.
    pub version: String,
    /// What is live now.
    pub from: Option<String>,
    /// The number that the text goes live as: its own, or the next patch when it is below the active version.
    pub becomes: String,
    /// Whether it is below the active version, so that its text is reissued as the next patch.
    pub is_reissue: bool,
    /// Whether it is live already.
    pub is_active: bool,
    /// Lines added and removed against what is live.
    pub lines: (u32, u32),
    /// The change in characters against what is live.
    pub chars: i64,
    /// The notes of the version.
    pub notes: Option<String>,
    /// The name that this browser's user saved under last.
    pub author: String,
    /// What was wrong with what was sent, and what it was.
    pub refused: Option<RefusedPromotion>,
}

/// A form that was sent and refused because a field of it breaks a rule. In the context of the page that is rendered for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPromotion {
    /// The name as it was written.
    pub author: String,
    /// The notes as they were written.
    pub notes: String,
    /// The field: `created_by` or `notes`.
    pub field: String,
    /// What is wrong, and the way forward.
    pub message: String,
}

/// What promoting a version would do now, or, for one below the active version, reissuing its text.
///
/// # Errors
/// There is no such version, or the database is away.
#[server(name = PreviewPromotion, prefix = "/api/pages", endpoint = "promotion")]
pub async fn promotion_preview(agent_type: String, version: String) -> Result<PromotionPreview, AppError> {
    use versioning::{
        AgentType, Bump, Version, VersionStatus,
        diff::{Diff, DiffOptions},
    };

    let management = services()?.management;
    let agent: AgentType = agent_type.parse()?;
    let number: Version = version.parse()?;
    let next = management.get_prompt_content(&agent, number).await?;
    let live = management.active(&agent).await?;
    let before = live.as_ref().map(|live| live.prompt_text.clone()).unwrap_or_default();
    let after = next.prompt_text.clone();
    // It can take its whole deadline, which is too long for a thread that serves others.
    let stats = versioning::aside(move || Diff::new(&before, &after, DiffOptions::default()).stats).await?;
    let is_reissue = next.version.status == VersionStatus::Superseded;
    let becomes = if is_reissue {
        management
            .next_versions(&agent, None)
            .await?
            .of(Bump::Patch)
            .map_or_else(|| version.clone(), |patch| patch.to_string())
    } else {
        version.clone()
    };
    Ok(PromotionPreview {
        agent_type,
        version,
        from: live.as_ref().map(|live| live.version.version.to_string()),
        becomes,
        is_reissue,
        is_active: next.version.status == VersionStatus::Active,
        lines: (stats.added, stats.removed),
        chars: i64::from(next.version.char_count) - live.map_or(0, |live| i64::from(live.version.char_count)),
        notes: next.version.notes,
        author: remembered_author(),
        refused: use_context(),
    })
}
