//! A prompt to be read: numbered lines, with its variables set off.

use std::fmt::Write;

use versioning::template::{Segment, segments};

use super::escaped;
use crate::html::ServerHtml;

/// The lines of a prompt. Their numbers come from the style sheet, so that a selection copies the text alone.
pub fn numbered_lines(text: &str) -> ServerHtml {
    let mut html = String::with_capacity(text.len() * 2);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let _ = write!(html, "<span class=\"line\" id=\"L{}\">", index + 1);
        push_segments(&mut html, line);
        html.push_str("</span>");
    }
    ServerHtml(html)
}

/// A line, or a part of one, with its variables set off.
pub(super) fn push_segments(html: &mut String, text: &str) {
    for segment in segments(text) {
        match segment {
            Segment::Text(text) => push_text(html, text),
            Segment::Variable { raw, .. } => {
                html.push_str("<span class=\"variable\">");
                push_text(html, raw);
                html.push_str("</span>");
            }
        }
    }
}

/// A text with a mark wherever a character would not be seen, or would change the order in which others are seen: a prompt is
/// what a model reads, and not what a browser makes of it. The character stands inside of its mark, which the style sheet draws,
/// so that a selection copies the text as it is.
pub(super) fn push_text(html: &mut String, text: &str) {
    let mut rest = text;
    while let Some((at, found)) = rest.char_indices().find(|(at, found)| is_hidden(&rest[*at..], *found)) {
        html.push_str(&escaped(&rest[..at]));
        let (mark, code, name) = (mark_of(found), u32::from(found), name_of(found));
        let _ = write!(
            html,
            "<span class=\"invisible\" role=\"img\" data-mark=\"{mark}\" title=\"U+{code:04X} {name}\" \
             aria-label=\"U+{code:04X} {name}\">"
        );
        match found {
            // As it is, HTML would read it as a line break.
            '\r' => html.push_str("&#13;"),
            found => html.push(found),
        }
        html.push_str("</span>");
        rest = &rest[at + found.len_utf8()..];
    }
    html.push_str(&escaped(rest));
}

/// Whether a character needs a mark. One that ends a line together with a line feed does not: that is how lines end.
fn is_hidden(text: &str, character: char) -> bool {
    match character {
        '\t' | '\n' => false,
        '\r' => !text.starts_with("\r\n"),
        _ => character.is_control() || is_invisible(character),
    }
}

/// Characters of no width, and those that turn the direction of others.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// What is drawn for a character that is not seen.
fn mark_of(character: char) -> String {
    match character {
        '\r' => "CR".into(),
        _ => format!("U+{:04X}", u32::from(character)),
    }
}

fn name_of(character: char) -> &'static str {
    match character {
        '\r' => "carriage return",
        '\u{ad}' => "soft hyphen",
        '\u{61c}' => "Arabic letter mark",
        '\u{200b}' => "zero width space",
        '\u{200c}' => "zero width non-joiner",
        '\u{200d}' => "zero width joiner",
        '\u{200e}' => "left-to-right mark",
        '\u{200f}' => "right-to-left mark",
        '\u{2028}' => "line separator",
        '\u{2029}' => "paragraph separator",
        '\u{202a}' => "left-to-right embedding",
        '\u{202b}' => "right-to-left embedding",
        '\u{202c}' => "pop directional formatting",
        '\u{202d}' => "left-to-right override",
        '\u{202e}' => "right-to-left override",
        '\u{2060}' => "word joiner",
        '\u{2066}' => "left-to-right isolate",
        '\u{2067}' => "right-to-left isolate",
        '\u{2068}' => "first strong isolate",
        '\u{2069}' => "pop directional isolate",
        '\u{feff}' => "byte order mark",
        '\u{e0000}'..='\u{e007f}' => "tag character",
        _ if character.is_control() => "control character",
        _ => "invisible character",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(text: &str) -> String {
        numbered_lines(text).0
    }

    #[test]
    fn what_is_not_seen_has_a_mark_and_stays_in_the_text() {
        let hidden = "\u{1}\u{b}\u{7f}\u{85}\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\
                      \u{202e}\u{2060}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}\u{e0041}";
        for character in hidden.chars() {
            let html = draw(&format!("a{character}<b>\n"));
            let code = u32::from(character);
            assert!(html.contains(&format!("data-mark=\"U+{code:04X}\"")), "{html}");
            assert!(html.contains(&format!(">{character}</span>&lt;b&gt;\n")), "{html}");
        }
        assert!(draw("if \u{202e}x").contains("title=\"U+202E right-to-left override\""));
    }

    #[test]
    fn what_is_seen_has_none() {
        for text in ["", "a\tb\n", "a\r\nb\r\n", "Ünïcode \u{1F600} שלום", "{{name}}\n"] {
            assert!(!draw(text).contains("invisible"), "{text:?}");
        }
    }

    #[test]
    fn a_carriage_return_inside_a_line_is_no_line_break() {
        let html = draw("a\rb\n");
        assert!(html.contains("a<span class=\"invisible\" role=\"img\" data-mark=\"CR\""), "{html}");
        assert!(html.contains(">&#13;</span>b\n"), "{html}");
    }

    #[test]
    fn a_variable_hides_nothing() {
        assert!(draw("{{a\u{200b}}}").contains("data-mark=\"U+200B\""));
    }
}
