//! What is answered to which messages.

use serde_json::{Value, json};

use crate::{Shared, judge, script::Script};

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) finish_reason: String,
    pub(crate) usage: Option<Value>,
}

/// The messages of a request: what the system says, and what the user says last.
pub(crate) fn messages(body: &Value) -> Option<(String, String)> {
    let messages = body.get("messages")?.as_array()?;
    let said = |role: &'static str| {
        messages.iter().filter(move |message| message["role"] == role).filter_map(|message| message["content"].as_str())
    };
    let system: Vec<&str> = said("system").collect();
    Some((system.join("\n"), said("user").next_back()?.to_owned()))
}

/// The answer to these messages.
pub(crate) fn answer(shared: &Shared, body: &Value, (system, user): (&str, &str), script: &Script) -> Answer {
    let told = system.lines().find_map(|line| line.trim().strip_prefix("answer:"));
    let is_judge = told.is_none() && judge::is_asked(system);
    let mut text = match (&script.answer, told) {
        // What a case asks of the model that answers it stands in the judge's message too, and is not for the judge.
        _ if is_judge && script.mumbles => "Both have something to be said for them.".into(),
        _ if is_judge && script.flips => judge::prefers_the_first(),
        _ if is_judge => shared.behaviour.judge.says(user),
        (Some(answer), _) => answer.clone(),
        (None, Some(told)) => told.trim().to_owned(),
        (None, None) => format!("Echo: {}", script.rest),
    };
    let stop = script.stop.clone().filter(|_| !is_judge);
    let mut finish_reason = stop.unwrap_or_else(|| "stop".into());
    let most = ["max_tokens", "max_completion_tokens"].into_iter().find_map(|key| body.get(key)?.as_u64());
    if let Some(most) = most.and_then(|most| usize::try_from(most).ok())
        && words(&text) > most
    {
        text = text.split_whitespace().take(most).collect::<Vec<_>>().join(" ");
        finish_reason = "length".into();
    }
    let asked: usize = body["messages"]
        .as_array()
        .map_or(0, |messages| messages.iter().filter_map(|message| message["content"].as_str()).map(words).sum());
    let answered = words(&text);
    let usage = json!({ "prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered });
    Answer { text, finish_reason, usage: (!script.has_no_usage).then_some(usage) }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}
