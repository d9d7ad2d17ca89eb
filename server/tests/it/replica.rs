//! A server whose replica is a PostgreSQL of its own, which goes mute, refuses, and comes back. On real processes.
//!
//! The replica here copies nothing: it lags behind for ever, which shows who answered.

use serde_json::Value;

use crate::{
    outage::load::{
        self,
        gate::{Gate, Passage},
    },
    process::{Node, verbatim},
    support::eventually,
};

/// Versions of an agent, as its metrics count them: one on the replica, two in the database.
async fn counted(node: &Node) -> u64 {
    let (status, body) = node.curl(&[], "/api/v1/metrics/prompts?agent_type=workshopper").await.unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["prompt_length"]["versions"].as_u64().unwrap()
}

/// Whether the node is ready, and what it says of its replica.
async fn ready(node: &Node) -> (u16, Value) {
    let (status, body) = node.curl(&[], "/readyz").await.unwrap();
    (status, serde_json::from_str::<Value>(&body).unwrap()["replica"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_fails_is_told_of_and_nobody_misses_it() {
    let (_folder, database) = load::postgres().await;
    let (_other_folder, copy) = load::postgres().await;
    let mut gate = Gate::before(&copy.connect_options()).await;
    for command in ["migrate", "seed"] {
        let output = verbatim().args([command, "--database-url", &gate.url]).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let node = Node::start_with(&database.url(), &[("DATABASE_READ_URL", gate.url.as_str())]).await;
    assert_eq!(node.patch("workshopper", "Newer than on the replica.").await.unwrap().0, 201);
    eventually("the replica answers", async || counted(&node).await == 1).await;
    eventually("that is told", async || ready(&node).await == (200, "ok".into())).await;
    assert_eq!(node.active("workshopper").await, "1.0.1", "agents are not told what lags behind");

    for away in [Passage::Mute, Passage::Refused] {
        gate.set(away).await;
        // As many as the database answers at once; a crowd is tested where nobody is sent away while the machine is busy.
        let crowd: Vec<_> = (0..4).map(|_| counted(&node)).collect();
        for versions in futures_util::future::join_all(crowd).await {
            assert_eq!(versions, 2, "the database answers");
        }
        assert_eq!(ready(&node).await, (200, "unavailable".into()), "{away:?}: the node works without it");
        assert_eq!(node.patch("qa_engineer", &format!("{away:?}")).await.unwrap().0, 201);
        gate.set(Passage::Open).await;
        eventually("it is asked again", async || counted(&node).await == 1).await;
        eventually("that is told", async || ready(&node).await == (200, "ok".into())).await;
    }
    drop(node);
    copy.stop().await.unwrap();
    database.stop().await.unwrap();
}
