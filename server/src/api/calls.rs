//! Calls that were made elsewhere: agents outside of this server say what their versions did.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use versioning::{CallBatchId, CallSource, InvalidInput, RecordedCall, VersioningError};

use super::{
    extract::JsonBody,
    problem::{ApiError, Problem},
};
use crate::state::AppState;

/// Calls in a batch at most.
const MAX_CALLS: usize = 5_000;

/// How old a call may be, and how far its clock may be ahead.
const MAX_AGE: TimeDelta = TimeDelta::days(7);
const MAX_AHEAD: TimeDelta = TimeDelta::minutes(5);

/// A day, in milliseconds: nobody waits longer for an answer.
const MAX_MILLISECONDS: f64 = 86_400_000.0;

/// Tokens of a call at most, and dollars: above, the unit is wrong.
const MAX_TOKENS: u64 = 1_000_000_000;
const MAX_COST: f64 = 1e6;

/// Characters of a model's name at most.
const MAX_MODEL: usize = 200;

/// Calls that were made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordCallsRequest {
    /// 5,000 at most. Each is looked at by itself: one that is wrong does not keep the others out.
    #[schema(value_type = Vec<CallRequest>, max_items = 5000)]
    calls: Vec<Value>,
    /// A UUID of your own for this batch. With it the batch counts once, however often it is sent within two days.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    batch_id: Option<Uuid>,
}

/// A call of a model with a version as its system prompt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    /// Whose prompt it was.
    #[schema(example = "backend_dev")]
    agent_type: String,
    /// Which version.
    #[schema(example = "1.1.0")]
    version: String,
    /// The model; `provider::name` puts it beside the calls of this server.
    #[schema(example = "openai::gpt-4o-mini", max_length = 200)]
    model: String,
    /// Milliseconds to the whole answer. Needed unless the call failed.
    #[schema(example = 812.5)]
    latency_ms: Option<f64>,
    /// Milliseconds to the first text of the answer.
    first_token_ms: Option<f64>,
    /// Tokens of the prompt. Left out when nobody counted them: 0 means none.
    input_tokens: Option<u64>,
    /// Tokens of the answer, likewise.
    output_tokens: Option<u64>,
    /// US dollars. Left out when the price is not known: 0 means free.
    cost_usd: Option<f64>,
    /// Why there was no answer: a lower-case name such as `timeout` or `rate_limited`. Left out when there was one. A call that is
    /// `cancelled` is kept, but not added to any figures: whoever goes away says nothing about the version.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,49}$")]
    error_kind: Option<String>,
    /// How good the answer was, from 0 to 1, if anybody judged it.
    score: Option<f64>,
    /// When it ended; now, if nothing is said. At most 7 days ago.
    at: Option<DateTime<Utc>>,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordCallsResponse {
    /// Calls that are in the database now.
    recorded: u64,
    /// Calls that are not, and why.
    refused: Vec<RefusedCall>,
}

/// A call that was not recorded.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedCall {
    /// Its place in the batch, from 0.
    index: usize,
    /// A stable identifier of the refusal.
    #[schema(example = "unknown_version")]
    code: String,
    /// The field that it is about.
    field: Option<String>,
    /// What is wrong and what would be right.
    detail: String,
}

/// Record calls
///
/// For agents outside of this server: what their calls took and what came of them, in batches. What is right is recorded, and in
/// the database when the answer comes; each call that is wrong is answered with its index and the reason. After
/// `database_unavailable` nothing is recorded, and the batch can be sent again. After `outcome_unknown`, or no answer at all, nobody
/// knows: a batch with a `batch_id` can be sent again all the same, and counts once.
#[utoipa::path(
    post, path = "/api/v1/calls", tag = "agents", operation_id = "record_calls", request_body = RecordCallsRequest,
    responses(
        (status = 200, description = "What was recorded, and what was not.", body = RecordCallsResponse),
        (status = 413, description = "More than 5,000 calls, or more than 2 MiB.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The body does not have the form that is asked for.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away: nothing was recorded (`database_unavailable`), or nobody knows (`outcome_unknown`).", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn record_calls(
    State(state): State<AppState>,
    body: Result<JsonBody<RecordCallsRequest>, ApiError>,
) -> Result<Json<RecordCallsResponse>, ApiError> {
    let JsonBody(request) = body.map_err(|refused| match refused.code() {
        "body_too_large" => refused.saying("The batch is larger than 2 MiB. Send its calls in several."),
        _ => refused,
    })?;
    if request.calls.len() > MAX_CALLS {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_many_calls",
            format!("The batch has {} calls; 5,000 are taken at once. Send them in several.", request.calls.len()),
        )
        .in_field("calls"));
    }
    let now = Utc::now();
    let mut refused = Vec::new();
    let mut calls = Vec::with_capacity(request.calls.len());
    for (index, call) in request.calls.into_iter().enumerate() {
        match read(call).and_then(|call| check(call, now)) {
            Ok(call) => calls.push((index, call)),
            Err(reason) => refused.push(RefusedCall::new(index, reason)),
        }
    }
    let performance = &state.services.performance;
    let named: BTreeSet<_> = calls.iter().map(|(_, call)| (call.agent_type.clone(), call.version)).collect();
    let existing = performance.existing(named.clone()).await?;
    if existing.len() < named.len() {
        let missing = performance.why_missing(named.difference(&existing).cloned().collect()).await?;
        calls.retain(|(index, call)| {
            let why = missing.get(&(call.agent_type.clone(), call.version));
            if let Some(why) = why {
                let reason = InvalidInput::new(why.field().unwrap_or_default(), why.code(), why.to_string());
                refused.push(RefusedCall::new(*index, reason));
            }
            why.is_none()
        });
        refused.sort_by_key(|call| call.index);
    }
    let calls: Vec<_> = calls.into_iter().map(|(_, call)| call).collect();
    let recorded = match request.batch_id {
        Some(batch) => performance.record_once(CallBatchId(batch), &calls).await,
        None => performance.record(&calls).await,
    };
    let recorded = recorded.map_err(|error| unrecorded(error, request.batch_id.is_some()))?;
    tracing::debug!(recorded, refused = refused.len(), "calls recorded");
    Ok(Json(RecordCallsResponse { recorded, refused }))
}

