//! PostgreSQL is killed under a server that is at work, stays away, hangs, and comes back. On real processes.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{process::Node, support::eventually};

#[expect(dead_code, reason = "what the benchmarks use of it")]
#[path = "../../benches/support/mod.rs"]
pub mod load;

use load::{
    Connection, body_of,
    gate::{Gate, Passage},
    outage::{Load, WRITTEN},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgresql_agents_are_answered_and_no_acknowledged_write_is_lost() {
    let (_folder, postgres) = load::postgres().await;
    let mut gate = Gate::before(&postgres.connect_options()).await;
    let node = Node::start(&gate.url).await;
    let address = node.url.strip_prefix("http://").unwrap().to_owned();
    let load = Load::begin(&address).await;
    let writes = async |more: u64| {
        let before = load.written.load(std::sync::atomic::Ordering::Relaxed);
        eventually("writes are acknowledged", async || {
            load.written.load(std::sync::atomic::Ordering::Relaxed) >= before + more
        })
        .await;
    };
    writes(20).await;

    // Killed and away, with something at its port that closes every connection; there, but mute; killed, with nobody at its port.
    for away in [Passage::Shut, Passage::Mute, Passage::Refused] {
        let pid = Pid::from_raw(i32::try_from(postgres.pid()).unwrap()).unwrap();
        if away != Passage::Mute {
            kill_process(pid, Signal::KILL).unwrap();
        }
        gate.set(away).await;
        let stale = load.counts(|seen| &seen.stale);
        let answers = load.answers();
        let refused = load.refused.load(std::sync::atomic::Ordering::Relaxed);
        if away != Passage::Mute {
            eventually("every agent is answered with what is known, and told so", async || {
                load.counts(|seen| &seen.stale).iter().zip(&stale).all(|(now, before)| now - before > 100)
            })
            .await;
            assert_eq!(node.curl(&[], "/readyz").await.unwrap().0, 503);
            eventually("a write is refused", async || {
                load.refused.load(std::sync::atomic::Ordering::Relaxed) > refused
            })
            .await;
        } else {
            // Whether anybody can tell yet that the database is mute is open: a node that does not hear of promotions again asks
            // for what is cached each second. What is cached is answered all the same.
            eventually("every agent is answered", async || {
                load.answers().iter().zip(&answers).all(|(now, before)| now - before > 100)
            })
            .await;
            assert_eq!(node.curl(&[], "/readyz").await.unwrap().0, 503);
            assert_eq!(node.curl(&[], "/healthz").await.unwrap().0, 200);
        }
        gate.set(Passage::Open).await;
        writes(5).await;
        let fresh = load.counts(|seen| &seen.fresh);
        eventually("every answer is fresh again", async || {
            load.counts(|seen| &seen.fresh).iter().zip(&fresh).all(|(now, before)| now - before > 10)
        })
        .await;
        eventually("the node is ready again", async || node.curl(&[], "/readyz").await.unwrap().0 == 200).await;
    }

    // That every answer came, and none was older than the one before, was checked on the way; how long the slowest took is
    // what `benches/outage.rs` prints, and that nobody waits is tested where it can be seen without a clock.
    let acknowledged = load.end().await;
    assert!(acknowledged.len() >= 30 && acknowledged.is_sorted(), "{acknowledged:?}");
    let mut connection = Connection::open(&address).await;
    for version in acknowledged {
        let answer = connection.get(&format!("/api/v1/prompts/{WRITTEN}/{version}")).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{version}: {}", String::from_utf8_lossy(&body_of(&answer)));
    }
    drop(node);
    tokio::time::timeout(Duration::from_secs(60), postgres.stop()).await.unwrap().unwrap();
}
