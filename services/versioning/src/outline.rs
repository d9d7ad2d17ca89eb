//! The sections of a prompt, by its Markdown headings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A section: from its heading to the next heading of any level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// The titles of the sections around it and its own, with ` › ` between; empty for the text before the first heading.
    pub path: String,
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
    let mut titles: Vec<(usize, &str)> = Vec::new();
    let mut fence: Option<(char, usize)> = None;
    let (mut start, mut position) = (0, 0);
    let path = |titles: &[(usize, &str)]| titles.iter().map(|(_, title)| *title).collect::<Vec<_>>().join(" › ");
    for line in text.split_inclusive('\n') {
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
        if here > start {
            sections.push(Section { path: path(&titles), body: &text[start..here] });
        }
        titles.retain(|(outer, _)| *outer < level);
        titles.push((level, title));
        start = here;
    }
    if start < text.len() {
        sections.push(Section { path: path(&titles), body: &text[start..] });
    }
    sections.retain(|section| !section.path.is_empty() || !section.body.trim().is_empty());
    sections
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

fn heading(line: &str) -> Option<(usize, &str)> {
    let rest = unindented(line)?;
    let title = rest.trim_start_matches('#');
    let level = rest.len() - title.len();
    if !(1..=6).contains(&level) || !(title.is_empty() || title.starts_with(char::is_whitespace)) {
        return None;
    }
    let title = title.trim();
    // A closing run of marks is no part of the title.
    let bare = title.trim_end_matches('#');
    let title = if bare.is_empty() || bare.ends_with(char::is_whitespace) { bare.trim_end() } else { title };
    Some((level, if title.is_empty() { "(untitled)" } else { title }))
}

/// What happened to the sections. Of several with one path, the first is matched with the first, and so on.
pub fn changes(base: &str, head: &str) -> SectionChanges {
    fn numbered(text: &str) -> Vec<((String, usize), &str)> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        sections(text)
            .into_iter()
            .map(|section| {
                let count = seen.entry(section.path.clone()).or_insert(0);
                *count += 1;
                ((section.path, *count), section.body.trim_end())
            })
            .collect()
    }
    let name = |path: &str| if path.is_empty() { "(before the first heading)".to_owned() } else { path.to_owned() };
    let (old, new) = (numbered(base), numbered(head));
    let before: BTreeMap<_, _> = old.iter().cloned().collect();
    let after: BTreeMap<_, _> = new.iter().cloned().collect();
    let mut changes = SectionChanges::default();
    for (key, body) in &new {
        match before.get(key) {
            None => changes.added.push(name(&key.0)),
            Some(old) if old != body => changes.changed.push(name(&key.0)),
            Some(_) => {}
        }
    }
    changes.removed = old.iter().filter(|(key, _)| !after.contains_key(key)).map(|(key, _)| name(&key.0)).collect();
    changes
}

#[cfg(test)]
mod tests {
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
}
