//! The registry over HTTP.

use std::{
    sync::Once,
    time::{Duration, Instant},
};

use reqwest::{
    Response, StatusCode, Url,
    header::{ACCEPT, AGE, ETAG, HeaderMap, IF_NONE_MATCH},
};
use serde::Deserialize;
use versioning::{AgentType, Version};

use crate::{
    ClientSettings, InvalidSettings,
    entry::{Known, Said},
};

/// A registry.
#[derive(Debug)]
pub struct Registry {
    http: reqwest::Client,
    base: String,
    request_timeout: Duration,
}

/// What is read of `GET …/active`.
#[derive(Debug, Deserialize)]
struct Content {
    version: Version,
    prompt_text: String,
    sha256: String,
}

#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

impl Registry {
    pub fn new(settings: &ClientSettings) -> Result<Self, InvalidSettings> {
        static TLS: Once = Once::new();
        TLS.call_once(|| {
            // It fails when the process has chosen already, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let base = settings.registry.trim_end_matches('/').to_owned();
        let url = Url::parse(&base).map_err(|error| {
            InvalidSettings(format!(
                "{base:?} is no address of a registry ({error}). Give one such as http://127.0.0.1:3000."
            ))
        })?;
        let builder = reqwest::Client::builder().connect_timeout(settings.request_timeout);
        // A proxy does not know this machine.
        let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let builder = if is_here { builder.no_proxy() } else { builder };
        let http =
            builder.build().map_err(|error| InvalidSettings(format!("The HTTP client cannot be made: {error}.")))?;
        Ok(Self { http, base, request_timeout: settings.request_timeout })
    }

    /// Asks what is active, unless it is what is known.
    pub async fn ask(&self, agent_type: &AgentType, etag: Option<&str>) -> Said {
        match self.try_ask(agent_type, etag).await {
            Ok(said) => said,
            Err(error) => Said::Unavailable {
                message: format!("The registry at {} cannot be reached: {}.", self.base, cause(&error)),
            },
        }
    }

    async fn try_ask(&self, agent_type: &AgentType, etag: Option<&str>) -> Result<Said, reqwest::Error> {
        let mut request =
            self.http.get(format!("{}/api/v1/prompts/{agent_type}/active", self.base)).timeout(self.request_timeout);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = request.send().await?;
        let status = response.status();
        let stale_for = stale_for(response.headers());
        if status == StatusCode::NOT_MODIFIED {
            // A registry that cannot ask its database confirms nothing.
            let message = "The registry's database is away.".to_owned();
            return Ok(if stale_for.is_some() { Said::Unavailable { message } } else { Said::Unchanged });
        }
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        if status == StatusCode::OK {
            let body = response.bytes().await?;
            return Ok(read(&body, etag, stale_for));
        }
        let problem = response.bytes().await.ok().and_then(|body| serde_json::from_slice::<Problem>(&body).ok());
        Ok(match problem {
            Some(problem) if status == StatusCode::NOT_FOUND => {
                tracing::debug!(%agent_type, code = problem.code, "nothing is active");
                Said::Nothing { message: problem.detail }
            }
            _ if status.is_server_error() => {
                Said::Unavailable { message: format!("The registry at {} answers {status}.", self.base) }
            }
            _ => Said::Fault { message: format!("What answers at {} with {status} is no registry.", self.base) },
        })
    }

    /// Opens the stream of events of these agents, or of all, from where another one ended. It has no time limit of its own.
    pub async fn events(&self, named: &[AgentType], position: Option<&str>) -> Result<Response, reqwest::Error> {
        let mut url = format!("{}/api/v1/prompts/events", self.base);
        for (number, agent_type) in named.iter().enumerate() {
            url.push_str(if number == 0 { "?agent_type=" } else { "," });
            url.push_str(agent_type.as_str());
        }
        let mut request = self.http.get(url).header(ACCEPT, "text/event-stream");
        if let Some(position) = position {
            request = request.header("last-event-id", position);
        }
        request.send().await?.error_for_status()
    }
}

/// How long ago the registry's database last said so, when it is away now.
fn stale_for(headers: &HeaderMap) -> Option<Duration> {
    headers.get("verbatim-stale")?;
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0_u64);
    // It counts whole seconds, and is not to be made younger by that.
    Some(Duration::from_secs(age.saturating_add(1)))
}

fn read(body: &[u8], etag: Option<String>, stale_for: Option<Duration>) -> Said {
    match serde_json::from_slice::<Content>(body) {
        Ok(content) if digest(&content.prompt_text) == content.sha256 => Said::Active {
            known: Known {
                version: content.version,
                text: content.prompt_text.into(),
                sha256: content.sha256.into(),
                etag,
                confirmed: Instant::now(),
                age_before: stale_for.unwrap_or_default(),
                is_from_file: false,
            },
            is_stale: stale_for.is_some(),
        },
        Ok(_) => Said::Fault { message: "The registry sent a text that does not fit its digest.".into() },
        Err(error) => Said::Fault { message: format!("The registry sent something that is no prompt: {error}.") },
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn digest(text: &str) -> String {
    use std::fmt::Write;

    use sha2::{Digest, Sha256};

    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The innermost cause: the outer ones repeat the address.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
