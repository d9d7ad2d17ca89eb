//! Checks as people write them: one a line, `contains: hello`.

use super::Check;

/// Every kind with an example, in the order in which they are explained.
pub const EXAMPLES: [(&str, &str); 13] = [
    ("equals", "equals: yes"),
    ("contains", "contains: refund"),
    ("icontains", "icontains: thank you"),
    ("not-contains", "not-contains: as an AI"),
    ("starts-with", "starts-with: Dear"),
    ("regex", r"regex: ^\d{4}-\d{2}-\d{2}$"),
    ("is-json", "is-json"),
    ("json-schema", r#"json-schema: {"type": "object", "required": ["id"]}"#),
    ("similar", "similar: 0.8"),
    ("max-length", "max-length: 400"),
    ("latency", "latency: 2000"),
    ("cost", "cost: 0.01"),
    ("llm-rubric", "llm-rubric: >=0.7 Is polite and names the next step"),
];

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineProblem {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong, and the way forward.
    pub message: String,
}

/// Reads checks, one a line: the kind, a colon, and what it needs. Blank lines do not count. A text with line breaks, or with
/// white space at an end, is a JSON string in quotes.
///
/// - `equals: text`, or `equals` for the expected answer
/// - `contains`, `icontains`, `not-contains`, `starts-with`, `regex`: a text
/// - `is-json`
/// - `json-schema: {…}`
/// - `similar: 0.8`, for the expected answer, or `similar: 0.8 text`
/// - `max-length: 400`, `latency: 2000`, `cost: 0.01`
/// - `llm-rubric: text`, or `llm-rubric: >=0.7 text`
///
/// # Errors
/// Every line that is none, or whose check is invalid.
pub fn checks_from_lines(text: &str) -> Result<Vec<Check>, Vec<LineProblem>> {
    let (mut checks, mut problems) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let read = read(line.trim()).and_then(|check| match check.validate() {
            Ok(()) => Ok(check),
            Err(invalid) => Err(invalid.message),
        });
        match read {
            Ok(check) => checks.push(check),
            Err(message) => problems.push(LineProblem { line: index + 1, message }),
        }
    }
    if problems.is_empty() { Ok(checks) } else { Err(problems) }
}

/// Writes checks as [`checks_from_lines`] reads them.
pub fn checks_to_lines(checks: &[Check]) -> String {
    let lines: Vec<String> = checks.iter().map(write).collect();
    lines.join("\n")
}

fn read(line: &str) -> Result<Check, String> {
    let (kind, rest) = line.split_once(':').map_or((line, ""), |(kind, rest)| (kind.trim(), rest.trim()));
    Ok(match kind {
        "equals" => Check::Equals { value: if rest.is_empty() { None } else { Some(text(rest)?) } },
        "contains" => Check::Contains { value: text(rest)? },
        "icontains" => Check::Icontains { value: text(rest)? },
        "not-contains" => Check::NotContains { value: text(rest)? },
        "starts-with" => Check::StartsWith { value: text(rest)? },
        "regex" => Check::Regex { value: text(rest)? },
        "is-json" if rest.is_empty() => Check::IsJson {},
        "is-json" => return Err("is-json takes nothing after it. For a schema write json-schema: {…}.".into()),
        "json-schema" => Check::JsonSchema {
            value: serde_json::from_str(rest)
                .map_err(|error| format!("The schema is not JSON on one line: {error}."))?,
        },
        "similar" => {
            let (threshold, rest) = first_word(rest);
            let value = if rest.is_empty() { None } else { Some(text(rest)?) };
            Check::Similar { value, threshold: number(kind, threshold)? }
        }
        "max-length" => Check::MaxLength {
            threshold: rest
                .parse()
                .map_err(|_| "max-length needs a whole number of characters, such as max-length: 400.".to_owned())?,
        },
        "latency" => Check::Latency { threshold: number(kind, rest)? },
        "cost" => Check::Cost { threshold: number(kind, rest)? },
        "llm-rubric" => match rest.strip_prefix(">=") {
            Some(rest) => {
                let (threshold, rest) = first_word(rest.trim_start());
                Check::LlmRubric { value: text(rest)?, threshold: Some(number(kind, threshold)?) }
            }
            None => Check::LlmRubric { value: text(rest)?, threshold: None },
        },
        unknown => return Err(unknown_kind(unknown)),
    })
}

fn write(check: &Check) -> String {
    let kind = check.kind();
    match check {
        Check::Equals { value: None } | Check::IsJson {} => kind.to_owned(),
        Check::Equals { value: Some(value) }
        | Check::Contains { value }
        | Check::Icontains { value }
        | Check::NotContains { value }
        | Check::StartsWith { value }
        | Check::Regex { value }
        | Check::LlmRubric { value, threshold: None } => format!("{kind}: {}", written(value)),
        Check::LlmRubric { value, threshold: Some(threshold) } => format!("{kind}: >={threshold} {}", written(value)),
        Check::JsonSchema { value } => format!("{kind}: {value}"),
        Check::Similar { value: None, threshold } => format!("{kind}: {threshold}"),
        Check::Similar { value: Some(value), threshold } => format!("{kind}: {threshold} {}", written(value)),
        Check::MaxLength { threshold } => format!("{kind}: {threshold}"),
        Check::Latency { threshold } | Check::Cost { threshold } => format!("{kind}: {threshold}"),
    }
}

fn first_word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()))
}

fn number(kind: &str, text: &str) -> Result<f64, String> {
    let example = EXAMPLES.iter().find(|(known, _)| *known == kind).map_or("", |(_, example)| *example);
    text.parse().map_err(|_| format!("{kind} needs a number, as in {example}."))
}

/// A text as it stands, or as a JSON string.
fn text(rest: &str) -> Result<String, String> {
    if rest.len() > 1 && rest.starts_with('"') && rest.ends_with('"') {
        return serde_json::from_str(rest)
            .map_err(|error| format!("The text in quotes is not a JSON string: {error}."));
    }
    Ok(rest.to_owned())
}

fn written(value: &str) -> String {
    let is_plain = !value.is_empty()
        && value.trim() == value
        && !value.starts_with('"')
        && !value.starts_with(">=")
        && !value.contains(|c: char| c.is_control() || "\u{2028}\u{2029}".contains(c));
    if is_plain { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

fn unknown_kind(unknown: &str) -> String {
    let alike = |known: &str| {
        let (known, unknown) = (known.to_lowercase(), unknown.to_lowercase());
        known.contains(&unknown) || unknown.contains(&known) || known[..2] == *unknown.get(..2).unwrap_or("")
    };
    let near: Vec<&str> =
        EXAMPLES.iter().map(|(kind, _)| *kind).filter(|kind| !unknown.is_empty() && alike(kind)).collect();
    let names = if near.is_empty() { EXAMPLES.iter().map(|(kind, _)| *kind).collect() } else { near };
    let shown: String = unknown.chars().take(40).collect();
    format!(
        "{shown:?} is not a check. Did you mean {}? A line is the kind, a colon and what it needs.",
        names.join(", ")
    )
}
