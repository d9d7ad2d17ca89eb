//! Entity tags and conditional requests (RFC 9110, sections 8.8.3 and 13.1.2).

use std::convert::Infallible;

use axum::{extract::FromRequestParts, response::Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header, request::Parts};
use versioning::PromptContent;

use super::prompts::wire::PromptContentResponse;

/// A prompt's JSON and its entity tag: what a client gets, made once for each time that the prompt was read.
#[derive(Debug, Clone)]
pub struct Representation {
    json: Bytes,
    etag: HeaderValue,
}

impl From<&PromptContent> for Representation {
    fn from(content: &PromptContent) -> Self {
        let version = &content.version;
        // The tag must change whenever a byte of the representation does. All of it is immutable but the status (and
        // `is_active`, which follows from it); the digest keeps apart what two databases call by the same number.
        let digest = version.sha256.get(..16).unwrap_or(&version.sha256);
        let tag = format!("\"{}-{}-{}-{digest}\"", version.version, version.status.as_str(), version.id.simple());
        Self {
            // Texts and numbers always have a JSON form.
            json: serde_json::to_vec(&PromptContentResponse::from(content)).unwrap_or_default().into(),
            etag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")),
        }
    }
}

impl Representation {
    /// The JSON, or 304 without a body if the client has it already.
    pub fn respond(self, known: &IfNoneMatch) -> Response {
        let is_known = known.0.iter().filter_map(|value| value.to_str().ok()).any(|value| matches(value, &self.etag));
        // A cache may keep the answer but has to ask whether it is still true: a promotion is to be seen at once.
        const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        let mut response = Response::default();
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *response.body_mut() = self.json.into();
            response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        }
        response.headers_mut().insert(header::ETAG, self.etag);
        response.headers_mut().insert(header::CACHE_CONTROL, REVALIDATE);
        response
    }
}

/// The request's `If-None-Match`, and nothing else of its headers: most requests have none, and copying all is dear.
pub struct IfNoneMatch(Vec<HeaderValue>);

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get_all(header::IF_NONE_MATCH).iter().cloned().collect()))
    }
}

/// Whether an `If-None-Match` names `etag`. The comparison is the weak one, as the RFC asks for this header.
fn matches(if_none_match: &str, etag: &HeaderValue) -> bool {
    if_none_match.split(',').map(str::trim).any(|candidate| {
        candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate).as_bytes() == etag.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_takes_lists_weak_tags_and_the_star() {
        let etag = HeaderValue::from_static("\"1.0.0-active\"");
        for known in ["\"1.0.0-active\"", "W/\"1.0.0-active\"", "\"x\", \"1.0.0-active\"", "*"] {
            assert!(matches(known, &etag), "{known}");
        }
        for unknown in ["", "\"1.0.0\"", "1.0.0-active", "\"1.0.1-active\", W/\"x\""] {
            assert!(!matches(unknown, &etag), "{unknown}");
        }
    }
}
