//! Lists of runs, page by page.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, Utc};
use uuid::Uuid;
use versioning::{AgentType, InvalidInput};

use crate::{Lab, LabError, Run};

/// A page of a list of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct RunsPage {
    /// The runs, latest first.
    pub runs: Vec<Run>,
    /// Where the next page begins; none on the last one.
    pub next: Option<RunCursor>,
}

/// A place in the list of runs: just after the run that began at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunCursor {
    /// When the last run shown began.
    pub created_at: DateTime<Utc>,
    /// Which it is, because several can begin in one microsecond.
    pub id: Uuid,
}

impl fmt::Display for RunCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.created_at.timestamp_micros(), self.id)
    }
}

impl FromStr for RunCursor {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        let parse = || {
            let (micros, id) = text.split_once('_')?;
            let created_at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
            // PostgreSQL's range is smaller than chrono's; a cursor of ours never leaves this one.
            (0..=9_999).contains(&created_at.year()).then_some(())?;
            Some(Self { created_at, id: id.parse().ok()? })
        };
        parse().ok_or_else(|| {
            InvalidInput::new(
                "cursor",
                "invalid_cursor",
                "The cursor is not one that this server gave out. Take it from the link to the next page, or leave it out to \
                 begin with the latest run.",
            )
        })
    }
}

impl Lab {
    /// The latest runs of an agent, or of all agents: `limit` of them, from a place on.
    ///
    /// # Errors
    /// The database is away.
    pub async fn runs(
        &self,
        agent_type: Option<&AgentType>,
        cursor: Option<RunCursor>,
        limit: u32,
    ) -> Result<RunsPage, LabError> {
        let mut runs = self.store.runs(agent_type, cursor, limit.saturating_add(1)).await?;
        let has_more = cut(&mut runs, limit);
        let next = runs.last().filter(|_| has_more).map(|last| RunCursor { created_at: last.created_at, id: last.id });
        Ok(RunsPage { runs, next })
    }
}

/// Cuts what was read down to a page; whether there was more.
pub(crate) fn cut<T>(read: &mut Vec<T>, limit: u32) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = read.len() > limit;
    read.truncate(limit);
    has_more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let created_at = DateTime::from_timestamp_micros(1_764_000_000_123_456).unwrap();
        let cursor = RunCursor { created_at, id: Uuid::from_u128(7) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "1", "1_", "_1", "x_00000000-0000-0000-0000-000000000007", "9223372036854775807_7"] {
            assert_eq!(text.parse::<RunCursor>().unwrap_err().field, "cursor", "{text}");
        }
    }
}
