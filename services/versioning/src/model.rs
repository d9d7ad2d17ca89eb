//! What the services answer with. None of these is a wire type: REST and the pages have their own.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{AgentType, InvalidInput, Version, VersionStatus};

/// All about a version but its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptVersion {
    /// A stable handle.
    pub id: Uuid,
    /// Whose prompt it is.
    pub agent_type: AgentType,
    /// Its number.
    pub version: Version,
    /// Where it stands towards the active version, at the moment it was read.
    pub status: VersionStatus,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Who created it, if they said.
    pub created_by: Option<String>,
    /// What changed and why, if they said.
    pub notes: Option<String>,
    /// When it went live; none if it never did.
    pub activated_at: Option<DateTime<Utc>>,
    /// SHA-256 of the text's UTF-8 bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// Unicode scalar values.
    pub char_count: u32,
    /// Lines; a line break at the very end does not begin another one.
    pub line_count: u32,
}

/// A version with its text. The two were read in one statement, so they always belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptContent {
    /// All about it.
    pub version: PromptVersion,
    /// The text, word for word.
    pub prompt_text: String,
}

/// A page of an agent's history, newest first.
#[derive(Debug, Clone)]
pub struct VersionPage {
    /// The versions, newest first.
    pub versions: Vec<PromptVersion>,
    /// Where the next page begins; none on the last one.
    pub next: Option<PageCursor>,
}

/// A place in an agent's history: just after the version created at this time with this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCursor {
    /// When the last version shown was created.
    pub created_at: DateTime<Utc>,
    /// Its number, because several versions can be created in one microsecond.
    pub version: Version,
}

impl std::fmt::Display for PageCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.created_at.timestamp_micros(), self.version)
    }
}

impl FromStr for PageCursor {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        let parse = || {
            let (micros, version) = text.split_once('_')?;
            let created_at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
            // PostgreSQL's range is smaller than chrono's; a cursor of ours never leaves this one.
            (0..=9_999).contains(&chrono::Datelike::year(&created_at)).then_some(())?;
            Some(Self { created_at, version: version.parse().ok()? })
        };
        parse().ok_or_else(|| {
            InvalidInput::new(
                "cursor",
                "invalid_cursor",
                "The cursor is not one that this server gave out. Take it from the Link header of the previous page, \
                 or leave it out to begin with the newest version.",
            )
        })
    }
}

/// An agent at a glance.
#[derive(Debug, Clone)]
pub struct AgentOverview {
    /// Its name.
    pub agent_type: AgentType,
    /// What it is served; none if nothing was promoted yet.
    pub active: Option<VersionSummary>,
    /// The version that was created last, of any status.
    pub latest: VersionSummary,
    /// How many versions are above the active one.
    pub drafts: u32,
    /// How many versions there are.
    pub versions: u32,
    /// When anything last happened to its versions.
    pub last_change_at: DateTime<Utc>,
    /// Who did that, if they said.
    pub last_change_by: Option<String>,
}

/// A version in a list of agents.
#[derive(Debug, Clone)]
pub struct VersionSummary {
    /// Its number.
    pub version: Version,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Who created it.
    pub created_by: Option<String>,
    /// When it went live.
    pub activated_at: Option<DateTime<Utc>>,
    /// Unicode scalar values.
    pub char_count: u32,
    /// Lines.
    pub line_count: u32,
    /// What changed and why.
    pub notes: Option<String>,
}

/// What is live of an agent, and nothing else of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveVersion {
    /// Whose it is.
    pub agent_type: AgentType,
    /// The version, and when it went live; none if nothing was promoted yet.
    pub live: Option<(Version, DateTime<Utc>)>,
}

/// An entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The position in the log of this database.
    pub id: i64,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// What.
    pub kind: EventKind,
    /// To whom.
    pub agent_type: AgentType,
    /// To which version; none where it concerns the agent as a whole.
    pub version: Option<Version>,
    /// By whom, if they said.
    pub actor: Option<String>,
    /// The version whose text it started from.
    pub base_version: Option<Version>,
    /// What was live before.
    pub previous_active: Option<Version>,
    /// What else there is to know: of a winner, the run in the lab and its figures.
    pub details: Option<serde_json::Value>,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A version was created with a text of its own.
    Created,
    /// A version went live.
    Promoted,
    /// A version was created with the text of an earlier one.
    Reissued,
    /// Somebody made every node read the agent's active version anew.
    CacheCleared,
    /// A run in the lab was decided for a version.
    WinnerChosen,
}

impl EventKind {
    /// The name in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Promoted => "promoted",
            Self::Reissued => "reissued",
            Self::CacheCleared => "cache_cleared",
            Self::WinnerChosen => "winner_chosen",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Created, Self::Promoted, Self::Reissued, Self::CacheCleared, Self::WinnerChosen]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let cursor = PageCursor {
            created_at: DateTime::from_timestamp_micros(1_760_000_000_123_456).unwrap(),
            version: "1.10.2".parse().unwrap(),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "_", "1", "x_1.0.0", "1_1.0", "9223372036854775807_1.0.0", "-9223372036854775808_1.0.0"] {
            assert_eq!(text.parse::<PageCursor>().unwrap_err().field, "cursor", "{text}");
        }
    }
}
