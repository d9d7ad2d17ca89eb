//! Two distributions on one axis, as SVG.

use std::fmt::Write;

use super::escaped;

/// What is drawn: the values of A and of B, one for each case.
pub struct Plot<'a> {
    /// What they are values of.
    pub name: &'a str,
    /// The values of A.
    pub a: &'a [f64],
    /// The values of B.
    pub b: &'a [f64],
    /// A value for people.
    pub words: &'a dyn Fn(f64) -> String,
}

const WIDTH: f64 = 180.0;
const HEIGHT: f64 = 44.0;
const BINS: usize = 24;

/// Two histograms back to back, that of A above the line and that of B below it, with their medians. The text says the same.
pub fn plot(plot: &Plot<'_>) -> String {
    let all = || plot.a.iter().chain(plot.b).copied().filter(|value| value.is_finite());
    let (low, high) =
        all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return String::new();
    }
    // Values that are all alike stand in the middle.
    let (low, high) = if high - low > 0.0 { (low, high) } else { (low - 0.5, high + 0.5) };
    let place = |value: f64| (value - low) / (high - low);
    let counts = [counts(plot.a, place), counts(plot.b, place)];
    let most = counts.iter().flatten().copied().max().unwrap_or(1).max(1);
    let spoken =
        format!("{}: A from {}; B from {}", plot.name, in_words(plot.a, plot.words), in_words(plot.b, plot.words));
    let mut svg = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{0}\">\
         <title>{0}</title>",
        escaped(&spoken)
    );
    let middle = HEIGHT / 2.0;
    #[expect(clippy::cast_precision_loss, reason = "counts of cases and bins")]
    for (side, counts) in counts.iter().enumerate() {
        let class = if side == 0 { "plot-a" } else { "plot-b" };
        for (bin, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let height = (*count as f64 / most as f64 * (middle - 3.0)).max(1.0);
            let x = bin as f64 * WIDTH / BINS as f64;
            let y = if side == 0 { middle - 1.0 - height } else { middle + 1.0 };
            let width = WIDTH / BINS as f64 - 1.0;
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
            );
        }
    }
    let _ = write!(svg, "<line class=\"plot-axis\" x1=\"0\" y1=\"{middle}\" x2=\"{WIDTH}\" y2=\"{middle}\"/>");
    for (side, values) in [plot.a, plot.b].into_iter().enumerate() {
        if let Some(median) = median(values) {
            let x = place(median) * (WIDTH - 2.0) + 1.0;
            let (top, bottom) = if side == 0 { (1.0, middle) } else { (middle, HEIGHT - 1.0) };
            let _ =
                write!(svg, "<line class=\"plot-median\" x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>");
        }
    }
    svg.push_str("</svg>");
    svg
}

fn counts(values: &[f64], place: impl Fn(f64) -> f64) -> [usize; BINS] {
    let mut counts = [0; BINS];
    for value in values.iter().filter(|value| value.is_finite()) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a bin among a few"
        )]
        let bin = (place(*value) * BINS as f64) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    counts
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

fn in_words(values: &[f64], words: &dyn Fn(f64) -> String) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match median(values) {
        Some(median) => format!("{} to {}, median {}", words(low), words(high), words(median)),
        None => "no values".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(a: &[f64], b: &[f64]) -> String {
        plot(&Plot { name: "late <ncy>", a, b, words: &|value| format!("{value:.0} ms") })
    }

    #[test]
    fn the_text_says_what_is_drawn() {
        let svg = drawn(&[1.0, 2.0, 9.0], &[3.0, 4.0, 5.0]);
        assert!(svg.contains("A from 1 ms to 9 ms, median 2 ms; B from 3 ms to 5 ms, median 4 ms"), "{svg}");
        assert_eq!((svg.matches("\"plot-a\"").count(), svg.matches("\"plot-b\"").count()), (3, 3));
        assert!(!svg.contains("<ncy>"), "what comes from outside is escaped");
    }

    #[test]
    fn nothing_and_equal_values_are_drawn() {
        assert_eq!(drawn(&[], &[]), "");
        let svg = drawn(&[5.0; 10], &[5.0; 10]);
        assert!(!svg.contains("NaN") && svg.contains("plot-a") && svg.contains("plot-b"), "{svg}");
        assert!(!drawn(&[f64::NAN, 1.0], &[2.0]).contains("NaN"));
    }
}
