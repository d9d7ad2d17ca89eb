//! What recorded calls add up to.

use chrono::{DateTime, Utc};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{CallSource, MIGRATOR, RecordedCall};

use crate::support::{agent, draft, services, version, wide_pool};

fn call(number: &str, latency_ms: Option<f64>) -> RecordedCall {
    RecordedCall {
        agent_type: agent("writer"),
        version: version(number),
        source: CallSource::AgentCall,
        model: "a-model".into(),
        at: DateTime::<Utc>::from_timestamp(1_790_000_000, 0).unwrap(),
        latency_ms,
        first_token_ms: None,
        error_kind: latency_ms.is_none().then(|| "overloaded".into()),
        input_tokens: 100,
        output_tokens: 20,
        cost_usd: 0.002,
        score: None,
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn calls_add_up_per_version_source_and_model(pool: PgPool) {
    let services = services(&pool);
    draft(&services.management, "writer", "1.0.0").await;
    draft(&services.management, "writer", "1.1.0").await;
    let performance = &services.performance;
    let of = async |number: &str| performance.of_version(&agent("writer"), version(number)).await.unwrap();
    assert_eq!(of("1.0.0").await, []);
    let mut calls: Vec<_> = (1..=100).map(|n| call("1.0.0", Some(f64::from(n) * 10.0))).collect();
    calls.extend((0..25).map(|_| call("1.0.0", None)));
    calls.push(RecordedCall { score: Some(0.5), ..call("1.1.0", Some(5.0)) });
    calls.push(RecordedCall { source: CallSource::LabRun, ..call("1.1.0", Some(5.0)) });
    calls.push(call("9.9.9", Some(5.0)));
    // In two batches: the second adds to the first.
    assert_eq!(performance.record(&calls[..50]).await.unwrap(), 50);
    assert_eq!(
        performance.record(&calls[50..]).await.unwrap(),
        77,
        "the call of a version that does not exist is left out"
    );
    let first = &of("1.0.0").await[0];
    assert_eq!((first.calls, first.source, first.score), (125, CallSource::AgentCall, None));
    assert!((first.error_rate - 0.2).abs() < 1e-9);
    assert!((first.cost_usd - 0.002).abs() < 1e-9 && (first.output_tokens - 20.0).abs() < 1e-9);
    let latency = first.latency.unwrap();
    assert!((latency.mean_ms - 505.0).abs() < 1e-6);
    assert!((500.0..=500.0 * 1.26).contains(&latency.p50_ms), "{}", latency.p50_ms);
    assert!((950.0..=950.0 * 1.26).contains(&latency.p95_ms), "{}", latency.p95_ms);
    let second = of("1.1.0").await;
    assert_eq!(second.len(), 2);
    assert_eq!((second[0].score, second[1].source), (Some((0.5, 1)), CallSource::LabRun));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn batches_at_once_lose_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options, 20).await;
    let services = services(&pool);
    for number in ["1.0.0", "1.1.0", "1.2.0"] {
        draft(&services.management, "writer", number).await;
    }
    let batches: Vec<Vec<_>> = (0..16)
        .map(|batch| (0..30).map(|n| call(["1.0.0", "1.1.0", "1.2.0"][(n + batch) % 3], Some(1.0))).collect())
        .collect();
    let recorded = futures_util::future::join_all(batches.iter().map(|batch| services.performance.record(batch))).await;
    assert!(recorded.into_iter().all(|count| count.unwrap() == 30));
    for number in ["1.0.0", "1.1.0", "1.2.0"] {
        assert_eq!(services.performance.of_version(&agent("writer"), version(number)).await.unwrap()[0].calls, 160);
    }
}

/// What is kept of single calls: which partition, how many.
async fn kept(pool: &PgPool) -> Vec<(String, i64)> {
    sqlx::query_as("select tableoid::regclass::text, count(*) from agent_calls group by 1 order by 1")
        .fetch_all(pool)
        .await
        .unwrap()
}

async fn figures(pool: &PgPool) -> Vec<(String, DateTime<Utc>, i64, i64)> {
    sqlx::query_as("select span, begins_at, calls, errors from agent_call_figures order by span, begins_at")
        .fetch_all(pool)
        .await
        .unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn calls_are_kept_by_the_month_and_added_up_by_the_hour_and_the_day(pool: PgPool) {
    let services = services(&pool);
    draft(&services.management, "writer", "1.0.0").await;
    let at = |text: &str, latency_ms| RecordedCall { at: time(text), ..call("1.0.0", latency_ms) };
    let calls = [
        at("2026-10-31T23:59:59.999Z", Some(5.0)),
        at("2026-11-01T00:00:00Z", Some(5.0)),
        at("2026-11-01T00:59:59Z", None),
        at("2026-11-01T01:00:00Z", Some(5.0)),
        call("9.9.9", Some(5.0)),
        RecordedCall { source: CallSource::LabRun, ..at("2026-11-02T01:00:00Z", Some(5.0)) },
    ];
    assert_eq!(services.performance.record(&calls).await.unwrap(), 5);
    assert_eq!(services.performance.record(&calls[1..2]).await.unwrap(), 1);
    // The lab keeps its calls itself.
    assert_eq!(kept(&pool).await, [("agent_calls_2026_10".into(), 1), ("agent_calls_2026_11".into(), 4)]);
    let row = |span: &str, begins: &str, calls, errors| (span.to_owned(), time(begins), calls, errors);
    assert_eq!(
        figures(&pool).await,
        [
            row("day", "2026-10-31T00:00:00Z", 1, 0),
            row("day", "2026-11-01T00:00:00Z", 4, 1),
            row("hour", "2026-10-31T23:00:00Z", 1, 0),
            row("hour", "2026-11-01T00:00:00Z", 3, 1),
            row("hour", "2026-11-01T01:00:00Z", 1, 0),
        ]
    );
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn old_calls_are_forgotten_by_the_month_and_what_they_added_up_to_is_not(pool: PgPool) {
    let services = services(&pool);
    draft(&services.management, "writer", "1.0.0").await;
    let now = Utc::now();
    let days_ago = |days| RecordedCall { at: now - chrono::TimeDelta::days(days), ..call("1.0.0", Some(5.0)) };
    services.performance.record(&[days_ago(200), days_ago(100), days_ago(0)]).await.unwrap();
    let days = std::time::Duration::from_hours(24);
    assert_eq!(services.performance.forget(days * 150).await.unwrap(), 1);
    assert_eq!(kept(&pool).await.len(), 2);
    assert_eq!(services.performance.forget(days * 150).await.unwrap(), 0);
    let spans: Vec<_> = figures(&pool).await.into_iter().map(|(span, ..)| span).collect();
    assert_eq!(spans, ["day", "day", "day", "hour"]);
    assert_eq!(services.performance.of_version(&agent("writer"), version("1.0.0")).await.unwrap()[0].calls, 3);
    // A call of a month that was dropped makes it anew.
    services.performance.record(&[days_ago(200)]).await.unwrap();
    assert_eq!(kept(&pool).await.len(), 3);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn batches_at_once_make_a_month_once(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options, 20).await;
    let services = services(&pool);
    draft(&services.management, "writer", "1.0.0").await;
    let batches: Vec<Vec<_>> = (0..16_i64)
        .map(|batch| {
            let at = |month: i64| time("2026-01-15T12:00:00Z") + chrono::TimeDelta::days(30 * month);
            (0..4).map(|n| RecordedCall { at: at((batch + n) % 5), ..call("1.0.0", Some(1.0)) }).collect()
        })
        .collect();
    let recorded = futures_util::future::join_all(batches.iter().map(|batch| services.performance.record(batch))).await;
    assert!(recorded.into_iter().all(|count| count.unwrap() == 4));
    let kept = kept(&pool).await;
    assert_eq!((kept.len(), kept.iter().map(|(_, calls)| calls).sum::<i64>()), (5, 64));
}