impl RefusedCall {
    fn new(index: usize, reason: InvalidInput) -> Self {
        let field = (!reason.field.is_empty()).then(|| reason.field.into());
        Self { index, code: reason.code.into(), field, detail: reason.message }
    }
}

fn read(call: Value) -> Result<CallRequest, InvalidInput> {
    if !call.is_object() {
        return Err(InvalidInput::new("", "invalid_call", "A call is an object, as {\"agent_type\": …}."));
    }
    serde_path_to_error::deserialize(call).map_err(|error| {
        let reason = super::extract::reason(&error.path().to_string(), &error.inner().to_string());
        InvalidInput::new("", "invalid_call", format!("The call cannot be read: {reason}."))
    })
}

fn check(call: CallRequest, now: DateTime<Utc>) -> Result<RecordedCall, InvalidInput> {
    let model = call.model.trim();
    if model.is_empty() || model.chars().count() > MAX_MODEL || model.chars().any(char::is_control) {
        let message = "A model's name has 1 to 200 characters, on one line.";
        return Err(InvalidInput::new("model", "invalid_model", message));
    }
    if let Some(kind) = &call.error_kind
        && !is_name(kind)
    {
        let message = "An error_kind is a lower-case name such as timeout or rate_limited, of 50 characters at most.";
        return Err(InvalidInput::new("error_kind", "invalid_error_kind", message));
    }
    if call.latency_ms.is_none() && call.error_kind.is_none() {
        let message = "An answered call has a latency_ms; one that failed has an error_kind.";
        return Err(InvalidInput::new("latency_ms", "missing_latency", message));
    }
    within("latency_ms", call.latency_ms, MAX_MILLISECONDS, "milliseconds, from 0 to a day")?;
    within("first_token_ms", call.first_token_ms, MAX_MILLISECONDS, "milliseconds, from 0 to a day")?;
    within("cost_usd", call.cost_usd, MAX_COST, "US dollars, from 0 to 1000000")?;
    within("score", call.score, 1.0, "a number from 0 to 1")?;
    for (field, tokens) in [("input_tokens", call.input_tokens), ("output_tokens", call.output_tokens)] {
        if tokens.is_some_and(|tokens| tokens > MAX_TOKENS) {
            return Err(InvalidInput::new(field, "out_of_range", format!("{field} is at most 1000000000.")));
        }
    }
    let at = call.at.unwrap_or(now);
    if at < now - MAX_AGE || at > now + MAX_AHEAD {
        let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        let message = format!("A call ended at most 7 days ago, and not in the future; for this server it is {now}.");
        return Err(InvalidInput::new("at", "out_of_range", message));
    }
    Ok(RecordedCall {
        agent_type: call.agent_type.parse()?,
        version: call.version.parse()?,
        source: CallSource::AgentCall,
        model: model.to_owned(),
        at,
        latency_ms: call.latency_ms,
        first_token_ms: call.first_token_ms,
        error_kind: call.error_kind,
        input_tokens: call.input_tokens,
        output_tokens: call.output_tokens,
        cost_usd: call.cost_usd,
        score: call.score,
    })
}

fn within(field: &'static str, value: Option<f64>, most: f64, what: &str) -> Result<(), InvalidInput> {
    if value.is_none_or(|value| (0.0..=most).contains(&value)) {
        return Ok(());
    }
    Err(InvalidInput::new(field, "out_of_range", format!("{field} is {what}.")))
}

fn is_name(text: &str) -> bool {
    text.len() <= 50
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Why nothing was recorded, or why nobody knows. The latter says what to do about it.
fn unrecorded(error: VersioningError, has_id: bool) -> ApiError {
    if !matches!(error, VersioningError::OutcomeUnknown(_)) {
        return error.into();
    }
    let detail = if has_id {
        "The connection to the database was lost while the batch was being recorded. Send it again with the same batch_id: \
         it counts once."
    } else {
        "The connection to the database was lost while the batch was being recorded, and it may be. Give batches a batch_id: \
         then one can be sent again, and counts once."
    };
    ApiError::from(error).saying(detail)
}
