//! The sections of a prompt, by its Markdown headings.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

/// The longest part that a title has in a path, in characters: a title can be as long as the prompt, and each section inside
/// repeats it.
const MAX_TITLE: usize = 80;

/// A section: from its heading to the next heading of any level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// 1 to 6, the number of marks of the heading; 0 for the text before the first heading.
    pub level: u8,
    /// The title; empty for a heading without one and for the text before the first heading.
    pub title: &'a str,
    /// The titles of the sections around it and its own, with ` › ` between; empty for the text before the first heading. Titles of
    /// more than 80 characters are cut, with `…` for the rest, and one that is missing is `(untitled)`.
    pub path: String,
    /// The line that it begins on, from 1.
    pub line: u32,
    /// The text, with its heading.
    pub body: &'a str,
}

/// What happened to the sections between two texts, by their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionChanges {
    /// Only in the head.
    pub added: Vec<String>,
    /// Only in the base.
    pub removed: Vec<String>,
    /// In both, with another text.
    pub changed: Vec<String>,
}

/// The sections of a text: ATX headings outside fenced code (CommonMark 0.31, sections 4.2 and 4.5).
pub fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = Vec::new();
    let mut current = Section { level: 0, title: "", path: String::new(), line: 1, body: "" };
    // The level and the length of the path of each section around the current one, and of itself.
    let mut around: Vec<(u8, usize)> = Vec::new();
    let mut fence: Option<(char, usize)> = None;
    let (mut start, mut position) = (0, 0);
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        let here = position;
        position += line.len();
        match (fence, fence_of(line)) {
            (Some((mark, length)), Some((other, other_length, rest))) => {
                if mark == other && other_length >= length && rest.trim().is_empty() {
                    fence = None;
                }
                continue;
            }
            (Some(_), None) => continue,
            (None, Some((mark, length, _))) => {
                fence = Some((mark, length));
                continue;
            }
            (None, None) => {}
        }
        let Some((level, title)) = heading(line) else { continue };
        around.retain(|(outer, _)| *outer < level);
        let mut path = around.last().map_or_else(String::new, |(_, length)| current.path[..*length].to_owned());
        if !path.is_empty() {
            path.push_str(" › ");
        }
        push_title(&mut path, title);
        around.push((level, path.len()));
        let next = Section { level, title, path, line: number, body: "" };
        sections.push(Section { body: &text[start..here], ..std::mem::replace(&mut current, next) });
        start = here;
    }
    sections.push(Section { body: &text[start..], ..current });
    sections.retain(|section| section.level > 0 || !section.body.trim().is_empty());
    sections
}

fn push_title(path: &mut String, title: &str) {
    match title.char_indices().nth(MAX_TITLE) {
        Some((end, _)) => {
            path.push_str(&title[..end]);
            path.push('…');
        }
        None if title.is_empty() => path.push_str("(untitled)"),
        None => path.push_str(title),
    }
}

/// A line without its indentation; none when that is four spaces or more, which makes it code.
fn unindented(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(' ');
    (line.len() - rest.len() <= 3).then_some(rest)
}

fn fence_of(line: &str) -> Option<(char, usize, &str)> {
    let rest = unindented(line)?;
    let mark = rest.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let after = rest.trim_start_matches(mark);
    let length = rest.len() - after.len();
    (length >= 3 && !(mark == '`' && after.contains('`'))).then_some((mark, length, after))
}

fn heading(line: &str) -> Option<(u8, &str)> {
    let rest = unindented(line)?;
    let title = rest.trim_start_matches('#');
    let level = u8::try_from(rest.len() - title.len()).ok().filter(|level| (1..=6).contains(level))?;
    // Only these count here: a no-break space after the marks makes it text.
    let is_space = |c| matches!(c, ' ' | '\t' | '\r' | '\n');
    if !(title.is_empty() || title.starts_with(is_space)) {
        return None;
    }
    let title = title.trim_matches(is_space);
    // A closing run of marks is no part of the title.
    let bare = title.trim_end_matches('#');
    let title = if bare.is_empty() || bare.ends_with(is_space) { bare.trim_end_matches(is_space) } else { title };
    Some((level, title))
}

