//! How fast the registry is, each figure against a limit that is measured in the same run: a bare handler, a bare cache
//! get, a bare insert, a short history. What is printed is a ratio, so that it means the same on every machine.
//!
//! Two things that are compared run in turn, in several rounds. Where the machine changes its speed faster than rounds do,
//! as a shared one does, each round is compared with the one beside it, and the median of that is told.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use leptos::config::LeptosOptions;
use server::{postgres::PrivatePostgres, state::AppState};
use sqlx::{PgPool, postgres::PgPoolOptions};
use versioning::{
    AgentType, LoadingSettings, MIGRATOR, NewVersion, Promotion, PromptLoader, PromptStore, PromptText, Services,
    Version, listen,
};

use crate::support::{Connection, Goal, body_of, find, load, median, report, serve};

const ROUNDS: usize = 7;
/// Rounds over HTTP, which are short, so that what is compared has the same machine.
const SLICES: usize = 57;
const SLICE: Duration = Duration::from_millis(250);
const ACTIVE: &str = "/api/v1/prompts/bench_reader/active";

pub async fn measure() -> bool {
    let (_folder, postgres) = crate::support::postgres().await;
    let pool = PgPoolOptions::new().max_connections(20).connect_with(postgres.connect_options()).await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    let store = PromptStore::new(pool.clone());
    let services = Services::new(store.clone(), LoadingSettings::default());
    let _listener = listen(&services).await;
    live(&services, "bench_reader", &"You answer in plain words. ".repeat(152)[..4096]).await;
    let ours = serve(server::router(AppState::new(
        services.clone(),
        crate::support::lab(&pool, &services),
        pool.clone(),
        LeptosOptions::builder().output_name("verbatim").build(),
        Duration::from_secs(30),
    )))
    .await;

    let met = [
        active_over_http(&ours).await,
        active_in_process(&services).await,
        create(&ours, &pool).await,
        history(&ours, &pool).await,
        two_nodes(&ours, &postgres).await,
    ];
    pool.close().await;
    postgres.stop().await.unwrap();
    met.into_iter().all(|met| met)
}

