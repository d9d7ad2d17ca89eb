//! Figures over time, or over classes, as SVG: stacked bars or lines over columns of equal width.
//!
//! Across, everything is in percent of the width, so that a chart fills whatever room there is and its text stays as large as
//! it is. Down, in pixels.

use std::fmt::Write;

use super::escaped;

/// What is drawn.
pub struct Chart<'a> {
    /// What it shows, for people who hear it.
    pub name: &'a str,
    /// How.
    pub form: ChartForm,
    /// What each column is, in order.
    pub columns: &'a [String],
    /// What is counted or measured, in the order of drawing: bars from the bottom up.
    pub series: &'a [Series],
    /// Moments that matter, oldest first.
    pub marks: &'a [Mark],
    /// A value for people.
    pub words: &'a dyn Fn(f64) -> String,
}

/// How values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartForm {
    /// One on the other.
    Bars,
    /// From column to column; where there is no value, there is no line.
    Lines,
}

/// Values of one kind, one for each column.
pub struct Series {
    /// What they are.
    pub name: String,
    /// The class of the style sheet that colours it.
    pub class: &'static str,
    /// The values; none where there is nothing to say.
    pub values: Vec<Option<f64>>,
}

/// A moment.
pub struct Mark {
    /// What happened.
    pub name: String,
    /// Where, from 0 at the left end to 1 at the right end.
    pub place: f64,
}

/// Pixels down: the names of marks, then the values, then the names of columns.
const TOP: f64 = 18.0;
const BOTTOM: f64 = 150.0;
const HEIGHT: f64 = 170.0;

/// Pixels across, of the scale.
const SCALE: f64 = 64.0;

/// Names of marks are left out where they would stand on each other: closer than this, in percent.
const APART: f64 = 9.0;

/// The chart, with the value of every column in a title of its own. Nothing, if there are no columns.
pub fn chart(chart: &Chart<'_>) -> String {
    let columns = chart.columns.len();
    if columns == 0 {
        return String::new();
    }
    // What is counted has no halves.
    let least = if chart.form == ChartForm::Bars { 2.0 } else { 0.0 };
    let most = nice(highest(chart).max(least));
    let y = |value: f64| BOTTOM - value / most * (BOTTOM - TOP);
    // The scale has a width of its own, beside what fills the room.
    let mut svg = format!(
        "<div class=\"chart-frame\"><svg class=\"chart-scale\" width=\"{SCALE}\" height=\"{HEIGHT}\" aria-hidden=\"true\">"
    );
    let mut above = String::new();
    for share in [1.0, 0.5, 0.0] {
        let words = (chart.words)(most * share);
        // Rounded, half of little can read like the whole.
        if words == above {
            continue;
        }
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            SCALE - 8.0,
            y(most * share) + 4.0,
            escaped(&words)
        );
        above = words;
    }
    let _ = write!(
        svg,
        "</svg><svg class=\"chart\" width=\"100%\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escaped(&spoken(chart))
    );
    for share in [1.0, 0.5] {
        let level = y(most * share);
        let _ = write!(svg, "<line class=\"chart-grid\" x1=\"0\" x2=\"100%\" y1=\"{level:.1}\" y2=\"{level:.1}\"/>");
    }
    match chart.form {
        ChartForm::Bars => bars(&mut svg, chart, &y),
        ChartForm::Lines => lines(&mut svg, chart, &y),
    }
    let _ = write!(svg, "<line class=\"chart-axis\" x1=\"0\" x2=\"100%\" y1=\"{BOTTOM}\" y2=\"{BOTTOM}\"/>");
    marks(&mut svg, chart);
    let (left, width) = across(columns);
    for (column, name) in chart.columns.iter().enumerate() {
        let _ = write!(
            svg,
            "<rect class=\"chart-column\" x=\"{:.3}%\" width=\"{width:.3}%\" y=\"{TOP}\" height=\"{}\"><title>{}</title></rect>",
            left(column),
            BOTTOM - TOP,
            escaped(&column_in_words(chart, column, name))
        );
    }
    let name_of = |column: usize| escaped(&chart.columns[column]).into_owned();
    let _ = write!(svg, "<text class=\"chart-name\" x=\"0\" y=\"{}\">{}</text>", HEIGHT - 5.0, name_of(0));
    if columns > 2 {
        let middle = columns / 2;
        let x = left(middle) + width / 2.0;
        let _ = write!(
            svg,
            "<text class=\"chart-name chart-name-middle\" x=\"{x:.3}%\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 5.0,
            name_of(middle)
        );
    }
    if columns > 1 {
        let _ = write!(
            svg,
            "<text class=\"chart-name\" x=\"100%\" y=\"{}\" text-anchor=\"end\">{}</text>",
            HEIGHT - 5.0,
            name_of(columns - 1)
        );
    }
    svg.push_str("</svg></div>");
    svg
}

