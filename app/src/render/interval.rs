//! A difference with its interval on an axis, as SVG.

use std::fmt::Write;

/// What is drawn: where the difference lies, how sure that is, and what does not matter.
#[derive(Debug, Clone, Copy)]
pub struct IntervalBar {
    /// The difference, B − A.
    pub value: f64,
    /// Its interval: lower and upper end.
    pub interval: (f64, f64),
    /// Differences up to this one count as none: the margin of equivalence, or the noise floor.
    pub margin: Option<f64>,
}

const WIDTH: f64 = 160.0;
const HEIGHT: f64 = 16.0;

/// Draws the axis around zero, the band of what does not matter, the interval, and the difference. All of it stands in words
/// beside it, so for a screen reader it is decoration.
pub fn interval_bar(bar: &IntervalBar) -> String {
    let (lower, upper) = bar.interval;
    let margin = bar.margin.unwrap_or(0.0);
    let all = [bar.value, lower, upper, margin].map(f64::abs);
    if !all.iter().all(|value| value.is_finite()) {
        return String::new();
    }
    let reach = all.into_iter().fold(0.0, f64::max);
    // Zero is in the middle, and the ends do not touch the border.
    let reach = if reach > 0.0 { reach * 1.1 } else { 1.0 };
    let place = |value: f64| (value / reach + 1.0) / 2.0 * WIDTH;
    let middle = HEIGHT / 2.0;
    let mut svg = format!(
        "<svg class=\"interval\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" aria-hidden=\"true\">"
    );
    if margin > 0.0 {
        let (left, right) = (place(-margin), place(margin));
        let _ = write!(
            svg,
            "<rect class=\"interval-margin\" x=\"{left:.1}\" y=\"0\" width=\"{:.1}\" height=\"{HEIGHT}\"/>",
            right - left
        );
    }
    let (zero, left, right, at) = (place(0.0), place(lower), place(upper), place(bar.value));
    let _ = write!(
        svg,
        "<line class=\"plot-axis\" x1=\"{zero:.1}\" y1=\"0\" x2=\"{zero:.1}\" y2=\"{HEIGHT}\"/>\
         <path class=\"interval-line\" d=\"M{left:.1} {middle}H{right:.1}M{left:.1} {0}V{1}M{right:.1} {0}V{1}\"/>\
         <circle class=\"interval-value\" cx=\"{at:.1}\" cy=\"{middle}\" r=\"3\"/></svg>",
        middle - 4.0,
        middle + 4.0
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_stands_in_the_middle_and_the_interval_where_it_is() {
        let svg = interval_bar(&IntervalBar { value: 0.5, interval: (-1.0, 1.0), margin: Some(0.25) });
        // One is 1 / 1.1 of the half to the right of the middle.
        assert!(svg.contains("x1=\"80.0\""), "{svg}");
        assert!(svg.contains("M7.3 8H152.7"), "{svg}");
        assert!(svg.contains("cx=\"116.4\""), "{svg}");
        assert!(svg.contains("x=\"61.8\" y=\"0\" width=\"36.4\""), "{svg}");
    }

    #[test]
    fn what_has_no_extent_is_drawn_and_what_has_no_end_is_not() {
        let svg = interval_bar(&IntervalBar { value: 0.0, interval: (0.0, 0.0), margin: None });
        assert!(svg.contains("cx=\"80.0\"") && !svg.contains("NaN"), "{svg}");
        assert_eq!(interval_bar(&IntervalBar { value: 0.0, interval: (f64::NEG_INFINITY, 1.0), margin: None }), "");
        assert_eq!(interval_bar(&IntervalBar { value: f64::NAN, interval: (0.0, 1.0), margin: None }), "");
    }
}
