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
