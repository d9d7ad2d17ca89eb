//! What recorded calls add up to.

use chrono::{DateTime, Utc};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{CallBatchId, CallSource, MIGRATOR, MetricsRange, RecordedCall};

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
        input_tokens: Some(100),
        output_tokens: Some(20),
        cost_usd: Some(0.002),
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
    assert!((first.cost_usd.unwrap() - 0.002).abs() < 1e-9 && (first.output_tokens.unwrap() - 20.0).abs() < 1e-9);
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

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_batch_counts_once_however_often_it_is_sent(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options, 20).await;
    let services = services(&pool);
    draft(&services.management, "writer", "1.0.0").await;
    let calls = [call("1.0.0", Some(5.0)), call("1.0.0", None), call("9.9.9", Some(5.0))];
    let batch = CallBatchId::generate();
    // At once, and one after the other.
    let crowd = (0..8).map(|_| services.performance.record_once(batch, &calls));
    for recorded in futures_util::future::join_all(crowd).await {
        assert_eq!(recorded.unwrap(), 2);
    }
    assert_eq!(services.performance.record_once(batch, &calls).await.unwrap(), 2);
    let of_version =
        async || services.performance.of_version(&agent("writer"), version("1.0.0")).await.unwrap()[0].calls;
    assert_eq!(of_version().await, 2);
    assert_eq!(services.performance.record_once(CallBatchId::generate(), &calls).await.unwrap(), 2);
    assert_eq!(of_version().await, 4);
    // A batch that failed left no trace.
    let failing = CallBatchId::generate();
    let faulty = [RecordedCall { error_kind: Some("No name".into()), ..call("1.0.0", None) }];
    services.performance.record_once(failing, &faulty).await.unwrap_err();
    assert_eq!(services.performance.record_once(failing, &calls).await.unwrap(), 2);
    // Ids are forgotten in the end.
    sqlx::query("update agent_call_batches set recorded_at = now() - interval '3 days'").execute(&pool).await.unwrap();
    services.performance.forget(std::time::Duration::from_hours(24 * 3650)).await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from agent_call_batches").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 0);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_is_not_known_of_a_call_is_not_taken_for_nothing(pool: PgPool) {
    let services = services(&pool);
    for number in ["1.0.0", "1.1.0", "1.2.0"] {
        draft(&services.management, "writer", number).await;
    }
    let now = |number: &str| RecordedCall { at: Utc::now(), ..call(number, Some(5.0)) };
    let unknown =
        |number: &str| RecordedCall { cost_usd: None, output_tokens: None, input_tokens: None, ..now(number) };
    let free = RecordedCall { cost_usd: Some(0.0), ..now("1.2.0") };
    let calls = [now("1.0.0"), unknown("1.0.0"), unknown("1.1.0"), free];
    assert_eq!(services.performance.record(&calls).await.unwrap(), 4);
    let of = async |number: &str| {
        let figures = services.performance.of_version(&agent("writer"), version(number)).await.unwrap();
        (figures[0].calls, figures[0].cost_usd, figures[0].output_tokens)
    };
    assert_eq!(of("1.0.0").await, (2, Some(0.002), Some(20.0)));
    assert_eq!(of("1.1.0").await, (1, None, None));
    assert_eq!(of("1.2.0").await, (1, Some(0.0), Some(20.0)));
    let metrics = services.metrics.of_prompts(Some(&agent("writer")), MetricsRange::Day).await.unwrap();
    let costs: Vec<_> = metrics.versions.iter().map(|row| (row.version, row.calls.mean_cost_usd())).collect();
    assert_eq!(costs, [(version("1.0.0"), Some(0.002)), (version("1.1.0"), None), (version("1.2.0"), Some(0.0))]);
    let kept: (i64, i64, i64) =
        sqlx::query_as("select count(*), count(cost_usd), count(output_tokens) from agent_calls")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(kept, (4, 2, 2));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_call_that_was_cancelled_is_kept_and_added_up_nowhere(pool: PgPool) {
    let services = services(&pool);
    draft(&services.management, "writer", "1.0.0").await;
    let cancelled = RecordedCall { error_kind: Some("cancelled".into()), at: Utc::now(), ..call("1.0.0", Some(5.0)) };
    assert_eq!(services.performance.record(&[cancelled.clone(), cancelled]).await.unwrap(), 2);
    assert_eq!(services.performance.of_version(&agent("writer"), version("1.0.0")).await.unwrap(), []);
    let metrics = services.metrics.of_prompts(Some(&agent("writer")), MetricsRange::Day).await.unwrap();
    assert_eq!((metrics.agents[0].calls.calls, metrics.failures[0].kind.as_str()), (0, "cancelled"));
    assert_eq!(metrics.failures[0].calls, 2);
}
