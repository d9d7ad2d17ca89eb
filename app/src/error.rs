//! What goes wrong, as a page shows it.

use leptos::{
    prelude::FromServerFnError,
    server_fn::{codec::JsonEncoding, error::ServerFnErrorErr},
};
use serde::{Deserialize, Serialize};

/// The id of the request that a page is rendered for; the log has the same.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// What a server function answers when it cannot do what was asked. Every text in it is fit for a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct AppError {
    /// A stable identifier.
    pub code: String,
    /// What happened and what to do.
    pub message: String,
    /// What to name when asking about it.
    pub request_id: Option<String>,
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    /// The framework's own errors carry internal text, which stays out of the answer.
    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        let (code, message) = match &error {
            ServerFnErrorErr::Request(_) => {
                ("unreachable", "The server could not be reached. Check the connection, then try again.")
            }
            // So the body's own error says it (http-body-util 0.1); the framework passes on nothing but its words.
            ServerFnErrorErr::Deserialization(said) if said.contains("length limit exceeded") => (
                "too_much",
                "This is more than the server takes at once. Shorten the text, or the values of its variables.",
            ),
            // On the server these are arguments that cannot be read, in the browser an answer.
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) | ServerFnErrorErr::Deserialization(_) => (
                "outdated_page",
                "The server did not understand this page; it may be older than the server. Reload it.",
            ),
            _ => ("internal", "Something went wrong inside Verbatim. It was logged; try again in a moment."),
        };
        #[cfg(feature = "ssr")]
        if code == "internal" {
            tracing::error!(%error, "a server function failed");
        } else {
            tracing::info!(code, "refused");
            answer_with(400);
        }
        Self { code: code.into(), message: message.into(), request_id: None }
    }
}

#[cfg(feature = "ssr")]
impl AppError {
    /// What was asked for is refused. The page says why; the status is for whoever watches the server.
    pub(crate) fn refused(code: &str, message: impl Into<String>) -> Self {
        answer_with(422);
        Self { code: code.into(), message: message.into(), request_id: None }
    }

    /// An address names something that is not there, and could not be.
    pub(crate) fn missing(code: &str, message: impl Into<String>) -> Self {
        answer_with(404);
        Self { code: code.into(), message: message.into(), request_id: None }
    }

    /// The context of a page is not the one that the server makes.
    pub(crate) fn not_ready() -> Self {
        answer_with(503);
        let message = "The server is not ready yet. Try again in a moment.";
        Self { code: "internal".into(), message: message.into(), request_id: None }
    }
}

/// Leads whoever asked for a page to another address of it, where there is an answer to say so in.
#[cfg(feature = "ssr")]
pub(crate) fn lead_to(address: &str) {
    use leptos::prelude::use_context;

    if let Some(response) = use_context::<leptos_axum::ResponseOptions>()
        && let (Ok(status), Ok(header), Ok(address)) = (303.try_into(), "location".try_into(), address.try_into())
    {
        response.set_status(status);
        response.insert_header(header, address);
    }
}

/// Sets the status of the answer, where there is one.
#[cfg(feature = "ssr")]
fn answer_with(status: u16) {
    if let Some(response) = leptos::prelude::use_context::<leptos_axum::ResponseOptions>()
        && let Ok(status) = status.try_into()
    {
        response.set_status(status);
    }
}

#[cfg(feature = "ssr")]
impl From<versioning::InvalidInput> for AppError {
    fn from(invalid: versioning::InvalidInput) -> Self {
        versioning::VersioningError::from(invalid).into()
    }
}

#[cfg(feature = "ssr")]
impl From<versioning::VersioningError> for AppError {
    fn from(error: versioning::VersioningError) -> Self {
        use std::error::Error;

        use leptos::prelude::use_context;
        use versioning::VersioningError;

        answer_with(status_of(error.kind()));
        let request_id = use_context::<RequestId>().map(|RequestId(id)| id);
        if let Some(cause) = error.source() {
            tracing::error!(request_id, code = error.code(), cause, "a page could not be served");
        } else {
            let (agent_type, version) = error.subject();
            let (agent_type, version) = (agent_type.map(tracing::field::display), version.map(tracing::field::display));
            tracing::info!(request_id, code = error.code(), agent_type, version, detail = %error, "refused");
        }
        // What the API says names its own paths.
        let message = match &error {
            VersioningError::UnknownAgent { agent_type, near } => {
                let meant = versioning::error::meant(near);
                format!("There is no agent {agent_type}.{meant} Choose one from the list, or begin a new one.")
            }
            VersioningError::UnknownVersion { agent_type, version, near } => {
                let nearest = versioning::error::neighbours(near);
                format!("{agent_type} has no version {version}.{nearest} Its history shows those it has.")
            }
            other => other.to_string(),
        };
        Self { code: error.code().into(), message, request_id }
    }
}

#[cfg(feature = "ssr")]
impl From<lab::LabError> for AppError {
    fn from(error: lab::LabError) -> Self {
        use leptos::prelude::use_context;

        match error {
            lab::LabError::Versioning(error) => error.into(),
            error => {
                answer_with(status_of(error.kind()));
                let request_id = use_context::<RequestId>().map(|RequestId(id)| id);
                Self { code: error.code().into(), message: error.to_string(), request_id }
            }
        }
    }
}

/// The HTTP status of a refusal or a failure, as the REST API has it.
#[cfg(feature = "ssr")]
fn status_of(kind: versioning::ErrorKind) -> u16 {
    use versioning::ErrorKind;

    match kind {
        ErrorKind::NotFound => 404,
        ErrorKind::Conflict => 409,
        ErrorKind::Invalid => 400,
        ErrorKind::Unavailable => 503,
        ErrorKind::Internal => 500,
    }
}
