//! What the library reports, as [`ModelError`]s.

use std::{error::Error, sync::Arc, time::Duration};

use genai::webc::StreamTimeout;
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

use super::{address::Address, settings};
use crate::{LONGEST_RETRY_AFTER, ModelError, ModelErrorKind, ModelName, Provider, Secret};

/// Tells the failures of calls to one model.
#[derive(Debug, Clone)]
pub(super) struct Failures {
    model: ModelName,
    /// Who is asked, as the beginning of a sentence.
    who: String,
    /// What is never said.
    secrets: Arc<[Secret]>,
}

impl Failures {
    pub(super) fn new(model: ModelName, address: &Address, secrets: Arc<[Secret]>) -> Self {
        let who = match model.provider() {
            Provider::Ollama => format!("Ollama at {}", address.shown()),
            Provider::Compatible => format!("The endpoint at {}", address.shown()),
            provider => provider.title().to_owned(),
        };
        let password = address.password().map(Secret::from);
        Self { model, who, secrets: secrets.iter().cloned().chain(password).collect() }
    }

    /// What went wrong. `timed_out` says so when it took too long.
    pub(super) fn read(&self, error: &genai::Error, timed_out: impl FnOnce() -> ModelError) -> ModelError {
        use genai::Error as E;
        if let Some(status) = error.status() {
            let body = if let E::HttpError { body, .. } = error { body } else { "" };
            return self.status(status, error.headers(), body);
        }
        match error {
            E::WebStream { error, .. } => self.connection(error.as_ref(), timed_out),
            E::ChatResponse { body, .. } => self.event(body),
            E::StreamParse { .. } | E::SerdeJson(_) | E::JsonValueExt(_) | E::InvalidJsonResponseElement { .. } => self
                .tell(
                    ModelErrorKind::Broken,
                    "sent something that is not the JSON of its own API. The answer is lost.",
                ),
            E::Resolver { .. } | E::RequiresApiKey { .. } | E::NoAuthData { .. } | E::NoAuthResolver { .. } => {
                ModelError::new(ModelErrorKind::NotConfigured, settings::how_to_configure(self.model.provider()))
            }
            _ => self.tell(ModelErrorKind::Refused, "cannot be asked this: the request could not be made."),
        }
    }

    /// An answer that is no success.
    fn status(&self, status: StatusCode, headers: Option<&HeaderMap>, body: &str) -> ModelError {
        use ModelErrorKind as K;
        let variable = settings::key_variable(self.model.provider());
        let code = status.as_u16();
        let wait = headers.and_then(retry_after);
        let said = format!("{}{}", wait.map(later).unwrap_or_default(), self.said(body));
        let kind = kind_of(status, body);
        let what = match kind {
            K::RateLimited => {
                format!("takes no more requests at the moment ({code}). Wait, or lower the concurrency.{said}")
            }
            K::Overloaded => format!("failed ({code}). It may work in a moment: try again.{said}"),
            K::Timeout => format!("took too long ({code}). Try again.{said}"),
            // What is said here likes to quote the key, in part or as a whole.
            K::Unauthorized if code == 401 => format!("refuses the key (401). Check {variable}."),
            K::Unauthorized => format!("does not allow this ({code}). Check {variable}.{said}"),
            K::UnknownModel => {
                format!("knows no model {} ({code}). Check the name and the address.{said}", self.model.name())
            }
            _ if status.is_redirection() => {
                format!("answered with a redirect ({code}), which is not followed. Set its final address.")
            }
            _ if is_out_of_credit(body) => format!("has no credit left for this key ({code}).{said}"),
            _ => format!("refuses the request ({code}).{said}"),
        };
        self.tell(kind, &what).with_retry_after(wait)
    }

