//! What the benchmarks share: a server on a port, a connection that costs little, and how a figure is told.

#[path = "../../../services/versioning/tests/it/gate.rs"]
pub mod gate;
pub mod node;
pub mod outage;

use std::time::{Duration, Instant};

use axum::Router;
use bytes::Bytes;
use server::postgres::PrivatePostgres;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a ratio has to be.
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// Prints a figure as a ratio, and whether it meets its goal.
pub fn report(what: &str, figures: &str, ratio: f64, goal: Goal) -> bool {
    let (is_met, goal) = match goal {
        Goal::AtLeast(limit) => (ratio >= limit, format!("at least {limit}")),
        Goal::AtMost(limit) => (ratio <= limit, format!("at most {limit}")),
    };
    let verdict = if is_met { "met" } else { "MISSED" };
    println!("{what}\n    ratio {ratio:.2}, goal {goal}: {verdict} ({figures})");
    is_met
}

/// A PostgreSQL in a folder of its own, which is to live as long.
pub async fn postgres() -> (tempfile::TempDir, PrivatePostgres) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let postgres = PrivatePostgres::start(&folder.path().join("data")).await.unwrap();
    (folder, postgres)
}

/// A lab over a database, with no model.
pub fn lab(pool: &sqlx::PgPool, services: &versioning::Services) -> lab::Lab {
    let models = std::sync::Arc::new(agents::Models::new(agents::ModelsSettings::default()));
    lab::Lab::new(pool.clone(), services.clone(), models, agents::Prices::built_in())
}

/// The value in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Serves a router on a port of this machine, as the server does; its address.
pub async fn serve(router: Router) -> String {
    use axum::serve::ListenerExt;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let listener = listener.tap_io(|connection| connection.set_nodelay(true).unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// An HTTP/1.1 connection that does as little as it can, so that the server is what is measured.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(1 << 16) }
    }

    pub async fn get(&mut self, path: &str) -> Vec<u8> {
        self.exchange(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await;
        self.buffer.clone()
    }

    /// For an answer whose length is not told in advance: it ends with the connection.
    pub async fn get_and_close(&mut self, path: &str) -> Vec<u8> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.buffer.clear();
        self.stream.read_to_end(&mut self.buffer).await.unwrap();
        self.buffer.clone()
    }

    pub async fn post(&mut self, path: &str, body: &str) -> Vec<u8> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.exchange(request.as_bytes()).await;
        self.buffer.clone()
    }

    pub async fn exchange(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        loop {
            assert_ne!(self.stream.read_buf(&mut self.buffer).await.unwrap(), 0, "the server hung up");
            let Some(head) = find(&self.buffer, b"\r\n\r\n") else { continue };
            let length = find(&self.buffer[..head], b"content-length: ").expect("answers have a length") + 16;
            let digits = self.buffer[length..head].iter().take_while(|byte| byte.is_ascii_digit());
            let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
            if self.buffer.len() >= head + 4 + length {
                return;
            }
        }
    }
}

pub fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

pub fn body_of(answer: &[u8]) -> Bytes {
    let head = find(answer, b"\r\n\r\n").unwrap();
    Bytes::copy_from_slice(&answer[head + 4..])
}

/// Connections that make a load.
const CONNECTIONS: usize = 32;

/// Requests a path over and over on 32 connections: requests a second, and the 99th percentile of a request's seconds.
pub async fn load(address: &str, path: &str, duration: Duration) -> (f64, f64) {
    let begin = Instant::now();
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (address, path) = (address.to_owned(), path.to_owned());
            tokio::spawn(async move {
                let mut connection = Connection::open(&address).await;
                let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
                let mut times = Vec::with_capacity(1 << 16);
                // The first one waits for the connection to be accepted.
                connection.exchange(request.as_bytes()).await;
                while begin.elapsed() < duration {
                    let sent = Instant::now();
                    connection.exchange(request.as_bytes()).await;
                    times.push(sent.elapsed().as_secs_f64());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    let elapsed = begin.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 requests")]
    let per_second = times.len() as f64 / elapsed;
    (per_second, times[times.len() * 99 / 100])
}
