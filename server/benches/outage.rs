//! PostgreSQL is killed under load, stays away for half a minute and comes back: what agents get meanwhile, and how soon
//! everything works again.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Connection, Goal,
    gate::{Gate, Passage},
    node::Node,
    outage::{Load, WRITTEN},
    report,
};

const AWAY: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(2);

pub async fn measure() -> bool {
    let (_folder, postgres) = crate::support::postgres().await;
    let mut gate = Gate::before(&postgres.connect_options()).await;
    let mut node = Node::start(&gate.url).await;
    let address = node.address.clone();

    let load = Load::begin(&address).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    kill_process(Pid::from_raw(i32::try_from(postgres.pid()).unwrap()).unwrap(), Signal::KILL).unwrap();
    // Nobody is at the port of a PostgreSQL that was killed.
    gate.set(Passage::Refused).await;
    tokio::time::sleep(AWAY).await;
    let stale: u64 = load.counts(|seen| &seen.stale).iter().sum();
    assert!(stale > 0, "nobody was told that the database is away");
    let (fresh, written) = (load.counts(|seen| &seen.fresh), load.written.load(Ordering::Relaxed));
    gate.set(Passage::Open).await;
    let back = Instant::now();
    // Full service: a write is acknowledged, and every agent is answered from what the database says.
    let is_whole = || {
        load.written.load(Ordering::Relaxed) > written
            && load.counts(|seen| &seen.fresh).iter().zip(&fresh).all(|(now, before)| now > before)
    };
    while !is_whole() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let took = back.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let slowest = load.slowest();
    // Whatever was not answered, or was older than before, has ended the benchmark already.
    let acknowledged = load.end().await;
    let mut connection = Connection::open(&address).await;
    for version in &acknowledged {
        let answer = connection.get(&format!("/api/v1/prompts/{WRITTEN}/{version}")).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{version} was acknowledged and is lost");
    }
    assert!(node.child.try_wait().unwrap().is_none(), "the server ended");
    node.child.kill().await.unwrap();
    postgres.stop().await.unwrap();
    report(
        "PostgreSQL killed under load and away for 30 s: from its return to full service",
        &format!(
            "{:.2} s of {} s; every answer was given, {stale} of them stale, the slowest after {:.0} ms; {} writes acknowledged, \
             none lost",
            took.as_secs_f64(),
            LIMIT.as_secs(),
            slowest.as_secs_f64() * 1e3,
            acknowledged.len()
        ),
        took.as_secs_f64() / LIMIT.as_secs_f64(),
        Goal::AtMost(1.0),
    )
}
