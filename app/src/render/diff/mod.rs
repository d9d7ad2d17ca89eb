//! A comparison as a table, in one column or in two: which of its rows are shown, and where its folds lead.

mod table;

use std::fmt::Write;

use versioning::diff::{Diff, Stretch, fold};

use super::escaped;
use crate::{api::ComparisonQuery, html::ServerHtml};
use table::Table;

/// Unchanged lines around a change.
const CONTEXT: usize = 3;

/// Changed rows that a page shows; a browser cannot do much with more.
const MAX_CHANGED: usize = 4_000;

/// Unchanged rows that a page shows when folds are opened.
const MAX_SAME: usize = 10_000;

/// How the two sides stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffView {
    /// Beside each other.
    Split,
    /// One below the other.
    Unified,
}

/// Where a fold leads: the same page with that fold open.
#[derive(Debug, Clone, Default)]
pub struct DiffLinks {
    /// The page's address up to the folds; empty when folds cannot be opened.
    address: String,
    open: Vec<u32>,
    is_all_open: bool,
}

impl DiffLinks {
    /// The links of a comparison's page.
    pub fn of(query: &ComparisonQuery) -> Self {
        let mut address = format!("/agents/{}/compare?", query.agent);
        for (name, value) in [("base", &query.base), ("head", &query.head), ("view", &query.view), ("ws", &query.ws)] {
            if !value.is_empty() {
                let _ = write!(address, "{name}={value}&");
            }
        }
        Self {
            address,
            open: query.open.split(',').filter_map(|line| line.parse().ok()).collect(),
            is_all_open: query.open == "all",
        }
    }

    /// No links: folds stay folded.
    pub fn none() -> Self {
        Self::default()
    }

    fn is_open(&self, line: u32) -> bool {
        self.is_all_open || self.open.contains(&line)
    }

    fn opening(&self, line: u32) -> String {
        let open: Vec<String> = self.open.iter().chain([&line]).map(ToString::to_string).collect();
        escaped(&format!("{}open={}#H{line}", self.address, open.join(","))).into_owned()
    }
}

/// A drawn comparison.
pub struct Drawn {
    /// The table.
    pub html: ServerHtml,
    /// Changed rows that it does not show.
    pub hidden: u32,
    /// Whether rewritten lines took so long that some are marked as a whole, or nearly.
    pub is_simplified: bool,
}

/// Draws a comparison.
pub fn diff_lines(diff: &Diff<'_>, view: DiffView, links: &DiffLinks) -> Drawn {
    if diff.is_empty() {
        return Drawn { html: ServerHtml::default(), hidden: 0, is_simplified: false };
    }
    let mut table = Table::new(diff, view);
    let (mut changed, mut same, mut hidden) = (0, 0, 0);
    for stretch in fold(&diff.rows, CONTEXT, |line| links.is_open(line)) {
        match stretch {
            Stretch::Folded(fold) => {
                let count = fold.rows.len();
                let what = format!("{count} unchanged lines");
                if links.address.is_empty() {
                    table.full_row("fold", &what);
                } else {
                    let link = format!("<a href=\"{}\">Show {what}</a>", links.opening(fold.first_line));
                    table.full_row("fold", &link);
                }
            }
            Stretch::Shown(rows) => {
                let mut rows = &diff.rows[rows];
                while let Some(first) = rows.first() {
                    let length = rows.iter().position(|row| row.is_same() != first.is_same()).unwrap_or(rows.len());
                    let (run, rest) = rows.split_at(length);
                    if first.is_same() {
                        let room = MAX_SAME.saturating_sub(same).max(CONTEXT);
                        same += length;
                        for row in &run[..length.min(room)] {
                            table.same(*row);
                        }
                        if length > room {
                            table.full_row("fold", &format!("{} more unchanged lines", length - room));
                        }
                    } else if changed < MAX_CHANGED {
                        let shown = length.min(MAX_CHANGED - changed);
                        changed += shown;
                        hidden += length - shown;
                        table.changed(&run[..shown]);
                    } else {
                        hidden += length;
                    }
                    rows = rest;
                }
            }
        }
    }
    let (html, is_simplified) = table.close();
    Drawn { html: ServerHtml(html), hidden: u32::try_from(hidden).unwrap_or(u32::MAX), is_simplified }
}

#[cfg(test)]
mod tests {
    use versioning::diff::DiffOptions;

    use super::*;

    fn draw(base: &str, head: &str, view: DiffView) -> String {
        diff_lines(&Diff::new(base, head, DiffOptions::default()), view, &DiffLinks::none()).html.0
    }

    #[test]
    fn text_is_escaped() {
        for view in [DiffView::Split, DiffView::Unified] {
            let html = draw("<b>&\"old one</b>\n", "<b>&\"new one</b>\n", view);
            assert!(!html.contains("<b>"), "{html}");
            assert!(html.contains("&lt;b&gt;&amp;&quot;<ins>new</ins> one"), "{html}");
            assert!(html.contains("<del>old</del>"), "{html}");
        }
    }

