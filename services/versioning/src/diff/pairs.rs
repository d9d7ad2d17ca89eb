//! Which removed line became which added one.

use std::{collections::HashMap, ops::Range, time::Instant};

use super::{Row, moved::Moved, words::split_words};

/// From this likeness on, two lines are one line that was rewritten: at least half of what they say is the same.
const ALIKE: f64 = 0.5;

/// The largest block, in pairs of lines, that is searched for the best assignment; a larger one is paired in order.
const MAX_PAIRS: usize = 10_000;

/// Longer lines are taken as they come: comparing them all with each other would cost too much.
const MAX_LINE: usize = 4_000;

/// Appends the rows of a changed block: rewritten lines beside each other, then what is left on either side. Past the deadline
/// no line is called rewritten any more.
pub(super) fn pair(
    base: &[&str],
    head: &[&str],
    removed: Range<u32>,
    added: Range<u32>,
    moved: &Moved,
    deadline: Instant,
    rows: &mut Vec<Row>,
) {
    let removed: Vec<u32> = removed.collect();
    let added: Vec<u32> = added.collect();
    let mut pairs = alignment(base, head, [&removed, &added], moved, deadline).into_iter().peekable();
    let (mut left, mut right) = (0, 0);
    loop {
        let (next_left, next_right) = pairs.peek().copied().unwrap_or((removed.len(), added.len()));
        rows.extend(
            removed[left..next_left].iter().map(|&base| Row::Removed { base, moved_to: moved.to.get(&base).copied() }),
        );
        rows.extend(
            added[right..next_right]
                .iter()
                .map(|&head| Row::Added { head, moved_from: moved.from.get(&head).copied() }),
        );
        if pairs.next().is_none() {
            return;
        }
        rows.push(Row::Changed { base: removed[next_left], head: added[next_right] });
        (left, right) = (next_left + 1, next_right + 1);
    }
}

/// The pairs, in order, whose likeness adds up to the most: dynamic programming as for the longest common subsequence.
fn alignment(
    base: &[&str],
    head: &[&str],
    [removed, added]: [&[u32]; 2],
    moved: &Moved,
    deadline: Instant,
) -> Vec<(usize, usize)> {
    let has_time = || Instant::now() < deadline;
    if !has_time() {
        return Vec::new();
    }
    let (rows, columns) = (removed.len(), added.len());
    let is_free =
        |left: usize, right: usize| !moved.to.contains_key(&removed[left]) && !moved.from.contains_key(&added[right]);
    let texts = |left: usize, right: usize| (base[removed[left] as usize], head[added[right] as usize]);
    if rows.saturating_mul(columns) > MAX_PAIRS {
        // In order; each pair is still judged by itself.
        return (0..rows.min(columns))
            .take_while(|_| has_time())
            .filter(|&line| is_free(line, line))
            .filter(|&line| {
                let (old, new) = texts(line, line);
                old.len().max(new.len()) <= MAX_LINE && likeness(&Bag::of(old), &Bag::of(new)) >= ALIKE
            })
            .map(|line| (line, line))
            .collect();
    }
    let (old, new) = (bags(removed, base), bags(added, head));
    // best[row][column]: the most that the lines from there on can give.
    let width = columns + 1;
    let mut best = vec![0.0_f64; (rows + 1) * width];
    let mut gains = vec![0.0_f64; rows * columns];
    for row in (0..rows).rev() {
        let has_time = has_time();
        for column in (0..columns).rev() {
            let alike = match (&old[row], &new[column]) {
                (Some(old), Some(new)) if has_time && is_free(row, column) => likeness(old, new),
                // A line too long to compare has only one candidate worth showing: the only one there is.
                (None, None) if rows == 1 && columns == 1 => ALIKE,
                _ => 0.0,
            };
            let gain = if alike >= ALIKE { alike } else { 0.0 };
            gains[row * columns + column] = gain;
            let with = if gain > 0.0 { gain + best[(row + 1) * width + column + 1] } else { 0.0 };
            best[row * width + column] = with.max(best[(row + 1) * width + column]).max(best[row * width + column + 1]);
        }
    }
    let mut pairs = Vec::new();
    let (mut row, mut column) = (0, 0);
    while row < rows && column < columns {
        let here = best[row * width + column];
        let gain = gains[row * columns + column];
        if gain > 0.0 && here <= gain + best[(row + 1) * width + column + 1] {
            pairs.push((row, column));
            (row, column) = (row + 1, column + 1);
        } else if here <= best[(row + 1) * width + column] {
            row += 1;
        } else {
            column += 1;
        }
    }
    pairs
}

/// The words of each line that is not too long to be compared.
fn bags<'a>(lines: &[u32], side: &[&'a str]) -> Vec<Option<Bag<'a>>> {
    lines.iter().map(|&line| side[line as usize]).map(|text| (text.len() <= MAX_LINE).then(|| Bag::of(text))).collect()
}

/// The words of a line and how often each stands in it.
struct Bag<'a> {
    words: HashMap<&'a str, usize>,
    letters: usize,
}

impl<'a> Bag<'a> {
    fn of(line: &'a str) -> Self {
        let mut words = HashMap::new();
        let mut letters = 0;
        for word in split_words(line).filter(|word| !word.trim().is_empty()) {
            *words.entry(word).or_insert(0) += 1;
            letters += word.len();
        }
        Self { words, letters }
    }
}

/// Dice's coefficient over the words of two lines, weighted by their length: 1 when both have the same words.
fn likeness(one: &Bag<'_>, other: &Bag<'_>) -> f64 {
    let total = one.letters + other.letters;
    if total == 0 {
        // Both blank: they differ in white space alone.
        return 1.0;
    }
    let (fewer, more) = if one.words.len() <= other.words.len() { (one, other) } else { (other, one) };
    let common: usize =
        fewer.words.iter().map(|(word, count)| word.len() * count.min(more.words.get(word).unwrap_or(&0))).sum();
    #[expect(clippy::cast_precision_loss, reason = "a line has far fewer than 2^52 bytes")]
    let share = 2.0 * common as f64 / total as f64;
    share
}
