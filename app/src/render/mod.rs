//! HTML that is written on the server alone: long, and without any behaviour.

mod answers;
mod chart;
mod diff;
mod interval;
mod markdown;
mod plot;
mod text;

pub use answers::answer_pair;
pub use chart::{Chart, ChartForm, Mark, Series, chart};
pub use diff::{DiffLinks, DiffView, diff_lines};
pub use interval::{IntervalBar, interval_bar};
pub use markdown::markdown;
pub use plot::{Plot, plot};
pub use text::numbered_lines;

/// A text as HTML shows it.
fn escaped(text: &str) -> std::borrow::Cow<'_, str> {
    html_escape::encode_double_quoted_attribute(text)
}
