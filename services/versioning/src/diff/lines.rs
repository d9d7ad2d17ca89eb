//! Lines as numbers, and the shortest edit script between them.

use std::{collections::HashMap, ops::Range, time::Instant};

use similar::{
    DiffOp,
    algorithms::{Capture, Compact, Replace, myers},
};

/// A stretch of the edit script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Run {
    /// Lines that are the same, from these indices on.
    Same { base: u32, head: u32, length: u32 },
    /// Lines of the base that were replaced by lines of the head; one of the two can be empty.
    Changed { base: Range<u32>, head: Range<u32> },
}

/// The lines of two texts as numbers: equal lines have equal numbers.
#[derive(Debug)]
pub(super) struct Keys {
    pub base: Vec<u32>,
    pub head: Vec<u32>,
}

/// The lines of a text, each with its line break, so that joining them gives the text back.
pub(super) fn split_lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Numbers the lines of both sides.
pub(super) fn keys_of(base: &[&str], head: &[&str], ignore_whitespace: bool) -> Keys {
    let mut known: HashMap<std::borrow::Cow<'_, str>, u32> = HashMap::with_capacity(base.len() + head.len());
    let mut number = |line: &&str| {
        let text = if ignore_whitespace {
            line.split_whitespace().collect::<String>().into()
        } else {
            std::borrow::Cow::Owned((*line).to_owned())
        };
        let next = index(known.len());
        *known.entry(text).or_insert(next)
    };
    Keys { base: base.iter().map(&mut number).collect(), head: head.iter().map(&mut number).collect() }
}

/// The shortest script that makes the base into the head; past the deadline, a longer one.
pub(super) fn edit_script(keys: &Keys, deadline: Instant) -> Vec<Run> {
    script_of(&keys.base, &keys.head, deadline)
        .into_iter()
        .map(|op| match op {
            DiffOp::Equal { old_index, new_index, len } => {
                Run::Same { base: index(old_index), head: index(new_index), length: index(len) }
            }
            changed => {
                let (base, head) = (changed.old_range(), changed.new_range());
                Run::Changed { base: index(base.start)..index(base.end), head: index(head.start)..index(head.end) }
            }
        })
        .collect()
}

/// The shortest script between two sequences of numbers. `similar`'s usual entry point takes short cuts that can lengthen
/// the script; the raw one does not.
pub(super) fn script_of(base: &[u32], head: &[u32], deadline: Instant) -> Vec<DiffOp> {
    // It moves a change down to the last of several equal places, where people expect it.
    let mut ops = Compact::new(Replace::new(Capture::new()), base, head);
    let Ok(()) = myers::diff_deadline_raw(&mut ops, base, 0..base.len(), head, 0..head.len(), Some(deadline));
    ops.into_inner().into_inner().into_ops()
}

/// An index into a text of at most 1 MiB.
pub(super) fn index(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
