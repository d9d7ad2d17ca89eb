//! Around every request: its id, its time limit, what is logged and counted, and how an error leaves the process.

use std::{
    future::poll_fn,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tracing::Instrument;

use crate::{api::problem::ApiError, state::AppState};

/// The header that carries a request's id, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Routes that wait for a model.
const ASKS_A_MODEL: [&str; 2] = ["/api/v1/agents/{agent_type}/respond", "/api/pages/try"];

tokio::task_local! {
    /// The request that a task is at: for what happens where no argument leads to, such as a panic.
    static CURRENT: RequestId;
}

/// The id of the request that is being answered here, if one is.
pub(crate) fn current_id() -> Option<String> {
    CURRENT.try_with(|id| id.as_str().to_owned()).ok()
}

/// What a page or a form refused, in the extensions of its answer: for the log, while the page says it in its own way.
#[derive(Debug, Clone)]
pub struct Refused(pub ApiError);

impl Refused {
    /// The answer, with what is to be logged of it.
    pub fn in_answer(error: impl Into<ApiError>, mut answer: Response) -> Response {
        answer.extensions_mut().insert(Self(error.into()));
        answer
    }
}

/// The id of a request, in the extensions of the request.
#[derive(Debug, Clone)]
pub struct RequestId(pub HeaderValue);

impl RequestId {
    /// The id that a proxy gave, if it is a plain one, else one of our own.
    pub(crate) fn of(request: &Request) -> Self {
        let given = request.headers().get(&REQUEST_ID).filter(|id| {
            let id = id.as_bytes();
            (1..=64).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        });
        Self(given.cloned().unwrap_or_else(Self::next))
    }

    /// Unique among all nodes without asking a random source each time: a random start, then a count.
    fn next() -> HeaderValue {
        static NODE: LazyLock<u32> = LazyLock::new(|| uuid::Uuid::new_v4().as_fields().0);
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let id = format!("{:08x}-{:x}", *NODE, COUNT.fetch_add(1, Ordering::Relaxed));
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("unknown"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("unknown")
    }
}

/// Around the API: an error becomes a problem document, and a request that takes too long is given up.
pub async fn api(State(state): State<AppState>, request: Request, next: Next) -> Response {
    observe(state, request, next, |error, id| error.into_document(id.as_str())).await
}

/// Around the pages: they render their own errors; what is left is said in plain text.
pub async fn page(State(state): State<AppState>, request: Request, next: Next) -> Response {
    observe(state, request, next, |error, id| {
        (error.status(), format!("{} (request {})", error.detail(), id.as_str())).into_response()
    })
    .await
}

async fn observe(
    state: AppState,
    mut request: Request,
    next: Next,
    render: impl FnOnce(ApiError, &RequestId) -> Response,
) -> Response {
    let begin = Instant::now();
    let id = RequestId::of(&request);
    let method = request.method().clone();
    let uri = request.uri().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(id.clone());
    // What a change logs on the way carries the id. What only reads logs nothing unless it fails, so it can do without
    // a span: that one costs more than the answer.
    let span = if method.is_safe() {
        tracing::debug_span!("request", id = id.as_str())
    } else {
        tracing::info_span!("request", id = id.as_str())
    };

    // A handler that panics is a fault of ours like any other: it is answered, and nothing else is disturbed.
    let answer = AssertUnwindSafe(CURRENT.scope(id.clone(), next.run(request).instrument(span))).catch_unwind();
    // A model may take longer than anything else; the agents have a limit of their own.
    let is_asked = route.as_ref().is_some_and(|route| ASKS_A_MODEL.contains(&route.as_str()));
    let limit = if is_asked { state.request_timeout + state.agents.limits().longest() } else { state.request_timeout };
    // What is answered at once, as an active prompt is, needs no clock.
    let mut answer = pin!(answer);
    let at_once = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
    let answered = match at_once {
        Poll::Ready(answered) => Ok(answered),
        Poll::Pending => tokio::time::timeout(limit, answer).await,
    };
    let mut response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong inside Verbatim. It was logged; tell whoever runs this server the request id.",
        )
        .into_response(),
        Err(_) => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "request_timeout",
            "The request took too long and was given up. If it was a change, look whether it was made before you try \
             again.",
        )
        .into_response(),
    };
    let status = response.status();
    if let Some(Refused(error)) = response.extensions_mut().remove() {
        log(&error, &id, &method, uri.path(), begin);
    }
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        log(&error, &id, &method, uri.path(), begin);
        let allow = response.headers_mut().remove(http::header::ALLOW);
        response = render(error, &id);
        if let Some(allow) = allow {
            response.headers_mut().insert(http::header::ALLOW, allow);
        }
    } else if tracing::enabled!(tracing::Level::DEBUG) {
        let milliseconds = begin.elapsed().as_secs_f64() * 1e3;
        tracing::debug!(
            id = id.as_str(), %method, path = uri.path(), status = status.as_u16(), milliseconds, "answered"
        );
    }
    state.metrics.request(&method, route, status);
    response.headers_mut().insert(REQUEST_ID, id.0);
    response
}

/// The line of a refusal or a failure.
fn log(error: &ApiError, id: &RequestId, method: &Method, path: &str, begin: Instant) {
    let milliseconds = begin.elapsed().as_secs_f64() * 1e3;
    let (id, status, code) = (id.as_str(), error.status(), error.code());
    let (agent_type, version) = error.subject();
    if status.is_server_error() {
        let (status, cause) = (status.as_u16(), error.cause().map(|cause| chain(cause)));
        tracing::error!(id, %method, path, status, milliseconds, code, agent_type, version, cause, "failed");
    } else {
        let (status, detail) = (status.as_u16(), error.detail());
        tracing::info!(id, %method, path, status, milliseconds, code, agent_type, version, detail, "refused");
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Runs something as a part of a request of this id.
#[cfg(test)]
pub(crate) fn with_id<T>(id: &'static str, run: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(RequestId(HeaderValue::from_static(id)), run)
}