    /// An error in the middle of a stream.
    fn event(&self, body: &Value) -> ModelError {
        let error = body.get("error").unwrap_or(body);
        let number = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        let words = ["type", "code", "status"].map(|key| error.get(key).and_then(Value::as_str).unwrap_or_default());
        let words = words.join(" ").to_ascii_lowercase();
        let any = |names: &[&str]| names.iter().any(|name| words.contains(name));
        let kind = match number.and_then(|code| StatusCode::from_u16(code).ok()) {
            Some(status) if status.is_client_error() || status.is_server_error() => kind_of(status, &words),
            _ if is_out_of_credit(&words) => ModelErrorKind::Refused,
            _ if any(&["rate_limit", "resource_exhausted"]) => ModelErrorKind::RateLimited,
            _ if any(&["overloaded", "server_error", "api_error", "unavailable", "internal"]) => {
                ModelErrorKind::Overloaded
            }
            _ if any(&["authentication", "permission"]) => ModelErrorKind::Unauthorized,
            _ if any(&["invalid", "content_filter"]) => ModelErrorKind::Refused,
            // The library's own words for a prompt that Gemini blocks.
            _ if body.get("finishReason").is_some() => {
                return self.tell(ModelErrorKind::Refused, "gave no answer: it may have blocked the prompt.");
            }
            _ => ModelErrorKind::Broken,
        };
        let said = if kind == ModelErrorKind::Unauthorized { String::new() } else { self.said(&body.to_string()) };
        self.tell(kind, &format!("broke off with an error.{said}"))
    }