/// What happened to the sections. Of several with one path, the first is matched with the first, and so on. White space at the end
/// of a section is no change: it comes and goes with the section that follows.
pub fn changes(base: &str, head: &str) -> SectionChanges {
    let name = |path: String| if path.is_empty() { "(before the first heading)".to_owned() } else { path };
    let old = sections(base);
    // For each path its sections in the base, as indices; the ones of the head take them from the front.
    let mut unmatched: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (index, section) in old.iter().enumerate() {
        unmatched.entry(&section.path).or_default().push_back(index);
    }
    let mut is_kept = vec![false; old.len()];
    let mut changes = SectionChanges::default();
    for section in sections(head) {
        match unmatched.get_mut(section.path.as_str()).and_then(VecDeque::pop_front) {
            None => changes.added.push(name(section.path)),
            Some(index) => {
                is_kept[index] = true;
                if old[index].body.trim_end() != section.body.trim_end() {
                    changes.changed.push(name(section.path));
                }
            }
        }
    }
    changes.removed =
        old.into_iter().zip(is_kept).filter(|(_, is_kept)| !is_kept).map(|(section, _)| name(section.path)).collect();
    changes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paths(text: &str) -> Vec<String> {
        sections(text).into_iter().map(|section| section.path).collect()
    }

    #[test]
    fn headings_nest_and_code_has_none() {
        let text =
            "intro\n# Role\ntext\n## Tone ##\n```\n# no heading\n```\n### Deep\n## Limits\n    # code\n#tag\n# End\n";
        assert_eq!(paths(text), ["", "Role", "Role › Tone", "Role › Tone › Deep", "Role › Limits", "End"]);
        let joined: String = sections(text).iter().map(|section| section.body).collect();
        assert_eq!(joined, text);
    }

    #[test]
    fn a_section_says_where_it_is() {
        let sections = sections("\nintro\n\n## Tone ##\r\ntext\n#\nend");
        let told: Vec<_> = sections.iter().map(|section| (section.level, section.title, section.line)).collect();
        assert_eq!(told, [(0, "", 1), (2, "Tone", 4), (1, "", 6)]);
        assert_eq!(sections[1].body, "## Tone ##\r\ntext\n");
        assert_eq!(sections[2].path, "(untitled)");
    }

    #[test]
    fn fences_close_as_in_commonmark() {
        assert_eq!(paths("````\n```\n# code\n~~~~\n# code\n`````\n# A\n"), ["", "A"]);
        assert_eq!(paths("~~~ x ` y\n# code\n~~~ z\n# code\n   ~~~  \n# A\n"), ["", "A"]);
        // A backtick after the marks makes it inline code.
        assert_eq!(paths("``` a ` b\n# A\n"), ["", "A"]);
        assert_eq!(paths("```\n# code to the end\n"), [""]);
    }

    #[test]
    fn only_marks_and_a_space_make_a_heading() {
        assert_eq!(paths("#\u{a0}A\n####### B\n#C\n    # D\n\t# E\n"), [""]);
        assert_eq!(paths("   # A\n#\tB\n# C#\n# D # #\n"), ["A", "B", "C#", "D #"]);
        assert_eq!(paths(" \n\n# A\n"), ["A"]);
        assert!(paths(" \n").is_empty());
    }

    #[test]
    fn a_long_title_is_not_repeated_in_full() {
        let text = format!("# {}\n{}", "é".repeat(1 << 18), "## a\n".repeat(1 << 16));
        let sections = sections(&text);
        assert_eq!(sections.len(), 1 + (1 << 16));
        assert_eq!(sections[1].path, format!("{}… › a", "é".repeat(MAX_TITLE)));
        assert_eq!(changes(&text, &text), SectionChanges::default());
    }

    #[test]
    fn what_happened_to_each_section_is_told() {
        let base = "# A\none\n# B\ntwo\n# B\nthree\n# Gone\n";
        let head = "preface\n# A\nuno\n# B\ntwo\n# B\ntres\n# New\n";
        assert_eq!(
            changes(base, head),
            SectionChanges {
                added: vec!["(before the first heading)".into(), "New".into()],
                removed: vec!["Gone".into()],
                changed: vec!["A".into(), "B".into()],
            }
        );
        assert_eq!(changes(base, base), SectionChanges::default());
    }

    proptest! {
        #[test]
        fn sections_join_to_the_text(text in "([# ab`~\t\r-]{0,8}\n){0,10}[#a ]{0,3}") {
            let sections = sections(&text);
            let joined: String = sections.iter().map(|section| section.body).collect();
            // Blank text before the first heading is no section.
            prop_assert!(text.ends_with(&joined) && text[..text.len() - joined.len()].trim().is_empty());
            for section in sections {
                let before = text.lines().nth(section.line as usize - 1);
                prop_assert_eq!(section.body.lines().next(), before);
            }
        }

        #[test]
        fn a_text_has_no_changes_against_itself(text in "([#ab ]{0,5}\n){0,10}") {
            prop_assert_eq!(changes(&text, &text), SectionChanges::default());
        }
    }
}
