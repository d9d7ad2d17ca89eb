//! Results as files.

use std::{collections::HashMap, str::FromStr};

use serde::Serialize;
use uuid::Uuid;
use versioning::InvalidInput;

use crate::{
    AnswerRecord, Lab, LabError, PairOpinion, Side, Vote, checks::CheckResult, results::opinions, store::Read,
};

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

/// An answer, and what was said of it and of its pair.
#[derive(Serialize)]
struct Line<'a> {
    case: &'a str,
    input: &'a str,
    expected: Option<&'a str>,
    #[serde(flatten)]
    answer: &'a AnswerRecord,
    version: String,
    /// What the pairwise judge said of the answers of A and B.
    #[serde(skip_serializing_if = "Option::is_none")]
    pair: Option<&'a PairOpinion>,
    /// What people said of them.
    #[serde(skip_serializing_if = "<[CastVote]>::is_empty")]
    votes: &'a [CastVote],
}

/// A vote of a reviewer on a pair.
#[derive(Serialize)]
struct CastVote {
    reviewer: String,
    vote: Vote,
}

const HEADER: [&str; 25] = [
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
    "checks",
    "preference",
    "preference_flipped",
    "preference_reasons",
    "votes_a",
    "votes_b",
    "votes_tie",
    "input",
    "answer",
];

impl Lab {
    /// Every answer of a run with its figures and checks, one a line; on the lines of A and B also what the pairwise judge
    /// said of the pair, and people, once the review has ended.
    ///
    /// # Errors
    /// There is no such run, or the database is away.
    pub async fn export_results(&self, id: Uuid, format: ResultFormat) -> Result<String, LabError> {
        let run = self.run(id).await?;
        let cases = self.store.run_cases(id).await?;
        let answers = self.store.answers(id, Read::AllWithTexts).await?;
        let pairs = opinions(self.store.pairs(id, None).await?);
        let mut votes: HashMap<(u32, u32), Vec<CastVote>> = HashMap::new();
        // Until the review has ended nobody sees what was voted.
        if run.review_ended_at.is_some() {
            for (case, repeat, reviewer, vote) in self.store.votes(id).await? {
                votes.entry((case, repeat)).or_default().push(CastVote { reviewer, vote });
            }
        }
        versioning::aside(move || {
            let lines = answers.iter().filter_map(|answer| {
                let case = cases.get(usize::try_from(answer.case_number).ok()?.checked_sub(1)?)?;
                let of_pair = matches!(answer.side, Side::A | Side::B).then_some((answer.case_number, answer.repeat));
                Some(Line {
                    case: &case.name,
                    input: &case.input,
                    expected: case.expected.as_deref(),
                    version: run.version_of(answer.side).to_string(),
                    pair: of_pair.and_then(|pair| pairs.get(&pair)),
                    votes: of_pair.and_then(|pair| votes.get(&pair)).map_or(&[], Vec::as_slice),
                    answer,
                })
            });
            match format {
                ResultFormat::JsonLines => json_lines(lines),
                ResultFormat::Csv => csv(lines),
            }
        })
        .await?
    }
}

fn json_lines<'a>(lines: impl Iterator<Item = Line<'a>>) -> Result<String, LabError> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
    }
    Ok(text)
}

fn csv<'a>(lines: impl Iterator<Item = Line<'a>>) -> Result<String, LabError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER).map_err(LabError::inconsistent)?;
    for line in lines {
        writer.write_record(cells(&line)).map_err(LabError::inconsistent)?;
    }
    let bytes = writer.into_inner().map_err(|error| LabError::inconsistent(error.to_string()))?;
    String::from_utf8(bytes).map_err(LabError::inconsistent)
}

fn cells(line: &Line<'_>) -> [String; HEADER.len()] {
    fn shown(value: Option<impl ToString>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let votes = |side: Vote| match line.votes {
        [] => String::new(),
        votes => votes.iter().filter(|cast| cast.vote == side).count().to_string(),
    };
    let answer = line.answer;
    [
        line.case.to_owned(),
        answer.repeat.to_string(),
        answer.side.as_str().to_owned(),
        line.version.clone(),
        answer.status.clone(),
        shown(answer.passed),
        shown(answer.score),
        shown(answer.latency_ms),
        shown(answer.first_token_ms),
        shown(answer.input_tokens),
        shown(answer.output_tokens),
        shown(answer.cost_usd),
        answer.attempts.to_string(),
        shown(answer.stop.as_deref()),
        shown(answer.error_kind.as_deref()),
        shown(answer.error.as_deref()),
        answer.checks.iter().map(check).collect::<Vec<_>>().join("\n"),
        shown(line.pair.map(|pair| pair.preference.as_str())),
        shown(line.pair.map(|pair| pair.flipped)),
        shown(line.pair.map(|pair| pair.reasons.join("\n"))),
        votes(Vote::A),
        votes(Vote::B),
        votes(Vote::Tie),
        line.input.to_owned(),
        shown(answer.answer.as_deref()),
    ]
}

/// A check on a line of its cell: `contains failed (0): It does not contain “sorry”.` The notes of a judge are such reasons too.
fn check(check: &Option<CheckResult>) -> String {
    let Some(check) = check else { return "not decided by a judge".to_owned() };
    let outcome = if check.passed { "passed" } else { "failed" };
    format!("{} {outcome} ({}): {}", check.check, check.score, check.reason.replace(['\r', '\n'], " "))
}