    /// A failure of the connection, before or in the middle of an answer.
    fn connection(
        &self,
        error: &(dyn Error + Send + Sync + 'static),
        timed_out: impl FnOnce() -> ModelError,
    ) -> ModelError {
        use ModelErrorKind as K;
        if let Some(genai::Error::HttpError { status, body, headers, .. }) = error.downcast_ref() {
            return self.status(*status, Some(headers), body);
        }
        if error.is::<StreamTimeout>() {
            return timed_out();
        }
        if error.is::<std::string::FromUtf8Error>() || error.is::<std::str::Utf8Error>() {
            return self.tell(K::Broken, "sent an answer that is not UTF-8. The answer is lost.");
        }
        match error.downcast_ref::<reqwest::Error>() {
            Some(error) if error.is_connect() => self.unreachable(error),
            Some(error) if error.is_timeout() => timed_out(),
            Some(error) if error.is_builder() => self.tell(
                K::NotConfigured,
                &format!(
                    "cannot be asked: {} or its address has characters that HTTP does not allow.",
                    settings::key_variable(self.model.provider())
                ),
            ),
            _ => self.tell(K::Broken, "closed the connection before the answer was whole."),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ModelError {
        let variable = match self.model.provider() {
            provider @ (Provider::Ollama | Provider::Compatible) => {
                format!("Check that it runs and that {} is right", settings::address_variable(provider))
            }
            _ => "Check this machine's connection and its proxy".into(),
        };
        let what = format!("cannot be reached ({}). {variable}.", self.clean(&cause(error)));
        self.tell(ModelErrorKind::Unreachable, &what)
    }

    fn tell(&self, kind: ModelErrorKind, what: &str) -> ModelError {
        ModelError::new(kind, format!("{} {what}", self.who))
    }

    /// What the provider wrote, as a sentence of its own, or nothing.
    fn said(&self, body: &str) -> String {
        let message = serde_json::from_str::<Value>(body).ok().and_then(|json| {
            let error = json.get("error").unwrap_or(&json);
            let message = error.get("message").or(Some(error)).and_then(Value::as_str);
            Some(message?.to_owned())
        });
        let clean = self.clean(message.as_deref().unwrap_or(body));
        if clean.is_empty() { clean } else { format!(" It says: {clean}") }
    }

    /// A text from outside, short and in one line, without what must not be shown.
    fn clean(&self, text: &str) -> String {
        clean(text, &self.secrets)
    }
}

/// What a status means. A body may say that waiting does not help.
fn kind_of(status: StatusCode, body: &str) -> ModelErrorKind {
    match status.as_u16() {
        429 if is_out_of_credit(body) => ModelErrorKind::Refused,
        429 => ModelErrorKind::RateLimited,
        408 => ModelErrorKind::Timeout,
        401 | 403 => ModelErrorKind::Unauthorized,
        404 => ModelErrorKind::UnknownModel,
        500.. => ModelErrorKind::Overloaded,
        _ => ModelErrorKind::Refused,
    }
}

/// OpenAI answers 429 as well when an account is out of credit, which does not pass.
fn is_out_of_credit(body: &str) -> bool {
    body.contains("insufficient_quota")
}

/// The innermost reason. Those around it quote the address, which may hold a password.
pub(super) fn cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// At most 300 characters of a text from outside, in one line, without secrets, credentials and what looks like a key.
pub(super) fn clean(text: &str, secrets: &[Secret]) -> String {
    const SHOWN: usize = 300;
    let mut text = text.to_owned();
    // Before anything is cut: a half of a key would not be recognised.
    for secret in secrets.iter().filter(|secret| !secret.expose().is_empty()) {
        text = text.replace(secret.expose(), "***");
    }
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let words = printable.split_whitespace().map(|word| {
        if looks_like_a_key(word) {
            return "***".to_owned();
        }
        match word.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
            Some((scheme, rest)) => format!("{scheme}://***@{rest}"),
            None => word.to_owned(),
        }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    let mut shown: String = line.chars().take(SHOWN).collect();
    if line.chars().nth(SHOWN).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// Whether a word has what keys of OpenAI, Anthropic and Google begin with: providers quote parts of wrong ones.
fn looks_like_a_key(word: &str) -> bool {
    ["sk-", "AIza"]
        .iter()
        .any(|mark| word.match_indices(mark).any(|(place, _)| !word[..place].ends_with(|c: char| c.is_alphanumeric())))
}

/// When the provider wants to be asked again: `retry-after-ms`, or `Retry-After` in seconds or as a date (RFC 9110,
/// section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let header = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    let wait = if let Some(milliseconds) = header("retry-after-ms").and_then(number) {
        milliseconds / 1000.0
    } else {
        let text = header("retry-after")?;
        number(text).or_else(|| {
            let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
            let wait = date.signed_duration_since(chrono::Utc::now());
            Some(wait.to_std().unwrap_or_default().as_secs_f64())
        })?
    };
    // Nobody waits for a year; a number that is no time is not to be one.
    Some(Duration::from_secs_f64(wait.min(31_536_000.0)))
}

/// What is to be said of a wish to be left alone that is not waited for.
fn later(wait: Duration) -> String {
    if wait <= LONGEST_RETRY_AFTER {
        return String::new();
    }
    format!(
        " It asks to be left alone for {} minutes, which is not waited for: try again later.",
        wait.as_secs().div_ceil(60)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_cleaned() {
        let secrets = [Secret::from("se cret"), Secret::from("")];
        let cleaned = |text: &str| clean(text, &secrets);
        assert_eq!(cleaned(" a\u{0}b\n\tc \u{1b}[31m "), "a b c [31m");
        assert_eq!(cleaned("It is <se cret>, se cret."), "It is <***>, ***.");
        assert_eq!(cleaned("at http://me:p@ss@host:1/x, https://host/"), "at http://***@host:1/x, https://host/");
        assert_eq!(cleaned("Wrong key=\"sk-proj-1*2\" or (AIzaX). No disk-space."), "Wrong *** or *** No disk-space.");
        assert_eq!(cleaned(&"é".repeat(300)), "é".repeat(300));
        assert_eq!(cleaned(&"é".repeat(301)), format!("{}…", "é".repeat(299)));
        // A key that straddles the cut is gone before it.
        assert!(!cleaned(&format!("{}se cret", "x".repeat(296))).contains("se"));
    }
}
