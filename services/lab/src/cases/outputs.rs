//! Answers that were produced elsewhere.

use std::collections::{HashMap, hash_map::Entry};

use serde::{Deserialize, Deserializer, Serialize};

use super::{ImportProblem, TestCase, import::filled_lines, quoted};
use crate::{RunPlan, Side, statistics};

/// How long a name is at most, in bytes: what is longer by so much is nobody's mistake, and comparing it would only take time.
const MAX_NAME_BYTES: usize = 800;

/// Repeats at most: as many as a run has.
const MAX_REPEATS: u32 = RunPlan::MAX_REPEATS;

const EXPECTED: &str =
    "A line is one answer, such as {\"case\": \"Refund\", \"side\": \"a\", \"output\": \"It is on its way.\"}.";

/// The answer of one version to one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideOutput {
    /// The name of the case.
    pub case: String,
    /// Whose answer it is: `a` or `b`.
    #[serde(deserialize_with = "a_or_b")]
    pub side: Side,
    /// The answer.
    pub output: String,
    /// Which repeat it is, from 1.
    #[serde(default = "first")]
    pub repeat: u32,
    /// Milliseconds to the whole answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Milliseconds to the first token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_first_token_ms: Option<f64>,
    /// Tokens sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

fn first() -> u32 {
    1
}

/// A run against itself has two more sides, which nobody brings along.
fn a_or_b<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Side, D::Error> {
    statistics::Side::deserialize(deserializer).map(Side::from)
}

/// Reads answers, one as JSON a line: for each case, in each repeat, one of side `a` and one of side `b`.
///
/// # Errors
/// The first line that cannot be read, or that is about a case that is not among `cases`, or about one that has this answer
/// already; or the first answer that is missing.
pub fn read_outputs(text: &str, cases: &[TestCase]) -> Result<Vec<OutsideOutput>, ImportProblem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let known: HashMap<&str, usize> =
        cases.iter().enumerate().map(|(place, case)| (case.name.as_str(), place)).collect();
    // On which line each answer stands.
    let mut lines = HashMap::new();
    let mut outputs = Vec::new();
    let mut last = 1;
    for (line, text) in filled_lines(text) {
        last = line;
        let output: OutsideOutput =
            serde_json::from_str(text).map_err(|error| ImportProblem::of_json(line, text, &error, EXPECTED))?;
        check(&output).map_err(|message| ImportProblem::new(line, None, message))?;
        let Some(&place) = known.get(output.case.as_str()) else {
            return Err(ImportProblem::new(line, None, unknown_case(&output.case, cases)));
        };
        match lines.entry((place, output.repeat, output.side)) {
            Entry::Vacant(free) => free.insert(line),
            Entry::Occupied(first) => {
                let message = format!("{} stands on line {} already. Keep one of them.", said(&output), first.get());
                return Err(ImportProblem::new(line, None, message));
            }
        };
        outputs.push(output);
    }
    if outputs.is_empty() {
        return Err(ImportProblem::new(1, None, format!("There are no answers in the file. {EXPECTED}")));
    }
    let repeats = outputs.iter().map(|output| output.repeat).max().unwrap_or(1);
    for (place, case) in cases.iter().enumerate() {
        for repeat in 1..=repeats {
            let [a, b] = [Side::A, Side::B].map(|side| lines.get(&(place, repeat, side)).copied());
            if let (Some(_), Some(_)) = (a, b) {
                continue;
            }
            let message = missing(&case.name, repeat, repeats, a.is_some(), b.is_some());
            // The other answer shows where the missing one belongs.
            return Err(ImportProblem::new(a.or(b).unwrap_or(last), None, message));
        }
    }
    Ok(outputs)
}

/// The answer, in words.
fn said(output: &OutsideOutput) -> String {
    format!("The answer of side {} to {}, repeat {},", output.side.as_str(), quoted(&output.case), output.repeat)
}

fn missing(name: &str, repeat: u32, repeats: u32, has_a: bool, has_b: bool) -> String {
    let name = quoted(name);
    let what = match (has_a, has_b) {
        (true, _) => "has an answer of side a and none of side b",
        (_, true) => "has an answer of side b and none of side a",
        (false, false) => "has no answers",
    };
    format!(
        "The case {name} {what} in repeat {repeat} of {repeats}. Add what is missing: versions are compared on the same cases."
    )
}

/// What is wrong with an answer.
fn check(output: &OutsideOutput) -> Result<(), String> {
    if !(1..=MAX_REPEATS).contains(&output.repeat) {
        return Err(format!("The repeat is {}. Count repeats from 1 to {MAX_REPEATS}.", output.repeat));
    }
    if output.output.contains('\0') {
        return Err("The answer holds a NUL character (U+0000), which cannot be stored. Remove it.".into());
    }
    let numbers = [
        ("latency_ms", output.latency_ms),
        ("time_to_first_token_ms", output.time_to_first_token_ms),
        ("cost_usd", output.cost_usd),
    ];
    for (field, number) in numbers {
        if number.is_some_and(|number| !(number >= 0.0 && number.is_finite())) {
            return Err(format!("{field} is below 0. Write what was measured, or leave it out."));
        }
    }
    Ok(())
}

fn unknown_case(name: &str, cases: &[TestCase]) -> String {
    let shown = quoted(name);
    let most = name.chars().count() / 2;
    let nearest = cases
        .iter()
        .filter(|case| case.name.len().abs_diff(name.len()) <= MAX_NAME_BYTES)
        .map(|case| (edits(name, &case.name), case))
        .filter(|(edits, _)| *edits <= most)
        .min_by_key(|(edits, _)| *edits);
    match nearest {
        Some((_, nearest)) => format!("The set has no case {shown}. Did you mean {}?", quoted(&nearest.name)),
        None => format!("The set has no case {shown}. Use the names of its cases; its export lists them."),
    }
}

/// How many characters have to be put in, left out or replaced to come from one text to the other, upper and lower case being
/// the same (Levenshtein's distance, one row at a time).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, c) in from.to_lowercase().chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], done + 1);
        for (place, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(c != *other);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[to.len()]
}
