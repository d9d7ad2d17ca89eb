//! Bodies, path segments and query parameters, each refused with the name of what is wrong.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
};
use http::{StatusCode, header, request::Parts};
use serde::de::DeserializeOwned;
use versioning::{AgentType, Version};

use super::problem::ApiError;

/// The largest body, in bytes: a prompt of 1 MiB fits with its quotes and line breaks escaped.
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
                    "The body is larger than 2 MiB. A prompt has 1 MiB at most; shorten it.",
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
        return ApiError::new(
            StatusCode::BAD_REQUEST,
            "malformed_json",
            format!("The body is not JSON in UTF-8: {said}."),
        );
    }
    // Line and column say where the value ends, which misleads; the path says which one it is.
    let reason = said.split(" at line ").next().unwrap_or_default();
    let refusal = ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_body",
        format!("The body does not have the form that is asked for: {reason}. /docs describes it."),
    );
    // A missing or unknown field is named in the message; for a wrong type it is the path.
    let named = reason.starts_with("missing field") || reason.starts_with("unknown field");
    let named = named || reason.starts_with("duplicate field");
    match reason.split('`').nth(1) {
        Some(field) if named => refusal.in_field(field),
        _ if path != "." => refusal.in_field(path),
        _ => refusal,
    }
}

/// The path segment `{agent_type}`.
pub struct AgentPath(pub AgentType);

/// The path segments `{agent_type}` and `{version}`.
pub struct VersionPath(pub AgentType, pub Version);

impl<S: Send + Sync> FromRequestParts<S> for AgentPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = segments(parts, state).await?;
        Ok(Self(segment(&segments, "agent_type").parse()?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for VersionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let segments = segments(parts, state).await?;
        Ok(Self(segment(&segments, "agent_type").parse()?, segment(&segments, "version").parse()?))
    }
}

async fn segments<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, ApiError> {
    RawPathParams::from_request_parts(parts, state).await.map_err(|_| {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_path", "The path is not UTF-8 once it is decoded.")
            .in_field("agent_type")
    })
}

fn segment<'a>(segments: &'a RawPathParams, name: &str) -> &'a str {
    segments.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}
