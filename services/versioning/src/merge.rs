//! Two changes of one text, put together.

use similar::TextMerge;

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
pub fn merge(base: &str, ours: &str, theirs: &str, labels: (&str, &str)) -> Merged {
    let mut merge = TextMerge::from_lines(base, ours, theirs);
    merge.labels("base", labels.0, labels.1);
    Merged { conflicts: u32::try_from(merge.conflict_count()).unwrap_or(u32::MAX), text: merge.to_string() }
}

/// The line, from 1, of the first conflict that nobody has settled: the three marks, in order.
pub fn unsettled(text: &str) -> Option<u32> {
    let mut begin = None;
    let mut is_divided = false;
    for (line, number) in text.lines().zip(1..) {
        if line.starts_with("<<<<<<< ") {
            (begin, is_divided) = (Some(number), false);
        } else if line == "=======" {
            is_divided = begin.is_some();
        } else if line.starts_with(">>>>>>> ") && is_divided {
            return begin;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LABELS: (&str, &str) = ("yours", "1.1.0");

    #[test]
    fn what_does_not_collide_is_merged() {
        let base = "one\ntwo\nthree\nfour\nfive\n";
        let merged = merge(base, "ONE\ntwo\nthree\nfour\nfive\n", "one\ntwo\nthree\nfour\nFIVE\nsix\n", LABELS);
        assert_eq!(merged, Merged { text: "ONE\ntwo\nthree\nfour\nFIVE\nsix\n".into(), conflicts: 0 });
    }

    #[test]
    fn what_collides_is_marked() {
        let merged = merge("a\nb\nc\n", "a\nmine\nc\n", "a\ntheirs\nc\n", LABELS);
        assert_eq!(merged.text, "a\n<<<<<<< yours\nmine\n=======\ntheirs\n>>>>>>> 1.1.0\nc\n");
        assert_eq!(merged.conflicts, 1);
        assert_eq!(unsettled(&merged.text), Some(2));
    }

    #[test]
    fn a_last_line_without_a_break_keeps_the_marks_apart() {
        let merged = merge("a", "mine", "theirs", LABELS);
        assert_eq!(unsettled(&merged.text), Some(1), "{}", merged.text);
    }

    #[test]
    fn marks_that_are_no_conflict_are_text() {
        assert_eq!(unsettled("<<<<<<< yours\nmine\n"), None);
        assert_eq!(unsettled("=======\n>>>>>>> 1.1.0\n"), None);
        assert_eq!(unsettled("Heading\n=======\n"), None);
        assert_eq!(unsettled("x\r\n<<<<<<< a\r\n=======\r\n>>>>>>> b\r\n"), Some(2));
    }

    prop_compose! {
        fn text()(lines in prop::collection::vec("(a|b|c|d e)(\n|\r\n)", 0..12), last in "|x") -> String {
            lines.concat() + &last
        }
    }

    proptest! {
        #[test]
        fn a_change_of_one_side_is_taken(base in text(), other in text()) {
            prop_assert_eq!(merge(&base, &base, &other, LABELS).text, other.as_str());
            prop_assert_eq!(merge(&base, &other, &base, LABELS).text, other.as_str());
            prop_assert_eq!(merge(&base, &other, &other, LABELS).text, other.as_str());
        }

        #[test]
        fn settled_or_counted(base in text(), ours in text(), theirs in text()) {
            let merged = merge(&base, &ours, &theirs, LABELS);
            prop_assert_eq!(merged.conflicts > 0, unsettled(&merged.text).is_some());
        }
    }
}
