//! Two changes of one text, put together.

use std::{collections::HashMap, ops::Range, time::Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The text. Where both changed the same lines it has both, between marks.
    pub text: String,
    /// The places where both changed the same lines.
    pub conflicts: u32,
}

/// Merges two changes of `base` by lines (diff3). What only one side changed is taken, and so is, once, what both changed in the
/// same way; the rest stands in the text between `<<<<<<<` and `>>>>>>>` with the label of each side, as `git merge` writes it.
///
/// A line ends at `\n` and keeps its line break. Past the deadline the merge is still right, but can mark more than it would have
/// to. Give none in the browser: WebAssembly has no such clock.
pub fn merge(base: &str, ours: &str, theirs: &str, labels: (&str, &str), deadline: Option<Instant>) -> Merged {
    let mut known = HashMap::new();
    let base = Side::of(base, &mut known);
    let ours = Side::of(ours, &mut known);
    let theirs = Side::of(theirs, &mut known);
    let mut our_edits = edits(&base, &ours, deadline).into_iter().peekable();
    let mut their_edits = edits(&base, &theirs, deadline).into_iter().peekable();

    let mut merged = Merged { text: String::new(), conflicts: 0 };
    let mut done = 0;
    loop {
        let starts = [our_edits.peek(), their_edits.peek()].map(|edit| edit.map(|edit| edit.base.start));
        let Some(start) = starts.into_iter().flatten().min() else { break };
        // Edits that overlap or touch stand or fall together, as in git.
        let mut region = start..start;
        let (mut our_span, mut their_span) = (None, None);
        loop {
            if let Some(edit) = our_edits.next_if(|edit| edit.base.start <= region.end) {
                region.end = region.end.max(edit.base.end);
                widen(&mut our_span, edit);
            } else if let Some(edit) = their_edits.next_if(|edit| edit.base.start <= region.end) {
                region.end = region.end.max(edit.base.end);
                widen(&mut their_span, edit);
            } else {
                break;
            }
        }
        merged.text.extend(base.lines[done..region.start].iter().copied());
        done = region.end;
        match (our_span, their_span) {
            (Some(span), None) => merged.text.extend(ours.lines[span.side].iter().copied()),
            (None, Some(span)) => merged.text.extend(theirs.lines[span.side].iter().copied()),
            (Some(our_span), Some(their_span)) => {
                let (mine, other) = (our_span.side_of(&region), their_span.side_of(&region));
                let before = &base.keys[region];
                let (my_keys, other_keys) = (&ours.keys[mine.clone()], &theirs.keys[other.clone()]);
                // A script cut short by the deadline can call lines changed that are not.
                if my_keys == other_keys || other_keys == before {
                    merged.text.extend(ours.lines[mine].iter().copied());
                } else if my_keys == before {
                    merged.text.extend(theirs.lines[other].iter().copied());
                } else {
                    merged.conflicts = merged.conflicts.saturating_add(1);
                    push_mark(&mut merged.text, "<<<<<<< ", labels.0);
                    merged.text.extend(ours.lines[mine].iter().copied());
                    push_mark(&mut merged.text, "=======", "");
                    merged.text.extend(theirs.lines[other].iter().copied());
                    push_mark(&mut merged.text, ">>>>>>> ", labels.1);
                }
            }
            (None, None) => {}
        }
    }
    merged.text.extend(base.lines[done..].iter().copied());
    merged
}

/// The line, from 1, of the first conflict that nobody has settled: the three marks, in order, whatever stands between them.
pub fn unsettled(text: &str) -> Option<u32> {
    let mut begin = None;
    let mut is_divided = false;
    for (line, number) in text.lines().zip(1..) {
        // A second begin does not restart the search: the text of a side can look like a mark.
        if begin.is_none() {
            begin = line.starts_with("<<<<<<< ").then_some(number);
        } else if !is_divided {
            is_divided = line == "=======";
        } else if line.starts_with(">>>>>>> ") {
            return begin;
        }
    }
    None
}

/// The lines of a text, and the same as numbers: equal lines have equal numbers.
struct Side<'a> {
    lines: Vec<&'a str>,
    keys: Vec<usize>,
}

