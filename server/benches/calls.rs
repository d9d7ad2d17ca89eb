//! How many recorded calls a second are taken, and how long their figures take to read once there are millions.

use std::time::{Duration, Instant};

use leptos::config::LeptosOptions;
use server::state::AppState;
use sqlx::{PgPool, postgres::PgPoolOptions};
use versioning::{LoadingSettings, MIGRATOR, PromptStore, Services};

use crate::support::{Connection, Goal, body_of, median, report, serve};

/// Clients that send at once, batches of each, calls of each batch.
const CLIENTS: usize = 4;
const BATCHES: usize = 25;
const BATCH: usize = 2_000;
const MILLIONS: i64 = 5;
const READS: usize = 50;

pub async fn measure() -> bool {
    let (_folder, postgres) = crate::support::postgres().await;
    let pool = PgPoolOptions::new().max_connections(20).connect_with(postgres.connect_options()).await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    let services = Services::new(PromptStore::new(pool.clone()), LoadingSettings::default());
    let lab = crate::support::lab(&pool, &services);
    let options = LeptosOptions::builder().output_name("verbatim").build();
    let state = AppState::new(services, lab, pool.clone(), options, Duration::from_secs(30));
    let address = serve(server::router(state)).await;
    let mut writer = Connection::open(&address).await;
    for version in ["1.0.0", "1.1.0"] {
        let body = format!(r#"{{ "agent_type": "bench_calls", "version": "{version}", "prompt_text": "text" }}"#);
        writer.post("/api/v1/prompts/versions", &body).await;
    }
    let met = [ingest(&address).await, figures(&address, &pool).await];
    pool.close().await;
    postgres.stop().await.unwrap();
    met.into_iter().all(|met| met)
}

/// Batches over HTTP, until each is in the database.
async fn ingest(address: &str) -> bool {
    const GOAL: f64 = 20_000.0;
    let calls: Vec<_> = (0..BATCH)
        .map(|number| {
            let version = if number % 3 == 0 { "1.0.0" } else { "1.1.0" };
            serde_json::json!({ "agent_type": "bench_calls", "version": version, "model": "openai::gpt-4o-mini",
                "latency_ms": 200 + number, "first_token_ms": 90, "input_tokens": 600, "output_tokens": 120, "cost_usd": 0.0002 })
        })
        .collect();
    let body = serde_json::json!({ "calls": calls }).to_string();
    let send = async |batches: usize| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (address, body) = (address.to_owned(), body.clone());
                tokio::spawn(async move {
                    let mut connection = Connection::open(&address).await;
                    for _ in 0..batches {
                        let answer = connection.post("/api/v1/calls", &body).await;
                        let said = body_of(&answer);
                        let all = format!("\"recorded\":{BATCH},\"refused\":[]");
                        assert!(String::from_utf8_lossy(&said).contains(&all), "{}", String::from_utf8_lossy(&said));
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
    };
    send(2).await;
    let begin = Instant::now();
    send(BATCHES).await;
    #[expect(clippy::cast_precision_loss, reason = "thousands of calls")]
    let per_second = (CLIENTS * BATCHES * BATCH) as f64 / begin.elapsed().as_secs_f64();
    report(
        "POST calls, batches of 2,000 from 4 clients: recorded calls a second",
        &format!("{per_second:.0}/s of {GOAL:.0}/s"),
        per_second / GOAL,
        Goal::AtLeast(1.0),
    )
}

/// The figures of a version and the metrics of its agent, over five million calls of four weeks. The rows are laid down by the
/// database itself, together with what they add up to, because sending them would take minutes.
async fn figures(address: &str, pool: &PgPool) -> bool {
    const LIMIT: Duration = Duration::from_millis(50);
    lay_down(pool).await;
    let kept: i64 = sqlx::query_scalar("select count(*) from agent_calls").fetch_one(pool).await.unwrap();
    let mut connection = Connection::open(address).await;
    let mut met = true;
    for (what, path, proof) in [
        (
            "the metrics of an agent over 5,000,000 calls, 30 days: median",
            "/api/v1/metrics/prompts?agent_type=bench_calls&range=30d",
            "\"most_active_version\":\"1.1.0\"",
        ),
        (
            "the metrics of all agents over 5,000,000 calls, 7 days by the hour: median",
            "/api/v1/metrics/prompts",
            "\"most_active_version\":\"1.1.0\"",
        ),
        (
            "the comparison page with the figures of 5,000,000 calls: median",
            "/agents/bench_calls/compare?base=1.0.0&head=1.1.0",
            "Performance",
        ),
    ] {
        let mut times = Vec::with_capacity(READS);
        for _ in 0..READS {
            let sent = Instant::now();
            let answer = connection.get_and_close(path).await;
            times.push(sent.elapsed().as_secs_f64());
            assert!(String::from_utf8_lossy(&answer).contains(proof), "{path}: {}", String::from_utf8_lossy(&answer));
            connection = Connection::open(address).await;
        }
        let slowest = times.iter().copied().fold(0.0, f64::max);
        let middle = median(times);
        met &= report(
            what,
            &format!(
                "{:.1} ms of {} ms; slowest of {READS} {:.1} ms; {kept} calls",
                middle * 1e3,
                LIMIT.as_millis(),
                slowest * 1e3
            ),
            middle / LIMIT.as_secs_f64(),
            Goal::AtMost(1.0),
        );
    }
    met
}

async fn lay_down(pool: &PgPool) {
    sqlx::raw_sql("select agent_calls_month(now() - interval '27 days'), agent_calls_month(now())")
        .execute(pool)
        .await
        .unwrap();
    for _ in 0..MILLIONS {
        sqlx::query(
            "insert into agent_calls
                (at, agent_type, version, model, latency_ms, first_token_ms, input_tokens, output_tokens, cost_usd, error_kind)
                select now() - random() * interval '27 days', 'bench_calls', case when n % 3 = 0 then '1.0.0' else '1.1.0' end,
                    'openai::gpt-4o-mini', 100 + 900 * random(), 90, 600, 120, 0.0002, case when n % 50 = 0 then 'timeout' end
                from generate_series(1, 1000000) n",
        )
        .execute(pool)
        .await
        .unwrap();
    }
    // What they add up to, in the units of the plots; all of them in one class of latency, which costs as much to read as many.
    sqlx::query(
        "insert into agent_call_figures
            (agent_type, span, begins_at, version, calls, errors, latency_ms_sum, latency_buckets, output_tokens, cost_usd,
                counted_calls, priced_calls)
            select agent_type, span, date_trunc(span, at), version, count(*), count(error_kind), sum(latency_ms),
                array_fill(0::bigint, array[28]) || count(*) filter (where error_kind is null)
                    || array_fill(0::bigint, array[35]),
                sum(output_tokens), sum(cost_usd), count(*), count(*)
            from agent_calls cross join unnest(array['hour', 'day']) span
            where at < now() - interval '1 hour'
            group by 1, 2, 3, 4
            on conflict do nothing",
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "update version_performance set calls = calls + 2500000, latency_ms_sum = latency_ms_sum + 1.4e9,
            latency_buckets[29] = latency_buckets[29] + 2500000",
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::raw_sql("analyze").execute(pool).await.unwrap();
}
