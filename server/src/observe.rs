//! Around every request: its id, its time limit, what is logged and counted, and how an error leaves the process.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request},
    response::{IntoResponse, Response},
};
use futures_util::{FutureExt, future::CatchUnwind};
use http::{Method, StatusCode, Uri, header};
use pin_project_lite::pin_project;
use prometheus_client::metrics::counter::Counter;
use tokio::{
    task::{
        coop::{Unconstrained, unconstrained},
        futures::TaskLocalFuture,
    },
    time::{Sleep, sleep},
};
use tower::{Layer, Service};
use tracing::{Instrument, instrument::Instrumented};

use crate::{api::problem::ApiError, state::AppState};

mod request_id;

pub use request_id::{REQUEST_ID, RequestId};

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

/// Around the API: an error becomes a problem document, and a request that takes too long is given up.
pub fn api(state: &AppState) -> Observe {
    Observe { state: state.clone(), render: |error, id| error.into_document(id.as_str()) }
}

/// Around the pages: they render their own errors; what is left is said in plain text.
pub fn page(state: &AppState) -> Observe {
    Observe {
        state: state.clone(),
        render: |error, id| (error.status(), format!("{} (request {})", error.detail(), id.as_str())).into_response(),
    }
}

/// How an error leaves the process.
type Render = fn(ApiError, &RequestId) -> Response;

/// What stands around every route of a part of the server.
///
/// It is written out as a service, because the middleware that axum makes of an `async fn` takes half a dozen
/// allocations for each request: more than an active prompt costs.
#[derive(Debug, Clone)]
pub struct Observe {
    state: AppState,
    render: Render,
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        let Self { state, render } = self.clone();
        Observed { around: Arc::new(Around { state, render, reads: OnceLock::new() }), inner }
    }
}

/// What stands around one route.
#[derive(Debug)]
struct Around {
    state: AppState,
    render: Render,
    /// What counts the route's successful reads, once there was one.
    reads: OnceLock<Counter>,
}

/// A route with what stands around it.
#[derive(Debug, Clone)]
pub struct Observed<S> {
    around: Arc<Around>,
    inner: S,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let asked = Asked {
            begin: Instant::now(),
            id: RequestId::of(&request),
            method: request.method().clone(),
            uri: request.uri().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            around: self.around.clone(),
        };
        let limit = asked.limit();
        // What a change logs on the way carries the id. What only reads logs nothing unless it fails, so it can do without
        // a span: that one costs more than the answer.
        let span = if asked.method.is_safe() {
            tracing::debug_span!("request", id = asked.id.as_str())
        } else {
            tracing::info_span!("request", id = asked.id.as_str())
        };
        let answer = CURRENT.scope(asked.id, self.inner.call(request).instrument(span));
        // A handler that panics is a fault of ours like any other: it is answered, and nothing else is disturbed.
        Answering { answer: AssertUnwindSafe(answer).catch_unwind(), limit, clock: None, asked: Some(asked) }
    }
}

pin_project! {
    /// A request that is being answered.
    pub struct Answering<F> {
        #[pin]
        answer: CatchUnwind<AssertUnwindSafe<TaskLocalFuture<RequestId, Instrumented<F>>>>,
        limit: Duration,
        // What is answered at once, as an active prompt is, needs none.
        clock: Option<Pin<Box<Unconstrained<Sleep>>>>,
        // Until it is answered.
        asked: Option<Asked>,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Answering<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match this.answer.poll(context) {
            Poll::Ready(Ok(Ok(response))) => response,
            Poll::Ready(Err(_)) => panicked().into_response(),
            Poll::Pending => {
                let limit = *this.limit;
                // It is asked also when the answer has used up what a task may do at a stretch.
                let clock = this.clock.get_or_insert_with(|| Box::pin(unconstrained(sleep(limit))));
                ready!(clock.as_mut().poll(context));
                too_late().into_response()
            }
        };
        // Nobody asks on after the answer.
        let Some(asked) = this.asked.take() else { return Poll::Pending };
        Poll::Ready(Ok(asked.answer(response)))
    }
}

fn panicked() -> ApiError {
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Something went wrong inside Verbatim. It was logged; tell whoever runs this server the request id.",
    )
}

fn too_late() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "request_timeout",
        "The request took too long and was given up. If it was a change, look whether it was made before you try again.",
    )
}

/// What is remembered of a request until it is answered.
struct Asked {
    around: Arc<Around>,
    begin: Instant,
    id: RequestId,
    method: Method,
    uri: Uri,
    route: Option<MatchedPath>,
}

impl Asked {
    /// How long the answer may take.
    fn limit(&self) -> Duration {
        // A model may take longer than anything else; the agents have a limit of their own.
        let is_of_a_model = self.route.as_ref().is_some_and(|route| ASKS_A_MODEL.contains(&route.as_str()));
        let state = &self.around.state;
        let models = if is_of_a_model { state.agents.limits().longest() } else { Duration::ZERO };
        state.request_timeout + models
    }

    /// What leaves the process, logged and counted.
    fn answer(self, mut response: Response) -> Response {
        let status = response.status();
        if let Some(Refused(error)) = response.extensions_mut().remove() {
            self.log(&error);
        }
        if let Some(error) = response.extensions_mut().remove::<ApiError>() {
            self.log(&error);
            let allow = response.headers_mut().remove(header::ALLOW);
            response = (self.around.render)(error, &self.id);
            if let Some(allow) = allow {
                response.headers_mut().insert(header::ALLOW, allow);
            }
        } else if tracing::enabled!(tracing::Level::DEBUG) {
            let (id, method, path, status) = (self.id.as_str(), &self.method, self.uri.path(), status.as_u16());
            tracing::debug!(id, %method, path, status, milliseconds = self.milliseconds(), "answered");
        }
        response.headers_mut().insert(REQUEST_ID, self.id.header());
        self.count(status);
        response
    }

    /// An answer of this status was given. The counter of what is asked for all the time is not looked up each time.
    fn count(self, status: StatusCode) {
        let find = || self.around.state.metrics.requests(&self.method, self.route.clone(), status);
        if self.method == Method::GET && status == StatusCode::OK && self.route.is_some() {
            self.around.reads.get_or_init(find).inc();
        } else {
            find().inc();
        }
    }

    fn milliseconds(&self) -> f64 {
        self.begin.elapsed().as_secs_f64() * 1e3
    }

    /// The line of a refusal or a failure.
    fn log(&self, error: &ApiError) {
        let (id, method, path, milliseconds) = (self.id.as_str(), &self.method, self.uri.path(), self.milliseconds());
        let (status, code, (agent_type, version)) = (error.status(), error.code(), error.subject());
        if status.is_server_error() {
            let (status, cause) = (status.as_u16(), error.cause().map(|cause| chain(cause)));
            tracing::error!(id, %method, path, status, milliseconds, code, agent_type, version, cause, "failed");
        } else {
            let (status, detail) = (status.as_u16(), error.detail());
            tracing::info!(id, %method, path, status, milliseconds, code, agent_type, version, detail, "refused");
        }
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
    CURRENT.sync_scope(RequestId::plain(id.as_bytes()).unwrap(), run)
}