impl<'a> Side<'a> {
    fn of(text: &'a str, known: &mut HashMap<&'a str, usize>) -> Self {
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        let number = |line: &&'a str| {
            let next = known.len();
            *known.entry(*line).or_insert(next)
        };
        Self { keys: lines.iter().map(number).collect(), lines }
    }
}

/// Lines of the base that a side replaced, and by which of its own.
struct Edit {
    base: Range<usize>,
    side: Range<usize>,
}

impl Edit {
    /// The side's lines for a stretch of the base around this edit, outside of which in there the side changed nothing.
    fn side_of(&self, region: &Range<usize>) -> Range<usize> {
        self.side.start - (self.base.start - region.start)..self.side.end + (region.end - self.base.end)
    }
}

fn edits(base: &Side<'_>, side: &Side<'_>, deadline: Option<Instant>) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for op in capture_diff_slices_deadline(Algorithm::Myers, &base.keys, &side.keys, deadline) {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let edit = Edit { base: op.old_range(), side: op.new_range() };
        // What touches is one edit.
        match edits.last_mut().filter(|last| last.base.end == edit.base.start && last.side.end == edit.side.start) {
            Some(last) => (last.base.end, last.side.end) = (edit.base.end, edit.side.end),
            None => edits.push(edit),
        }
    }
    edits
}

/// Makes the span reach to the end of a later edit of the same side.
fn widen(span: &mut Option<Edit>, edit: Edit) {
    match span {
        Some(span) => (span.base.end, span.side.end) = (edit.base.end, edit.side.end),
        None => *span = Some(edit),
    }
}

