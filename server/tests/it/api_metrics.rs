//! How prompts are used, as programs and the page read it.

use chrono::{TimeDelta, Utc};
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::support::Client;

async fn metrics(client: &Client, query: &str) -> Value {
    client.get(&format!("/api/v1/metrics/prompts{query}")).await.expect(StatusCode::OK).json()
}

/// `writer` with three versions, of which two were called; `other` with one that nobody called.
async fn registry(pool: &PgPool) -> Client {
    let client = Client::new(pool);
    client.live("writer", "1.0.0").await;
    client.live("writer", "1.1.0").await;
    client.live("writer", "1.1.1").await;
    client.create("other", "1.0.0").await;
    let hour_ago = (Utc::now() - TimeDelta::hours(1)).to_rfc3339();
    let month_ago = Utc::now() - TimeDelta::days(6);
    let call = |version: &str, latency: f64, at: &str| {
        json!({ "agent_type": "writer", "version": version, "model": "m", "latency_ms": latency, "output_tokens": 10,
            "cost_usd": 0.25, "at": at })
    };
    let mut calls: Vec<_> = (0..30).map(|_| call("1.1.0", 100.0, &hour_ago)).collect();
    calls.extend((0..10).map(|_| call("1.1.1", 1_000.0, &hour_ago)));
    calls.push(call("1.0.0", 1.0, &month_ago.to_rfc3339()));
    let mut failed = call("1.1.1", 5_000.0, &hour_ago);
    failed["error_kind"] = json!("timeout");
    calls.push(failed);
    let answer = client.post("/api/v1/calls", json!({ "calls": calls })).await.expect(StatusCode::OK).json();
    assert_eq!(answer["recorded"], 42);
    client
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_agents_calls_are_told_by_version_and_step(pool: PgPool) {
    let client = registry(&pool).await;
    let day = metrics(&client, "?agent_type=writer&range=24h").await;
    assert_eq!((&day["range"], &day["step_seconds"]), (&json!("24h"), &json!(3600)));
    let steps = day["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 24);
    let called: Vec<_> = steps.iter().filter(|step| step["calls"]["calls"] != 0).collect();
    assert_eq!(called.len(), 1, "what is a week old is outside");
    let step = called[0];
    assert_eq!((&step["calls"]["calls"], &step["calls"]["errors"]), (&json!(41), &json!(1)));
    let of = |index: usize| (step["versions"][index]["version"].clone(), step["versions"][index]["calls"].clone());
    assert_eq!((of(0), of(1)), ((json!("1.1.0"), json!(30)), (json!("1.1.1"), json!(11))));
    // Most calls first.
    let versions = day["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!((&versions[0]["version"], &versions[0]["error_rate"]), (&json!("1.1.0"), &json!(0.0)));
    let second = &versions[1];
    let p95 = second["latency_p95_ms"].as_f64().unwrap();
    assert!((1_000.0..1_260.0).contains(&p95), "the latency of a failure does not count: {p95}");
    assert_eq!((&second["output_tokens"], &second["cost_usd"]), (&json!(110), &json!(2.75)));
    let marks: Vec<_> = day["promotions"].as_array().unwrap().iter().map(|mark| mark["version"].clone()).collect();
    assert_eq!(marks, ["1.0.0", "1.1.0", "1.1.1"]);
    assert_eq!((&day["failures"][0]["error_kind"], &day["failures"][0]["calls"]), (&json!("timeout"), &json!(1)));
    let agent = &day["agents"][0];
    assert_eq!((&agent["most_active_version"], &agent["most_active_calls"]), (&json!("1.1.0"), &json!(30)));
    assert_eq!(agent["created"], json!({ "major": 1, "minor": 1, "patch": 1 }));
    assert_eq!(agent["patches_per_week"], 7.0);
    // Longer ranges are made of days.
    for (range, steps) in [("7d", 28), ("30d", 30), ("90d", 30), ("52w", 26)] {
        let longer = metrics(&client, &format!("?agent_type=writer&range={range}")).await;
        assert_eq!(longer["steps"].as_array().unwrap().len(), steps);
        assert_eq!(longer["agents"][0]["calls"]["calls"], 42, "{range}");
        let sum: u64 =
            longer["steps"].as_array().unwrap().iter().map(|step| step["calls"]["calls"].as_u64().unwrap()).sum();
        assert_eq!(sum, 42, "{range}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn all_agents_are_told_at_once(pool: PgPool) {
    let client = registry(&pool).await;
    for _ in 0..4 {
        client.get("/api/v1/prompts/writer/active").await.expect(StatusCode::OK);
    }
    let all = metrics(&client, "").await;
    assert_eq!((&all["agent_type"], &all["range"]), (&Value::Null, &json!("7d")));
    assert_eq!((&all["versions"], &all["promotions"]), (&json!([]), &json!([])));
    let agents = all["agents"].as_array().unwrap();
    assert_eq!((&agents[0]["agent_type"], &agents[1]["agent_type"]), (&json!("other"), &json!("writer")));
    assert_eq!((&agents[0]["active_version"], &agents[0]["most_active_version"]), (&Value::Null, &Value::Null));
    assert_eq!(agents[0]["cache"], Value::Null);
    let cache = &agents[1]["cache"];
    assert_eq!((&cache["hits"], &cache["misses"], &cache["hit_rate"]), (&json!(3), &json!(1), &json!(0.75)));
    let length = &all["prompt_length"];
    assert_eq!(length["versions"], 4);
    let bars = length["distribution"].as_array().unwrap();
    assert_eq!(bars.iter().map(|bar| bar["versions"].as_u64().unwrap()).sum::<u64>(), 4);
    assert_eq!((&bars[0]["from"], &bars[0]["to"], &bars[9]["to"]), (&json!(0), &json!(250), &Value::Null));
    let created: u64 =
        all["steps"].as_array().unwrap().iter().map(|step| step["created"]["major"].as_u64().unwrap()).sum();
    assert_eq!(created, 2);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_empty_registry_has_figures_too(pool: PgPool) {
    let client = Client::new(&pool);
    let all = metrics(&client, "?range=52w").await;
    assert_eq!((&all["agents"], &all["prompt_length"]["mean_live"]), (&json!([]), &Value::Null));
    client.get("/metrics/prompts").await.expect(StatusCode::OK);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_cannot_be_told_is_refused(pool: PgPool) {
    let client = registry(&pool).await;
    for (query, status, code, field) in [
        ("?range=1y", 400, "invalid_range", Some("range")),
        ("?agent_type=Writer", 400, "invalid_agent_type", Some("agent_type")),
        ("?agent=writer", 400, "unknown_parameter", Some("agent")),
        ("?agent_type=nobody", 404, "unknown_agent", Some("agent_type")),
    ] {
        let answer = client.get(&format!("/api/v1/metrics/prompts{query}")).await;
        assert_eq!(answer.problem(status, code).as_deref(), field, "{query}");
    }
    for (query, status) in [("?range=x", 400), ("?agent=nobody", 404), ("?agent=A%22%3Cb", 400)] {
        client.get(&format!("/metrics/prompts{query}")).await.expect(StatusCode::from_u16(status).unwrap());
    }
}
