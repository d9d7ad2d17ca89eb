//! Where the cells of a CSV file are, and where its quotes are wrong: the parser tells neither.

/// Counts lines up to places that only move forward, so that a whole file is counted once.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The record that the parser says begins at `offset`, and its line. The parser counts the line breaks before a record to it.
    pub fn record_at(&mut self, offset: usize) -> Record<'a> {
        let breaks = self.text.as_bytes()[offset..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let start = offset + breaks;
        self.line += line_breaks(&self.text[self.at..start]);
        self.at = start;
        Record { rest: &self.text[start..], line: self.line }
    }
}

/// A record of a file, at the beginning of all that is left of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    rest: &'a str,
    /// The line on which it begins.
    pub line: usize,
}

/// A quote that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WrongQuote {
    /// The cell that it opens is never closed.
    Open,
    /// Something follows the quote that closes a cell.
    Followed,
}

impl Record<'_> {
    /// The line and column at which a cell begins, counted from 1; that of the record when there is no such cell.
    pub fn place_of(&self, cell: usize) -> (usize, usize) {
        self.place(Cells::new(self.rest).nth(cell).map_or(0, |cell| cell.start))
    }

    /// The first wrong quote, with its line and column.
    pub fn wrong_quote(&self) -> Option<(WrongQuote, (usize, usize))> {
        let (wrong, at) = Cells::new(self.rest).find_map(|cell| cell.wrong)?;
        Some((wrong, self.place(at)))
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let before = &self.rest[..offset];
        let column = before.rsplit(['\n', '\r']).next().unwrap_or_default().chars().count() + 1;
        (self.line + line_breaks(before), column)
    }
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    start: usize,
    wrong: Option<(WrongQuote, usize)>,
}

/// The cells of the first record of a text.
struct Cells<'a> {
    bytes: &'a [u8],
    at: usize,
    is_over: bool,
}

impl<'a> Cells<'a> {
    fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0, is_over: false }
    }

    /// The place behind the cell that the quote at the current one opens.
    fn behind_quoted(&self) -> Option<usize> {
        let mut at = self.at + 1;
        loop {
            at += self.bytes[at..].iter().position(|&byte| byte == b'"')? + 1;
            if self.bytes.get(at) != Some(&b'"') {
                return Some(at);
            }
            at += 1;
        }
    }
}

impl Iterator for Cells<'_> {
    type Item = Cell;

    fn next(&mut self) -> Option<Cell> {
        if self.is_over {
            return None;
        }
        let start = self.at;
        let mut wrong = None;
        if self.bytes.get(start) == Some(&b'"') {
            match self.behind_quoted() {
                Some(behind) => self.at = behind,
                None => {
                    wrong = Some((WrongQuote::Open, start));
                    self.at = self.bytes.len();
                }
            }
            if self.bytes.get(self.at).is_some_and(|byte| !matches!(byte, b',' | b'\n' | b'\r')) {
                wrong = Some((WrongQuote::Followed, self.at));
            }
        }
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|byte| matches!(byte, b',' | b'\n' | b'\r')).unwrap_or(rest.len());
        if self.bytes.get(self.at) == Some(&b',') {
            self.at += 1;
        } else {
            self.is_over = true;
        }
        Some(Cell { start, wrong })
    }
}

/// How many lines end in a text: with LF, CR LF, or CR.
fn line_breaks(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ends = |(at, byte): (usize, &u8)| *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
    bytes.iter().enumerate().filter(|&cell| ends(cell)).count()
}
