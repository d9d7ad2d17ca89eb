//! A comparison as a table, in one column or in two.

use std::{collections::HashMap, fmt::Write};

use versioning::diff::{Diff, Row, Span, Stretch, WordChange, Words, fold};

use super::{
    escaped,
    text::{push_segments, push_text},
};
use crate::{api::ComparisonQuery, html::ServerHtml};

/// Unchanged lines around a change.
const CONTEXT: usize = 3;

/// Changed rows that a page shows; a browser cannot do much with more.
const MAX_CHANGED: usize = 4_000;

/// Unchanged rows that a page shows when folds are opened.
const MAX_SAME: usize = 10_000;

/// Characters of a line that are shown.
const MAX_LINE: usize = 20_000;

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
    let mut table = Table {
        html: String::new(),
        diff,
        view,
        changes: 0,
        ends: Ends::of(diff),
        is_numbered: false,
        words: Words::default(),
        rewritten: HashMap::new(),
    };
    table.open();
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
    table.html.push_str("</tbody></table>");
    Drawn {
        html: ServerHtml(table.html),
        hidden: u32::try_from(hidden).unwrap_or(u32::MAX),
        is_simplified: table.words.is_simplified(),
    }
}

struct Table<'a, 'text> {
    html: String,
    diff: &'a Diff<'text>,
    view: DiffView,
    changes: u32,
    ends: Ends,
    /// Whether the row that is being drawn has the number of a line already.
    is_numbered: bool,
    words: Words,
    /// What changed inside the rewritten lines of the change that is being drawn, by the line of the base.
    rewritten: HashMap<u32, WordChange<'text>>,
}

/// What is shown of the ends of lines: only what tells lines apart.
#[derive(Debug, Clone, Copy)]
struct Ends {
    /// Some lines of the two texts end with CR LF, and others do not.
    are_mixed: bool,
    /// One of the texts ends with a line break, and the other does not.
    last_differs: bool,
}

impl Ends {
    fn of(diff: &Diff<'_>) -> Self {
        let broken = || diff.base.iter().chain(&diff.head).filter(|line| line.ends_with('\n'));
        let is_broken = |lines: &[&str]| lines.last().is_none_or(|line| line.ends_with('\n'));
        Self {
            are_mixed: broken().any(|line| line.ends_with("\r\n")) && broken().any(|line| !line.ends_with("\r\n")),
            last_differs: is_broken(&diff.base) != is_broken(&diff.head),
        }
    }

    /// A line, or the last part of one, without the end that need not be shown.
    fn cut(self, line: &str) -> &str {
        match line.strip_suffix('\n') {
            Some(line) if self.are_mixed => line,
            Some(line) => line.strip_suffix('\r').unwrap_or(line),
            None => line,
        }
    }
}

/// What stands in one half of a row.
#[derive(Clone, Copy)]
enum Cell {
    Empty,
    Base { line: u32, partner: Option<u32>, moved_to: Option<u32> },
    Head { line: u32, partner: Option<u32>, moved_from: Option<u32> },
}

