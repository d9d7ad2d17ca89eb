//! How lines end. A browser knows one kind of line end, so a text that comes from there is given those of its base.

use serde::{Deserialize, Serialize};

/// How the lines of a text end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineEnds {
    /// All with LF, or there is one line.
    #[default]
    Lf,
    /// All with CR LF.
    CrLf,
    /// Some so, some so.
    Mixed,
}

impl LineEnds {
    /// Those of a text.
    pub fn of(text: &str) -> Self {
        let breaks = text.matches('\n').count();
        let long = text.matches("\r\n").count();
        match text.matches('\r').count() {
            0 => Self::Lf,
            returns if returns == long && long == breaks => Self::CrLf,
            _ => Self::Mixed,
        }
    }

    /// Whether they are of more than one kind.
    pub fn is_mixed(self) -> bool {
        self == Self::Mixed
    }

    /// A text with plain line breaks, as one with these. Of mixed ones nobody knows which is whose.
    pub fn give(self, plain: String) -> String {
        if self == Self::CrLf { plain.replace('\n', "\r\n") } else { plain }
    }
}

/// A text with plain line breaks: a text area knows no others.
#[cfg(feature = "ssr")]
pub(super) fn plain(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// What the browser has of a text, as it was meant: the base itself, to the letter, when nothing but line ends differs from
/// it; else with the line ends of the base, if those are of one kind.
#[cfg(feature = "ssr")]
pub(super) fn as_meant(text: &str, base: &str) -> String {
    let plain_text = plain(text);
    if plain_text == plain(base) { base.to_owned() } else { LineEnds::of(base).give(plain_text) }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_only_lost_its_line_ends_is_the_base_itself() {
        for base in ["a\nb\n", "a\r\nb\r\n", "a\r\nb\n", "a\rb\n", "a"] {
            assert_eq!(as_meant(&plain(base), base), base);
            assert_eq!(as_meant(&plain(base).replace('\n', "\r\n"), base), base);
        }
        assert_eq!(as_meant("a\nc\n", "a\r\nb\r\n"), "a\r\nc\r\n");
        assert_eq!(as_meant("a\r\nc\r\n", "a\r\nb\n"), "a\nc\n");
        assert_eq!(as_meant("a\r\nc", ""), "a\nc");
    }

    #[test]
    fn line_ends_are_told_apart() {
        for (text, ends) in [
            ("", LineEnds::Lf),
            ("a\nb", LineEnds::Lf),
            ("a\r\nb\r\n", LineEnds::CrLf),
            ("a\r\nb\n", LineEnds::Mixed),
            ("a\rb", LineEnds::Mixed),
        ] {
            assert_eq!(LineEnds::of(text), ends, "{text:?}");
        }
    }
}
