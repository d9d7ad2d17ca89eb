//! Results as files.

use std::str::FromStr;

use serde::Serialize;
use uuid::Uuid;
use versioning::InvalidInput;

use crate::{AnswerRecord, Lab, LabError};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultFormat {
    /// Comma-separated values with a header (RFC 4180).
    Csv,
    /// One JSON object a line.
    JsonLines,
}

impl ResultFormat {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl",
        }
    }

    /// How a file's name ends.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }
}

impl FromStr for ResultFormat {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        match text {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::JsonLines),
            _ => Err(InvalidInput::new(
                "format",
                "unknown_format",
                format!("{text:?} is not a format of results. Choose csv or jsonl."),
            )),
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    case: &'a str,
    input: &'a str,
    expected: Option<&'a str>,
    #[serde(flatten)]
    answer: &'a AnswerRecord,
    version: String,
}

impl Lab {
    /// Every answer of a run with its figures, one a line.
    ///
    /// # Errors
    /// There is no such run, or the database is away.
    pub async fn export_results(&self, id: Uuid, format: ResultFormat) -> Result<String, LabError> {
        let run = self.run(id).await?;
        let cases = self.store.run_cases(id).await?;
        let answers = self.store.answers(id, Some(1..=u32::MAX)).await?;
        let mut jsonl = String::new();
        let mut csv = csv::Writer::from_writer(Vec::new());
        if format == ResultFormat::Csv {
            csv.write_record([
                "case",
                "repeat",
                "side",
                "version",
                "status",
                "passed",
                "score",
                "latency_ms",
                "first_token_ms",
                "input_tokens",
                "output_tokens",
                "cost_usd",
                "attempts",
                "stop",
                "error_kind",
                "error",
                "input",
                "answer",
            ])
            .map_err(LabError::inconsistent)?;
        }
        for answer in &answers {
            let place = usize::try_from(answer.case_number - 1).unwrap_or(usize::MAX);
            let Some(case) = cases.get(place) else { continue };
            let version = run.version_of(answer.side).to_string();
            match format {
                ResultFormat::JsonLines => {
                    let line = Line {
                        case: &case.name,
                        input: &case.input,
                        expected: case.expected.as_deref(),
                        answer,
                        version,
                    };
                    jsonl.push_str(&serde_json::to_string(&line)?);
                    jsonl.push('\n');
                }
                ResultFormat::Csv => {
                    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
                    let count = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
                    let text = |value: &Option<String>| value.clone().unwrap_or_default();
                    csv.write_record([
                        case.name.clone(),
                        answer.repeat.to_string(),
                        answer.side.as_str().into(),
                        version,
                        answer.status.clone(),
                        answer.passed.map(|passed| passed.to_string()).unwrap_or_default(),
                        number(answer.score),
                        number(answer.latency_ms),
                        number(answer.first_token_ms),
                        count(answer.input_tokens),
                        count(answer.output_tokens),
                        number(answer.cost_usd),
                        answer.attempts.to_string(),
                        text(&answer.stop),
                        text(&answer.error_kind),
                        text(&answer.error),
                        case.input.clone(),
                        text(&answer.answer),
                    ])
                    .map_err(LabError::inconsistent)?;
                }
            }
        }
        if format == ResultFormat::JsonLines {
            return Ok(jsonl);
        }
        let bytes = csv.into_inner().map_err(|error| LabError::inconsistent(error.to_string()))?;
        String::from_utf8(bytes).map_err(LabError::inconsistent)
    }
}
