//! The rows of a comparison, as HTML.

use std::{collections::HashMap, fmt::Write};

use versioning::diff::{Diff, Row, Span, WordChange, Words};

use super::DiffView;
use crate::render::text::{push_segments, push_text};

/// Characters of a line that are shown.
const MAX_LINE: usize = 20_000;

/// A table that is being drawn, row by row.
pub(super) struct Table<'a, 'text> {
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

impl<'a, 'text> Table<'a, 'text> {
    pub(super) fn new(diff: &'a Diff<'text>, view: DiffView) -> Self {
        let head = match view {
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
        };
        Self {
            html: head.to_owned(),
            diff,
            view,
            changes: 0,
            ends: Ends::of(diff),
            is_numbered: false,
            words: Words::default(),
            rewritten: HashMap::new(),
        }
    }

    /// The whole table, and whether rewritten lines took so long that some are marked as a whole, or nearly.
    pub(super) fn close(mut self) -> (String, bool) {
        self.html.push_str("</tbody></table>");
        (self.html, self.words.is_simplified())
    }

    /// A row without numbers.
    pub(super) fn full_row(&mut self, class: &str, content: &str) {
        let columns = if self.view == DiffView::Split { 4 } else { 3 };
        let _ = write!(self.html, "<tr class=\"{class}\"><td colspan=\"{columns}\">{content}</td></tr>");
    }

    fn begin_row(&mut self, attributes: &str) {
        let _ = write!(self.html, "<tr{attributes}>");
        self.is_numbered = false;
    }

    /// A row that both texts have.
    pub(super) fn same(&mut self, row: Row) {
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
    pub(super) fn changed(&mut self, rows: &[Row]) {
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
        let other = partner.map(|line| match class {
            "removed" => self.diff.head[line as usize],
            _ => self.diff.base[line as usize],
        });
        // Beside a line that is the same but for its break, or has none beside it, that must be said.
        let is_last = !text.ends_with('\n');
        if is_last && (self.ends.last_differs || other.is_none_or(|other| other.ends_with('\n'))) {
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
