//! The directives of a message.

use std::time::Duration;

/// What a message asks of the API.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Script {
    pub(crate) delay: Option<Duration>,
    pub(crate) first: Option<Duration>,
    /// What the answer waits for.
    pub(crate) gate: Option<String>,
    pub(crate) status: Option<Status>,
    pub(crate) course: Course,
    /// The answer, when the message has one.
    pub(crate) answer: Option<String>,
    pub(crate) stop: Option<String>,
    pub(crate) has_no_usage: bool,
    pub(crate) flips: bool,
    pub(crate) mumbles: bool,
    /// The message without its directives.
    pub(crate) rest: String,
}

/// A failure by status.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Status {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) retry_after_ms: Option<String>,
    pub(crate) code: Option<String>,
    /// For how many requests with the same messages.
    pub(crate) times: Option<usize>,
}

/// How an answer goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Course {
    #[default]
    Whole,
    Cut,
    Unfinished,
    Malformed,
    NotUtf8,
    Failing,
    Hang,
}

impl Script {
    /// Reads a message. Brackets that hold no directive are text.
    pub(crate) fn read(message: &str) -> Self {
        let mut script = Self::default();
        let mut left = message;
        while let Some(start) = left.find('[') {
            script.rest.push_str(&left[..start]);
            let inside = &left[start + 1..];
            let taken = script.take(inside);
            left = match taken {
                Some(length) => &inside[length..],
                None => {
                    script.rest.push('[');
                    inside
                }
            };
        }
        script.rest.push_str(left);
        script.rest = script.rest.trim().to_owned();
        script
    }

    /// Reads a directive at the beginning of `text`, behind its bracket. Returns its length with the closing bracket.
    fn take(&mut self, text: &str) -> Option<usize> {
        if let Some(json) = text.strip_prefix("json ") {
            // JSON has brackets of its own.
            let mut values = serde_json::Deserializer::from_str(json).into_iter::<serde_json::Value>();
            values.next()?.ok()?;
            let length = values.byte_offset();
            json[length..].strip_prefix(']')?;
            self.answer = Some(json[..length].trim().to_owned());
            return Some("json ".len() + length + 1);
        }
        let length = text.find(']')?;
        let words: Vec<&str> = text[..length].split_whitespace().collect();
        match words[..] {
            ["delay", time] => self.delay = Some(duration(time)?),
            ["first", time] => self.first = Some(duration(time)?),
            ["wait", gate] => self.gate = Some(gate.to_owned()),
            ["status", status, ref more @ ..] => self.status = Some(read_status(status, more)?),
            ["cut"] => self.course = Course::Cut,
            ["unfinished"] => self.course = Course::Unfinished,
            ["malformed"] => self.course = Course::Malformed,
            ["notutf8"] => self.course = Course::NotUtf8,
            ["failing"] => self.course = Course::Failing,
            ["hang"] => self.course = Course::Hang,
            ["empty"] => self.answer = Some(String::new()),
            ["long", size] => self.answer = Some(long(bytes(size)?)),
            ["stop", reason] => self.stop = Some(reason.to_owned()),
            ["nousage"] => self.has_no_usage = true,
            ["flip"] => self.flips = true,
            ["mumble"] => self.mumbles = true,
            _ => return None,
        }
        Some(length + 1)
    }
}

fn read_status(status: &str, more: &[&str]) -> Option<Status> {
    let mut read = Status { status: status.parse().ok()?, ..Status::default() };
    for pair in more.chunks(2) {
        match *pair {
            ["retry-after", value] => read.retry_after = Some(value.to_owned()),
            ["retry-after-ms", value] => read.retry_after_ms = Some(value.to_owned()),
            ["code", value] => read.code = Some(value.to_owned()),
            ["times", value] => read.times = Some(value.parse().ok()?),
            _ => return None,
        }
    }
    Some(read)
}

/// `100ms`, `1.5s`.
fn duration(text: &str) -> Option<Duration> {
    let (number, seconds) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

/// `1MB`, `16KB`, `10B`.
fn bytes(text: &str) -> Option<usize> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "B" => 1,
        "KB" => 1024,
        "MB" => 1024 * 1024,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(unit)
}

/// Words, so that there is something to count.
fn long(length: usize) -> String {
    "word ".chars().cycle().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_taken_out_of_the_message() {
        let script = Script::read("[delay 1.5s] Hello [first 50ms][nousage] you");
        assert_eq!(script.rest, "Hello  you");
        assert_eq!((script.delay, script.first), (Some(Duration::from_millis(1500)), Some(Duration::from_millis(50))));
        assert!(script.has_no_usage);
        let script = Script::read("[wait late] Hello");
        assert_eq!((script.gate.as_deref(), script.rest.as_str()), (Some("late"), "Hello"));
        let script = Script::read("[status 429 retry-after 1 times 2 code insufficient_quota]x");
        let status = Status {
            status: 429,
            retry_after: Some("1".into()),
            code: Some("insufficient_quota".into()),
            times: Some(2),
            ..Status::default()
        };
        assert_eq!((script.status, script.rest.as_str()), (Some(status), "x"));
    }

    #[test]
    fn json_is_taken_word_for_word() {
        let script = Script::read(r#"a [json {"b": [1, "]"]}] c"#);
        assert_eq!((script.answer.as_deref(), script.rest.as_str()), (Some(r#"{"b": [1, "]"]}"#), "a  c"));
        assert_eq!(Script::read("[json {]").rest, "[json {]");
    }

    #[test]
    fn sizes_and_courses_are_read() {
        assert_eq!(Script::read("[long 1KB]").answer.unwrap().len(), 1024);
        assert_eq!(Script::read("[empty]").answer.as_deref(), Some(""));
        assert_eq!(Script::read("[cut]").course, Course::Cut);
    }

    #[test]
    fn other_brackets_are_text() {
        for text in [
            "[1] and [delay] and [delay soon]",
            "[wait]",
            "an open [ bracket",
            "[long 1XB]",
            "[status 500 often]",
            "[delay -1s]",
        ] {
            assert_eq!(Script::read(text), Script { rest: text.into(), ..Script::default() }, "{text}");
        }
    }
}