/// Where a column begins, and how wide it is, in percent.
#[expect(clippy::cast_precision_loss, reason = "a few columns")]
fn across(columns: usize) -> (impl Fn(usize) -> f64, f64) {
    let width = 100.0 / columns as f64;
    (move |column: usize| column as f64 * width, width)
}

fn bars(svg: &mut String, chart: &Chart<'_>, y: &dyn Fn(f64) -> f64) {
    let (left, width) = across(chart.columns.len());
    for column in 0..chart.columns.len() {
        let mut below = 0.0;
        for series in chart.series {
            let Some(value) = value(series, column).filter(|value| *value > 0.0) else { continue };
            // What is there is seen, however little it is.
            let (top, bottom) = (y(below + value), y(below));
            let height = (bottom - top).max(1.0);
            let _ = write!(
                svg,
                "<rect class=\"{}\" x=\"{:.3}%\" width=\"{:.3}%\" y=\"{:.1}\" height=\"{height:.1}\"/>",
                series.class,
                left(column) + width * 0.1,
                width * 0.8,
                bottom - height,
            );
            below += value;
        }
    }
}

fn lines(svg: &mut String, chart: &Chart<'_>, y: &dyn Fn(f64) -> f64) {
    let (left, width) = across(chart.columns.len());
    let middle = |column: usize| left(column) + width / 2.0;
    for series in chart.series {
        for column in 0..chart.columns.len() {
            let Some(here) = value(series, column) else { continue };
            let _ = write!(
                svg,
                "<circle class=\"{}\" cx=\"{:.3}%\" cy=\"{:.1}\" r=\"2.5\"/>",
                series.class,
                middle(column),
                y(here)
            );
            if let Some(next) = value(series, column + 1) {
                let _ = write!(
                    svg,
                    "<line class=\"{}\" x1=\"{:.3}%\" y1=\"{:.1}\" x2=\"{:.3}%\" y2=\"{:.1}\"/>",
                    series.class,
                    middle(column),
                    y(here),
                    middle(column + 1),
                    y(next)
                );
            }
        }
    }
}

fn marks(svg: &mut String, chart: &Chart<'_>) {
    // Of several that stand close, the last one is what stayed: it gets the name.
    let mut named_at = f64::INFINITY;
    for mark in chart.marks.iter().rev() {
        let x = mark.place.clamp(0.0, 1.0) * 100.0;
        let _ = write!(
            svg,
            "<line class=\"chart-mark\" x1=\"{x:.3}%\" x2=\"{x:.3}%\" y1=\"{}\" y2=\"{BOTTOM}\"/>",
            TOP - 4.0
        );
        if named_at - x >= APART {
            let anchor = match x {
                ..8.0 => "start",
                92.0.. => "end",
                _ => "middle",
            };
            let _ = write!(
                svg,
                "<text class=\"chart-mark-name\" x=\"{x:.3}%\" y=\"11\" text-anchor=\"{anchor}\">{}</text>",
                escaped(&mark.name)
            );
            named_at = x;
        }
    }
}

fn value(series: &Series, column: usize) -> Option<f64> {
    series.values.get(column).copied().flatten().filter(|value| value.is_finite())
}

fn highest(chart: &Chart<'_>) -> f64 {
    (0..chart.columns.len())
        .map(|column| {
            let values = chart.series.iter().filter_map(|series| value(series, column));
            match chart.form {
                ChartForm::Bars => values.sum(),
                ChartForm::Lines => values.fold(0.0, f64::max),
            }
        })
        .fold(0.0, f64::max)
}

/// The next of 1, 2, 4, 6, 10, 20, 40, … that is not below a value, so that it and its half are round. Of nothing, 1.
fn nice(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 4.0, 6.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= value * (1.0 - 1e-9))
        .unwrap_or(value)
}

