//! A language model's API for the tests: the OpenAI chat completions API over HTTP, streaming and not, with the delays
//! and the failures that a test asks for.
//!
//! # What it answers
//! `POST /v1/chat/completions` answers, in this order of precedence:
//! 1. the verdict of [`Behaviour::judge`] on the user's message, when the system prompt has the word *judge* and no line
//!    `answer: …`; directives about the text are then not for it, except `[flip]` and `[mumble]`;
//! 2. what a directive in the user's message says ([below](#directives));
//! 3. the text of a line `answer: …` in the system prompt, so that two versions of a prompt can be told apart;
//! 4. `Echo: ` and the user's message without its directives.
//!
//! Usage counts words: those of all messages as input, those of the answer as output. `max_tokens` cuts an answer off after
//! so many words, with the reason `length`. A model whose name begins with `missing` does not exist (404).
//!
//! `GET /v1/models` lists [`Behaviour::models`].
//!
//! # Directives
//! They stand in the user's message and are left out of the echo.
//!
//! | directive | effect |
//! | --- | --- |
//! | `[delay 100ms]` | the answer is whole after that time, instead of [`Behaviour::delay`] |
//! | `[first 50ms]` | the first text comes after that time |
//! | `[wait late]` | nothing is answered until [`ModelApi::release`] or [`ModelApi::open`] lets go what waits for `late`; the program never does |
//! | `[status 500]` | that status, always |
//! | `[status 429 retry-after 1 times 2]` | that status and header for the first two requests with these messages; also `retry-after-ms 20` and `code insufficient_quota` |
//! | `[cut]` | the connection breaks in the middle of the answer |
//! | `[unfinished]` | the stream ends in good order, but in the middle of the answer |
//! | `[malformed]` | JSON that is none |
//! | `[notutf8]` | bytes that are not UTF-8 |
//! | `[failing]` | an error event in the middle of the stream |
//! | `[hang]` | no answer at all |
//! | `[empty]` | an answer without text |
//! | `[long 1MB]` | an answer of that many bytes |
//! | `[json {"a": 1}]` | that JSON, word for word |
//! | `[stop content_filter]` | that finish reason |
//! | `[nousage]` | no usage |
//! | `[flip]` | a judge prefers whatever is shown first |
//! | `[mumble]` | a judge says something that is no verdict |
//!
//! 401 answers quote the key that came, as OpenAI's do.

mod answer;
mod http;
mod judge;
mod script;

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};

pub use judge::{Judge, prefers};

/// How the API behaves as long as a message says nothing else.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// How long an answer takes.
    pub delay: Duration,
    /// The key that is asked for; with `None`, every key does and none is needed.
    pub key: Option<String>,
    /// What `GET /v1/models` lists.
    pub models: Vec<String>,
    /// What a judge says.
    pub judge: Judge,
    /// Whether requests are kept for [`ModelApi::requests`].
    pub keeps_requests: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            key: None,
            models: vec!["test-model".into(), "other-model".into()],
            judge: prefers("GOOD"),
            keeps_requests: true,
        }
    }
}

/// A request for an answer, as it came.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// When it came.
    pub at: Instant,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The body.
    pub body: Value,
    /// From `at` until the last piece of the answer was on its way. Nothing until then, and nothing for a failure.
    pub took: Option<Duration>,
}

/// A running API. It stops, and breaks its connections, when this is dropped.
#[derive(Debug)]
pub struct ModelApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the requests share.
#[derive(Debug)]
struct Shared {
    behaviour: Behaviour,
    requests: Mutex<Vec<RecordedRequest>>,
    /// How many requests with these messages came.
    seen: Mutex<HashMap<String, usize>>,
    connections: AtomicUsize,
    /// What answers wait for, by name: each answer takes one permit, and none is needed once it is closed.
    gates: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl ModelApi {
    /// Starts it at a free port of this machine, on a thread of its own, so that a test's runtime does not slow it down.
    ///
    /// # Panics
    /// When no port or no thread is to be had.
    pub fn start(behaviour: Behaviour) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), behaviour).expect("a port of this machine")
    }

    /// Starts it at an address.
    ///
    /// # Errors
    /// When the address cannot be taken.
    pub fn start_at(address: SocketAddr, behaviour: Behaviour) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            behaviour,
            requests: Mutex::default(),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            gates: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = shared.clone();
        let thread = std::thread::Builder::new().name("model-api".into()).spawn(move || {
            // Connections are tasks of the runtime: they end with it.
            runtime.block_on(async {
                tokio::select! {
                    () = http::serve(listener, served) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it is, for an OpenAI client: `http://127.0.0.1:PORT/v1/`.
    pub fn url(&self) -> String {
        format!("http://{}/v1/", self.address)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests for answers so far, in the order in which they came.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.requests().clone()
    }

    /// The same, and forgets them: they would grow without end under a load.
    pub fn take_requests(&self) -> Vec<RecordedRequest> {
        std::mem::take(&mut *self.shared.requests())
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Lets go so many of the answers that wait for this, in the order in which they were asked for. What is asked for later
    /// counts too.
    pub fn release(&self, gate: &str, answers: usize) {
        self.shared.gate(gate).add_permits(answers);
    }

    /// Lets go every answer that waits for this, now and later.
    pub fn open(&self, gate: &str) {
        self.shared.gate(gate).close();
    }
}

impl Shared {
    fn requests(&self) -> std::sync::MutexGuard<'_, Vec<RecordedRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the answers wait for that name this.
    fn gate(&self, name: &str) -> Arc<Semaphore> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))).clone()
    }

    /// How many requests with these messages came before this one.
    fn count(&self, messages: &Value) -> usize {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seen.entry(messages.to_string()).or_default();
        *count += 1;
        *count - 1
    }
}

impl Drop for ModelApi {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
