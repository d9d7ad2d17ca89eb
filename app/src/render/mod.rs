//! HTML that is written on the server alone: long, and without any behaviour.

mod diff;
mod markdown;
mod text;

pub use diff::{DiffLinks, DiffView, diff_lines};
pub use markdown::markdown;
pub use text::numbered_lines;

/// A text as HTML shows it.
fn escaped(text: &str) -> std::borrow::Cow<'_, str> {
    html_escape::encode_double_quoted_attribute(text)
}
