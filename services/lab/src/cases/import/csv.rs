//! Test cases as CSV.

use std::collections::{BTreeMap, BTreeSet};

use csv::{ReaderBuilder, StringRecord};

use super::{
    Collected, INPUT_NAMES, ImportProblem,
    csv_places::{Lines, Record, WrongQuote},
    input_among,
    promptfoo_cells::assertion,
    shortened, tags_of,
};
use crate::{
    cases::{TestCase, grouped, quoted, validate::variable_name_problem},
    checks::{Check, checks_from_lines},
};

/// How many columns are read at most. Exports have about a hundred.
const MAX_COLUMNS: usize = 1_000;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Name,
    Input,
    Expected,
    Tags,
    Checks,
    /// Variables as a JSON object.
    Variables,
    /// The variable of this name.
    Variable(String),
    /// A check as promptfoo writes it; the heading, because there may be several.
    Assertion(String),
    /// Nothing: a spreadsheet's column without a heading.
    Nothing,
}

pub(super) fn read(text: &str) -> Result<Vec<TestCase>, ImportProblem> {
    // The header is read here, so that what is wrong with it has a place; rows of another length are named here as well.
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut lines = Lines::new(text);
    let mut cells = StringRecord::new();
    let mut columns = Vec::new();
    let mut collected = Collected::default();
    loop {
        let is_row = reader.read_record(&mut cells);
        let offset = cells.position().and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(0);
        let record = lines.record_at(offset.min(text.len()));
        if !is_row
            .map_err(|error| ImportProblem::new(record.line, None, format!("The row cannot be read: {error}.")))?
        {
            return Ok(collected.cases);
        }
        let row = Row { columns: &columns, cells: &cells, record };
        row.check_quotes()?;
        if columns.is_empty() {
            columns = row.header()?;
        } else if cells.iter().any(|cell| !cell.trim().is_empty()) {
            let case = row.case()?;
            collected.add(record.line, case).map_err(|problem| {
                let place = columns.iter().position(|column| column.field() == problem.field);
                place.map_or_else(
                    || ImportProblem::new(record.line, None, problem.message.clone()),
                    |cell| row.problem(cell, &problem.message),
                )
            })?;
        }
    }
}

impl Column {
    fn of(heading: &str) -> Self {
        match heading.to_ascii_lowercase().as_str() {
            "" => Self::Nothing,
            "name" => Self::Name,
            "input" => Self::Input,
            "expected" => Self::Expected,
            "tags" => Self::Tags,
            "checks" => Self::Checks,
            "variables" => Self::Variables,
            lower => match lower.strip_prefix("__expected") {
                Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => Self::Assertion(lower.to_owned()),
                _ => Self::Variable(heading.strip_prefix("var:").unwrap_or(heading).trim().to_owned()),
            },
        }
    }

    /// The field of a case that it fills, as problems name it.
    fn field(&self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Input => "input",
            Self::Expected => "expected",
            Self::Tags => "tags",
            Self::Checks | Self::Assertion(_) => "checks",
            Self::Variables | Self::Variable(_) => "variables",
            Self::Nothing => "",
        }
    }
}

/// A row, and where it stands.
#[derive(Clone, Copy)]
struct Row<'a> {
    columns: &'a [Column],
    cells: &'a StringRecord,
    record: Record<'a>,
}

