//! What a model is sent.

use agents::estimate_tokens;
use serde::{Deserialize, Serialize};
use versioning::{InvalidInput, template};

use crate::cases::TestCase;

/// The messages of a call, word for word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Messages {
    /// The system prompt, its variables filled.
    pub system: String,
    /// What the user says.
    pub user: String,
}

impl Messages {
    /// The messages that ask a prompt about a case. A variable without a value is an error, not silence.
    ///
    /// # Errors
    /// The variables that the case gives no value for.
    pub fn of(prompt: &str, version: &str, case: &TestCase) -> Result<Self, InvalidInput> {
        let filled = template::fill(prompt, &case.variables);
        if !filled.missing.is_empty() {
            let names: Vec<String> = filled.missing.iter().map(|name| format!("{{{{{name}}}}}")).collect();
            return Err(InvalidInput::new(
                "set_id",
                "missing_variables",
                format!(
                    "Version {version} uses {}, and the case {:?} gives no value for it. Add the value to the case.",
                    names.join(", "),
                    case.name
                ),
            ));
        }
        Ok(Self { system: filled.text, user: case.input.clone() })
    }

    /// About how many tokens they are.
    pub fn tokens(&self) -> u64 {
        estimate_tokens(&self.system) + estimate_tokens(&self.user)
    }
}
