//! Calls that were made outside of the server: what is recorded, what is refused, and that neither keeps the other out.

use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::support::Client;

/// `writer` with a version.
async fn writer(pool: &PgPool) -> Client {
    let client = Client::new(pool);
    let body = json!({ "agent_type": "writer", "version": "1.0.0", "prompt_text": "Be brief." });
    client.post("/api/v1/prompts/versions", body).await.expect(StatusCode::CREATED);
    client
}

async fn record(client: &Client, calls: Value) -> Value {
    client.post("/api/v1/calls", json!({ "calls": calls })).await.expect(StatusCode::OK).json()
}

fn call() -> Value {
    json!({ "agent_type": "writer", "version": "1.0.0", "model": "openai::gpt-4o-mini", "latency_ms": 250.0 })
}

/// A call with another field.
fn with(name: &str, value: Value) -> Value {
    let mut call = call();
    call[name] = value;
    call
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_is_right_is_recorded_and_what_is_wrong_is_named(pool: PgPool) {
    let client = writer(&pool).await;
    let mut no_latency = call();
    no_latency.as_object_mut().unwrap().remove("latency_ms");
    let mut failed = no_latency.clone();
    failed["error_kind"] = json!("timeout");
    let wrong = [
        (json!("x"), "invalid_call", Value::Null, "an object"),
        (with("nonsense", json!(1)), "invalid_call", Value::Null, "there is no field nonsense"),
        (with("latency_ms", json!("fast")), "invalid_call", Value::Null, "the field latency_ms"),
        (with("input_tokens", json!(-1)), "invalid_call", Value::Null, "the field input_tokens"),
        (with("agent_type", json!("Writer")), "invalid_agent_type", json!("agent_type"), "lower"),
        (with("agent_type", json!("writre")), "unknown_agent", json!("agent_type"), "Perhaps writer is meant."),
        (with("version", json!("1.0")), "invalid_version", json!("version"), "1.0"),
        (with("version", json!("1.0.1")), "unknown_version", json!("version"), "has no version 1.0.1"),
        (with("model", json!(" ")), "invalid_model", json!("model"), "1 to 200"),
        (no_latency, "missing_latency", json!("latency_ms"), "error_kind"),
        (with("latency_ms", json!(-1)), "out_of_range", json!("latency_ms"), "milliseconds"),
        (with("first_token_ms", json!(1e12)), "out_of_range", json!("first_token_ms"), "milliseconds"),
        (with("cost_usd", json!(-0.1)), "out_of_range", json!("cost_usd"), "dollars"),
        (with("score", json!(1.1)), "out_of_range", json!("score"), "from 0 to 1"),
        (with("output_tokens", json!(2_000_000_000)), "out_of_range", json!("output_tokens"), "at most"),
        (with("error_kind", json!("Time out")), "invalid_error_kind", json!("error_kind"), "lower-case"),
        (with("at", json!("2020-01-01T00:00:00Z")), "out_of_range", json!("at"), "7 days"),
        (with("at", json!("2099-01-01T00:00:00Z")), "out_of_range", json!("at"), "future"),
    ];
    // Right ones before, between and after.
    let mut batch = vec![call()];
    for (call, ..) in &wrong {
        batch.push(call.clone());
        batch.push(with("score", json!(0.5)));
    }
    batch.push(failed);
    let answer = record(&client, json!(batch)).await;
    assert_eq!(answer["recorded"], wrong.len() + 2, "{answer}");
    let refused = answer["refused"].as_array().unwrap();
    assert_eq!(refused.len(), wrong.len());
    for (place, ((call, code, field, said), refused)) in wrong.iter().zip(refused).enumerate() {
        assert_eq!(refused["index"], place * 2 + 1, "{call}: {refused}");
        assert_eq!((&refused["code"], &refused["field"]), (&json!(code), field), "{call}: {refused}");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(said) && detail.ends_with('.'), "{call}: {detail}");
    }
    let (kept, failures): (i64, i64) =
        sqlx::query_as("select count(*), count(error_kind) from agent_calls").fetch_one(&pool).await.unwrap();
    assert_eq!((kept, failures), (20, 1));
    let figures: (i64, i64, i64) =
        sqlx::query_as("select calls, errors, scores from version_performance").fetch_one(&pool).await.unwrap();
    assert_eq!(figures, (20, 1, 18));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_batch_that_is_none_is_refused_as_a_whole(pool: PgPool) {
    let client = writer(&pool).await;
    for (body, status, code) in [
        (json!({}), 422, "invalid_body"),
        (json!({ "calls": 1 }), 422, "invalid_body"),
        (json!({ "calls": [], "more": 1 }), 422, "invalid_body"),
        (json!({ "calls": vec![0; 5_001] }), 413, "too_many_calls"),
        (json!({ "calls": ["x".repeat(3_000_000)] }), 413, "body_too_large"),
    ] {
        let answer = client.post("/api/v1/calls", body).await;
        answer.problem(status, code);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(status == 413, detail.ends_with("in several."), "{detail}");
    }
    assert_eq!(record(&client, json!([])).await, json!({ "recorded": 0, "refused": [] }));
    let many = record(&client, json!(vec![call(); 5_000])).await;
    assert_eq!(many, json!({ "recorded": 5_000, "refused": [] }));
}