impl<'text> Table<'_, 'text> {
    fn open(&mut self) {
        self.html.push_str(match self.view {
            DiffView::Split => {
                "<table class=\"diff split\"><colgroup><col class=\"no\"><col><col class=\"no\"><col></colgroup>\
                 <thead class=\"visually-hidden\"><tr><th scope=\"col\">Line of the base</th><th scope=\"col\">Base</th>\
                 <th scope=\"col\">Line of the head</th><th scope=\"col\">Head</th></tr></thead><tbody>"
            }
            DiffView::Unified => {
                "<table class=\"diff unified\"><colgroup><col class=\"no\"><col class=\"no\"><col></colgroup>\
                 <thead class=\"visually-hidden\"><tr><th scope=\"col\">Line of the base</th>\
                 <th scope=\"col\">Line of the head</th><th scope=\"col\">Text</th></tr></thead><tbody>"
            }
        });
    }

    fn full_row(&mut self, class: &str, content: &str) {
        let columns = if self.view == DiffView::Split { 4 } else { 3 };
        let _ = write!(self.html, "<tr class=\"{class}\"><td colspan=\"{columns}\">{content}</td></tr>");
    }

    fn begin_row(&mut self, attributes: &str) {
        let _ = write!(self.html, "<tr{attributes}>");
        self.is_numbered = false;
    }

    fn same(&mut self, row: Row) {
        let Row::Same { base, head } = row else { return };
        self.begin_row(" class=\"same\"");
        self.number('B', Some(base));
        if self.view == DiffView::Split {
            self.plain(self.diff.base[base as usize]);
        }
        self.number('H', Some(head));
        self.plain(self.diff.head[head as usize]);
        self.html.push_str("</tr>");
    }

    /// The rows of one change.
    fn changed(&mut self, rows: &[Row]) {
        self.changes += 1;
        self.rewritten.clear();
        for row in rows {
            if let Row::Changed { base, head } = *row {
                let (old, new) = (self.diff.base[base as usize], self.diff.head[head as usize]);
                // Where neither is shown by word, nobody looks for the words.
                if old.len().min(new.len()) <= MAX_LINE {
                    self.rewritten.insert(base, self.words.changes(old, new));
                }
            }
        }
        let cells: Vec<(Cell, Cell)> = match self.view {
            DiffView::Split => side_by_side(rows),
            // What was there first, then what is there now, as patches have it.
            DiffView::Unified => {
                let halves: Vec<(Cell, Cell)> = rows.iter().map(|row| halves(*row)).collect();
                let old =
                    halves.iter().filter(|(old, _)| !matches!(old, Cell::Empty)).map(|(old, _)| (*old, Cell::Empty));
                let new =
                    halves.iter().filter(|(_, new)| !matches!(new, Cell::Empty)).map(|(_, new)| (Cell::Empty, *new));
                old.chain(new).collect()
            }
        };
        for (index, (old, new)) in cells.into_iter().enumerate() {
            if index == 0 {
                self.begin_row(&format!(" id=\"change-{}\" class=\"first\" tabindex=\"-1\" data-change", self.changes));
            } else {
                self.begin_row("");
            }
            match (self.view, old, new) {
                (DiffView::Split, old, new) => {
                    self.half(old);
                    self.half(new);
                }
                (DiffView::Unified, Cell::Base { line, .. }, _) => {
                    self.number('B', Some(line));
                    self.number('H', None);
                    self.content(old);
                }
                (DiffView::Unified, _, Cell::Head { line, .. }) => {
                    self.number('B', None);
                    self.number('H', Some(line));
                    self.content(new);
                }
                (DiffView::Unified, ..) => {}
            }
            self.html.push_str("</tr>");
        }
    }

    fn half(&mut self, cell: Cell) {
        match cell {
            Cell::Empty => self.html.push_str("<td class=\"no\"></td><td class=\"none\"></td>"),
            Cell::Base { line, .. } => {
                self.number('B', Some(line));
                self.content(cell);
            }
            Cell::Head { line, .. } => {
                self.number('H', Some(line));
                self.content(cell);
            }
        }
    }

    fn number(&mut self, side: char, line: Option<u32>) {
        match line {
            Some(line) => {
                let number = line + 1;
                // No stop for the Tab key, of which there would be thousands: the keys for rows go from line to line, and another
                // one goes to the number beside it.
                let row = if self.is_numbered { "" } else { " data-row" };
                self.is_numbered = true;
                let _ = write!(
                    self.html,
                    "<td class=\"no\"><a id=\"{side}{number}\" href=\"#{side}{number}\" tabindex=\"-1\"{row}>{number}</a></td>"
                );
            }
            None => self.html.push_str("<td class=\"no\"></td>"),
        }
    }

    fn plain(&mut self, line: &str) {
        self.html.push_str("<td class=\"code\">");
        push_segments(&mut self.html, &shown(self.ends.cut(line)));
        self.html.push_str("</td>");
    }

    fn content(&mut self, cell: Cell) {
        let (class, sign, line, partner, moved) = match cell {
            Cell::Empty => return,
            Cell::Base { line, partner, moved_to } => {
                ("removed", "−", line, partner, moved_to.map(|to| format!("moved to {}", link('H', to))))
            }
            Cell::Head { line, partner, moved_from } => {
                ("added", "+", line, partner, moved_from.map(|from| format!("moved from {}", link('B', from))))
            }
        };
        let is_moved = if moved.is_some() { " moved" } else { "" };
        let _ = write!(self.html, "<td class=\"code {class}{is_moved}\"><span class=\"sign\">{sign}</span>");
        let text = match class {
            "removed" => self.diff.base[line as usize],
            _ => self.diff.head[line as usize],
        };
        let of_base = if class == "removed" { partner.map(|_| line) } else { partner };
        let spans = of_base.and_then(|line| self.rewritten.get_mut(&line)).map(|change| match class {
            "removed" => std::mem::take(&mut change.base),
            _ => std::mem::take(&mut change.head),
        });
        match spans {
            Some(spans) if text.len() <= MAX_LINE => self.spans(&spans, class),
            _ => push_segments(&mut self.html, &shown(self.ends.cut(text))),
        }
        if self.ends.last_differs && !text.ends_with('\n') {
            self.html.push_str("<span class=\"moved-note\">no line break at the end</span>");
        }
        if let Some(moved) = moved {
            let _ = write!(self.html, "<span class=\"moved-note\">{moved}</span>");
        }
        self.html.push_str("</td>");
    }

    /// A rewritten line, its changed words marked. `ins` and `del` say it to everybody.
    fn spans(&mut self, spans: &[Span<'_>], class: &str) {
        let tag = if class == "removed" { "del" } else { "ins" };
        for span in spans {
            let text = self.ends.cut(span.text);
            let is_marked = span.is_changed && !text.is_empty();
            if is_marked {
                let _ = write!(self.html, "<{tag}>");
            }
            push_text(&mut self.html, text);
            if is_marked {
                let _ = write!(self.html, "</{tag}>");
            }
        }
    }
}

