//! The kinds of files that hold test cases.

use std::{fmt, str::FromStr};

use super::quoted;

/// A kind of file that test cases are read from and written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CaseFormat {
    /// A table with a header row, as spreadsheets write it.
    Csv,
    /// One test case as JSON a line.
    JsonLines,
    /// The `tests:` of a promptfoo configuration, or such a list alone, in YAML.
    Promptfoo,
}

/// A name that is not that of a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a format of test cases. Use csv, json-lines or promptfoo.", quoted(.0))]
pub struct UnknownCaseFormat(pub String);

impl CaseFormat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Csv, Self::JsonLines, Self::Promptfoo];

    /// The name in addresses and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "json-lines",
            Self::Promptfoo => "promptfoo",
        }
    }

    /// The media type that such a file is sent with.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl",
            Self::Promptfoo => "application/yaml",
        }
    }

    /// How the name of such a file ends, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Promptfoo => "yaml",
        }
    }

    /// The format that a file most likely has, by the end of its name, else by how its text begins. A wrong guess does no harm:
    /// the import then says what it expected, and people can choose.
    pub fn guess(file_name: Option<&str>, text: &str) -> Self {
        let extension =
            file_name.and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension.to_ascii_lowercase());
        match extension.as_deref() {
            Some("csv") => Self::Csv,
            Some("jsonl" | "ndjson") => Self::JsonLines,
            Some("yaml" | "yml") => Self::Promptfoo,
            _ => Self::guess_by_text(text),
        }
    }

    fn guess_by_text(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let line = text.lines().next().unwrap_or_default().trim_end();
        if line.starts_with('{') && line.ends_with('}') {
            return Self::JsonLines;
        }
        // The rest of JSON is read as YAML, which it is.
        let is_yaml =
            text.starts_with(['{', '[', '#', '%']) || line == "-" || line.starts_with("- ") || line.starts_with("---");
        let is_key = line.split_once(':').is_some_and(|(key, rest)| {
            key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
                && (rest.is_empty() || rest.starts_with(' '))
        });
        if is_yaml || (is_key && !line.contains(',')) { Self::Promptfoo } else { Self::Csv }
    }
}

impl FromStr for CaseFormat {
    type Err = UnknownCaseFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| UnknownCaseFormat(name.to_owned()))
    }
}

impl fmt::Display for CaseFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
