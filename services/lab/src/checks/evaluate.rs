//! Making a check.

use serde::{Deserialize, Serialize};

use super::{
    Check,
    schema_work::{MAX_VISITS, ORDINARY_DEPTH, depth_of, most_visits},
    similarity::{Similarity, similarity},
    validate::{expression, schema},
};

/// Characters of a text that a reason quotes.
const QUOTED: usize = 60;

/// Why a cost is not known.
const COST_UNKNOWN: &str = "It is not known what it cost: the provider did not say how many tokens it took, or the price table \
                            has no price for the model.";

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Subject<'a> {
    /// The answer.
    pub output: &'a str,
    /// The expected answer of the case.
    pub expected: Option<&'a str>,
    /// Milliseconds to the whole answer.
    pub latency_ms: Option<f64>,
    /// US dollars of the call.
    pub cost_usd: Option<f64>,
}

/// What a check says of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The kind, such as `contains`.
    pub check: String,
    /// Whether the answer passes.
    pub passed: bool,
    /// How good it is by this check, from 0 to 1.
    pub score: f64,
    /// Why, in a short sentence.
    pub reason: String,
}

impl Check {
    /// The kind, as people know it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Equals { .. } => "equals",
            Self::Contains { .. } => "contains",
            Self::Icontains { .. } => "icontains",
            Self::NotContains { .. } => "not-contains",
            Self::StartsWith { .. } => "starts-with",
            Self::Regex { .. } => "regex",
            Self::IsJson {} => "is-json",
            Self::JsonSchema { .. } => "json-schema",
            Self::Similar { .. } => "similar",
            Self::MaxLength { .. } => "max-length",
            Self::Latency { .. } => "latency",
            Self::Cost { .. } => "cost",
            Self::LlmRubric { .. } => "llm-rubric",
        }
    }

    /// What the check says of an answer; none when a judge decides it.
    pub fn evaluate(&self, subject: &Subject<'_>) -> Option<CheckResult> {
        let output = subject.output;
        let (passed, reason) = match self {
            Self::LlmRubric { .. } => return None,
            Self::Similar { value, threshold } => return Some(self.alike(value.as_deref(), *threshold, subject)),
            Self::Equals { value } => match value.as_deref().or(subject.expected) {
                Some(wanted) => {
                    let is_equal = output.trim() == wanted.trim();
                    (is_equal, format!("It {} {}.", if is_equal { "is" } else { "is not" }, quoted(wanted)))
                }
                None => (false, "The case has no expected answer to compare with.".into()),
            },
            Self::Contains { value } => has(output.contains(value.as_str()), value),
            Self::Icontains { value } => has(output.to_lowercase().contains(&value.to_lowercase()), value),
            Self::NotContains { value } => {
                let (contains, reason) = has(output.contains(value.as_str()), value);
                (!contains, reason)
            }
            Self::StartsWith { value } => {
                let begins = output.starts_with(value.as_str());
                (begins, format!("It {} with {}.", if begins { "begins" } else { "does not begin" }, quoted(value)))
            }
            Self::Regex { value } => match expression(value) {
                Ok(expression) => match expression.find(output) {
                    Some(found) => (true, format!("{} matches.", quoted(found.as_str()))),
                    None => (false, "Nothing in it matches.".into()),
                },
                Err(invalid) => (false, invalid.message),
            },
            Self::IsJson {} => match json(output) {
                Ok(_) => (true, "It is JSON.".into()),
                Err(reason) => (false, reason),
            },
            Self::JsonSchema { value } => match (json(output), schema(value)) {
                (Err(reason), _) => (false, reason),
                (_, Err(invalid)) => (false, invalid.message),
                (Ok(instance), _) if nests_too_deep(value, &instance) => (
                    false,
                    "It nests so deep that the schema, which applies itself in several ways, was not tried on it."
                        .into(),
                ),
                (Ok(instance), Ok(schema)) => match schema.validate(&instance) {
                    Ok(()) => (true, "The schema accepts it.".into()),
                    Err(error) => {
                        let place = error.instance_path().to_string();
                        let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
                        (false, format!("The schema refuses it{place}: {}.", short(&error.to_string(), 200)))
                    }
                },
            },
            Self::MaxLength { threshold } => {
                let length = output.chars().count();
                let limit = usize::try_from(*threshold).unwrap_or(usize::MAX);
                (length <= limit, format!("It has {length} characters; {threshold} are allowed."))
            }
            Self::Latency { threshold } => match subject.latency_ms {
                Some(took) => (took <= *threshold, format!("It took {took:.0} ms; {threshold} ms are allowed.")),
                None => (false, "It is not known how long it took.".into()),
            },
            Self::Cost { threshold } => match subject.cost_usd {
                Some(cost) => (cost <= *threshold, format!("It cost ${cost:.6}; ${threshold} are allowed.")),
                None => (false, COST_UNKNOWN.into()),
            },
        };
        Some(self.result(passed, f64::from(u8::from(passed)), reason))
    }

    /// A result of this check.
    pub(super) fn result(&self, passed: bool, score: f64, reason: String) -> CheckResult {
        // PostgreSQL cannot keep this one character.
        CheckResult { check: self.kind().into(), passed, score, reason: reason.replace('\0', "\u{FFFD}") }
    }

    fn alike(&self, value: Option<&str>, threshold: f64, subject: &Subject<'_>) -> CheckResult {
        let Some(wanted) = value.or(subject.expected) else {
            return self.result(false, 0.0, "The case has no expected answer to compare with.".into());
        };
        match similarity(subject.output.trim(), wanted.trim(), threshold) {
            Similarity::Exactly(share) => {
                self.result(share >= threshold, share, format!("It is {share:.3} alike; {threshold} is asked for."))
            }
            Similarity::Below => self.result(
                false,
                0.0,
                format!("It is less alike than the {threshold} asked for; the texts are too long to say how much."),
            ),
            Similarity::TooLong => {
                self.result(false, 0.0, "The texts are too long to be compared. Use contains or regex.".into())
            }
        }
    }
}

fn has(contains: bool, value: &str) -> (bool, String) {
    (contains, format!("It {} {}.", if contains { "contains" } else { "does not contain" }, quoted(value)))
}

/// Whether a schema could take for ever on an answer, because its work multiplies with each level.
fn nests_too_deep(schema: &serde_json::Value, answer: &serde_json::Value) -> bool {
    let depth = depth_of(answer);
    depth > ORDINARY_DEPTH && most_visits(schema, depth).is_none_or(|visits| visits > MAX_VISITS)
}

/// JSON as models give it: alone, or as the one thing inside a fence of Markdown.
fn json(output: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(unfenced(output)).map_err(|error| format!("It is not JSON: {error}."))
}

/// What stands inside a fence that is all of a text; else the text.
pub(super) fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let inside = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let Some((name, inside)) = inside.and_then(|inside| inside.split_once('\n')) else { return text };
    if name.chars().all(char::is_alphanumeric) && !inside.contains("```") { inside.trim() } else { text }
}

fn quoted(text: &str) -> String {
    format!("“{}”", short(text, QUOTED).replace('\n', " "))
}

fn short(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
