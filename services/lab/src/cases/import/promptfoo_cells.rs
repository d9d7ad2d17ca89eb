//! Checks as promptfoo writes them in the cells of a table: `contains: text`, `similar(0.9): text`.

use super::promptfoo_checks::SIMILAR_ENOUGH;
use crate::{cases::quoted, checks::Check};

/// Checks of promptfoo's that there are not here. Everything else before a colon is the beginning of an answer.
const OTHERS: [&str; 24] = [
    "answer-relevance",
    "classifier",
    "contains-all",
    "contains-any",
    "contains-html",
    "contains-json",
    "contains-sql",
    "contains-xml",
    "context-faithfulness",
    "context-recall",
    "context-relevance",
    "eval",
    "factuality",
    "fn",
    "grade",
    "icontains-all",
    "icontains-any",
    "javascript",
    "levenshtein",
    "model-graded-closedqa",
    "python",
    "rouge-n",
    "select-best",
    "webhook",
];

/// The check of a cell. A text that is no such notation must be the answer.
pub(super) fn assertion(cell: &str) -> Result<Check, String> {
    let Some(notation) = Notation::of(cell.trim()) else {
        return Ok(Check::Equals { value: Some(cell.to_owned()) });
    };
    let value = notation.value.to_owned();
    Ok(match notation.kind {
        "equals" => Check::Equals { value: Some(value) },
        "contains" => Check::Contains { value },
        "icontains" => Check::Icontains { value },
        "not-contains" => Check::NotContains { value },
        "starts-with" => Check::StartsWith { value },
        "regex" => Check::Regex { value },
        "is-json" if value.is_empty() => Check::IsJson {},
        "is-json" => Check::JsonSchema {
            value: serde_json::from_str(&value)
                .map_err(|_| "The schema after is-json is not JSON. Correct it, or remove it.")?,
        },
        "similar" => Check::Similar { value: Some(value), threshold: notation.number.unwrap_or(SIMILAR_ENOUGH) },
        "latency" => Check::Latency { threshold: notation.most()? },
        "cost" => Check::Cost { threshold: notation.most()? },
        "llm-rubric" => Check::LlmRubric { value, threshold: notation.number },
        other => {
            return Err(format!(
                "The check {} is not known here. Use equals, contains, icontains, not-contains, starts-with, regex, is-json, similar, \
                 latency, cost or llm-rubric; or write equals: before a text that must be the answer.",
                quoted(other)
            ));
        }
    })
}

/// `kind(number): value`; the number and what follows may be missing.
struct Notation<'a> {
    kind: &'a str,
    number: Option<f64>,
    value: &'a str,
}

impl<'a> Notation<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let is_kind = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        let (kind, mut rest) = text.split_at(text.bytes().take_while(|&byte| is_kind(byte)).count());
        let known = [
            "equals",
            "contains",
            "icontains",
            "not-contains",
            "starts-with",
            "regex",
            "is-json",
            "similar",
            "latency",
            "cost",
            "llm-rubric",
        ];
        let positive = kind.strip_prefix("not-").unwrap_or(kind);
        if !known.contains(&kind) && !known.contains(&positive) && !OTHERS.contains(&positive) {
            return None;
        }
        let mut number = None;
        if let Some((inside, behind)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            number = Some(inside.trim().parse().ok()?);
            rest = behind;
        }
        let value = match rest.strip_prefix(':') {
            Some(value) => value.trim(),
            // A word alone is an answer, unless it needs nothing else.
            None if rest.is_empty() && (number.is_some() || kind == "is-json") => "",
            None => return None,
        };
        Some(Self { kind, number, value })
    }

    /// The most that is good enough, between brackets or after the colon.
    fn most(&self) -> Result<f64, String> {
        self.number.or_else(|| self.value.parse().ok()).ok_or_else(|| {
            format!(
                "{} does not say the most that is good enough. Write a number, such as {}(2).",
                self.kind, self.kind
            )
        })
    }
}
