//! What the pages ask the server, and what they get.
//!
//! A function is public over HTTP: it takes what it needs from the context, calls a service and maps the answer to wire types.

use serde::{Deserialize, Serialize};

mod comparison;
mod conflict;
mod editing;
mod history;
mod overview;
mod promotion;
mod trial;
mod version;

pub use comparison::{Compared, Comparison, ComparisonQuery, PerformanceRow, Side, open_comparison};
pub use conflict::Conflict;
pub use editing::{
    ChangesPanel, EditForm, EditPage, EditProblem, Panel, PreviewPanel, draft_changes, draft_preview, editing,
};
pub use history::{HistoryFilter, HistoryLine, HistoryPage, LiveSpan, history};
pub use overview::{ActiveVersion, AgentRow, EventRow, Overview, SEARCH_HITS, SearchHit, overview, search};
pub use promotion::{PromotionPreview, RefusedPromotion, promotion_preview};
pub use trial::{Trial, TrialModels, Tried, trial_models, try_prompt};
pub use version::{VersionPage, version_page};

#[cfg(feature = "ssr")]
pub use editing::{EditOutcome, submit};

/// A moment, for people and for arithmetic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// RFC 3339 in UTC, to the second.
    pub text: String,
    /// Seconds since 1970.
    pub seconds: i64,
}

#[cfg(feature = "ssr")]
impl From<chrono::DateTime<chrono::Utc>> for Moment {
    fn from(moment: chrono::DateTime<chrono::Utc>) -> Self {
        Self { text: moment.to_rfc3339_opts(chrono::SecondsFormat::Secs, true), seconds: moment.timestamp() }
    }
}

/// The name that this browser's user saved under last, from a cookie. In the context of each page.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone, Default)]
pub struct RememberedAuthor(pub String);

#[cfg(feature = "ssr")]
pub(crate) fn remembered_author() -> String {
    leptos::prelude::use_context::<RememberedAuthor>().unwrap_or_default().0
}

#[cfg(feature = "ssr")]
pub(crate) fn services() -> Result<versioning::Services, crate::AppError> {
    leptos::prelude::use_context().ok_or_else(crate::AppError::not_ready)
}

#[cfg(feature = "ssr")]
pub(crate) fn lab() -> Result<lab::Lab, crate::AppError> {
    leptos::prelude::use_context().ok_or_else(crate::AppError::not_ready)
}

/// A text that was given: not blank.
#[cfg(feature = "ssr")]
fn optional(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// What agents share, and the model that answers when nobody names one. In the context of each page.
#[cfg(feature = "ssr")]
pub type AgentContext = (agents::AgentRuntime, Option<agents::ModelName>);

#[cfg(feature = "ssr")]
pub(crate) fn agent_runtime() -> Result<AgentContext, crate::AppError> {
    leptos::prelude::use_context().ok_or_else(crate::AppError::not_ready)
}