/// `GET …/active` against a bare axum handler that returns the same bytes: the same head and the same body. And, for
/// information, against one that returns the body with nothing but its type.
async fn active_over_http(ours: &str) -> bool {
    let answer = Connection::open(ours).await.get(ACTIVE).await;
    let body = body_of(&answer);
    let same: [_; 4] = headers_of(&answer).try_into().unwrap();
    let same = bare(same, body.clone()).await;
    let short = bare([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).await;
    let sides = [ours, &same, &short];
    let mut rates = sides.map(|_| Vec::new());
    let mut waits = sides.map(|_| Vec::new());
    for side in sides {
        load(side, ACTIVE, Duration::from_millis(500)).await;
    }
    for _ in 0..SLICES {
        for (side, address) in sides.into_iter().enumerate() {
            let (per_second, slow) = load(address, ACTIVE, SLICE).await;
            rates[side].push(per_second);
            waits[side].push(slow);
        }
    }
    let ratio =
        |of: &[Vec<f64>; 3], side: usize| median(of[0].iter().zip(&of[side]).map(|(our, bare)| our / bare).collect());
    let (faster, slower, to_short) = (ratio(&rates, 1), ratio(&waits, 1), ratio(&rates, 2));
    let ([our_rate, same_rate, short_rate], [our_p99, same_p99, _]) = (rates.map(median), waits.map(median));
    let is_fast = report(
        "GET active, 4 KB, 32 connections: throughput",
        &format!("{our_rate:.0}/s against {same_rate:.0}/s of a bare handler"),
        faster,
        Goal::AtLeast(0.85),
    );
    println!("    for information: {to_short:.2} of one without the other headers ({short_rate:.0}/s)");
    let is_steady = report(
        "GET active, 4 KB, 32 connections: p99",
        &format!("{:.2} ms against {:.2} ms", our_p99 * 1e3, same_p99 * 1e3),
        slower,
        Goal::AtMost(1.5),
    );
    is_fast && is_steady
}

/// A handler that does nothing but answer.
async fn bare<const N: usize>(headers: [(HeaderName, HeaderValue); N], body: Bytes) -> String {
    let answer = move || {
        let (headers, body) = (headers.clone(), body.clone());
        async move { (headers, body) }
    };
    serve(Router::new().route(ACTIVE, get(answer))).await
}

/// The headers of an answer, but for those that the server writes by itself.
fn headers_of(answer: &[u8]) -> Vec<(HeaderName, HeaderValue)> {
    let head = std::str::from_utf8(&answer[..find(answer, b"\r\n\r\n").unwrap()]).unwrap();
    let lines = head.lines().skip(1).map(|line| line.split_once(": ").unwrap());
    lines
        .filter(|(name, _)| !["content-length", "date"].contains(name))
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

/// `get_active_prompt`, and the same as an agent sees it, through the trait, against a bare get of the cache library.
async fn active_in_process(services: &Services) -> bool {
    const CALLS: u32 = 1_000_000;
    let agent_type = agent("bench_reader");
    let bare: moka::future::Cache<AgentType, Arc<String>> =
        moka::future::Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(300)).build();
    bare.insert(agent_type.clone(), Arc::new("x".repeat(4096))).await;
    let loader: &dyn PromptLoader = &*services.loading;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for _ in 0..CALLS {
            black_box(bare.get(black_box(&agent_type)).await);
        }
        times[0].push(begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        for _ in 0..CALLS {
            black_box(services.loading.get_active_prompt(black_box(&agent_type)).await.unwrap());
        }
        times[1].push(begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        for _ in 0..CALLS {
            black_box(loader.load(black_box(&agent_type)).await.unwrap());
        }
        times[2].push(begin.elapsed().as_secs_f64());
    }
    let [bare, service, agents] = times.map(|times| median(times) / f64::from(CALLS) * 1e9);
    let told = |what: &str, ours: f64| {
        report(
            &format!("cached {what}, in process"),
            &format!("{ours:.0} ns against {bare:.0} ns of a bare cache get"),
            ours / bare,
            Goal::AtMost(1.5),
        )
    };
    told("get_active_prompt", service) & told("load through the trait PromptLoader", agents)
}

/// `POST …/versions` against a bare insert of the same row, with the same driver and pool: into our own table, whose rules hold for
/// every statement; and, for information, into the table as the requirement has it, without any of them.
async fn create(ours: &str, pool: &PgPool) -> bool {
    const WRITERS: usize = 8;
    const DURATION: Duration = Duration::from_secs(2);
    for statement in [
        "create table bench_prompts (
            id uuid primary key default gen_random_uuid(), agent_type varchar(50) not null, version varchar(20) not null,
            prompt_text text not null, is_active boolean default false, created_at timestamptz default now(),
            created_by varchar(100), notes text, unique (agent_type, version))",
        "create index on bench_prompts (agent_type)",
        "create index on bench_prompts (agent_type, is_active)",
        "create index on bench_prompts (created_at)",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    let text = "Write plainly. ".repeat(68);
    let count = AtomicU64::new(0);
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (side, table) in [(0, "prompts"), (2, "bench_prompts")] {
            for writer in 0..WRITERS {
                sqlx::query("insert into agents (agent_type) values ($1) on conflict do nothing")
                    .bind(format!("bench_bare_{round}_{writer}"))
                    .execute(pool)
                    .await
                    .unwrap();
            }
            let statement = format!("insert into {table} (agent_type, version, prompt_text) values ($1, $2, $3)");
            let begin = Instant::now();
            let made = crowd(WRITERS, async |writer| {
                let mut made = 0;
                while begin.elapsed() < DURATION {
                    sqlx::query(sqlx::AssertSqlSafe(statement.clone()))
                        .bind(format!("bench_bare_{round}_{writer}"))
                        .bind(format!("1.0.{}", count.fetch_add(1, Ordering::Relaxed)))
                        .bind(&text)
                        .execute(pool)
                        .await
                        .unwrap();
                    made += 1;
                }
                made
            })
            .await;
            rates[side].push(f64::from(made) / begin.elapsed().as_secs_f64());
        }
        let begin = Instant::now();
        let made = crowd(WRITERS, async |writer| {
            let mut connection = Connection::open(ours).await;
            let mut made = 0;
            while begin.elapsed() < DURATION {
                let body = serde_json::json!({
                    "agent_type": format!("bench_writer_{round}_{writer}"), "version": format!("1.0.{made}"),
                    "prompt_text": text,
                });
                let answer = connection.post("/api/v1/prompts/versions", &body.to_string()).await;
                assert!(answer.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&answer));
                made += 1;
            }
            made
        })
        .await;
        rates[1].push(f64::from(made) / begin.elapsed().as_secs_f64());
    }
    let [bare, ours, without_rules] = rates.map(median);
    let is_met = report(
        "POST versions, 8 writers",
        &format!("{ours:.0}/s against {bare:.0}/s of a bare insert"),
        ours / bare,
        Goal::AtLeast(0.5),
    );
    println!("    for information: {:.2} of the {without_rules:.0}/s of a table without rules", ours / without_rules);
    is_met
}

