//! The texts that belong to a version: the prompt itself, its author, its notes.

use crate::invalid::InvalidInput;

/// A prompt, word for word as it was given: 1 byte to 1 MiB of UTF-8, not only white space, without NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptText(String);

impl PromptText {
    /// The longest prompt, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 1024 * 1024;

    /// Takes the text as it is; nothing is trimmed or normalised.
    ///
    /// # Errors
    /// When it is empty or blank, too long, or holds a NUL, which PostgreSQL cannot store.
    pub fn parse(text: String) -> Result<Self, InvalidInput> {
        let invalid = |code, message: String| Err(InvalidInput::new("prompt_text", code, message));
        if text.len() > Self::MAX_BYTES {
            return invalid(
                "prompt_text_too_long",
                format!(
                    "The prompt has {} bytes; at most {} (1 MiB of UTF-8) are kept. Shorten it.",
                    text.len(),
                    Self::MAX_BYTES
                ),
            );
        }
        if text.trim().is_empty() {
            return invalid(
                "empty_prompt_text",
                "The prompt is empty. Give at least one character that is not white space.".into(),
            );
        }
        if text.contains('\0') {
            return invalid(
                "nul_character",
                "The prompt holds a NUL character (U+0000), which cannot be stored. Remove it.".into(),
            );
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who made a change: 1 to 100 characters on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author(String);

impl Author {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 100;

    /// Takes a name; white space around it is dropped, and a blank one is none.
    ///
    /// # Errors
    /// When it is longer than [`Self::MAX_CHARS`] or holds a control character.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidInput> {
        let text = text.trim();
        if text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidInput::new(
                "created_by",
                "author_too_long",
                "The author's name is longer than 100 characters. Shorten it.",
            ));
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidInput::new(
                "created_by",
                "invalid_author",
                "The author's name holds a control character, such as a line break. Write it on one line.",
            ));
        }
        Ok((!text.is_empty()).then(|| Self(text.into())))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What changed in a version and why: 1 to 2,000 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes(String);

impl Notes {
    /// The longest notes, in characters.
    pub const MAX_CHARS: usize = 2_000;

    /// Takes notes as they are; blank ones are none.
    ///
    /// # Errors
    /// When they are longer than [`Self::MAX_CHARS`] or hold a NUL.
    pub fn parse(text: String) -> Result<Option<Self>, InvalidInput> {
        if text.chars().count() > Self::MAX_CHARS {
            return Err(InvalidInput::new(
                "notes",
                "notes_too_long",
                "The notes are longer than 2,000 characters. Shorten them.",
            ));
        }
        if text.contains('\0') {
            return Err(InvalidInput::new(
                "notes",
                "nul_character",
                "The notes hold a NUL character (U+0000), which cannot be stored. Remove it.",
            ));
        }
        Ok((!text.trim().is_empty()).then_some(Self(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The number of lines, as [`str::lines`] counts them: a line break at the very end does not begin another line.
/// The database derives the same figure (`prompts_derive` in the migrations).
pub fn line_count(text: &str) -> usize {
    text.lines().count()
}

/// The number of characters: Unicode scalar values, as [`str::chars`] and PostgreSQL's `char_length` count them.
pub fn char_count(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_kept_to_the_letter() {
        let text = "  Ünïcode\r\n\ttabs \u{1F600}\n\n";
        assert_eq!(PromptText::parse(text.into()).unwrap().as_str(), text);
    }

    #[test]
    fn a_prompt_has_bounds() {
        let code = |text: String| PromptText::parse(text).unwrap_err().code;
        assert_eq!(code(String::new()), "empty_prompt_text");
        assert_eq!(code(" \n\t".into()), "empty_prompt_text");
        assert_eq!(code("a\0b".into()), "nul_character");
        assert_eq!(code("é".repeat(PromptText::MAX_BYTES / 2 + 1)), "prompt_text_too_long");
        assert!(PromptText::parse("é".repeat(PromptText::MAX_BYTES / 2)).is_ok());
    }

    #[test]
    fn blank_metadata_is_none_and_long_metadata_is_refused() {
        assert_eq!(Author::parse(" \t ").unwrap(), None);
        assert_eq!(Author::parse(" ada ").unwrap().unwrap().as_str(), "ada");
        assert!(Author::parse(&"é".repeat(100)).is_ok());
        assert_eq!(Author::parse(&"é".repeat(101)).unwrap_err().code, "author_too_long");
        assert_eq!(Author::parse("a\nb").unwrap_err().code, "invalid_author");
        assert_eq!(Notes::parse("  ".into()).unwrap(), None);
        assert!(Notes::parse("é".repeat(2_000)).is_ok());
        assert_eq!(Notes::parse("é".repeat(2_001)).unwrap_err().code, "notes_too_long");
        assert_eq!(Notes::parse("a\0".into()).unwrap_err().code, "nul_character");
    }

    #[test]
    fn counts_are_those_of_an_editor_without_the_last_break() {
        assert_eq!((line_count("a"), line_count("a\n"), line_count("a\n\nb")), (1, 1, 3));
        assert_eq!(char_count("aé\u{1F600}"), 3);
    }
}
