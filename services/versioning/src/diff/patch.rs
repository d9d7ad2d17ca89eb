//! The difference as a patch that `patch(1)` and `git apply` accept.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use similar::{DiffOp, group_diff_ops};

use super::lines::{keys_of, script_of, split_lines};

/// Lines around each change, as `diff -u` has them.
const CONTEXT: usize = 3;

/// How long the search for the shortest script may take. The patch is right in any case.
const TIME_LIMIT: Duration = Duration::from_millis(500);

/// The unified format of GNU diffutils ("Detailed Description of Unified Format"): a header with both names, then hunks
/// of changes with three lines around them. Empty when the texts are the same. White space is never ignored: a patch
/// that did could not be applied.
pub fn unified_patch(base: (&str, &str), head: (&str, &str)) -> String {
    let ((base_name, base_text), (head_name, head_text)) = (base, head);
    let (old, new) = (split_lines(base_text), split_lines(head_text));
    let keys = keys_of(&old, &new, false);
    let script = script_of(&keys.base, &keys.head, Instant::now() + TIME_LIMIT);
    let mut patch = String::new();
    for hunk in group_diff_ops(script, CONTEXT) {
        if hunk.iter().all(|op| matches!(op, DiffOp::Equal { .. })) {
            continue;
        }
        if patch.is_empty() {
            patch = format!("--- {base_name}\n+++ {head_name}\n");
        }
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        let _ = writeln!(
            patch,
            "@@ -{} +{} @@",
            range(first.old_range().start, last.old_range().end),
            range(first.new_range().start, last.new_range().end)
        );
        for op in hunk {
            if matches!(op, DiffOp::Equal { .. }) {
                push(&mut patch, ' ', &old[op.old_range()]);
            } else {
                push(&mut patch, '-', &old[op.old_range()]);
                push(&mut patch, '+', &new[op.new_range()]);
            }
        }
    }
    patch
}

fn push(patch: &mut String, sign: char, lines: &[&str]) {
    for line in lines {
        patch.push(sign);
        patch.push_str(line);
        if !line.ends_with('\n') {
            patch.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// `start,length`, from 1; the length is left out when it is 1, and an empty range names the line before it.
fn range(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        length => format!("{},{length}", start + 1),
    }
}
