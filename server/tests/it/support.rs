//! What the tests share: the real router over a real database, and short ways to ask it.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use leptos::config::LeptosOptions;
use serde_json::Value;
use server::state::AppState;
use sqlx::PgPool;
use tower::ServiceExt;
use versioning::{PromptStore, Services};

pub use crate::waiting::{PATIENCE, eventually, patient};

/// The router, as a client sees it.
pub struct Client {
    router: Router,
    state: AppState,
    /// Set to make the node drain.
    pub draining: Arc<AtomicBool>,
    /// The lab behind it.
    pub lab: lab::Lab,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Client {
    pub fn new(pool: &PgPool) -> Self {
        Self::with_lab(pool, |services| {
            let models = Arc::new(agents::Models::new(agents::ModelsSettings::default()));
            lab::Lab::new(pool.clone(), services.clone(), models, agents::Prices::built_in())
        })
    }

    /// With a lab of the test's own.
    pub fn with_lab(pool: &PgPool, lab: impl FnOnce(&Services) -> lab::Lab) -> Self {
        let services = Services::new(PromptStore::new(pool.clone()), patient());
        let lab = lab(&services);
        Self::over(pool, services, lab, PATIENCE)
    }

    /// The same server, which lets a request take so long.
    pub fn with_timeout(&self, pool: &PgPool, request_timeout: Duration) -> Self {
        Self::over(pool, self.state.services.clone(), self.lab.clone(), request_timeout)
    }

    fn over(pool: &PgPool, services: Services, lab: lab::Lab, request_timeout: Duration) -> Self {
        let files = concat!(env!("CARGO_MANIFEST_DIR"), "/../public");
        let options = LeptosOptions::builder().output_name("verbatim").site_root(files).build();
        let state = AppState::new(services, lab.clone(), pool.clone(), options, request_timeout);
        let draining = state.draining.clone();
        Self { router: server::router(state.clone()), state, draining, lab }
    }

    /// Another router in the place of ours.
    #[must_use]
    pub fn with_router(self, router: impl FnOnce(&AppState) -> Router) -> Self {
        Self { router: router(&self.state), ..self }
    }

    /// The answer with its body still to be read.
    pub async fn begin(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.begin(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn get_if_none_match(&self, path: &str, etag: &str) -> Answer {
        self.send(Request::get(path).header(header::IF_NONE_MATCH, etag).body(Body::empty()).unwrap()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Request::delete(path).body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_raw(path, "application/json", body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send_json(Method::PUT, path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send_json(Method::PATCH, path, body).await
    }

    async fn send_json(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub async fn post_raw(&self, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(Method::POST).uri(path).header(header::CONTENT_TYPE, content_type);
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Creates a version whose text names it.
    pub async fn create(&self, agent_type: &str, version: &str) -> Answer {
        let body = serde_json::json!({
            "agent_type": agent_type, "version": version, "prompt_text": format!("{agent_type} {version}")
        });
        self.post("/api/v1/prompts/versions", body).await.expect(StatusCode::CREATED)
    }

    /// Creates a version whose text names it, and promotes it.
    pub async fn live(&self, agent_type: &str, version: &str) -> Answer {
        self.live_with(agent_type, version, &format!("{agent_type} {version}")).await
    }

    /// Creates a version with this text and promotes it.
    pub async fn live_with(&self, agent_type: &str, version: &str, text: &str) -> Answer {
        let body = serde_json::json!({ "agent_type": agent_type, "version": version, "prompt_text": text });
        self.post("/api/v1/prompts/versions", body).await.expect(StatusCode::CREATED);
        let body = serde_json::json!({ "agent_type": agent_type, "version": version });
        self.post("/api/v1/prompts/promote", body).await.expect(StatusCode::OK)
    }
}

impl Answer {
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// That it is a problem document of this status and code; its field.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.header(header::CONTENT_TYPE), "application/problem+json", "{text}");
        let problem = self.json();
        assert_eq!((self.status.as_u16(), problem["code"].as_str().unwrap()), (status, code), "{text}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["title"], self.status.canonical_reason().unwrap());
        assert!(problem["detail"].as_str().unwrap().ends_with('.'), "{text}");
        assert_eq!(problem["request_id"].as_str().unwrap(), self.header("x-request-id"));
        problem.get("field").map(|field| field.as_str().unwrap().to_owned())
    }
}
