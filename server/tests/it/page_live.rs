//! What open pages hear, and who is not answered at all: on real processes.

use std::process::Stdio;

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
};

use crate::{
    process::{Node, database},
    support::eventually,
};

/// A page's open stream.
struct Stream {
    lines: tokio::io::Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Stream {
    fn open(node: &Node, after: i64) -> Self {
        let url = format!("{}/api/pages/events?after={after}", node.url);
        let mut child = Command::new("curl")
            .args(["-sN", "--max-time", "60", &url])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { lines: BufReader::new(child.stdout.take().unwrap()).lines(), child }
    }

    /// The next event: its kind, and its agent and version; none when the stream ends.
    async fn next(&mut self) -> Option<(String, String)> {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if let Some(data) = line.strip_prefix("data:") {
                let event: Value = serde_json::from_str(data).unwrap();
                let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
                return Some((text("kind"), format!("{} {}", text("agent_type"), text("version"))));
            }
        }
        None
    }
}

#[sqlx::test(migrations = false)]
async fn an_open_page_hears_of_every_node_and_of_what_it_missed(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let one = Node::start(&url).await;
    let other = Node::start(&url).await;
    let mut stream = Stream::open(&one, 0);
    // What the seeds did comes first, in order.
    let mut seen = Vec::new();
    while seen.len() < 20 {
        seen.push(stream.next().await.unwrap());
    }
    assert!(seen.iter().any(|(kind, _)| kind == "created") && seen.iter().any(|(kind, _)| kind == "promoted"));
    other.patch("workshopper", "heard of").await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let event = stream.next().await.unwrap();
        if event.1 == "workshopper 1.0.1" {
            heard.push(event.0);
        }
    }
    assert_eq!(heard, ["created", "promoted"]);
    // A server that stops does not wait for its pages.
    kill_process(one.pid(), Signal::TERM).unwrap();
    assert_eq!(stream.next().await, None);
    assert!(stream.child.wait().await.unwrap().success(), "the stream ended as it should");
}

#[sqlx::test(migrations = false)]
async fn a_server_that_stops_ends_streams_that_are_never_silent(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let one = Node::start_with(&url, &[("VERBATIM_DRAIN_TIMEOUT", "60")]).await;
    let other = Node::start(&url).await;
    let mut stream = Stream::open(&one, 0);
    let writing = async { while other.patch("workshopper", "again").await.is_some() {} };
    let reading = async {
        stream.next().await.unwrap();
        kill_process(one.pid(), Signal::TERM).unwrap();
        while stream.next().await.is_some() {}
    };
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
    assert!(stream.child.wait().await.unwrap().success(), "the stream was cut off");
}

#[sqlx::test(migrations = false)]
async fn other_sites_are_not_answered(_: PgPoolOptions, options: PgConnectOptions) {
    let node = Node::start_with(&database(&options).await, &[("VERBATIM_HOSTS", "prompts.example")]).await;
    let path = "/api/v1/prompts/workshopper/active";
    let ask = async |header: &str| node.curl(&["-H", header], path).await.unwrap().0;
    assert_eq!(ask("host: prompts.example").await, 200);
    assert_eq!(ask("host: localhost:3000").await, 200);
    assert_eq!(ask("host: evil.example").await, 421);
    let (_, said) = node.curl(&["-H", "host: evil.example", "-H", "x-request-id: the-one"], path).await.unwrap();
    let problem: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&problem["code"], &problem["request_id"]), (&"unknown_host".into(), &"the-one".into()));
    let patch = async |header: &str| {
        let body = "{\"agent_type\":\"workshopper\",\"prompt_text\":\"x\"}";
        let arguments = ["-H", "content-type: application/json", "-H", header, "-d", body];
        node.curl(&arguments, "/api/v1/prompts/patch").await.unwrap().0
    };
    assert_eq!(patch("sec-fetch-site: cross-site").await, 403);
    assert_eq!(patch("sec-fetch-site: same-site").await, 403);
    assert_eq!(patch("origin: http://evil.example").await, 403);
    assert_eq!(node.active("workshopper").await, "1.0.0");
    assert_eq!(patch("sec-fetch-site: same-origin").await, 201);
    assert_eq!(node.active("workshopper").await, "1.0.1");
}

#[sqlx::test(migrations = false)]
async fn a_client_that_never_says_what_it_wants_is_let_go(_: PgPoolOptions, options: PgConnectOptions) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let node = Node::start_with(&database(&options).await, &[("VERBATIM_HEAD_TIMEOUT", "0.3")]).await;
    let address = node.url.strip_prefix("http://").unwrap();
    let mut slow = tokio::net::TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: loc").await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(std::time::Duration::from_secs(60), slow.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
    // Whoever says it in time is answered. On a busy machine not everybody does.
    eventually("others are answered", async || {
        let answer = node.curl(&[], "/api/v1/prompts/workshopper/active").await;
        answer.is_some_and(|(status, body)| status == 200 && body.contains("\"1.0.0\""))
    })
    .await;
}
