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
            Segment::Text(text) => html.push_str(&escaped(text)),
            Segment::Variable { raw, .. } => {
                let _ = write!(html, "<span class=\"variable\">{}</span>", escaped(raw));
            }
        }
    }
}