    #[test]
    fn a_text_of_many_changes_is_cut() {
        let base: String = (0..10_000).map(|n| format!("{n}\n")).collect();
        let drawn = diff_lines(&Diff::new(&base, "", DiffOptions::default()), DiffView::Split, &DiffLinks::none());
        assert_eq!(drawn.hidden, 6_000);
    }

    #[test]
    fn lines_of_words_in_another_order_are_simplified() {
        // Beside each other line by line, because all lines have the same words: two texts of 1 MB.
        let text = |step: usize| {
            let line = |line: usize| {
                (0..798).map(|word| format!("w{:03x} ", (word * step + line * 31) % 797)).collect::<String>() + "\n"
            };
            (0..262).map(line).collect::<String>()
        };
        let (base, head) = (text(5), text(600));
        let diff = Diff::new(&base, &head, DiffOptions::default());
        for view in [DiffView::Split, DiffView::Unified] {
            let drawn = diff_lines(&diff, view, &DiffLinks::none());
            assert!(drawn.is_simplified && drawn.hidden == 0);
        }
    }

    #[test]
    fn words_are_marked_on_both_sides_in_both_views() {
        for view in [DiffView::Split, DiffView::Unified] {
            let html = draw("Say one thing.\nSay two things.\n", "Say a thing.\nSay three things.\n", view);
            for mark in ["<del>one</del>", "<ins>a</ins>", "<del>two</del>", "<ins>three</ins>"] {
                assert_eq!(html.matches(mark).count(), 1, "{mark}: {html}");
            }
        }
    }

    #[test]
    fn each_row_has_one_number_that_keys_go_to() {
        for view in [DiffView::Split, DiffView::Unified] {
            let html = draw("Say one thing.\nStay.\nGo.\n", "Say a thing.\nStay.\n", view);
            let (_, rows) = html.split_once("<tbody>").unwrap();
            for row in rows.split("<tr").skip(1) {
                assert_eq!(row.matches(" data-row").count(), 1, "{row}");
            }
        }
    }

    #[test]
    fn folds_lead_to_the_page_with_them_open() {
        let base: String = (1..=30).map(|n| format!("{n}\n")).collect();
        let head = base.replace("15\n", "fifteen\n");
        let query = ComparisonQuery {
            agent: "a".into(),
            base: "1.0.0".into(),
            open: "20".into(),
            ..ComparisonQuery::default()
        };
        let diff = Diff::new(&base, &head, DiffOptions::default());
        let html = diff_lines(&diff, DiffView::Split, &DiffLinks::of(&query)).html.0;
        assert!(
            html.contains("href=\"/agents/a/compare?base=1.0.0&amp;open=20,1#H1\">Show 11 unchanged lines"),
            "{html}"
        );
    }

    #[test]
    fn what_moved_says_where() {
        let block = "Write short sentences, and name things as the field does.\n";
        let html = draw(&format!("{block}1\n2\n3\n"), &format!("1\n2\n3\n{block}"), DiffView::Split);
        assert!(html.contains("moved to <a href=\"#H4\">line 4</a>"), "{html}");
        assert!(html.contains("moved from <a href=\"#B1\">line 1</a>"), "{html}");
    }

    #[test]
    fn ends_of_lines_are_shown_where_they_tell_lines_apart() {
        const CR: &str = "data-mark=\"CR\"";
        for view in [DiffView::Split, DiffView::Unified] {
            let html = draw("alpha\nbeta\n", "alpha\nbeta\r\n", view);
            assert!(html.contains("<ins><span class=\"invisible\""), "{html}");
            assert_eq!(html.matches(CR).count(), 1, "{html}");
            let html = draw("alpha\r\nbeta\r\n", "alpha\r\nbeta two\r\n", view);
            assert!(!html.contains(CR), "{html}");
            let html = draw("alpha\nbeta", "alpha\nbeta\n", view);
            assert_eq!(html.matches("no line break at the end").count(), 1, "{html}");
            // The lines of "beta" differ in nothing else.
            let html = draw("alpha\nbeta", "alpha\nbeta\ngamma", view);
            assert!(html.contains("beta<span class=\"moved-note\">no line break at the end"), "{html}");
            let html = draw("alpha\nBe brief and kind, always.", "alpha\nBe brief and kind, always!", view);
            assert!(!html.contains("no line break at the end"), "{html}");
        }
    }

    #[test]
    fn characters_that_are_not_seen_are_marked_as_changed() {
        for hidden in ['\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{1b}', '\r'] {
            let html =
                draw("Be brief and kind, always.\n", &format!("Be br{hidden}ief and kind, always.\n"), DiffView::Split);
            assert_eq!(html.matches("class=\"invisible\"").count(), 1, "{hidden:?}: {html}");
            assert!(html.contains("<ins>"), "{hidden:?}: {html}");
        }
    }
}
