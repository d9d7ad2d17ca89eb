//! What changed inside a line, by word.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use similar::DiffOp;

use super::lines::{index, script_of};

/// A line with more words than this is marked as a whole.
const MAX_WORDS: usize = 5_000;

/// How long one line may take.
const LINE_LIMIT: Duration = Duration::from_millis(20);

/// How long all lines of a comparison may take together, unless another limit is set.
const TIME_LIMIT: Duration = Duration::from_millis(300);

/// A piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<'a> {
    /// The text.
    pub text: &'a str,
    /// Whether the other side lacks it.
    pub is_changed: bool,
}

/// A rewritten line, in pieces: joined, they give each side's line back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordChange<'a> {
    /// The line of the base.
    pub base: Vec<Span<'a>>,
    /// The line of the head.
    pub head: Vec<Span<'a>>,
}

/// Finds what changed inside lines, within a time that all lines of a comparison share: thousands of hostile lines cost no more
/// than one. Past it a line is marked as a whole.
#[derive(Debug)]
pub struct Words {
    left: Duration,
    is_simplified: bool,
}

impl Default for Words {
    fn default() -> Self {
        Self::within(TIME_LIMIT)
    }
}

impl Words {
    /// With this much time for all lines together.
    pub fn within(limit: Duration) -> Self {
        Self { left: limit, is_simplified: false }
    }

    /// What changed between two lines.
    pub fn changes<'a>(&mut self, base: &'a str, head: &'a str) -> WordChange<'a> {
        if self.left.is_zero() {
            self.is_simplified = true;
            return whole(base, head);
        }
        let begin = Instant::now();
        let limit = self.left.min(LINE_LIMIT);
        let changes = changes_until(base, head, begin + limit);
        let taken = begin.elapsed();
        self.left = self.left.saturating_sub(taken);
        self.is_simplified |= taken > limit;
        changes
    }

    /// Whether time ran out: what is marked is right, but more is marked than would have to be.
    pub fn is_simplified(&self) -> bool {
        self.is_simplified
    }
}

/// What changed between two lines that are compared by themselves.
pub fn word_changes<'a>(base: &'a str, head: &'a str) -> WordChange<'a> {
    Words::default().changes(base, head)
}

fn whole<'a>(base: &'a str, head: &'a str) -> WordChange<'a> {
    let all = |text| vec![Span { text, is_changed: true }];
    WordChange { base: all(base), head: all(head) }
}

/// What changed between two lines. Past the deadline, more is marked than would have to be.
pub(super) fn changes_until<'a>(base: &'a str, head: &'a str, deadline: Instant) -> WordChange<'a> {
    let old: Vec<&str> = split_words(base).take(MAX_WORDS + 1).collect();
    let new: Vec<&str> = split_words(head).take(MAX_WORDS + 1).collect();
    if old.len().max(new.len()) > MAX_WORDS {
        return whole(base, head);
    }
    let mut known = HashMap::new();
    let mut number = |word: &&'a str| {
        let next = index(known.len());
        *known.entry(*word).or_insert(next)
    };
    let old_keys: Vec<u32> = old.iter().map(&mut number).collect();
    let new_keys: Vec<u32> = new.iter().map(&mut number).collect();
    let script = script_of(&old_keys, &new_keys, deadline);
    let last = script.len().saturating_sub(1);
    let mut changes = WordChange { base: Vec::new(), head: Vec::new() };
    for (position, op) in script.into_iter().enumerate() {
        let is_same = matches!(op, DiffOp::Equal { .. });
        // A space between two changed words is no island of sameness: one mark reads better than two.
        let is_island =
            is_same && position > 0 && position < last && old[op.old_range()].iter().all(|word| word.trim().is_empty());
        push(&mut changes.base, base, &old[op.old_range()], !is_same || is_island);
        push(&mut changes.head, head, &new[op.new_range()], !is_same || is_island);
    }
    changes
}

/// Appends neighbouring words, joined with the last piece if that is of the same kind.
fn push<'a>(spans: &mut Vec<Span<'a>>, line: &'a str, words: &[&'a str], is_changed: bool) {
    let length: usize = words.iter().map(|word| word.len()).sum();
    if length == 0 {
        return;
    }
    let done: usize = spans.iter().map(|span| span.text.len()).sum();
    match spans.last_mut() {
        Some(span) if span.is_changed == is_changed => {
            let start = done - span.text.len();
            span.text = &line[start..done + length];
        }
        _ => spans.push(Span { text: &line[done..done + length], is_changed }),
    }
}

/// The words of a line: runs of letters, digits and underscores, runs of white space, and any other character by itself.
pub(super) fn split_words(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let kind = Kind::of(first);
        let end = match kind {
            Kind::Other => first.len_utf8(),
            _ => rest.find(|c| Kind::of(c) != kind).unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Space,
    Other,
}

impl Kind {
    fn of(c: char) -> Self {
        if c.is_alphanumeric() || c == '_' {
            Self::Letter
        } else if c.is_whitespace() {
            Self::Space
        } else {
            Self::Other
        }
    }
}
