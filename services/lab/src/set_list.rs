//! Lists of sets, page by page.

use std::{fmt, str::FromStr};

use versioning::{AgentType, InvalidInput};

use crate::{Lab, LabError, SetSummary, runs::cut};

/// A page of a list of sets.
#[derive(Debug, Clone, PartialEq)]
pub struct SetsPage {
    /// The sets, by agent and name.
    pub sets: Vec<SetSummary>,
    /// Where the next page begins; none on the last one.
    pub next: Option<SetCursor>,
}

/// A place in the list of sets: just after the set of this agent and name, whether or not it is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetCursor {
    /// Whose set was the last one shown.
    pub agent_type: AgentType,
    /// What it was called.
    pub name: String,
}

impl fmt::Display for SetCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name may hold anything, and an address may not.
        write!(f, "{}.", self.agent_type)?;
        self.name.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for SetCursor {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        let parse = || {
            let (agent_type, name) = text.split_once('.')?;
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let bytes = name.as_bytes().chunks(2).map(|pair| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            });
            let name = String::from_utf8(bytes.collect::<Option<_>>()?).ok()?;
            // PostgreSQL takes no text with it, and no name has it.
            (!name.contains('\0')).then_some(())?;
            Some(Self { agent_type: agent_type.parse().ok()?, name })
        };
        parse().ok_or_else(|| {
            InvalidInput::new(
                "cursor",
                "invalid_cursor",
                "The cursor is not one that this server gave out. Take it from the link to the next page, or leave it out \
                 to begin with the first set.",
            )
        })
    }
}

impl Lab {
    /// The sets of an agent, or of all agents, by agent and name: `limit` of them, from a place on.
    ///
    /// # Errors
    /// The database is away.
    pub async fn sets(
        &self,
        agent_type: Option<&AgentType>,
        cursor: Option<&SetCursor>,
        limit: u32,
    ) -> Result<SetsPage, LabError> {
        let mut sets = self.store.sets(agent_type, cursor, limit.saturating_add(1)).await?;
        let has_more = cut(&mut sets, limit);
        let last = sets.last().filter(|_| has_more);
        let next = last.map(|last| SetCursor { agent_type: last.agent_type.clone(), name: last.name.clone() });
        Ok(SetsPage { sets, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        for name in ["Refunds", "50 % off & more", "Rückgaben “neu”", "…"] {
            let cursor = SetCursor { agent_type: "backend_dev".parse().unwrap(), name: name.into() };
            let text = cursor.to_string();
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte)), "{text}");
            assert_eq!(text.parse(), Ok(cursor));
        }
        for text in ["", "writer", "writer.4", "writer.xx", "writer.ff", "writer.é", "writer.00", "No Agent.41", ".41"]
        {
            assert_eq!(text.parse::<SetCursor>().unwrap_err().field, "cursor", "{text}");
        }
    }
}
