//! The name of an agent type.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::invalid::{InvalidInput, quoted};

/// Words that are fixed segments of the API's and the pages' paths, or are kept for such a use: an agent of that
/// name could not be addressed. The `agents_type_not_reserved` constraint of the migrations holds the same list;
/// a test keeps the two equal.
pub const RESERVED: &[&str] = &[
    "active", "agents", "cache", "calls", "events", "lab", "metrics", "patch", "promote", "reissue", "stats",
    "versions",
];

/// The name of an agent type, such as `backend_dev`: `^[a-z][a-z0-9_]{0,49}$`, and none of [`RESERVED`].
///
/// Cheap to clone and to share: it is the key of the prompt cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentType(Arc<str>);

impl AgentType {
    /// The longest name, in characters.
    pub const MAX_LENGTH: usize = 50;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AgentType {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        let invalid = |reason: &str| {
            InvalidInput::new(
                "agent_type",
                "invalid_agent_type",
                format!(
                    "{} is not an agent type: {reason}. An agent type starts with a lower-case letter and goes on \
                     with lower-case letters, digits or underscores, 50 characters at most, such as backend_dev.",
                    quoted(text)
                ),
            )
        };
        match text.as_bytes() {
            [] => return Err(invalid("it is empty")),
            [first, ..] if !first.is_ascii_lowercase() => {
                return Err(invalid("it does not start with a lower-case letter"));
            }
            bytes if bytes.len() > Self::MAX_LENGTH => return Err(invalid("it is too long")),
            bytes => {
                if !bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_') {
                    return Err(invalid("it holds a character that is not allowed"));
                }
            }
        }
        if RESERVED.contains(&text) {
            return Err(InvalidInput::new(
                "agent_type",
                "reserved_agent_type",
                format!(
                    "{text} is a word of the API's own paths, so no agent can have that name. Choose another, such \
                     as {text}_agent."
                ),
            ));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for AgentType {
    type Error = InvalidInput;

    fn try_from(text: String) -> Result<Self, InvalidInput> {
        text.parse()
    }
}

impl From<AgentType> for String {
    fn from(agent_type: AgentType) -> Self {
        agent_type.0.as_ref().into()
    }
}

impl fmt::Display for AgentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_the_names_of_the_ten_agents() {
        for name in [
            "backend_dev",
            "frontend_dev",
            "qa_engineer",
            "security_expert",
            "devops_engineer",
            "documentation_expert",
            "uiux_designer",
            "github_specialist",
            "workshopper",
            "project_manager",
        ] {
            assert_eq!(name.parse::<AgentType>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn refuses_what_the_rule_excludes() {
        let fifty_one = "a".repeat(51);
        for name in ["", "Backend", "backend dev", "backend/dev", "1st", "_x", "é", "a-b", "a\0", fifty_one.as_str()] {
            let refusal = name.parse::<AgentType>().unwrap_err();
            assert_eq!((refusal.field, refusal.code), ("agent_type", "invalid_agent_type"), "{name:?}");
        }
        assert!("a".repeat(50).parse::<AgentType>().is_ok());
    }

    #[test]
    fn refuses_path_segments_of_the_api() {
        for name in RESERVED {
            assert_eq!(name.parse::<AgentType>().unwrap_err().code, "reserved_agent_type", "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_either_refused_or_kept_as_it_is(text in "\\PC{0,60}") {
            if let Ok(agent_type) = text.parse::<AgentType>() {
                prop_assert_eq!(agent_type.to_string(), text);
            }
        }

        #[test]
        fn every_name_of_the_pattern_is_taken(text in "[a-z][a-z0-9_]{0,49}") {
            prop_assume!(!RESERVED.contains(&text.as_str()));
            prop_assert!(text.parse::<AgentType>().is_ok());
        }
    }
}
