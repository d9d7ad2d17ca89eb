//! PostgreSQL is killed under load, stays away for half a minute and comes back: what agents get meanwhile, and how soon
//! everything works again.
#![expect(clippy::unwrap_used, reason = "a benchmark that meets an error has no result")]

use std::{
    process::{ExitCode, Stdio},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use server::postgres::PrivatePostgres;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

#[expect(dead_code, reason = "each benchmark uses what it needs of it")]
mod support;

use support::{
    Connection, Goal,
    outage::{Gate, Load, Passage, WRITTEN},
    report,
};

const AWAY: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if runtime.block_on(measure()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure() -> bool {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let postgres = PrivatePostgres::start(&folder.path().join("data")).await.unwrap();
    let gate = Gate::before(&postgres.connect_options()).await;
    let mut server = Command::new(env!("CARGO_BIN_EXE_verbatim"))
        .args(["serve", "--addr", "127.0.0.1:0", "--database-url", &gate.url])
        .env("VERBATIM_LOG_FORMAT", "json")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    let address = loop {
        let line = log.next_line().await.unwrap().expect("it says where it serves");
        if let Some((_, rest)) = line.split_once("serving on http://") {
            break rest.split('"').next().unwrap().to_owned();
        }
    };
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });

    let load = Load::begin(&address).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    kill_process(Pid::from_raw(i32::try_from(postgres.pid()).unwrap()).unwrap(), Signal::KILL).unwrap();
    gate.set(Passage::Shut);
    tokio::time::sleep(AWAY).await;
    let stale: u64 = load.counts(|seen| &seen.stale).iter().sum();
    assert!(stale > 0, "nobody was told that the database is away");
    let (fresh, written) = (load.counts(|seen| &seen.fresh), load.written.load(Ordering::Relaxed));
    gate.set(Passage::Open);
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
    // Whatever was not answered, or was older than before, has ended the benchmark already.
    let acknowledged = load.end().await;
    let mut connection = Connection::open(&address).await;
    for version in &acknowledged {
        let answer = connection.get(&format!("/api/v1/prompts/{WRITTEN}/{version}")).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{version} was acknowledged and is lost");
    }
    assert!(server.try_wait().unwrap().is_none(), "the server ended");
    server.kill().await.unwrap();
    postgres.stop().await.unwrap();
    report(
        "PostgreSQL killed under load and away for 30 s: from its return to full service",
        &format!(
            "{:.2} s of {} s; every answer was given, {stale} of them stale; {} writes acknowledged, none lost",
            took.as_secs_f64(),
            LIMIT.as_secs(),
            acknowledged.len()
        ),
        took.as_secs_f64() / LIMIT.as_secs_f64(),
        Goal::AtMost(1.0),
    )
}
