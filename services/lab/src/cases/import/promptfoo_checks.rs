//! What promptfoo calls assertions, as checks.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;
use versioning::template;

use super::{
    ImportProblem,
    yaml::{Kind, Node},
};
use crate::{
    cases::{export::EXPECTED_ANSWER, quoted},
    checks::Check,
};

/// How alike an answer is at least, where a test does not say so: promptfoo's own value.
pub(super) const SIMILAR_ENOUGH: f64 = 0.75;

/// What a check may refer to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Surroundings<'a> {
    /// In an export of ours, texts are what they are; some are the expected answer.
    Ours {
        /// The expected answer.
        expected: Option<&'a str>,
    },
    /// In a file of promptfoo's, texts have variables.
    Theirs {
        /// Their values.
        variables: &'a BTreeMap<String, String>,
    },
}

pub(super) fn check(node: &Node, surroundings: Surroundings<'_>) -> Result<Check, ImportProblem> {
    let Some(kind) = node.get("type").and_then(Node::as_text) else {
        return Err(node.problem(
            "This check does not say what it checks. Write `type:` and one of the checks, such as contains.",
        ));
    };
    let assertion = Assertion { node, kind, surroundings };
    let check = match kind {
        "equals" => Check::Equals { value: assertion.text_or_expected()? },
        "contains" => Check::Contains { value: assertion.text()? },
        "icontains" => Check::Icontains { value: assertion.text()? },
        "not-contains" => Check::NotContains { value: assertion.text()? },
        "starts-with" => Check::StartsWith { value: assertion.text()? },
        "regex" => Check::Regex { value: assertion.text()? },
        "is-json" => assertion.schema()?.map_or(Check::IsJson {}, |value| Check::JsonSchema { value }),
        "similar" => Check::Similar {
            value: assertion.text_or_expected()?,
            threshold: assertion.threshold()?.unwrap_or(SIMILAR_ENOUGH),
        },
        "javascript" => Check::MaxLength { threshold: assertion.longest()? },
        "latency" => Check::Latency { threshold: assertion.required_threshold()? },
        "cost" => Check::Cost { threshold: assertion.required_threshold()? },
        "llm-rubric" => Check::LlmRubric { value: assertion.text()?, threshold: assertion.threshold()? },
        "levenshtein" => {
            let message = "levenshtein counts edits, which means more in a short answer than in a long one. Use similar with a \
                           threshold from 0 to 1, such as 0.9, or max-length.";
            return Err(assertion.problem(message));
        }
        other => {
            let message = format!(
                "The check {} is not known here. Use equals, contains, icontains, not-contains, starts-with, regex, is-json, \
                 similar, latency, cost or llm-rubric, or remove it.",
                quoted(other)
            );
            return Err(assertion.problem(message));
        }
    };
    check.validate().map_err(|invalid| node.problem(invalid.message))?;
    Ok(check)
}

#[derive(Clone, Copy)]
struct Assertion<'a> {
    node: &'a Node,
    kind: &'a str,
    surroundings: Surroundings<'a>,
}

impl Assertion<'_> {
    fn problem(&self, message: impl Into<String>) -> ImportProblem {
        self.node.problem(message)
    }

    /// The text that is compared with.
    fn text(&self) -> Result<String, ImportProblem> {
        let Some(value) = self.node.get("value") else {
            return Err(self.problem(format!("{} has no `value`. Write the text that it is about.", self.kind)));
        };
        match value.as_text() {
            Some(text) if text.starts_with("file://") => {
                Err(value.problem("The value is in a file, and only this one is read. Write its text here."))
            }
            Some(text) => Ok(self.filled(text).into_owned()),
            None => {
                Err(value.problem(format!("The value of {} is {}, not a text. Write a text.", self.kind, value.what())))
            }
        }
    }

    fn filled<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.surroundings {
            Surroundings::Theirs { variables } if text.contains("{{") => template::fill(text, variables).text.into(),
            Surroundings::Theirs { .. } | Surroundings::Ours { .. } => text.into(),
        }
    }

    /// The text that is compared with; none when it is the expected answer of the case.
    fn text_or_expected(&self) -> Result<Option<String>, ImportProblem> {
        let is_marked = self.node.get("metric").and_then(Node::as_text) == Some(EXPECTED_ANSWER);
        match self.surroundings {
            // Where somebody changed the one and not the other, what is written counts.
            Surroundings::Ours { expected } if is_marked => {
                Ok(Some(self.text()?).filter(|text| expected != Some(text)))
            }
            Surroundings::Ours { .. } | Surroundings::Theirs { .. } => self.text().map(Some),
        }
    }

    fn schema(&self) -> Result<Option<Value>, ImportProblem> {
        let Some(value) = self.node.get("value") else { return Ok(None) };
        match &value.kind {
            Kind::Text(text) => serde_json::from_str(text).map(Some).map_err(|_| {
                value.problem(
                    "The schema of is-json is a text that is not JSON. Write the schema here, as a mapping or as JSON.",
                )
            }),
            _ => Ok(Some(value.to_json())),
        }
    }

    fn threshold(&self) -> Result<Option<f64>, ImportProblem> {
        let Some(node) = self.node.get("threshold") else { return Ok(None) };
        let number =
            node.as_text().and_then(|text| text.trim().parse::<f64>().ok()).filter(|number| number.is_finite());
        number
            .map(Some)
            .ok_or_else(|| node.problem(format!("The threshold of {} is not a number. Write one.", self.kind)))
    }

    fn required_threshold(&self) -> Result<f64, ImportProblem> {
        self.threshold()?.ok_or_else(|| {
            self.problem(format!("{} has no `threshold`. Write the most that is good enough.", self.kind))
        })
    }

    /// The most characters, from the one line of JavaScript that is understood: promptfoo has no check of its own for this.
    fn longest(&self) -> Result<u32, ImportProblem> {
        let script: String = self.text()?.split_whitespace().collect();
        let number =
            ["[...output].length<=", "output.length<="].into_iter().find_map(|start| script.strip_prefix(start));
        number.and_then(|number| number.parse().ok()).ok_or_else(|| {
            let message = "JavaScript is not run here, only `output.length <= 200` is understood. Use another check, or remove it.";
            self.problem(message)
        })
    }
}
