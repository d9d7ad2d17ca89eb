//! The stream of what is live, on real processes.

use std::process::Stdio;

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
};
use versioning::MIGRATOR;

use crate::{
    process::{Node, database},
    support::Client,
};

struct Stream {
    lines: tokio::io::Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Stream {
    fn open(node: &Node, query: &str) -> Self {
        let url = format!("{}/api/v1/prompts/events{query}", node.url);
        let mut child = Command::new("curl")
            .args(["-sN", "--max-time", "60", &url])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { lines: BufReader::new(child.stdout.take().unwrap()).lines(), child }
    }

    /// The next event as its kind, agent and version; none when the stream ends.
    async fn next(&mut self) -> Option<String> {
        let mut kind = String::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if let Some(name) = line.strip_prefix("event:") {
                name.trim().clone_into(&mut kind);
            } else if let Some(data) = line.strip_prefix("data:") {
                let said: Value = serde_json::from_str(data).unwrap();
                let version = said["version"].as_str().unwrap_or("none");
                return Some(format!("{kind} {} {version}", said["agent_type"].as_str().unwrap()));
            }
        }
        None
    }
}

#[sqlx::test(migrations = false)]
async fn a_stream_says_how_things_stand_and_then_what_changes(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let one = Node::start(&url).await;
    let other = Node::start(&url).await;
    let mut all = Stream::open(&one, "");
    let mut seen = Vec::new();
    while seen.len() < 10 {
        seen.push(all.next().await.unwrap());
    }
    assert!(seen.contains(&"active backend_dev 1.1.0".to_owned()), "{seen:?}");
    let mut few = Stream::open(&one, "?agent_type=workshopper,backend_dev&agent_type=workshopper");
    assert_eq!(few.next().await.unwrap(), "active workshopper 1.0.0");
    assert_eq!(few.next().await.unwrap(), "active backend_dev 1.1.0");
    // What others do is not for this one; what the other node does is.
    other.patch("qa_engineer", "Test it.").await.unwrap();
    other.patch("workshopper", "Be kind.").await.unwrap();
    assert_eq!(few.next().await.unwrap(), "active workshopper 1.0.1");
    assert_eq!(all.next().await.unwrap(), "active qa_engineer 1.0.2");
    assert_eq!(other.curl(&["-X", "DELETE"], "/api/v1/prompts/cache/backend_dev").await.unwrap().0, 200);
    assert_eq!(few.next().await.unwrap(), "cleared backend_dev none");
    // A server that stops waits for nobody who follows.
    kill_process(one.pid(), Signal::TERM).unwrap();
    assert_eq!(few.next().await, None);
    assert!(few.child.wait().await.unwrap().success(), "the stream ended as it should");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn nobody_follows_who_does_not_exist(pool: PgPool) {
    let client = Client::new(&pool);
    client.create("writer", "1.0.0").await;
    let get = async |query: &str| client.get(&format!("/api/v1/prompts/events?{query}")).await;
    get("agent_type=nobody").await.problem(404, "unknown_agent");
    get("agent_type=writer,Bad%20Name").await.problem(400, "invalid_agent_type");
    let many: Vec<String> = (0..101).map(|number| format!("agent_{number}")).collect();
    get(&format!("agent_type={}", many.join(","))).await.problem(400, "too_many_agents");
}
