//! The API over HTTP.

use std::{
    convert::Infallible,
    io,
    net::TcpListener,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    RecordedRequest, Shared,
    answer::{Answer, answer, messages},
    script::{Course, Script, Status},
};

/// How long a connection lives on before it is cut, so that what was answered until then leaves.
const FLUSH: Duration = Duration::from_millis(5);

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let counted = shared.clone();
    let listener = listener.tap_io(move |connection| {
        counted.connections.fetch_add(1, Ordering::Relaxed);
        // An answer in small pieces is not to wait for acknowledgements.
        let _ = connection.set_nodelay(true);
    });
    let router = Router::new()
        .route("/v1/chat/completions", post(chat).layer(from_fn(arrive)))
        .route("/v1/models", get(models))
        .with_state(shared);
    let _ = axum::serve(listener, router).await;
}

async fn models(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if let Err(refused) = check_key(&shared, &headers) {
        return refused;
    }
    let models: Vec<Value> =
        shared.behaviour.models.iter().map(|id| json!({ "id": id, "object": "model", "owned_by": "tests" })).collect();
    Json(json!({ "object": "list", "data": models })).into_response()
}

/// When a request came.
#[derive(Debug, Clone, Copy)]
struct Arrival(Instant);

/// Takes the time of all that came together before any of it is read: none has to wait, unnoticed, for the others.
async fn arrive(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Arrival(Instant::now()));
    tokio::task::yield_now().await;
    next.run(request).await
}

async fn chat(
    State(shared): State<Arc<Shared>>,
    Extension(Arrival(at)): Extension<Arrival>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let number = record(&shared, at, &headers, &body);
    if let Err(refused) = check_key(&shared, &headers) {
        return refused;
    }
    let Some((system, user)) = messages(&body) else {
        return failure(StatusCode::BAD_REQUEST, "messages need one of the user", None);
    };
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    if model.starts_with("missing") {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        return failure(StatusCode::NOT_FOUND, &message, Some("model_not_found"));
    }
    let script = Script::read(&user);
    if let Some(gate) = &script.gate
        && let Ok(turn) = shared.gate(gate).acquire().await
    {
        turn.forget();
    }
    let whole = at + script.delay.unwrap_or(shared.behaviour.delay);
    let first = script.first.map_or(whole, |first| at + first);
    let count = shared.count(&body["messages"]);
    if let Some(status) = script.status.as_ref().filter(|status| status.times.is_none_or(|times| count < times)) {
        tokio::time::sleep_until(whole.into()).await;
        return fail(status, &headers);
    }
    if script.course == Course::Hang {
        std::future::pending::<Infallible>().await;
    }
    let answer = answer(&shared, &body, (&system, &user), &script);
    let took = move || {
        if let Some(number) = number
            && let Some(request) = shared.requests().get_mut(number)
        {
            request.took = Some(at.elapsed());
        }
    };
    if body["stream"] == json!(true) {
        let includes_usage = body["stream_options"]["include_usage"] == json!(true);
        streamed(&model, &answer, includes_usage, script.course, first, whole.max(first), took)
    } else {
        tokio::time::sleep_until(whole.into()).await;
        took();
        at_once(&model, &answer, script.course)
    }
}

/// Notes a request, and returns its place.
fn record(shared: &Shared, at: Instant, headers: &HeaderMap, body: &Value) -> Option<usize> {
    if !shared.behaviour.keeps_requests {
        return None;
    }
    let authorization = authorization(headers).map(str::to_owned);
    let mut requests = shared.requests();
    requests.push(RecordedRequest { at, authorization, body: body.clone(), took: None });
    Some(requests.len() - 1)
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}

#[expect(clippy::result_large_err, reason = "the refusal is the response")]
fn check_key(shared: &Shared, headers: &HeaderMap) -> Result<(), Response> {
    let Some(key) = &shared.behaviour.key else { return Ok(()) };
    if authorization(headers) == Some(&format!("Bearer {key}")) {
        return Ok(());
    }
    Err(fail(&Status { status: 401, ..Status::default() }, headers))
}

