//! How much text a prompt is.

use serde::{Deserialize, Serialize};

use crate::text::{char_count, line_count};

/// How much text it is.
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
    /// OpenAI's rule of thumb ("What are tokens and how to count them?") is four characters of English to a token. Here a word
    /// counts one token for each four of its ASCII letters and digits, begun ones too for words beyond six, and any other
    /// visible character counts one: punctuation mostly is a token of its own, and so are, about, the letters of most other
    /// scripts. Real tokenisers differ by a fifth and more; a bill is not made from this.
    pub tokens: u32,
}

impl Counts {
    /// Counts a text, in one pass for each figure.
    pub fn of(text: &str) -> Self {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            chars: small(char_count(text)),
            words: small(text.split_whitespace().count()),
            lines: small(line_count(text)),
            tokens: small(tokens(text)),
        }
    }
}

fn tokens(text: &str) -> usize {
    let mut total = 0;
    let mut word = 0_usize;
    let of_word = |letters: usize| match letters {
        0 => 0,
        // Short words are one token as a rule.
        1..=6 => 1,
        letters => letters.div_ceil(4),
    };
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            word += 1;
            continue;
        }
        total += of_word(std::mem::take(&mut word));
        total += usize::from(!c.is_whitespace());
    }
    total + of_word(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_counted() {
        assert_eq!(Counts::of(""), Counts::default());
        assert_eq!(Counts::of("Be brief.\n"), Counts { chars: 10, words: 2, lines: 1, tokens: 3 });
        assert_eq!(Counts::of("a\n\nb"), Counts { chars: 4, words: 2, lines: 3, tokens: 2 });
    }

    #[test]
    fn tokens_are_about_a_quarter_of_the_characters_of_prose() {
        let prose = "You review the change that somebody else has written and say what would break when it is merged";
        let counts = Counts::of(prose);
        assert!((counts.chars / 6..=counts.chars / 3).contains(&counts.tokens), "{counts:?}");
    }
}
