//! Two answers side by side, with what differs marked by word.

use std::fmt::Write;

use versioning::diff::{Span, word_changes};

use super::escaped;

/// Characters of an answer that are shown.
const SHOWN: usize = 20_000;

/// Two answers as HTML; empty where there is none.
pub struct AnswerPair {
    /// The answer of A.
    pub a: String,
    /// The answer of B.
    pub b: String,
    /// Whether only a part is shown.
    pub is_shortened: bool,
}

/// Draws two answers. Words that the other lacks are marked; with one answer alone nothing is.
pub fn answer_pair(a: Option<&str>, b: Option<&str>) -> AnswerPair {
    let (short_a, short_b) = (a.map(shortened), b.map(shortened));
    let is_shortened = short_a.is_some_and(|(_, cut)| cut) || short_b.is_some_and(|(_, cut)| cut);
    let text = |short: Option<(&str, bool)>| short.map_or_else(String::new, |(text, _)| escaped(text).into_owned());
    match (short_a, short_b) {
        (Some((a, _)), Some((b, _))) => {
            let changes = word_changes(a, b);
            AnswerPair { a: marked(&changes.base), b: marked(&changes.head), is_shortened }
        }
        (a, b) => AnswerPair { a: text(a), b: text(b), is_shortened },
    }
}

fn marked(spans: &[Span<'_>]) -> String {
    let mut html = String::new();
    for span in spans {
        let text = escaped(span.text);
        if span.is_changed && !span.text.trim().is_empty() {
            let _ = write!(html, "<mark>{text}</mark>");
        } else {
            html.push_str(&text);
        }
    }
    html
}

fn shortened(text: &str) -> (&str, bool) {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => (&text[..end], true),
        None => (text, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_marked_and_everything_is_escaped() {
        let pair = answer_pair(Some("say <b>hello</b> now"), Some("say <i>hello</i> now"));
        assert!(pair.a.contains("<mark>") && pair.b.contains("<mark>"));
        assert!(!pair.a.contains("<b>") && !pair.b.contains("<i>"), "{} {}", pair.a, pair.b);
        let same = answer_pair(Some("the same"), Some("the same"));
        assert!(!same.a.contains("<mark>") && !same.is_shortened);
    }

    #[test]
    fn one_answer_and_long_answers_are_drawn() {
        let pair = answer_pair(Some("<x>"), None);
        assert_eq!((pair.a.as_str(), pair.b.as_str()), ("&lt;x&gt;", ""));
        let long = "word ".repeat(300_000);
        let pair = answer_pair(Some(&long), Some("short"));
        assert!(pair.is_shortened && pair.a.len() < 100_000);
    }
}