/// Writes a mark on a line of its own. A line break in a label would end that line, so it becomes a space.
fn push_mark(text: &mut String, mark: &str, label: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(mark);
    text.extend(label.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn merged(base: &str, ours: &str, theirs: &str) -> Merged {
        merge(base, ours, theirs, ("yours", "1.1.0"), None)
    }

    #[test]
    fn what_does_not_collide_is_merged() {
        let base = "one\ntwo\nthree\nfour\nfive\n";
        let merged = merged(base, "ONE\ntwo\nthree\nfour\nfive\n", "one\ntwo\nthree\nfour\nFIVE\nsix\n");
        assert_eq!(merged, Merged { text: "ONE\ntwo\nthree\nfour\nFIVE\nsix\n".into(), conflicts: 0 });
    }

    #[test]
    fn the_same_change_is_taken_once() {
        let merged = merged("a\nb\nc\nd\n", "a\nB\nc\nd\n", "a\nB\nc\nD\n");
        assert_eq!(merged, Merged { text: "a\nB\nc\nD\n".into(), conflicts: 0 });
    }

    #[test]
    fn what_collides_is_marked() {
        let merged = merged("a\nb\nc\n", "a\nmine\nc\n", "a\ntheirs\nc\n");
        assert_eq!(merged.text, "a\n<<<<<<< yours\nmine\n=======\ntheirs\n>>>>>>> 1.1.0\nc\n");
        assert_eq!(merged.conflicts, 1);
        assert_eq!(unsettled(&merged.text), Some(2));
    }

    #[test]
    fn a_removed_line_collides_with_a_changed_one() {
        let merged = merged("a\nb\nc\n", "a\nc\n", "a\nB\nc\n");
        assert_eq!(merged.text, "a\n<<<<<<< yours\n=======\nB\n>>>>>>> 1.1.0\nc\n");
    }

    #[test]
    fn a_collision_takes_in_what_touches_it() {
        let merged = merged("a\nb\nc\nd\n", "A\nb\nC\nd\n", "x\ny\nz\nd\n");
        assert_eq!(merged.text, "<<<<<<< yours\nA\nb\nC\n=======\nx\ny\nz\n>>>>>>> 1.1.0\nd\n");
    }

    #[test]
    fn a_last_line_without_a_break_keeps_the_marks_apart() {
        let merged = merged("a", "mine", "theirs");
        assert_eq!(merged.text, "<<<<<<< yours\nmine\n=======\ntheirs\n>>>>>>> 1.1.0\n");
    }

    #[test]
    fn line_breaks_stay_as_they_are() {
        let merged = merged("a\r\nb\r\nc\r\nd", "A\r\nb\r\nc\r\nd", "a\r\nb\r\nC\r\nd");
        assert_eq!(merged, Merged { text: "A\r\nb\r\nC\r\nd".into(), conflicts: 0 });
    }

    #[test]
    fn a_carriage_return_alone_does_not_end_a_line() {
        let merged = merged("a\rb", "a\rmine", "a\rtheirs");
        assert_eq!(merged.text, "<<<<<<< yours\na\rmine\n=======\na\rtheirs\n>>>>>>> 1.1.0\n");
    }

    #[test]
    fn a_label_stays_on_its_line() {
        let merged = merge("a\n", "b\n", "c\n", ("one\ntwo", "three\r\nfour"), None);
        assert_eq!(merged.text, "<<<<<<< one two\nb\n=======\nc\n>>>>>>> three  four\n");
    }

    #[test]
    fn a_conflict_about_marks_is_seen() {
        let merged = merged("a\n", "mine\n", "<<<<<<< quoted\n");
        assert_eq!(unsettled(&merged.text), Some(1), "{}", merged.text);
    }

    #[test]
    fn marks_that_are_no_conflict_are_text() {
        assert_eq!(unsettled("<<<<<<< yours\nmine\n"), None);
        assert_eq!(unsettled("=======\n>>>>>>> 1.1.0\n"), None);
        assert_eq!(unsettled("Heading\n=======\n"), None);
        assert_eq!(unsettled("<<<<<<< a\n>>>>>>> b\n=======\n"), None);
        assert_eq!(unsettled("x\r\n<<<<<<< a\r\n=======\r\n>>>>>>> b\r\n"), Some(2));
        assert_eq!(unsettled("<<<<<<< a\n=======\n<<<<<<< b\n>>>>>>> c\n"), Some(1));
    }

    prop_compose! {
        fn text()(lines in prop::collection::vec("(a|b|c|d e|=======|<<<<<<< x|>>>>>>> y|f\r)(\n|\r\n)", 0..12), last in "|x|\r")
            -> String {
            lines.concat() + &last
        }
    }

    prop_compose! {
        // Either no time at all or as much as it takes.
        fn deadline()(is_over in any::<bool>()) -> Option<Instant> {
            is_over.then(|| Instant::now().checked_sub(Duration::from_secs(1))).flatten()
        }
    }

    proptest! {
        #[test]
        fn a_change_of_one_side_is_taken(base in text(), other in text(), deadline in deadline()) {
            let text = |ours: &str, theirs: &str| merge(&base, ours, theirs, ("yours", "1.1.0"), deadline).text;
            prop_assert_eq!(text(&base, &other), other.as_str());
            prop_assert_eq!(text(&other, &base), other.as_str());
            prop_assert_eq!(text(&other, &other), other.as_str());
        }

        #[test]
        fn a_conflict_is_always_seen(base in text(), ours in text(), theirs in text(), deadline in deadline()) {
            let merged = merge(&base, &ours, &theirs, ("yours", "1.1.0"), deadline);
            prop_assert!(merged.conflicts == 0 || unsettled(&merged.text).is_some(), "{:?}", merged);
        }

        #[test]
        fn which_side_is_whose_does_not_matter(base in text(), ours in text(), theirs in text()) {
            let (one, other) = (merged(&base, &ours, &theirs), merged(&base, &theirs, &ours));
            prop_assert_eq!(one.conflicts, other.conflicts);
            prop_assert!(one.conflicts > 0 || one.text == other.text);
        }

        #[test]
        fn changes_with_a_line_between_them_do_not_collide(
            above in prop::collection::vec("[a-c]\r?\n", 0..6),
            below in prop::collection::vec("[d-f]\r?\n", 0..6),
            new_above in prop::collection::vec("[a-c]\r?\n", 0..6),
            new_below in prop::collection::vec("[d-f]\r?\n", 0..6),
        ) {
            let text = |above: &[String], below: &[String]| above.concat() + "between\n" + &below.concat();
            let merged = merged(&text(&above, &below), &text(&new_above, &below), &text(&above, &new_below));
            prop_assert_eq!(merged, Merged { text: text(&new_above, &new_below), conflicts: 0 });
        }
    }
}
