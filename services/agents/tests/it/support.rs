//! Models over endpoints of the tests.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use agents::{ModelError, ModelErrorKind, ModelRequest, ModelSettings, Models, ModelsSettings, complete};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};
use model_api::{Behaviour, ModelApi};

/// Far more than any of these calls takes.
const LONG: Duration = Duration::from_secs(60);

/// The models of an endpoint that speaks OpenAI's API.
pub fn models_at(url: &str) -> Models {
    Models::new(ModelsSettings { compatible_url: Some(url.to_owned()), ..ModelsSettings::default() })
}

/// An endpoint that does what the messages say, and its models.
pub fn endpoint() -> (ModelApi, Models) {
    let api = ModelApi::start(Behaviour::default());
    let models = models_at(&api.url());
    (api, models)
}

/// A question to `compatible::test-model`.
pub fn ask(user: &str) -> ModelRequest {
    ask_model("compatible::test-model", user)
}

/// A question to a model.
pub fn ask_model(model: &str, user: &str) -> ModelRequest {
    ModelRequest {
        model: model.parse().unwrap(),
        system: String::new(),
        user: user.into(),
        settings: ModelSettings::default(),
        timeout: LONG,
    }
}

/// Waits until the endpoint was asked so often.
///
/// # Panics
/// After a minute.
pub async fn until_asked(api: &ModelApi, times: usize) {
    for _ in 0..12_000 {
        if api.requests().len() >= times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the endpoint was asked {} times", api.requests().len());
}

/// An address where nobody listens, and what keeps others from listening there.
pub fn nobody() -> (SocketAddr, tokio::net::TcpSocket) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    (socket.local_addr().unwrap(), socket)
}

/// How a call fails.
pub async fn failure(models: &Models, request: &ModelRequest) -> ModelError {
    let error = complete(models, request).await.unwrap_err();
    assert!(error.message.chars().count() < 500, "too long: {}", error.message);
    assert!(error.message.ends_with('.') || error.message.contains("It says:"), "{}", error.message);
    error
}

/// The kind of failure that a message brings about.
pub async fn kind_of(models: &Models, user: &str) -> ModelErrorKind {
    failure(models, &ask(user)).await.kind
}

/// A server that gives one and the same answer to everything.
#[derive(Debug)]
pub struct Canned {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

/// What it was asked.
#[derive(Debug, Clone)]
pub struct Seen {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: serde_json::Value,
}

#[derive(Debug)]
struct Shared {
    answer: Mutex<(StatusCode, String)>,
    headers: Vec<(&'static str, String)>,
    seen: Mutex<Vec<Seen>>,
}

impl Canned {
    pub async fn answering(status: u16, headers: &[(&'static str, &str)], body: &str) -> Self {
        let shared = Arc::new(Shared {
            answer: Mutex::new((StatusCode::from_u16(status).unwrap(), body.to_owned())),
            headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            seen: Mutex::default(),
        });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, task }
    }

    /// Gives another answer from now on.
    pub fn answer(&self, status: u16, body: &str) {
        *self.shared.answer.lock().unwrap() = (StatusCode::from_u16(status).unwrap(), body.to_owned());
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or_default();
    shared.seen.lock().unwrap().push(Seen { uri, headers, body });
    let (status, body) = shared.answer.lock().unwrap().clone();
    let mut response = Response::builder().status(status);
    for (name, value) in &shared.headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body)).unwrap()
}