/// The first page of the history with 100 and with 100,000 versions.
async fn history(ours: &str, pool: &PgPool) -> bool {
    for (name, versions) in [("bench_short", 100), ("bench_long", 100_000)] {
        sqlx::query("insert into agents (agent_type) values ($1)").bind(name).execute(pool).await.unwrap();
        sqlx::query(
            "insert into prompts (agent_type, version, prompt_text, created_at)
                select $1, '1.' || n / 1000 || '.' || n % 1000, 'Write plainly, as number ' || n || ' says.',
                    now() + n * interval '1 millisecond'
                from generate_series(0, $2 - 1) n",
        )
        .bind(name)
        .bind(versions)
        .execute(pool)
        .await
        .unwrap();
    }
    sqlx::query("analyze").execute(pool).await.unwrap();
    let mut connection = Connection::open(ours).await;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..300 {
        for (side, name) in ["bench_short", "bench_long"].into_iter().enumerate() {
            let begin = Instant::now();
            let answer = connection.get(&format!("/api/v1/prompts/{name}/versions")).await;
            times[side].push(begin.elapsed().as_secs_f64());
            assert!(answer.starts_with(b"HTTP/1.1 200"));
        }
    }
    let [short, long] = times.map(median);
    report(
        "first page of the history: 100,000 versions against 100",
        &format!("{:.2} ms against {:.2} ms", long * 1e3, short * 1e3),
        long / short,
        Goal::AtMost(1.5),
    )
}

/// How long after a promotion on one node another one, with a pool, a cache and a listener of its own, serves it.
async fn two_nodes(ours: &str, postgres: &PrivatePostgres) -> bool {
    const LIMIT: Duration = Duration::from_millis(50);
    const PATH: &str = "/api/v1/prompts/bench_shared/active";
    let pool = PgPoolOptions::new().max_connections(20).connect_with(postgres.connect_options()).await.unwrap();
    let store = PromptStore::new(pool.clone());
    let services = Services::new(store.clone(), LoadingSettings::default());
    let _listener = listen(&services).await;
    live(&services, "bench_shared", "first").await;
    let options = LeptosOptions::builder().output_name("verbatim").build();
    let lab = crate::support::lab(&pool, &services);
    let other =
        serve(server::router(AppState::new(services, lab, pool.clone(), options, Duration::from_secs(30)))).await;
    let (mut writer, mut reader) = (Connection::open(ours).await, Connection::open(&other).await);
    let mut waits = Vec::new();
    for round in 1..=500 {
        reader.get(PATH).await;
        let body = serde_json::json!({ "agent_type": "bench_shared", "prompt_text": format!("round {round}") });
        let answer = writer.post("/api/v1/prompts/patch", &body.to_string()).await;
        assert!(answer.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&answer));
        let promoted = Instant::now();
        let expected = format!("\"version\":\"1.0.{round}\"");
        while find(&reader.get(PATH).await, expected.as_bytes()).is_none() {
            assert!(promoted.elapsed() < Duration::from_secs(5), "round {round} was never served");
        }
        waits.push(promoted.elapsed().as_secs_f64());
    }
    pool.close().await;
    waits.sort_by(f64::total_cmp);
    let p99 = waits[waits.len() * 99 / 100];
    report(
        "promotion on one node to its answer by another, 500 promotions: p99",
        &format!("{:.2} ms of {} ms; median {:.2} ms", p99 * 1e3, LIMIT.as_millis(), waits[waits.len() / 2] * 1e3),
        p99 / LIMIT.as_secs_f64(),
        Goal::AtMost(1.0),
    )
}

fn agent(name: &str) -> AgentType {
    name.parse().unwrap()
}

async fn live(services: &Services, name: &str, text: &str) {
    let new = NewVersion {
        agent_type: agent(name),
        version: Version::FIRST,
        prompt_text: PromptText::parse(text.into()).unwrap(),
        created_by: None,
        notes: None,
        base_version: None,
    };
    services.management.create_version(new).await.unwrap();
    let promotion =
        Promotion { agent_type: agent(name), version: Version::FIRST, expected_active: None, promoted_by: None };
    services.management.promote_to_active(promotion).await.unwrap();
}

/// Runs as many of the same work at once, and adds up what they did.
async fn crowd(size: usize, work: impl AsyncFn(usize) -> u32) -> u32 {
    let all = (0..size).map(|number| work(number));
    futures_util::future::join_all(all).await.into_iter().sum()
}
