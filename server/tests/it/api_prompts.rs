//! Every endpoint of the prompts API: what it answers and what it refuses.

use http::{StatusCode, header};
use serde_json::{Value, json};
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::support::Client;

const VERSIONS: &str = "/api/v1/prompts/versions";
const PATCH: &str = "/api/v1/prompts/patch";
const PROMOTE: &str = "/api/v1/prompts/promote";
const REISSUE: &str = "/api/v1/prompts/reissue";

#[sqlx::test(migrator = "MIGRATOR")]
async fn create_promote_and_load(pool: PgPool) {
    let client = Client::new(&pool);
    let created = client
        .post(
            VERSIONS,
            json!({
                "agent_type": "writer", "version": "1.0.0", "prompt_text": "Write\nwell.\n",
                "created_by": "ada", "notes": "First."
            }),
        )
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(created.header(header::LOCATION), "/api/v1/prompts/writer/1.0.0");
    let version = created.json();
    let mut names: Vec<_> = version.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "agent_type",
            "char_count",
            "created_at",
            "created_by",
            "id",
            "is_active",
            "line_count",
            "notes",
            "sha256",
            "status",
            "version",
        ]
    );
    assert_eq!(
        (&version["status"], &version["is_active"], &version["char_count"], &version["line_count"]),
        (&json!("draft"), &json!(false), &json!(12), &json!(2))
    );
    assert!(version["created_at"].as_str().unwrap().ends_with('Z'), "RFC 3339 in UTC");
    client.get("/api/v1/prompts/writer/active").await.problem(404, "no_active_version");

    let promoted =
        client.post(PROMOTE, json!({ "agent_type": "writer", "version": "1.0.0" })).await.expect(StatusCode::OK);
    assert_eq!((&promoted.json()["status"], &promoted.json()["is_active"]), (&json!("active"), &json!(true)));

    let active = client.get("/api/v1/prompts/writer/active").await.expect(StatusCode::OK).json();
    assert_eq!(active["prompt_text"], "Write\nwell.\n");
    let mut expected = promoted.json();
    expected["prompt_text"] = json!("Write\nwell.\n");
    assert_eq!(active, expected, "the content is the version and its text");
    assert_eq!(client.get("/api/v1/prompts/writer/1.0.0").await.expect(StatusCode::OK).json(), active);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn creating_is_refused_when_the_number_is_taken_or_low_or_the_base_has_gone(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    client.live("writer", "1.1.0").await;
    let create = async |version: &str, base: Option<&str>| {
        let body = json!({
            "agent_type": "writer", "version": version, "prompt_text": "x", "base_version": base
        });
        client.post(VERSIONS, body).await
    };
    assert_eq!(create("1.1.0", None).await.problem(400, "version_exists").as_deref(), Some("version"));
    assert_eq!(create("1.0.9", None).await.problem(409, "fix_forward").as_deref(), Some("version"));
    create("1.2.0", Some("1.0.0")).await.problem(409, "stale_base");
    assert_eq!(
        create("1.2.0", Some("4.0.0")).await.problem(400, "unknown_base_version").as_deref(),
        Some("base_version")
    );
    create("1.2.0", Some("1.1.0")).await.expect(StatusCode::CREATED);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_patch_is_the_next_number_and_live(pool: PgPool) {
    let client = Client::new(&pool);
    let patch = async |base: Option<&str>| {
        client.post(PATCH, json!({ "agent_type": "writer", "prompt_text": "fixed", "base_version": base })).await
    };
    patch(None).await.problem(404, "unknown_agent");
    client.create("writer", "1.0.0").await;
    patch(None).await.problem(404, "no_active_version");
    client.live("writer", "1.1.0").await;
    for expected in ["1.1.1", "1.1.2"] {
        let answer = patch(None).await.expect(StatusCode::CREATED).json();
        assert_eq!((&answer["version"], &answer["is_active"]), (&json!(expected), &json!(true)));
        let active = client.get("/api/v1/prompts/writer/active").await.json();
        assert_eq!((&active["version"], &active["prompt_text"]), (&json!(expected), &json!("fixed")));
    }
    patch(Some("1.1.0")).await.problem(409, "stale_base");
    patch(Some("1.1.2")).await.expect(StatusCode::CREATED);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn promoting_goes_forward_only(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    client.live("writer", "1.1.0").await;
    client.create("writer", "1.2.0").await;
    let promote = async |version: &str, expected: Option<&str>| {
        client.post(PROMOTE, json!({ "agent_type": "writer", "version": version, "expected_active": expected })).await
    };
    let refused = promote("1.0.0", None).await;
    refused.problem(409, "fix_forward");
    assert!(refused.json()["detail"].as_str().unwrap().contains("reissue"), "the way forward is missing");
    promote("7.0.0", None).await.problem(404, "unknown_version");
    promote("1.2.0", Some("1.0.0")).await.problem(409, "stale_base");
    promote("1.1.0", Some("1.0.0")).await.expect(StatusCode::OK);
    promote("1.2.0", Some("1.1.0")).await.expect(StatusCode::OK);
    let nobody = client.post(PROMOTE, json!({ "agent_type": "nobody", "version": "1.0.0" })).await;
    nobody.problem(404, "unknown_agent");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn reissuing_brings_an_earlier_text_forward(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    client.live("writer", "2.0.0").await;
    let reissue = async |version: &str| {
        let body = json!({ "agent_type": "writer", "version": version, "created_by": "ada", "notes": "Undo." });
        client.post(REISSUE, body).await
    };
    reissue("3.0.0").await.problem(404, "unknown_version");
    let answer = reissue("1.0.0").await.expect(StatusCode::CREATED).json();
    assert_eq!((&answer["version"], &answer["status"]), (&json!("2.0.1"), &json!("active")));
    assert_eq!(client.get("/api/v1/prompts/writer/active").await.json()["prompt_text"], "writer 1.0.0");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_history_is_newest_first_and_linked_page_by_page(pool: PgPool) {
    let client = Client::new(&pool);
    client.get("/api/v1/prompts/writer/versions").await.problem(404, "unknown_agent");
    client.live("writer", "1.0.0").await;
    for version in ["1.10.0", "1.9.0", "2.0.0", "1.1.0"] {
        client.create("writer", version).await;
    }
    let whole = client.get("/api/v1/prompts/writer/versions").await.expect(StatusCode::OK);
    assert_eq!(whole.header(header::LINK), "");
    let whole = whole.json();
    let numbers: Vec<_> =
        whole.as_array().unwrap().iter().map(|version| version["version"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["1.1.0", "2.0.0", "1.9.0", "1.10.0", "1.0.0"]);
    assert!(whole[0].get("prompt_text").is_none(), "a list does not carry the texts");

    let mut paged = Vec::new();
    let mut path = "/api/v1/prompts/writer/versions?limit=2".to_owned();
    loop {
        let page = client.get(&path).await.expect(StatusCode::OK);
        paged.extend(page.json().as_array().unwrap().clone());
        let link = page.header(header::LINK);
        if link.is_empty() {
            break;
        }
        path = link.strip_prefix('<').unwrap().split_once(">; rel=\"next\"").unwrap().0.to_owned();
    }
    assert_eq!(Value::Array(paged), whole);

    for (query, code, field) in [
        ("limit=0", "invalid_limit", "limit"),
        ("limit=201", "invalid_limit", "limit"),
        ("limit=x", "invalid_limit", "limit"),
        ("cursor=x", "invalid_cursor", "cursor"),
        ("offset=2", "unknown_parameter", "offset"),
    ] {
        let answer = client.get(&format!("/api/v1/prompts/writer/versions?{query}")).await;
        assert_eq!(answer.problem(400, code).as_deref(), Some(field));
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_has_not_changed_is_not_sent_again(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    for path in ["/api/v1/prompts/writer/active", "/api/v1/prompts/writer/1.0.0"] {
        let first = client.get(path).await.expect(StatusCode::OK);
        let etag = first.header(header::ETAG).to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10, "a strong tag: {etag}");
        assert_eq!(first.header(header::CACHE_CONTROL), "no-cache");
        for known in [etag.clone(), format!("\"other\", W/{etag}"), "*".to_owned()] {
            let again = client.get_if_none_match(path, &known).await.expect(StatusCode::NOT_MODIFIED);
            assert_eq!((again.body.len(), again.header(header::ETAG)), (0, etag.as_str()));
        }
        client.get_if_none_match(path, "\"other\"").await.expect(StatusCode::OK);
    }
    let active = client.get("/api/v1/prompts/writer/active").await.header(header::ETAG).to_owned();
    let version = client.get("/api/v1/prompts/writer/1.0.0").await.header(header::ETAG).to_owned();
    client.live("writer", "1.1.0").await;
    client.get_if_none_match("/api/v1/prompts/writer/active", &active).await.expect(StatusCode::OK);
    // 1.0.0 has the same text, but it is no longer the active one, and the answer says so.
    let superseded = client.get_if_none_match("/api/v1/prompts/writer/1.0.0", &version).await.expect(StatusCode::OK);
    assert_eq!(superseded.json()["status"], "superseded");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_cache_is_shared_cleared_and_counted(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    for _ in 0..4 {
        client.get("/api/v1/prompts/writer/active").await.expect(StatusCode::OK);
    }
    let stats = client.get("/api/v1/prompts/cache/stats").await.expect(StatusCode::OK).json();
    assert_eq!((&stats["hits"], &stats["misses"], &stats["hit_rate"]), (&json!(3), &json!(1), &json!(0.75)));
    assert_eq!(stats["ttl_seconds"], 300);
    let entry = &stats["entries"][0];
    assert_eq!(
        (&entry["agent_type"], &entry["version"], &entry["hits"]),
        (&json!("writer"), &json!("1.0.0"), &json!(3))
    );
    assert!(entry["age_seconds"].as_f64().unwrap() >= 0.0);

    let cleared = client.delete("/api/v1/prompts/cache/writer").await.expect(StatusCode::OK).json();
    assert_eq!(cleared, json!({ "agent_type": "writer", "was_cached": true, "announced": true }));
    let stats = client.get("/api/v1/prompts/cache/stats").await.json();
    assert_eq!(stats["entries"], json!([]), "the cache that serves is the one that was cleared");
    let again = client.delete("/api/v1/prompts/cache/writer").await.expect(StatusCode::OK).json();
    assert_eq!(again["was_cached"], false);
    client.get("/api/v1/prompts/writer/active").await.expect(StatusCode::OK);
    assert_eq!(client.get("/api/v1/prompts/cache/stats").await.json()["misses"], 2);
    let nobody = client.delete("/api/v1/prompts/cache/nobody").await.expect(StatusCode::OK).json();
    assert_eq!((&nobody["was_cached"], &nobody["announced"]), (&json!(false), &json!(false)));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn agents_have_lines_of_their_own(pool: PgPool) {
    let client = Client::new(&pool);
    for agent_type in ["writer", "reader", "judge"] {
        client.live(agent_type, "1.0.0").await;
    }
    for _ in 0..3 {
        client.post(PATCH, json!({ "agent_type": "reader", "prompt_text": "x" })).await.expect(StatusCode::CREATED);
    }
    for (agent_type, version) in [("writer", "1.0.0"), ("reader", "1.0.3"), ("judge", "1.0.0")] {
        let active = client.get(&format!("/api/v1/prompts/{agent_type}/active")).await.json();
        assert_eq!(active["version"], version, "{agent_type}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_request_that_takes_too_long_is_given_up(pool: PgPool) {
    let client = Client::new(&pool);
    let hurried = client.with_timeout(&pool, std::time::Duration::from_millis(100));
    client.live("writer", "1.0.0").await;
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("select 1 from agents for update").execute(&mut *holder).await.unwrap();
    let body = json!({ "agent_type": "writer", "prompt_text": "waits" });
    hurried.post(PATCH, body.clone()).await.problem(503, "request_timeout");
    holder.rollback().await.unwrap();
    assert_eq!(client.post(PATCH, body).await.expect(StatusCode::CREATED).json()["version"], "1.0.1");
}
