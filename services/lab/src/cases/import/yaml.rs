//! A YAML document as a tree that knows where everything stands.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Number, Value};
use serde_saphyr::{
    Error, Spanned, UserMessageFormatter, alias_limits, budget, options, options::NonFiniteFloatPolicy,
};

use super::{ImportProblem, shortened};

/// How deep lists and mappings stand in one another at most. Each level takes 40 KB of the stack in a debug build, and a
/// thread has 2 MB.
const MAX_DEPTH: usize = 32;
/// How many values a document has at most: the largest set, each case with a hundred.
const MAX_NODES: usize = 1_000_000;
/// How much aliases repeat at most, in parser events. An anchor for what all tests have in common stays far below.
const MAX_REPEATED: usize = 200_000;

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub kind: Kind,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub column: usize,
    /// Its bytes in the document, where that is known.
    span: Option<(usize, usize)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Null,
    /// A number, true or false, and how it is written: `1.10` is more than 1.1 when it is a text.
    Typed(Value, String),
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<(String, Node)>),
}

impl Node {
    /// Reads a document. One that is made to take all memory or the whole stack is refused.
    pub fn read(text: &str) -> Result<Self, ImportProblem> {
        let options = options! {
            budget: budget! {
                max_depth: MAX_DEPTH,
                flow_nesting_limit: MAX_DEPTH,
                max_nodes: MAX_NODES,
                max_events: 3 * MAX_NODES,
                // One anchor may serve every test; what aliases cost is limited by what they repeat.
                enforce_alias_anchor_ratio: false,
            },
            alias_limits: alias_limits! { max_total_replayed_events: MAX_REPEATED },
            // “no” and “on” are words, as in promptfoo's own reader.
            strict_booleans: true,
            non_finite_float_policy: NonFiniteFloatPolicy::AsString,
            with_snippet: false,
        };
        let mut root: Self = serde_saphyr::from_str_with_options(text, options).map_err(|error| problem(&error))?;
        root.note_writing(text);
        Ok(root)
    }

    /// A problem with this value.
    pub fn problem(&self, message: impl Into<String>) -> ImportProblem {
        ImportProblem::new(self.line, self.column, message)
    }

    /// The value of a key, if this is a mapping that has it; null is nothing.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Kind::Mapping(entries) = &self.kind else { return None };
        entries.iter().find_map(|(name, value)| (name == key && value.kind != Kind::Null).then_some(value))
    }

    /// The text of a scalar, as it is written; null is an empty one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Null => Some(""),
            Kind::Typed(_, written) => Some(written),
            Kind::Text(text) => Some(text),
            Kind::List(_) | Kind::Mapping(_) => None,
        }
    }

    /// The same value in JSON.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Typed(value, _) => value.clone(),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Mapping(entries) => entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
        }
    }

    /// What this is, in words.
    pub fn what(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Typed(..) | Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }

    /// Takes the writing of numbers from the document: the parser only hands on their value.
    fn note_writing(&mut self, document: &str) {
        match &mut self.kind {
            Kind::Typed(value, written) => {
                let source = self.span.and_then(|(start, end)| document.get(start..end)).unwrap_or_default();
                // With a tag or quotes around it, the value says more than the writing.
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
                *written = if !source.is_empty() && source.bytes().all(is_plain) {
                    source.to_owned()
                } else {
                    value.to_string()
                };
            }
            Kind::List(items) => items.iter_mut().for_each(|item| item.note_writing(document)),
            Kind::Mapping(entries) => entries.iter_mut().for_each(|(_, value)| value.note_writing(document)),
            Kind::Null | Kind::Text(_) => {}
        }
    }
}

fn problem(error: &Error) -> ImportProblem {
    let location = error.location();
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (line, column) = location.map_or((1, None), |place| (number(place.line()), Some(number(place.column()))));
    let message = if is_too_much(error) {
        "The file is too deep or too large from here on, or repeats too much by aliases. Keep to the tests, and write out what \
         aliases stand for."
            .to_owned()
    } else if matches!(error, Error::MultipleDocuments { .. }) {
        "A second document begins here. Keep one of them.".to_owned()
    } else {
        let said = error.render_with_formatter(&UserMessageFormatter);
        let place = location.map(|place| format!(" at line {}, column {}", place.line(), place.column()));
        let said = place.and_then(|place| said.strip_suffix(&place)).unwrap_or(&said);
        format!("This is not YAML: {}. Correct it there or just before.", shortened(said))
    };
    ImportProblem::new(line.max(1), column, message)
}

/// Whether a limit was reached: the document may be YAML, but it is none that people write.
fn is_too_much(error: &Error) -> bool {
    match error {
        Error::AliasError { error, .. } => is_too_much(error),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::RecursiveReferencesRequireWeakTypes { .. } => true,
        // The scanner, which runs ahead of the budget, has no kind of its own for this.
        other => other.render_with_formatter(&UserMessageFormatter).contains("recursion limit"),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: kind, defined, .. } = Spanned::<Kind>::deserialize(deserializer)?;
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let span = defined.span();
        let span =
            span.byte_offset().zip(span.byte_len()).map(|(start, length)| (number(start), number(start + length)));
        Ok(Self { kind, line: number(defined.line()).max(1), column: number(defined.column()).max(1), span })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl KindVisitor {
    fn typed<E>(value: impl Into<Value>) -> Result<Kind, E> {
        Ok(Kind::Typed(value.into(), String::new()))
    }
}

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Self::typed(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Self::typed(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Self::typed(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Kind, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number that is not finite"))?;
        Self::typed(number)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Kind, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Kind, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(Kind::Mapping(mapping))
    }
}
