//! What an answer is checked for. The names are those that people know from other tools; each check says whether it passed,
//! how good the answer is by it (from 0 to 1), and why.

mod evaluate;
mod judge;
mod lines;
mod schema_work;
mod similarity;
mod validate;

use serde::{Deserialize, Serialize};

pub use evaluate::{CheckResult, Subject};
pub use judge::{
    JudgePrompt, Pick, Preference, RubricOpinion, outcome_of_rubric, pair_prompt, read_pair, read_rubric, reconcile,
    rubric_prompt,
};
pub use lines::{EXAMPLES, LineProblem, checks_from_lines, checks_to_lines};
pub use validate::InvalidCheck;

/// One check of a test case, as it is stored and sent: `{"type": "contains", "value": "…"}`.
///
/// A value of this type may still be wrong (a broken pattern, say): [`Check::validate`] says so, and cases are validated when
/// they are saved, never when they run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Check {
    /// The answer is this text; without one, the expected answer of the case. White space around both does not count.
    Equals {
        /// The text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// The answer contains this text.
    Contains {
        /// The text.
        value: String,
    },
    /// The answer contains this text, upper and lower case being the same.
    Icontains {
        /// The text.
        value: String,
    },
    /// The answer does not contain this text.
    NotContains {
        /// The text.
        value: String,
    },
    /// The answer begins with this text.
    StartsWith {
        /// The text.
        value: String,
    },
    /// The answer has a match of this regular expression.
    Regex {
        /// The expression, in the syntax of the `regex` crate.
        value: String,
    },
    /// The answer is JSON.
    IsJson {},
    /// The answer is JSON that this schema accepts.
    JsonSchema {
        /// The schema.
        value: serde_json::Value,
    },
    /// The answer is like this text, or like the expected answer of the case, by edit similarity.
    Similar {
        /// The text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
        /// How like at least, from 0 to 1.
        threshold: f64,
    },
    /// The answer has at most so many characters.
    MaxLength {
        /// Characters.
        threshold: u32,
    },
    /// The answer took at most so long.
    Latency {
        /// Milliseconds.
        threshold: f64,
    },
    /// The answer cost at most so much.
    Cost {
        /// US dollars.
        threshold: f64,
    },
    /// A judge, a model, finds that the answer meets this rubric.
    LlmRubric {
        /// The rubric.
        value: String,
        /// The score from which it passes, from 0 to 1; without one, the judge's own word decides.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        threshold: Option<f64>,
    },
}

#[cfg(test)]
mod tests;