fn link(side: char, line: u32) -> String {
    let number = line + 1;
    format!("<a href=\"#{side}{number}\">line {number}</a>")
}

fn halves(row: Row) -> (Cell, Cell) {
    match row {
        Row::Same { .. } => (Cell::Empty, Cell::Empty),
        Row::Changed { base, head } => (
            Cell::Base { line: base, partner: Some(head), moved_to: None },
            Cell::Head { line: head, partner: Some(base), moved_from: None },
        ),
        Row::Removed { base, moved_to } => (Cell::Base { line: base, partner: None, moved_to }, Cell::Empty),
        Row::Added { head, moved_from } => (Cell::Empty, Cell::Head { line: head, partner: None, moved_from }),
    }
}

/// Rewritten lines beside each other; what is only on one side beside what is only on the other.
fn side_by_side(rows: &[Row]) -> Vec<(Cell, Cell)> {
    let mut cells = Vec::with_capacity(rows.len());
    let (mut old, mut new): (Vec<Cell>, Vec<Cell>) = (Vec::new(), Vec::new());
    let flush = |cells: &mut Vec<(Cell, Cell)>, old: &mut Vec<Cell>, new: &mut Vec<Cell>| {
        for index in 0..old.len().max(new.len()) {
            let at = |side: &[Cell]| side.get(index).copied().unwrap_or(Cell::Empty);
            cells.push((at(old), at(new)));
        }
        old.clear();
        new.clear();
    };
    for row in rows {
        match halves(*row) {
            (left, Cell::Empty) => old.push(left),
            (Cell::Empty, right) => new.push(right),
            both => {
                flush(&mut cells, &mut old, &mut new);
                cells.push(both);
            }
        }
    }
    flush(&mut cells, &mut old, &mut new);
    cells
}

/// A line as far as it is shown.
fn shown(line: &str) -> std::borrow::Cow<'_, str> {
    match line.char_indices().nth(MAX_LINE) {
        None => line.into(),
        Some((end, _)) => format!("{} … and {} more characters", &line[..end], line[end..].chars().count()).into(),
    }
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
    fn lines_of_words_in_another_order_are_simplified_in_time() {
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
            let begin = std::time::Instant::now();
            let drawn = diff_lines(&diff, view, &DiffLinks::none());
            assert!(drawn.is_simplified && drawn.hidden == 0);
            // A debug build on a busy machine: the words have 0.3 s, the rest is writing them down.
            assert!(begin.elapsed() < std::time::Duration::from_secs(4), "{:?}", begin.elapsed());
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