fn column_in_words(chart: &Chart<'_>, column: usize, name: &str) -> String {
    let values: Vec<_> = chart
        .series
        .iter()
        .filter_map(|series| value(series, column).map(|value| format!("{} {}", series.name, (chart.words)(value))))
        .collect();
    if values.is_empty() { format!("{name}: nothing") } else { format!("{name}: {}", values.join(", ")) }
}

fn spoken(chart: &Chart<'_>) -> String {
    let range = match chart.columns {
        [] => String::new(),
        [only] => only.clone(),
        [first, .., last] => format!("{first} to {last}"),
    };
    let most: Vec<_> = chart
        .series
        .iter()
        .map(|series| {
            let highest = series.values.iter().flatten().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
            format!("{} at most {}", series.name, (chart.words)(highest))
        })
        .collect();
    format!("{}, {range}: {}", chart.name, most.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(form: ChartForm, values: [Vec<Option<f64>>; 2], marks: &[Mark]) -> String {
        let columns: Vec<_> = (0..values[0].len()).map(|column| format!("<day {column}>")).collect();
        let [one, other] = values;
        let series = [
            Series { name: "one".into(), class: "series-0", values: one },
            Series { name: "other".into(), class: "series-1", values: other },
        ];
        chart(&Chart {
            name: "calls",
            form,
            columns: &columns,
            series: &series,
            marks,
            words: &|value| format!("{value:.0}"),
        })
    }

    #[test]
    fn bars_stand_on_each_other_and_say_their_values() {
        let svg = drawn(ChartForm::Bars, [vec![Some(10.0), None], vec![Some(30.0), Some(0.0)]], &[]);
        assert_eq!((svg.matches("class=\"series-0\"").count(), svg.matches("class=\"series-1\"").count()), (1, 1));
        // The highest column has 40, and so has the grid.
        assert!(svg.contains(">40<") && svg.contains(">20<"), "{svg}");
        assert!(svg.contains("&lt;day 0&gt;: one 10, other 30") && svg.contains("&lt;day 1&gt;: other 0"), "{svg}");
        let (one, other) = (10.0 / 40.0 * (BOTTOM - TOP), 30.0 / 40.0 * (BOTTOM - TOP));
        assert!(svg.contains(&format!("y=\"{:.1}\" height=\"{one:.1}\"", BOTTOM - one)));
        assert!(svg.contains(&format!("y=\"{:.1}\" height=\"{other:.1}\"", BOTTOM - one - other)));
    }

    #[test]
    fn a_line_has_gaps_where_nothing_is_known() {
        let svg = drawn(ChartForm::Lines, [vec![Some(1.0), Some(2.0), None, Some(3.0)], vec![None; 4]], &[]);
        assert_eq!(svg.matches("<circle class=\"series-0\"").count(), 3);
        assert_eq!(svg.matches("<line class=\"series-0\"").count(), 1);
        assert!(!svg.contains("NaN") && svg.contains("day 2&gt;: nothing"));
    }

    #[test]
    fn marks_that_are_close_share_the_room_for_a_name() {
        let mark = |name: &str, place: f64| Mark { name: name.into(), place };
        let marks = [mark("1.0.0", 0.5), mark("1.0.1", 0.52), mark("1.1.0", 0.9)];
        let svg = drawn(ChartForm::Bars, [vec![Some(1.0)], vec![None]], &marks);
        assert_eq!(svg.matches("class=\"chart-mark\"").count(), 3);
        assert!(!svg.contains(">1.0.0<") && svg.contains(">1.0.1<") && svg.contains(">1.1.0<"));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(drawn(ChartForm::Bars, [vec![], vec![]], &[]), "");
        let svg = drawn(ChartForm::Lines, [vec![None], vec![Some(f64::NAN)]], &[]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        // One, and half of it, which reads the same.
        let scale = |words: &dyn Fn(f64) -> String| {
            let columns = ["day".to_owned()];
            let drawn = Chart { name: "", form: ChartForm::Lines, columns: &columns, series: &[], marks: &[], words };
            chart(&drawn).matches("text-anchor=\"end\"").count()
        };
        assert_eq!(scale(&|value| format!("{} ms", value.round())), 2);
        assert_eq!(scale(&|value| format!("{value}")), 3);
        assert_eq!((nice(0.0), nice(1.0), nice(3.0), nice(0.07), nice(999.0)), (1.0, 1.0, 4.0, 0.1, 1_000.0));
    }
}