fn fail(asked: &Status, headers: &HeaderMap) -> Response {
    let status = StatusCode::from_u16(asked.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = if status == StatusCode::UNAUTHORIZED {
        let key = authorization(headers).map_or("none", |value| value.trim_start_matches("Bearer "));
        format!("Incorrect API key provided: {key}.")
    } else {
        format!("This is what status {} looks like.", status.as_u16())
    };
    let mut response = failure(status, &message, asked.code.as_deref());
    for (name, value) in [("retry-after", &asked.retry_after), ("retry-after-ms", &asked.retry_after_ms)] {
        if let Some(value) = value.as_deref().and_then(|value| value.parse().ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn failure(status: StatusCode, message: &str, code: Option<&str>) -> Response {
    (status, Json(json!({ "error": { "message": message, "type": "test_error", "code": code } }))).into_response()
}

fn at_once(model: &str, answer: &Answer, course: Course) -> Response {
    let body = json!({
        "id": "chatcmpl-test", "object": "chat.completion", "created": 0, "model": model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": answer.text },
            "finish_reason": answer.finish_reason,
        }],
        "usage": answer.usage,
    });
    let body = body.to_string();
    let mut bytes = body.into_bytes();
    let end = bytes.len();
    let body = match course {
        Course::Whole | Course::Hang => Body::from(bytes),
        Course::Malformed | Course::Unfinished => {
            bytes.truncate(end / 2);
            Body::from(bytes)
        }
        Course::NotUtf8 => {
            bytes[end / 2] = 0xff;
            Body::from(bytes)
        }
        Course::Failing => return failure(StatusCode::INTERNAL_SERVER_ERROR, "It broke off.", Some("server_error")),
        Course::Cut => {
            bytes.truncate(end / 2);
            let half = stream::iter([Ok(Bytes::from(bytes))]);
            Body::from_stream(half.chain(stream::once(async {
                tokio::time::sleep(FLUSH).await;
                Err(broken())
            })))
        }
    };
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn streamed(
    model: &str,
    answer: &Answer,
    includes_usage: bool,
    course: Course,
    first: Instant,
    whole: Instant,
    took: impl FnOnce() + Send + 'static,
) -> Response {
    let event = |choices: Value, usage: Option<&Value>| {
        let mut body = json!({
            "id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 0, "model": model, "choices": choices,
        });
        if includes_usage {
            body["usage"] = usage.cloned().unwrap_or(Value::Null);
        }
        Bytes::from(format!("data: {body}\n\n"))
    };
    let delta = |delta: Value, reason: Option<&str>| {
        event(json!([{ "index": 0, "delta": delta, "finish_reason": reason }]), None)
    };
    let pieces = pieces(&answer.text);
    let half = pieces.len().div_ceil(2);
    let mut steps = vec![(first, Ok(delta(json!({ "role": "assistant", "content": "" }), None)))];
    for (place, piece) in pieces.iter().enumerate() {
        let at = if place == 0 { first } else { whole };
        if place == half && course != Course::Whole {
            break;
        }
        steps.push((at, Ok(delta(json!({ "content": piece }), None))));
    }
    match course {
        Course::Whole | Course::Hang => {
            steps.push((whole, Ok(delta(json!({}), Some(&answer.finish_reason)))));
            if let Some(usage) = answer.usage.as_ref().filter(|_| includes_usage) {
                steps.push((whole, Ok(event(json!([]), Some(usage)))));
            }
            steps.push((whole, Ok(Bytes::from_static(b"data: [DONE]\n\n"))));
        }
        Course::Unfinished => {}
        Course::Cut => steps.push((whole, Err(broken()))),
        Course::Malformed => steps.push((whole, Ok(Bytes::from_static(b"data: {\"choices\": [{\n\n")))),
        Course::NotUtf8 => steps.push((whole, Ok(Bytes::from_static(b"data: {\"choices\": [\xff\xfe]}\n\n")))),
        Course::Failing => {
            let error = json!({ "error": { "message": "It broke off.", "type": "server_error", "code": null } });
            steps.push((whole, Ok(Bytes::from(format!("data: {error}\n\n")))));
        }
    }
    let body = stream::unfold((steps.into_iter(), Some(took)), |(mut steps, mut took)| async move {
        let (at, step) = steps.next()?;
        if at > Instant::now() {
            tokio::time::sleep_until(at.into()).await;
        }
        if step.is_err() {
            // From the piece before, however late that was: an error that comes with it takes it along.
            tokio::time::sleep(FLUSH).await;
        }
        if steps.len() == 0
            && let Some(took) = took.take()
        {
            took();
        }
        Some((step, (steps, took)))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}

/// A text in a handful of pieces, each at most 16 KiB.
fn pieces(text: &str) -> Vec<String> {
    const MOST: usize = 16 * 1024;
    let size = text.len().div_ceil(6).clamp(4, MOST);
    let mut pieces = vec![String::new()];
    for c in text.chars() {
        if pieces.last().is_some_and(|piece| piece.len() + c.len_utf8() > size) {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the test asked for it")
}
