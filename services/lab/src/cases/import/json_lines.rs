//! Test cases as JSON Lines.

use super::{Collected, ImportProblem};
use crate::cases::TestCase;

const EXPECTED: &str = "A line is one test case, such as {\"name\": \"Refund\", \"input\": \"Where is my money?\"}.";

pub(super) fn read(text: &str) -> Result<Vec<TestCase>, ImportProblem> {
    let mut collected = Collected::default();
    for (line, text) in filled_lines(text) {
        let case = serde_json::from_str(text).map_err(|error| ImportProblem::of_json(line, text, &error, EXPECTED))?;
        collected.add(line, case).map_err(|problem| ImportProblem::new(line, None, problem.message))?;
    }
    Ok(collected.cases)
}

/// The lines that are not blank, with their numbers.
pub(in crate::cases) fn filled_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.split('\n')).filter(|(_, line)| !line.trim().is_empty())
}
