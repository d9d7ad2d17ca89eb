//! Bodies, path segments and query parameters, each refused with the name of what is wrong.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts, RawPathParams, Request, rejection::RawPathParamsRejection},
};
use http::{StatusCode, header, request::Parts};
use serde::de::DeserializeOwned;
use versioning::{AgentType, InvalidInput, Version};

use super::problem::ApiError;

/// The largest body, in bytes: a prompt of 1 MiB fits, unless most of its characters are escaped.
pub const MAX_BODY: usize = 2 * 1024 * 1024;

/// A JSON body.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is_json(&request) {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "The body must be JSON. Send it with the header Content-Type: application/json.",
            ));
        }
        let bytes = read(request.into_body()).await?;
        // serde would take an array for a struct, field by field.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err(invalid_body(NOT_AN_OBJECT));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            refused_json(&path, error.inner())
        })?;
        deserializer.end().map_err(|error| refused_json(".", &error))?;
        Ok(Self(value))
    }
}

fn is_json(request: &Request) -> bool {
    request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let media_type = value.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("application/json")
    })
}

async fn read(body: Body) -> Result<axum::body::Bytes, ApiError> {
    to_bytes(body, MAX_BODY).await.map_err(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            if error.is::<http_body_util::LengthLimitError>() {
                return ApiError::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "body_too_large",
                    "The body is larger than 2 MiB. A prompt has 1 MiB of UTF-8 at most: shorten it, or send its characters as they \
                     are instead of escaped.",
                );
            }
            cause = error.source();
        }
        ApiError::new(StatusCode::BAD_REQUEST, "body_cut_off", "The body ended too early. Send the request again.")
    })
}

/// What serde says, in the terms of an API: which field, and what would be right.
fn refused_json(path: &str, error: &serde_json::Error) -> ApiError {
    let said = error.to_string();
    if !error.is_data() {
        let refusal =
            ApiError::new(StatusCode::BAD_REQUEST, "malformed_json", format!("The body is not JSON in UTF-8: {said}."));
        // Where it stops being JSON; the top when that is outside of any field.
        return if path == "." || path == "?" { refusal } else { refusal.in_field(path) };
    }
    let names_a_field =
        ["missing field", "unknown field", "duplicate field"].iter().any(|start| said.starts_with(start));
    if path == "." && !names_a_field {
        return invalid_body(NOT_AN_OBJECT);
    }
    let (reason, field) = reason_and_field(path, &said);
    invalid_body(&reason).in_field(field)
}

/// What serde says of data that has not the form that is asked for, without its names of types.
pub(super) fn reason(path: &str, said: &str) -> String {
    reason_and_field(path, said).0
}

fn reason_and_field(path: &str, said: &str) -> (String, String) {
    // What serde says names types of ours; only the name of the field is taken from it.
    let named = said.split('`').nth(1).map(shortened).unwrap_or_default();
    if said.starts_with("missing field") {
        (format!("the field {named} is missing"), named)
    } else if said.starts_with("unknown field") {
        (format!("there is no field {named}"), named)
    } else if said.starts_with("duplicate field") {
        (format!("the field {named} is given twice"), named)
    } else {
        let field = shortened(path);
        (format!("the field {field} is not of the type that is asked for"), field)
    }
}

const NOT_AN_OBJECT: &str = "it must be an object, as {\"agent_type\": …}";

fn invalid_body(reason: &str) -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_body",
        format!("The body does not have the form that is asked for: {reason}. /docs describes it."),
    )
}

/// A name that a client gave, short enough to be said back.
fn shortened(name: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = name.chars().take(SHOWN).collect();
    if name.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// The path segment `{agent_type}`.
pub struct AgentPath(pub AgentType);

/// The path segments `{agent_type}` and `{version}`.
pub struct VersionPath(pub AgentType, pub Version);

impl<S: Send + Sync> FromRequestParts<S> for AgentPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = segments(parts, state).await?;
        let agent_type = segment(&segments, "agent_type");
        let refused = |invalid: InvalidInput| ApiError::from(invalid).about(agent_type, None);
        Ok(Self(agent_type.parse().map_err(refused)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for VersionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = segments(parts, state).await?;
        let (agent_type, version) = (segment(&segments, "agent_type"), segment(&segments, "version"));
        let refused = |invalid: InvalidInput| ApiError::from(invalid).about(agent_type, Some(version));
        Ok(Self(agent_type.parse().map_err(refused)?, version.parse().map_err(refused)?))
    }
}

async fn segments<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, ApiError> {
    RawPathParams::from_request_parts(parts, state).await.map_err(|rejection| {
        let refused =
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_path", "The path is not UTF-8 once it is decoded.");
        match rejection {
            // Which one, the library says only in words.
            RawPathParamsRejection::InvalidUtf8InPathParam(error) => {
                refused.in_field(error.to_string().split('`').nth(1).unwrap_or_default())
            }
            _ => refused,
        }
    })
}

fn segment<'a>(segments: &'a RawPathParams, name: &str) -> &'a str {
    segments.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

/// The parameters of a query, by name; one that is not among `known` is refused.
pub struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(pairs)| Self(pairs))
            .map_err(|_| {
                ApiError::new(
                    StatusCode::BAD_REQUEST,
                    "invalid_query",
                    "The query is not of the form name=value&name=value.",
                )
            })
    }
}

impl Parameters {
    /// These, and no others.
    pub fn only(self, known: &[&str]) -> Result<Self, ApiError> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(self),
            Some((name, _)) => {
                let known = if known.is_empty() { "none".into() } else { known.join(", ") };
                let detail = format!("There is no parameter {name:?} here. Known: {known}.");
                Err(ApiError::new(StatusCode::BAD_REQUEST, "unknown_parameter", detail).in_field(name.clone()))
            }
        }
    }

    /// The value of a parameter, if it is given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be given several times.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A whole number in a range.
    pub fn number(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u32>,
        default: u32,
    ) -> Result<u32, ApiError> {
        let Some(text) = self.get(name) else { return Ok(default) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let detail = format!("{name} is a whole number from {} to {}.", range.start(), range.end());
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail).in_field(name)
        })
    }
}
