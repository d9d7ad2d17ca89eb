//! How soon an agent outside of the server has what was promoted, and what its open stream costs everybody else.
#![expect(clippy::unwrap_used, reason = "a benchmark that meets an error has no result")]

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use client::{ClientSettings, PromptClient};
use leptos::config::LeptosOptions;
use server::{postgres::PrivatePostgres, state::AppState};
use sqlx::postgres::PgPoolOptions;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use versioning::{LoadingSettings, MIGRATOR, PromptLoader, PromptStore, Services, listen};

#[expect(dead_code, reason = "each benchmark uses what it needs of it")]
mod support;

use support::{Connection, Goal, load, median, report, serve};

const ROUNDS: usize = 5;
const STREAMS: usize = 1_000;
const PROMOTIONS: u32 = 500;
const PATH: &str = "/api/v1/prompts/bench_shared/active";

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_env_filter("info").with_writer(std::io::sink).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if runtime.block_on(measure()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure() -> bool {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let postgres = PrivatePostgres::start(&folder.path().join("data")).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(20).connect_with(postgres.connect_options()).await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    let mut nodes = Vec::new();
    let mut listeners = Vec::new();
    for _ in 0..2 {
        let services = Services::new(PromptStore::new(pool.clone()), LoadingSettings::default());
        listeners.push(listen(&services).await);
        let lab = support::lab(&pool, &services);
        let options = LeptosOptions::builder().output_name("verbatim").build();
        let state = AppState::new(services, lab, pool.clone(), options, Duration::from_secs(30));
        nodes.push(serve(server::router(state)).await);
    }
    let mut writer = Connection::open(&nodes[0]).await;
    let body = r#"{ "agent_type": "bench_shared", "version": "1.0.0", "prompt_text": "first" }"#;
    writer.post("/api/v1/prompts/versions", body).await;
    writer.post("/api/v1/prompts/promote", r#"{ "agent_type": "bench_shared", "version": "1.0.0" }"#).await;
    let met = [promotions(&mut writer, &nodes[1]).await, streams(&nodes[1]).await];
    pool.close().await;
    postgres.stop().await.unwrap();
    met.into_iter().all(|met| met)
}

/// From the answer to a promotion on one node to the text in the memory of a client of the other, which somebody else reads
/// from meanwhile.
async fn promotions(writer: &mut Connection, other: &str) -> bool {
    const LIMIT: Duration = Duration::from_millis(50);
    let prompts = PromptClient::new(ClientSettings::new(format!("http://{other}"))).unwrap();
    let agent = "bench_shared".parse().unwrap();
    prompts.load(&agent).await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = {
        let (other, is_over) = (other.to_owned(), is_over.clone());
        tokio::spawn(async move {
            let mut connection = Connection::open(&other).await;
            while !is_over.load(Ordering::Relaxed) {
                connection.get(PATH).await;
            }
        })
    };
    let mut waits = Vec::new();
    let mut last = None;
    for round in 1..=PROMOTIONS {
        let text = format!("round {round}");
        let body = serde_json::json!({ "agent_type": "bench_shared", "prompt_text": text });
        let answer = writer.post("/api/v1/prompts/patch", &body.to_string()).await;
        assert!(answer.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&answer));
        let promoted = Instant::now();
        loop {
            let prompt = prompts.load(&agent).await.unwrap();
            assert!(last <= Some(prompt.version), "an older version after a newer one");
            last = Some(prompt.version);
            if *prompt.text == *text {
                break;
            }
            assert!(promoted.elapsed() < Duration::from_secs(5), "round {round} never arrived");
            tokio::task::yield_now().await;
        }
        waits.push(promoted.elapsed().as_secs_f64());
    }
    is_over.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    waits.sort_by(f64::total_cmp);
    let p99 = waits[waits.len() * 99 / 100];
    report(
        "promotion on one node to the memory of a client of the other, 500 promotions: p99",
        &format!("{:.2} ms of {} ms; median {:.2} ms", p99 * 1e3, LIMIT.as_millis(), waits[waits.len() / 2] * 1e3),
        p99 / LIMIT.as_secs_f64(),
        Goal::AtMost(1.0),
    )
}

/// `GET …/active` with 1,000 open streams against without, in turn.
async fn streams(address: &str) -> bool {
    let mut rates = [Vec::new(), Vec::new()];
    load(address, PATH, Duration::from_millis(500)).await;
    for _ in 0..ROUNDS {
        rates[0].push(load(address, PATH, Duration::from_secs(2)).await.0);
        let mut open = Vec::with_capacity(STREAMS);
        for _ in 0..STREAMS {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /api/v1/prompts/events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
            // Its beginning is there: it follows.
            assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            open.push(stream);
        }
        rates[1].push(load(address, PATH, Duration::from_secs(2)).await.0);
    }
    let [without, with] = rates.map(median);
    report(
        "GET active with 1,000 open streams of events: throughput",
        &format!("{with:.0}/s against {without:.0}/s without them"),
        with / without,
        Goal::AtLeast(0.8),
    )
}
