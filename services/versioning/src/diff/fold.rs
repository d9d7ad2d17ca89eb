//! What of a comparison is shown, and what is folded.

use std::ops::Range;

use super::Row;

/// A part of the comparison, top to bottom. The ranges are indices into [`super::Diff::rows`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    /// Rows to show.
    Shown(Range<usize>),
    /// Rows that are the same and far from any change.
    Folded(Fold),
}

/// Rows that are the same on both sides, and not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// The rows.
    pub rows: Range<usize>,
    /// The number, from 1, of the head's first line in it: the name of the fold.
    pub first_line: u32,
}

/// Divides rows into what is shown and what is folded: every change with `context` lines around it is shown, and so is a
/// stretch of which `is_open` says so by its first line. A fold hides at least two lines: the fold itself takes one.
pub fn fold(rows: &[Row], context: usize, is_open: impl Fn(u32) -> bool) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut shown = 0..0;
    let mut start = 0;
    while start < rows.len() {
        let end = rows[start..]
            .iter()
            .position(|row| row.is_same() != rows[start].is_same())
            .map_or(rows.len(), |n| start + n);
        if rows[start].is_same() {
            let from = if start == 0 { start } else { (start + context).min(end) };
            let to = if end == rows.len() { end } else { end.saturating_sub(context).max(from) };
            if let Some(Row::Same { head, .. }) = rows.get(from)
                && to - from >= 2
                && !is_open(head + 1)
            {
                shown.end = from;
                if !shown.is_empty() {
                    stretches.push(Stretch::Shown(shown));
                }
                stretches.push(Stretch::Folded(Fold { rows: from..to, first_line: head + 1 }));
                shown = to..to;
            }
        }
        start = end;
    }
    shown.end = rows.len();
    if !shown.is_empty() {
        stretches.push(Stretch::Shown(shown));
    }
    stretches
}
