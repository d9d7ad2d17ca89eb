//! How much text a prompt is.

use serde::{Deserialize, Serialize};

/// How much text it is. A figure that does not fit stays at the largest one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Unicode scalar values.
    pub chars: u32,
    /// Words: what white space divides.
    pub words: u32,
    /// Lines; a line break at the very end does not begin another one.
    pub lines: u32,
    /// An estimate of a model's tokens.
    ///
    /// OpenAI's rule of thumb ("What are tokens and how to count them?") is four characters of English to a token. Here a run of
    /// ASCII letters and digits counts one token up to six of them, and beyond that one for each four, the last ones rounded up.
    /// A run of ASCII punctuation counts one token, and so does each other visible character: the letters of most other scripts
    /// are, about, a token each. Real tokenisers differ by a fifth and more; a bill is not made from this.
    pub tokens: u32,
}

impl Counts {
    /// Counts a text, in one pass.
    pub fn of(text: &str) -> Self {
        let mut counts = Self::default();
        // The letters and digits of the ASCII run so far.
        let mut run = 0_u32;
        let (mut is_in_word, mut is_in_marks, mut is_in_line) = (false, false, false);
        for c in text.chars() {
            add(&mut counts.chars, 1);
            add(&mut counts.lines, u32::from(!is_in_line));
            is_in_line = c != '\n';
            let is_space = c.is_whitespace();
            add(&mut counts.words, u32::from(!is_space && !is_in_word));
            is_in_word = !is_space;
            if c.is_ascii_alphanumeric() {
                add(&mut run, 1);
                is_in_marks = false;
                continue;
            }
            add(&mut counts.tokens, tokens_of_run(std::mem::take(&mut run)));
            let is_mark = c.is_ascii_punctuation();
            let goes_on = is_mark && is_in_marks;
            add(&mut counts.tokens, u32::from(!is_space && !goes_on));
            is_in_marks = is_mark;
        }
        add(&mut counts.tokens, tokens_of_run(run));
        counts
    }
}

fn add(figure: &mut u32, more: u32) {
    *figure = figure.saturating_add(more);
}

fn tokens_of_run(length: u32) -> u32 {
    match length {
        0 => 0,
        // Short words are one token as a rule.
        1..=6 => 1,
        length => length.div_ceil(4),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_counted() {
        assert_eq!(Counts::of(""), Counts::default());
        assert_eq!(Counts::of("Be brief.\n"), Counts { chars: 10, words: 2, lines: 1, tokens: 3 });
        assert_eq!(Counts::of("a\n\nb"), Counts { chars: 4, words: 2, lines: 3, tokens: 2 });
    }

    #[test]
    fn tokens_follow_the_rule() {
        let tokens = |text| Counts::of(text).tokens;
        assert_eq!((tokens("prompt"), tokens("prompts"), tokens("versioning")), (1, 2, 3));
        assert_eq!((tokens("-----"), tokens("- -"), tokens("{{name}}"), tokens("a.b")), (1, 2, 3, 3));
        assert_eq!((tokens("日本語"), tokens("привет"), tokens("\u{1F600}")), (3, 6, 1));
    }

    #[test]
    fn tokens_are_about_a_quarter_of_the_characters_of_prose() {
        let prose = "You review the change that somebody else has written and say what would break when it is merged";
        let counts = Counts::of(prose);
        assert!((counts.chars / 6..=counts.chars / 3).contains(&counts.tokens), "{counts:?}");
    }

    proptest! {
        #[test]
        fn figures_are_those_of_the_standard_library(text in "[a-c é日\u{a0}\u{2028}.\r\n\t]{0,40}") {
            let counts = Counts::of(&text);
            prop_assert_eq!(counts.chars as usize, text.chars().count());
            prop_assert_eq!(counts.words as usize, text.split_whitespace().count());
            prop_assert_eq!(counts.lines as usize, text.lines().count());
            prop_assert!(counts.tokens <= counts.chars && counts.tokens >= counts.words);
        }
    }
}
