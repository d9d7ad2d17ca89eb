//! What a judge says.

use std::{fmt, sync::Arc};

use serde_json::json;

/// What the API answers as a judge: from the user's message of the judge's prompt to the judge's answer.
#[derive(Clone)]
pub struct Judge(Arc<dyn Fn(&str) -> String + Send + Sync>);

impl Judge {
    /// A judge that answers what `rule` makes of the user's message.
    pub fn new(rule: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    pub(crate) fn says(&self, message: &str) -> String {
        self.0(message)
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

/// A judge that prefers the answer with this word, and passes an answer that has it.
///
/// It answers one object, whatever it is asked: `{"pass": true, "score": 1.0, "better": "first", "reason": "…"}`, `better` being
/// `first`, `second` or `tie`. It looks at the answers alone: at what stands between the lines `<first-…>` and
/// `</first-…>`, and the same with `second`; or, for a single one, with `answer`. The `-…` may be missing. Without such
/// lines, the whole message is the answer.
pub fn prefers(word: impl Into<String>) -> Judge {
    let word = word.into();
    Judge::new(move |message| {
        let has = |text: &str| text.contains(&word);
        let (passes, better) = match (part(message, "first"), part(message, "second")) {
            (Some(first), Some(second)) => match (has(first), has(second)) {
                (true, false) => (true, "first"),
                (false, true) => (true, "second"),
                (both, _) => (both, "tie"),
            },
            _ => (has(part(message, "answer").unwrap_or(message)), "tie"),
        };
        verdict(passes, better, &format!("It was looked for {word}."))
    })
}

/// What stands between the lines `<name-…>` and `</name-…>`.
fn part<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let mut start = 0;
    for line in message.split_inclusive('\n') {
        start += line.len();
        let Some(mark) = line.trim_end().strip_prefix('<').and_then(|tag| tag.strip_suffix('>')) else { continue };
        let is_named = mark.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        if is_named && let Some((part, _)) = message[start..].split_once(&format!("</{mark}>")) {
            return Some(part);
        }
    }
    None
}

fn verdict(passes: bool, better: &str, reason: &str) -> String {
    json!({ "pass": passes, "score": if passes { 1.0 } else { 0.0 }, "better": better, "reason": reason }).to_string()
}

/// The verdict of a judge that looks at the order alone.
pub(crate) fn prefers_the_first() -> String {
    verdict(true, "first", "It came first.")
}

/// Whether a system prompt makes the model a judge.
pub(crate) fn is_asked(system: &str) -> bool {
    system.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| word == "judge")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn said(message: &str) -> Value {
        serde_json::from_str(&prefers("GOOD").says(message)).unwrap()
    }

    fn pair(first: &str, second: &str) -> Value {
        said(&format!(
            "<question-1a>\nWhich is GOOD?\n</question-1a>\n<first-1a>\n{first}\n</first-1a>\n\
             <second-1a>\n{second}\n</second-1a>\n"
        ))
    }

    #[test]
    fn the_answer_with_the_word_wins() {
        assert_eq!(pair("GOOD", "bad")["better"], "first");
        assert_eq!(pair("bad", "GOOD")["better"], "second");
        assert_eq!(pair("bad", "bad")["better"], "tie");
        assert_eq!(pair("GOOD", "GOOD")["better"], "tie");
        assert_eq!(pair("<second-2>", "GOOD")["better"], "second");
    }

    #[test]
    fn a_single_answer_passes_with_the_word() {
        let rubric = |answer: &str| said(&format!("<rubric>\nsays GOOD\n</rubric>\n<answer>\n{answer}\n</answer>\n"));
        assert_eq!((&rubric("bad")["pass"], &rubric("bad")["score"]), (&json!(false), &json!(0.0)));
        assert_eq!((&rubric("GOOD")["pass"], &rubric("GOOD")["score"]), (&json!(true), &json!(1.0)));
        assert_eq!(said("GOOD")["pass"], true);
    }

    #[test]
    fn a_judge_is_told_to_be_one() {
        assert!(is_asked("You are a strict Judge."));
        assert!(!is_asked("Use good judgement."));
    }
}
