//! What lab requests have in common: ids in paths, parameters, and bodies that are larger than others.

use std::{error::Error, fmt::Display, str::FromStr};

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use uuid::Uuid;
use versioning::{AgentType, InvalidInput};

use super::wire::StartRunRequest;
use crate::api::{
    extract::{JsonBody, Parameters},
    problem::ApiError,
};

/// The largest request with answers that were produced elsewhere, in bytes.
const MAX_OUTPUTS: usize = 32 * 1024 * 1024;

/// The path segment `{id}`, and `{case_id}` where there is one. What is no UUID names nothing.
pub struct Ids(pub Uuid, pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let unknown = |name: &str, what: &str| {
            ApiError::new(
                StatusCode::NOT_FOUND,
                "unknown_id",
                format!("There is nothing of the id {what:?}. An id is a UUID, as the answers of the lab have it."),
            )
            .in_field(name)
        };
        let segments = RawPathParams::from_request_parts(parts, state).await.map_err(|_| unknown("id", ""))?;
        let id = |name: &str| {
            let text = segments.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
            text.map_or(Ok(Uuid::nil()), |text| {
                text.parse().map_err(|_| unknown(name, &text.chars().take(60).collect::<String>()))
            })
        };
        Ok(Self(id("id")?, id("case_id")?))
    }
}

/// The body of a request that brings its answers along: larger than others, and refused like them.
pub struct OutputsBody(pub StartRunRequest, pub String);

impl<S: Send + Sync> FromRequest<S> for OutputsBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let request = |body: String| Request::from_parts(parts.clone(), body.into());
        // Refused by its headers before it is read.
        JsonBody::<IgnoredAny>::from_request(request("{}".into()), state).await?;
        let body = text(body, MAX_OUTPUTS).await?;
        let (rest, outputs) = match serde_json::from_str::<Map<String, Value>>(&body) {
            Ok(mut rest) => {
                let outputs = rest.remove("outputs");
                (Value::from(rest), outputs)
            }
            // JSON, but no object.
            Err(error) if error.is_data() => (Value::Null, None),
            Err(error) => {
                let detail = format!("The body is not JSON in UTF-8: {error}.");
                return Err(ApiError::new(StatusCode::BAD_REQUEST, "malformed_json", detail));
            }
        };
        // Without the answers it is a request like others.
        let JsonBody(rest) = JsonBody::from_request(request(rest.to_string()), state).await?;
        let missing = match outputs {
            Some(Value::String(outputs)) => return Ok(Self(rest, outputs)),
            Some(_) => "is not a text",
            None => "is missing",
        };
        let detail =
            format!("The field outputs {missing}. Give the answers as JSON Lines in one text; /docs describes it.");
        Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", detail).in_field("outputs"))
    }
}

/// A body of UTF-8 up to so many bytes.
pub async fn text(body: Body, limit: usize) -> Result<String, ApiError> {
    let bytes = to_bytes(body, limit).await.map_err(|error| {
        if is_too_large(&error) {
            let detail = format!("The body is larger than {} MiB. Send it in parts.", limit / 1024 / 1024);
            return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail);
        }
        ApiError::new(StatusCode::BAD_REQUEST, "body_cut_off", "The body ended too early. Send the request again.")
    })?;
    String::from_utf8(bytes.into()).map_err(|error| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "not_utf8",
            format!("The body is not UTF-8 at byte {}. Save the file as UTF-8.", error.utf8_error().valid_up_to()),
        )
    })
}

/// What a list is asked for.
pub struct OfList<C> {
    /// Whose; none for those of all agents.
    pub agent_type: Option<AgentType>,
    /// How many on a page.
    pub limit: u32,
    /// Where the page begins.
    pub cursor: Option<C>,
}

impl<C: FromStr<Err = InvalidInput>> OfList<C> {
    /// The parameters of a list; others are refused.
    pub fn of(parameters: Parameters) -> Result<Self, ApiError> {
        let parameters = parameters.only(&["agent_type", "limit", "cursor"])?;
        Ok(Self {
            agent_type: parameters.get("agent_type").map(str::parse).transpose()?,
            limit: parameters.number("limit", 1..=200, 50)?,
            cursor: parameters.get("cursor").map(str::parse).transpose()?,
        })
    }
}

/// The address of the next page of a list.
pub fn next_page(list: &str, agent_type: Option<&AgentType>, limit: u32, cursor: impl Display) -> String {
    let agent = agent_type.map_or_else(String::new, |agent_type| format!("agent_type={agent_type}&"));
    format!("/api/v1/lab/{list}?{agent}limit={limit}&cursor={cursor}")
}

/// An answer of a list, and the address of its next page, if there is one.
pub fn with_next(next: Option<String>, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if let Some(Ok(link)) = next.map(|next| HeaderValue::try_from(format!("<{next}>; rel=\"next\""))) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .any(|error| error.is::<http_body_util::LengthLimitError>())
}
