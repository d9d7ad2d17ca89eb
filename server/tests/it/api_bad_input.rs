//! What bad input gets: a problem document that names the field and the rule, never a 500, never a partial write.

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::support::Client;

async fn rows(pool: &PgPool) -> (i64, i64, i64) {
    sqlx::query_as(
        "select (select count(*) from agents), (select count(*) from prompts), (select count(*) from prompt_events)",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// The body of a good request with one field replaced.
fn with(field: &str, value: Value) -> Value {
    let mut body = json!({ "agent_type": "writer", "version": "1.1.0", "prompt_text": "Write." });
    body[field] = value;
    body
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn every_field_has_its_rule(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    let before = rows(&pool).await;
    let long = "a".repeat(51);
    for agent_type in ["Writer", "two words", "a/b", "", "1st", "é", long.as_str(), "a\u{0}"] {
        let answer = client.post("/api/v1/prompts/versions", with("agent_type", json!(agent_type))).await;
        assert_eq!(answer.problem(400, "invalid_agent_type").as_deref(), Some("agent_type"), "{agent_type:?}");
    }
    for agent_type in ["cache", "versions", "patch", "promote", "reissue", "active", "stats"] {
        let answer = client.post("/api/v1/prompts/versions", with("agent_type", json!(agent_type))).await;
        assert_eq!(answer.problem(400, "reserved_agent_type").as_deref(), Some("agent_type"));
    }
    for version in ["1.0", "01.0.0", "1.0.0-rc1", " 1.0.0", "1.0.0.0", "99999999999999999999.0.0", "", "latest"] {
        for field in ["version", "base_version"] {
            let answer = client.post("/api/v1/prompts/versions", with(field, json!(version))).await;
            assert_eq!(answer.problem(400, "invalid_version").as_deref(), Some(field), "{version:?}");
        }
    }
    for (field, value, code) in [
        ("prompt_text", json!(""), "empty_prompt_text"),
        ("prompt_text", json!(" \n"), "empty_prompt_text"),
        ("prompt_text", json!("a\u{0}b"), "nul_character"),
        ("prompt_text", json!("é".repeat(524_289)), "prompt_text_too_long"),
        ("notes", json!("é".repeat(2_001)), "notes_too_long"),
        ("notes", json!("\u{0}"), "nul_character"),
        ("created_by", json!("é".repeat(101)), "author_too_long"),
        ("created_by", json!("a\nb"), "invalid_author"),
    ] {
        let answer = client.post("/api/v1/prompts/versions", with(field, value)).await;
        assert_eq!(answer.problem(400, code).as_deref(), Some(field));
    }
    assert_eq!(rows(&pool).await, before, "nothing was written");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_limits_themselves_are_allowed(pool: PgPool) {
    let client = Client::new(&pool);
    let body = json!({
        "agent_type": "a".repeat(50), "version": "9999999999999999.0.0", "prompt_text": "\n".repeat(1024 * 1024 - 1) + "x",
        "created_by": "é".repeat(100), "notes": "é".repeat(2_000), "base_version": null
    });
    // A megabyte of line breaks is two megabytes once they are escaped, and a little more with the rest.
    client.post("/api/v1/prompts/versions", body.clone()).await.problem(413, "body_too_large");
    let mut fitting = body;
    fitting["prompt_text"] = json!("é".repeat(524_288));
    client.post("/api/v1/prompts/versions", fitting).await.expect(http::StatusCode::CREATED);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_form_of_a_body_is_exact(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    let before = rows(&pool).await;
    for path in ["versions", "patch", "promote", "reissue"] {
        let path = format!("/api/v1/prompts/{path}");
        let complete = match path.rsplit('/').next().unwrap() {
            "versions" => json!({ "agent_type": "writer", "version": "1.1.0", "prompt_text": "x" }),
            "patch" => json!({ "agent_type": "writer", "prompt_text": "x" }),
            _ => json!({ "agent_type": "writer", "version": "1.0.0" }),
        };
        for field in complete.as_object().unwrap().keys() {
            let mut missing = complete.clone();
            missing.as_object_mut().unwrap().remove(field);
            let answer = client.post(&path, missing).await;
            assert_eq!(answer.problem(422, "invalid_body").as_ref(), Some(field), "{path}");
            for value in [json!(1), json!(null), json!(["x"]), json!({ "x": 1 }), json!(true)] {
                let mut wrong = complete.clone();
                wrong[field] = value;
                let answer = client.post(&path, wrong).await;
                assert_eq!(answer.problem(422, "invalid_body").as_ref(), Some(field), "{path}");
            }
        }
        let mut unknown = complete.clone();
        unknown["colour"] = json!("red");
        assert_eq!(client.post(&path, unknown).await.problem(422, "invalid_body").as_deref(), Some("colour"));
        client.post(&path, json!([])).await.problem(422, "invalid_body");
        let values: Vec<_> =
            complete.as_object().unwrap().values().cloned().chain([json!(null), json!(null)]).collect();
        client.post(&path, json!(values)).await.problem(422, "invalid_body");
        let mut long = complete.clone();
        long["x".repeat(100_000)] = json!(1);
        let answer = client.post(&path, long).await;
        answer.problem(422, "invalid_body");
        assert!(answer.body.len() < 1_000 && !String::from_utf8(answer.body).unwrap().contains("struct"));
        client.post(&path, json!("x")).await.problem(422, "invalid_body");

        for malformed in ["", "{", "{\"agent_type\": }", "nothing", "{}}"] {
            let answer = client.post_raw(&path, "application/json", malformed).await;
            let code = if malformed == "{}}" { "invalid_body" } else { "malformed_json" };
            answer.problem(if malformed == "{}}" { 422 } else { 400 }, code);
        }
        let trailing = format!("{complete} {{}}");
        client.post_raw(&path, "application/json", trailing).await.problem(400, "malformed_json");
        let duplicate = complete.to_string().replacen('{', "{\"agent_type\":\"reader\",", 1);
        let answer = client.post_raw(&path, "application/json", duplicate).await;
        assert_eq!(answer.problem(422, "invalid_body").as_deref(), Some("agent_type"));
        let mut not_utf8 = complete.to_string().into_bytes();
        let position = not_utf8.windows(6).position(|window| window == b"writer").unwrap();
        not_utf8[position] = 0xff;
        let answer = client.post_raw(&path, "application/json", not_utf8).await;
        assert_eq!(answer.problem(400, "malformed_json").as_deref(), Some("agent_type"));
        for other in ["text/plain", "", "application/x-www-form-urlencoded", "application/jsonx"] {
            client.post_raw(&path, other, complete.to_string()).await.problem(415, "not_json");
        }
        let huge = vec![b' '; 2 * 1024 * 1024 + 1];
        client.post_raw(&path, "application/json; charset=utf-8", huge).await.problem(413, "body_too_large");
        client.get(&path).await.problem(405, "method_not_allowed");
    }
    assert_eq!(rows(&pool).await, before, "nothing was written");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn path_segments_have_the_same_rules(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    for agent_type in ["Writer", "two%20words", "1st", "%C3%A9", "a%00", "versions"] {
        let code = if agent_type == "versions" { "reserved_agent_type" } else { "invalid_agent_type" };
        for path in [
            format!("/api/v1/prompts/{agent_type}/active"),
            format!("/api/v1/prompts/{agent_type}/versions"),
            format!("/api/v1/prompts/{agent_type}/1.0.0"),
        ] {
            assert_eq!(client.get(&path).await.problem(400, code).as_deref(), Some("agent_type"), "{path}");
        }
        client.delete(&format!("/api/v1/prompts/cache/{agent_type}")).await.problem(400, code);
    }
    for (path, field) in [("%FF/active", "agent_type"), ("writer/%FF", "version")] {
        let answer = client.get(&format!("/api/v1/prompts/{path}")).await;
        assert_eq!(answer.problem(400, "invalid_path").as_deref(), Some(field), "{path}");
    }
    for version in ["1.0", "01.0.0", "1.0.0-rc1", "%201.0.0", "1.0.0.0", "99999999999999999999.0.0", "latest"] {
        let answer = client.get(&format!("/api/v1/prompts/writer/{version}")).await;
        assert_eq!(answer.problem(400, "invalid_version").as_deref(), Some("version"), "{version}");
    }
    client.get("/api/v1/prompts/writer/9.9.9").await.problem(404, "unknown_version");
    client.get("/api/v1/prompts/nobody/1.0.0").await.problem(404, "unknown_agent");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_the_api_does_not_have_is_a_problem_too(pool: PgPool) {
    let client = Client::new(&pool);
    for path in
        ["/api/v1/nothing", "/api/v2/prompts", "/api/v1/prompts", "/api/v1/prompts/a/b/c", "/api/v1/prompts/a%2Fb/x/y"]
    {
        client.get(path).await.problem(404, "unknown_endpoint");
    }
    let answer = client.delete("/api/v1/prompts/writer/1.0.0").await;
    answer.problem(405, "method_not_allowed");
    assert!(answer.header(header::ALLOW).contains("GET"));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_request_id_is_taken_over_when_it_is_a_plain_one(pool: PgPool) {
    let client = Client::new(&pool);
    let send = async |id: &str| {
        let request =
            Request::get("/api/v1/prompts/nobody/active").header("x-request-id", id).body(Body::empty()).unwrap();
        client.send(request).await.header("x-request-id").to_owned()
    };
    assert_eq!(send("trace-42.a_b").await, "trace-42.a_b");
    for odd in ["", "a b", "<script>", &"x".repeat(65)] {
        let given = send(odd).await;
        assert!(given != odd && given.len() > 8, "{given}");
    }
    assert_ne!(send("").await, send("").await);
}
