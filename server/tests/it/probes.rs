//! `/healthz`, `/readyz` and `/metrics`.

use std::sync::atomic::Ordering;

use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::support::Client;

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_node_is_ready_when_its_database_is_migrated(pool: PgPool) {
    let client = Client::new(&pool);
    client.get("/healthz").await.expect(StatusCode::OK);
    let ready = client.get("/readyz").await.expect(StatusCode::OK).json();
    assert_eq!(
        ready,
        json!({ "ready": true, "database": "ok", "migrations": "ok", "listening": false, "draining": false })
    );
    // As if an older node had migrated the database.
    sqlx::query("delete from _sqlx_migrations").execute(&pool).await.unwrap();
    let pending = client.get("/readyz").await.expect(StatusCode::SERVICE_UNAVAILABLE).json();
    assert_eq!((&pending["ready"], &pending["migrations"]), (&json!(false), &json!("pending")));
    pool.close().await;
    let away = client.get("/readyz").await.expect(StatusCode::SERVICE_UNAVAILABLE).json();
    assert_eq!(away["database"], "unavailable");
    client.get("/healthz").await.expect(StatusCode::OK);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_node_that_drains_is_not_ready(pool: PgPool) {
    let client = Client::new(&pool);
    client.draining.store(true, Ordering::Relaxed);
    let draining = client.get("/readyz").await.expect(StatusCode::SERVICE_UNAVAILABLE).json();
    assert_eq!((&draining["ready"], &draining["draining"]), (&json!(false), &json!(true)));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_happened_is_counted(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    for _ in 0..3 {
        client.get("/api/v1/prompts/writer/active").await;
    }
    client.get("/api/v1/prompts/nobody/active").await;
    let patch = json!({ "agent_type": "writer", "prompt_text": "x" });
    client.post("/api/v1/prompts/patch", patch).await.expect(StatusCode::CREATED);
    let text = String::from_utf8(client.get("/metrics").await.expect(StatusCode::OK).body).unwrap();
    for line in [
        "verbatim_http_requests_total{method=\"GET\",route=\"/api/v1/prompts/{agent_type}/active\",status=\"200\"} 3",
        "verbatim_http_requests_total{method=\"GET\",route=\"/api/v1/prompts/{agent_type}/active\",status=\"404\"} 1",
        "verbatim_http_requests_total{method=\"POST\",route=\"/api/v1/prompts/patch\",status=\"201\"} 1",
        "verbatim_versions_created_total 2",
        "verbatim_promotions_total 2",
        "verbatim_prompt_cache_hits_total 2",
        "verbatim_prompt_cache_misses_total 2",
        "verbatim_prompt_cache_stale_total 0",
        "verbatim_db_pool_connections_max",
        "verbatim_db_pool_connections_in_use",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.contains("verbatim_prompt_cache_invalidations_total"), "{text}");
}
