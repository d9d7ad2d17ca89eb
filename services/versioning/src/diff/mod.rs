//! What changed between two texts: by line, inside changed lines by word, with moved blocks, and as a patch.
//!
//! The edit script is the shortest one (Myers, "An O(ND) Difference Algorithm and Its Variations", 1986), so it marks as few
//! lines as `git diff --minimal`. A deadline bounds it: past it the script is still right, but longer, and
//! [`Diff::is_simplified`] says so.

mod fold;
mod lines;
mod moved;
mod pairs;
mod patch;
mod words;

use std::time::{Duration, Instant};

pub use fold::{Fold, Stretch, fold};
pub use patch::unified_patch;
pub use words::{Span, WordChange, Words, word_changes};

use lines::{Run, edit_script, keys_of, split_lines};
use moved::find_moved;
use pairs::pair;

/// How two texts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiffOptions {
    /// Whether lines that differ only in white space count as the same, as with `git diff -w`.
    pub ignore_whitespace: bool,
    /// How long the search for the shortest script may take, and once more as long the search for lines that were rewritten.
    pub time_limit: Duration,
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self { ignore_whitespace: false, time_limit: Duration::from_millis(300) }
    }
}

/// A line of the comparison, top to bottom. Numbers are indices from 0 into the lines of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// The same on both sides (but for white space, if that is ignored).
    Same {
        /// The line of the base.
        base: u32,
        /// The line of the head.
        head: u32,
    },
    /// A line that was rewritten: the two are alike enough to show what changed inside.
    Changed {
        /// The line of the base.
        base: u32,
        /// The line of the head.
        head: u32,
    },
    /// Only in the base.
    Removed {
        /// The line of the base.
        base: u32,
        /// The line of the head that the whole block went to, if it only moved.
        moved_to: Option<u32>,
    },
    /// Only in the head.
    Added {
        /// The line of the head.
        head: u32,
        /// The line of the base that the whole block came from, if it only moved.
        moved_from: Option<u32>,
    },
}

impl Row {
    /// Whether the line is the same on both sides.
    pub fn is_same(self) -> bool {
        matches!(self, Self::Same { .. })
    }
}

/// How much changed, in lines. A rewritten line counts as one removed and one added, as in `git diff --numstat`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffStats {
    /// Lines that only the head has.
    pub added: u32,
    /// Lines that only the base has.
    pub removed: u32,
    /// Of the added lines, those that only moved.
    pub moved: u32,
}

/// The comparison of two texts.
#[derive(Debug, Clone)]
pub struct Diff<'a> {
    /// The lines of the base, each with its line break.
    pub base: Vec<&'a str>,
    /// The lines of the head, each with its line break.
    pub head: Vec<&'a str>,
    /// Every line of both, in order.
    pub rows: Vec<Row>,
    /// How much changed.
    pub stats: DiffStats,
    /// Whether the deadline cut the search short: the comparison is right, but marks more than it would have to.
    pub is_simplified: bool,
}

impl<'a> Diff<'a> {
    /// Compares two texts.
    pub fn new(base: &'a str, head: &'a str, options: DiffOptions) -> Self {
        let begin = Instant::now();
        let deadline = begin + options.time_limit;
        let (base, head) = (split_lines(base), split_lines(head));
        let keys = keys_of(&base, &head, options.ignore_whitespace);
        let runs = edit_script(&keys, deadline);
        let mut is_simplified = Instant::now() > deadline;
        // A text that used up its time is not searched for what moved.
        let moved = if is_simplified { moved::Moved::default() } else { find_moved(&keys, &base, &runs) };
        let deadline = Instant::now() + options.time_limit;
        let mut rows = Vec::with_capacity(base.len().max(head.len()));
        for run in runs {
            match run {
                Run::Same { base, head, length } => {
                    rows.extend((0..length).map(|offset| Row::Same { base: base + offset, head: head + offset }));
                }
                Run::Changed { base: removed, head: added } => {
                    pair(&base, &head, removed, added, &moved, deadline, &mut rows);
                }
            }
        }
        is_simplified |= Instant::now() > deadline;
        let mut stats = DiffStats::default();
        for row in &rows {
            match row {
                Row::Same { .. } => {}
                Row::Changed { .. } => {
                    stats.added += 1;
                    stats.removed += 1;
                }
                Row::Removed { .. } => stats.removed += 1,
                Row::Added { moved_from, .. } => {
                    stats.added += 1;
                    stats.moved += u32::from(moved_from.is_some());
                }
            }
        }
        Self { base, head, rows, stats, is_simplified }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.stats == DiffStats::default()
    }
}

#[cfg(test)]
mod tests;
