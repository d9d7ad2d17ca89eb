//! The variables of a prompt: `{{name}}`, with white space around the name if one likes.
//!
//! A name is a letter or an underscore, then letters, digits and underscores, 64 at most, all ASCII. Whatever else stands
//! between braces is text.

use std::collections::{BTreeMap, BTreeSet};

/// The longest name, in characters.
const MAX_NAME: usize = 64;

/// A piece of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Text that stands for itself.
    Text(&'a str),
    /// A variable.
    Variable {
        /// Its name.
        name: &'a str,
        /// The piece as it is written, with its braces.
        raw: &'a str,
    },
}

/// A prompt with its variables filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// The text. A variable without a value stands in it as it was written.
    pub text: String,
    /// Variables without a value, in order of first appearance.
    pub missing: Vec<String>,
    /// Values that no variable uses, by name.
    pub unused: Vec<String>,
}

/// The pieces of a prompt; joined, they are the prompt. Linear in its length.
pub fn segments(text: &str) -> Vec<Segment<'_>> {
    let mut segments = Vec::new();
    let (mut start, mut from) = (0, 0);
    while let Some(found) = text[from..].find("{{") {
        let open = from + found;
        match variable_at(&text[open..]) {
            Some((name, raw)) => {
                if open > start {
                    segments.push(Segment::Text(&text[start..open]));
                }
                segments.push(Segment::Variable { name, raw });
                start = open + raw.len();
                from = start;
            }
            // The second brace may open one: `{{{name}}`.
            None => from = open + 1,
        }
    }
    if start < text.len() {
        segments.push(Segment::Text(&text[start..]));
    }
    segments
}

/// The variable that a text begins with, if it does: its name, and all of it.
fn variable_at(text: &str) -> Option<(&str, &str)> {
    // White space is read once at most: it follows two braces, or a name after them, and only those ask for it.
    let bytes = text.as_bytes();
    let skip = |from: usize, is_in: fn(u8) -> bool, limit: usize| {
        from + bytes[from..].iter().take(limit).take_while(|&&byte| is_in(byte)).count()
    };
    let is_space = |byte: u8| byte.is_ascii_whitespace();
    let start = skip(2, is_space, usize::MAX);
    let end = skip(start, |byte| byte.is_ascii_alphanumeric() || byte == b'_', MAX_NAME + 1);
    if !(1..=MAX_NAME).contains(&(end - start)) || bytes[start].is_ascii_digit() {
        return None;
    }
    let close = skip(end, is_space, usize::MAX);
    bytes[close..].starts_with(b"}}").then(|| (&text[start..end], &text[..close + 2]))
}

/// The names of the variables, in order of first appearance.
pub fn variables(text: &str) -> Vec<&str> {
    distinct(&segments(text), &mut BTreeSet::new())
}

/// The names among the pieces that are not known yet, in order of first appearance.
fn distinct<'a>(segments: &[Segment<'a>], known: &mut BTreeSet<&'a str>) -> Vec<&'a str> {
    segments
        .iter()
        .filter_map(|segment| match *segment {
            Segment::Variable { name, .. } => known.insert(name).then_some(name),
            Segment::Text(_) => None,
        })
        .collect()
}

/// How long [`fill`]'s text would be, in bytes.
pub fn filled_length(text: &str, values: &BTreeMap<String, String>) -> usize {
    let length = |segment: Segment<'_>| match segment {
        Segment::Text(text) => text.len(),
        Segment::Variable { name, raw } => values.get(name).map_or(raw.len(), String::len),
    };
    segments(text).into_iter().map(length).fold(0, usize::saturating_add)
}

/// Puts values in the place of variables. A value is taken as it is: braces in it do not make a variable.
pub fn fill(text: &str, values: &BTreeMap<String, String>) -> Filled {
    let segments = segments(text);
    let mut filled = String::with_capacity(text.len());
    for segment in &segments {
        match *segment {
            Segment::Text(text) => filled.push_str(text),
            Segment::Variable { name, raw } => filled.push_str(values.get(name).map_or(raw, String::as_str)),
        }
    }
    let mut known = BTreeSet::new();
    let names = distinct(&segments, &mut known);
    Filled {
        text: filled,
        missing: names.iter().filter(|name| !values.contains_key(**name)).map(|&name| name.to_owned()).collect(),
        unused: values.keys().filter(|name| !known.contains(name.as_str())).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_found_where_they_are_meant() {
        let text = "{{a}} {{ b_1 }} {{a}} {{}} {{1a}} {{a b}} {{{c}}} {a} {{ä}} {{\td\n}} {{";
        assert_eq!(variables(text), ["a", "b_1", "c", "d"]);
        let long = "x".repeat(64);
        assert_eq!(variables(&format!("{{{{{long}}}}} {{{{{long}x}}}}")), [&long]);
        let space = " ".repeat(1_000);
        assert_eq!(variables(&format!("{{{{{space}a{space}}}}}")), ["a"]);
    }

    #[test]
    fn values_are_taken_as_they_are() {
        let values = [("a", "{{b}}"), ("c", "unused")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let filled = fill("{{a}}, {{ b }}", &values.into());
        assert_eq!(filled.text, "{{b}}, {{ b }}");
        assert_eq!((filled.missing, filled.unused), (vec!["b".to_owned()], vec!["c".to_owned()]));
    }

    #[test]
    fn a_million_braces_are_no_trouble() {
        assert!(variables(&"{".repeat(1 << 20)).is_empty());
        assert!(variables(&"{{ ".repeat(1 << 18)).is_empty());
        assert_eq!(variables(&"{{a".repeat(1 << 18)), Vec::<&str>::new());
    }

    proptest! {
        #[test]
        fn pieces_join_to_the_text(text in "[{} a-cé1_]{0,60}") {
            let joined: String = segments(&text)
                .into_iter()
                .map(|segment| match segment {
                    Segment::Text(text) => text,
                    Segment::Variable { raw, .. } => raw,
                })
                .collect();
            prop_assert_eq!(joined, text);
        }

        #[test]
        fn a_value_is_never_scanned(text in "[{} ab]{0,60}", value in "[{}ab]{0,12}") {
            let filled = fill(&text, &BTreeMap::from([("a".to_owned(), value.clone())])).text;
            let expected: String = segments(&text)
                .into_iter()
                .map(|segment| match segment {
                    Segment::Variable { name: "a", .. } => value.as_str(),
                    Segment::Text(text) | Segment::Variable { raw: text, .. } => text,
                })
                .collect();
            prop_assert_eq!(filled, expected);
        }

        #[test]
        fn the_length_is_told_in_advance(text in "[{} a-c]{0,60}", value in "[a-cé{}]{0,9}") {
            let values = BTreeMap::from([("a".to_owned(), value)]);
            prop_assert_eq!(filled_length(&text, &values), fill(&text, &values).text.len());
        }

        #[test]
        fn with_all_values_nothing_is_missing(text in "[{} a-c]{0,60}") {
            let values: BTreeMap<_, _> = variables(&text).into_iter().map(|name| (name.to_owned(), "v".to_owned())).collect();
            let filled = fill(&text, &values);
            prop_assert!(filled.missing.is_empty() && filled.unused.is_empty());
        }
    }
}
