//! Refusals and failures as problem documents (RFC 9457).

use std::{error::Error, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use lab::LabError;
use serde::Serialize;
use utoipa::ToSchema;
use versioning::{ErrorKind, InvalidInput, VersioningError};

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A problem document (RFC 9457). `type` is left out, which means `about:blank`: `code` is what programs go by.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// The standard phrase of the status.
    #[schema(example = "Conflict")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 409)]
    pub status: u16,
    /// What happened and what to do about it.
    pub detail: String,
    /// A stable identifier of the refusal.
    #[schema(example = "fix_forward")]
    pub code: String,
    /// The field, path segment or query parameter that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "version")]
    pub field: Option<String>,
    /// What to name when asking about it: the log has the same id.
    pub request_id: String,
}

/// How much of a name goes into the log when it is none: longer than any that is one.
const MAX_SUBJECT: usize = 64;

/// What a handler answers when it refuses or fails. The middleware in [`crate::observe`] logs it and writes the problem
/// document, because it knows the request's id.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    /// For the log alone, as the rest: the agent and the version that it is about, as they were written.
    subject: Box<(Option<String>, Option<String>)>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// A refusal.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None, subject: Box::default(), cause: None }
    }

    /// The field that it is about.
    #[must_use]
    pub fn in_field(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// The same in other words, where more can be said of the way forward.
    #[must_use]
    pub fn saying(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable identifier.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What happened and what to do about it.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The agent and the version that it is about, for the log.
    pub fn subject(&self) -> (Option<&str>, Option<&str>) {
        (self.subject.0.as_deref(), self.subject.1.as_deref())
    }

    /// About this agent and version, which may be no names at all: they are cut to what a log can bear.
    #[must_use]
    pub fn about(mut self, agent_type: &str, version: Option<&str>) -> Self {
        let short = |text: &str| text.chars().take(MAX_SUBJECT).collect::<String>();
        *self.subject = (Some(short(agent_type)), version.map(short));
        self
    }

    /// Why, for the log.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// The document itself.
    pub fn into_document(self, request_id: &str) -> Response {
        let problem = Problem {
            title: self.status.canonical_reason().unwrap_or("Error").into(),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code.into(),
            field: self.field,
            request_id: request_id.into(),
        };
        // A struct of texts and a number always has a JSON form.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        // Whoever sends a change again whose outcome nobody knows may make it twice.
        let is_undone = !matches!(self.code, "outcome_unknown" | "request_timeout");
        if self.status == StatusCode::SERVICE_UNAVAILABLE && is_undone {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<VersioningError> for ApiError {
    fn from(error: VersioningError) -> Self {
        Self {
            status: status_of(error.kind()),
            code: error.code(),
            detail: error.to_string(),
            field: error.field().map(Into::into),
            subject: Box::new((
                error.subject().0.map(ToString::to_string),
                error.subject().1.map(|version| version.to_string()),
            )),
            cause: error.source().is_some().then(|| Arc::new(error) as Arc<dyn Error + Send + Sync>),
        }
    }
}

impl From<LabError> for ApiError {
    fn from(error: LabError) -> Self {
        match error {
            LabError::Versioning(error) => error.into(),
            error => {
                let mut answer = Self::new(status_of(error.kind()), error.code(), error.to_string());
                answer.field = error.field().map(ToOwned::to_owned);
                answer
            }
        }
    }
}

fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<InvalidInput> for ApiError {
    fn from(invalid: InvalidInput) -> Self {
        VersioningError::from(invalid).into()
    }
}