impl Row<'_> {
    fn problem(&self, cell: usize, message: impl Into<String>) -> ImportProblem {
        let (line, column) = self.record.place_of(cell);
        ImportProblem::new(line, column, message)
    }

    fn check_quotes(&self) -> Result<(), ImportProblem> {
        let Some((wrong, (line, column))) = self.record.wrong_quote() else { return Ok(()) };
        let message = match wrong {
            WrongQuote::Open => "The quote that begins this cell is never closed. Close it, or remove it.",
            WrongQuote::Followed => {
                "Something follows the quote that closes a cell. Put a comma there, or write a quote within a cell twice."
            }
        };
        Err(ImportProblem::new(line, column, message))
    }

    fn header(&self) -> Result<Vec<Column>, ImportProblem> {
        if let (1, Some(heading)) = (self.cells.len(), self.cells.get(0))
            && heading.contains([';', '\t'])
        {
            let message =
                "The header has no comma. Save the file with commas between its columns, not semicolons or tabs.";
            return Err(self.problem(0, message));
        }
        if self.cells.len() > MAX_COLUMNS {
            let (count, most) = (grouped(self.cells.len()), grouped(MAX_COLUMNS));
            return Err(
                self.problem(0, format!("The header has {count} columns; at most {most} are read. Remove the others."))
            );
        }
        let columns: Vec<Column> = self.cells.iter().map(|heading| Column::of(heading.trim())).collect();
        let mut known = BTreeSet::new();
        for (cell, column) in columns.iter().enumerate() {
            if let Column::Variable(name) = column
                && let Some(problem) = variable_name_problem(name)
            {
                return Err(self.problem(cell, format!("{problem} Rename the column, or remove it.")));
            }
            if *column != Column::Nothing && !known.insert(column) {
                let heading = quoted(self.cells.get(cell).unwrap_or_default().trim());
                return Err(self.problem(cell, format!("Another column is called {heading} too. Rename one of them.")));
            }
        }
        let has_input = known.contains(&Column::Input)
            || known.contains(&Column::Variables)
            || INPUT_NAMES.iter().any(|name| known.contains(&Column::Variable((*name).to_owned())));
        if !has_input {
            let message =
                "There is no column for what the user says. The first row names the columns; call one of them input.";
            return Err(self.problem(0, message));
        }
        Ok(columns)
    }

    fn case(&self) -> Result<TestCase, ImportProblem> {
        if self.cells.len() != self.columns.len() {
            let message = format!(
                "The row has {} cell{} and the header has {}. Put cells that hold commas or line breaks between quotes.",
                grouped(self.cells.len()),
                if self.cells.len() == 1 { "" } else { "s" },
                grouped(self.columns.len())
            );
            return Err(self.problem(0, message));
        }
        let mut case = TestCase {
            name: String::new(),
            input: String::new(),
            variables: BTreeMap::new(),
            expected: None,
            tags: Vec::new(),
            checks: Vec::new(),
        };
        for (place, (column, cell)) in self.columns.iter().zip(self.cells).enumerate() {
            match column {
                Column::Name => case.name = cell.to_owned(),
                Column::Input => case.input = cell.to_owned(),
                Column::Expected => case.expected = Some(cell.to_owned()),
                Column::Tags => case.tags = tags_of(cell),
                Column::Checks => case.checks.extend(self.checks(place, cell)?),
                Column::Variables => case.variables.extend(self.variables(place, cell)?),
                Column::Variable(_) | Column::Assertion(_) if cell.is_empty() => {}
                Column::Variable(name) => {
                    case.variables.insert(name.clone(), cell.to_owned());
                }
                Column::Assertion(_) => {
                    case.checks.push(assertion(cell).map_err(|message| self.problem(place, message))?);
                }
                Column::Nothing if cell.trim().is_empty() => {}
                Column::Nothing => {
                    let message =
                        "The cell stands in a column without a heading. Name the column in the first row, or empty it.";
                    return Err(self.problem(place, message));
                }
            }
        }
        if !self.columns.contains(&Column::Input) {
            case.input = input_among(&case.variables).cloned().unwrap_or_default();
        }
        Ok(case)
    }

    fn checks(&self, place: usize, cell: &str) -> Result<Vec<Check>, ImportProblem> {
        checks_from_lines(cell).map_err(|problems| {
            let Some(problem) = problems.into_iter().next() else {
                return self.problem(place, "The checks cannot be read.");
            };
            let (line, column) = self.record.place_of(place);
            // The lines of a cell are lines of the file.
            let within = problem.line.saturating_sub(1);
            ImportProblem::new(line + within, (within == 0).then_some(column), problem.message)
        })
    }

    fn variables(&self, place: usize, cell: &str) -> Result<BTreeMap<String, String>, ImportProblem> {
        if cell.trim().is_empty() {
            return Ok(BTreeMap::new());
        }
        serde_json::from_str(cell).map_err(|error| {
            let said = shortened(&error.to_string());
            let message = format!(
                "The variables cannot be read: {said}. Write a JSON object of texts, such as {{\"name\": \"Ada\"}}, or use a column \
                 for each variable."
            );
            self.problem(place, message)
        })
    }
}
