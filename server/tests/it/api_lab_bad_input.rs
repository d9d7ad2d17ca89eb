//! What the lab refuses over REST, and what becomes of answers that are none.

use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::api_lab::{Bench, good};

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_cannot_be_run_is_refused_before_anything_is_asked(pool: PgPool) {
    let bench = Bench::new(&pool, ["For {{reader}}.", "For {{reader}}."], json!([])).await;
    let (client, cases) = (&bench.client, format!("/api/v1/lab/sets/{}/cases", bench.set));
    let refusal = async |status: u16, code: &str, change: Value| {
        let mut request = bench.request();
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        for path in ["/api/v1/lab/runs", "/api/v1/lab/dry-run"] {
            client.post(path, request.clone()).await.problem(status, code);
        }
        client.post("/api/v1/lab/runs", request).await.json()["detail"].as_str().unwrap().to_owned()
    };
    refusal(400, "empty_set", json!({})).await;
    for check in [json!({ "type": "regex", "value": "(" }), json!({ "type": "json-schema", "value": { "type": 3 } })] {
        let case = json!({ "name": "x", "input": "y", "checks": [check] });
        let refused = client.post(&cases, case).await.expect(StatusCode::BAD_REQUEST).json();
        assert_eq!((&refused["code"], &refused["field"]), (&json!("invalid_case"), &json!("checks")), "{refused}");
    }
    let unknown = json!({ "name": "x", "input": "y", "checks": [{ "type": "vibes" }] });
    assert!(client.post(&cases, unknown).await.problem(422, "invalid_body").unwrap().starts_with("checks"));
    let broken = client.post_raw(&cases.replace("cases", "import"), "text/csv", "name,input\na,b\nc,\"d\n").await;
    broken.problem(400, "malformed_import");
    let detail = broken.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("ine 3") && detail.contains("olumn"), "{detail}");
    refusal(400, "empty_set", json!({})).await;

    client.post(&cases, json!({ "name": "x", "input": "y" })).await.expect(StatusCode::CREATED);
    assert!(refusal(400, "missing_variables", json!({})).await.contains("{{reader}}"));
    assert!(refusal(400, "same_version", json!({ "version_b": "1.0.0" })).await.contains("A/A"));
    refusal(400, "judge_missing", json!({ "question": "Which is shorter?" })).await;
    refusal(400, "invalid_setting", json!({ "temperature": 3 })).await;
    let nobody = json!({ "agent_type": "nobody", "name": "Basics" });
    client.post("/api/v1/lab/sets", nobody).await.problem(404, "unknown_agent");
    assert!(bench.api.requests().is_empty(), "nothing was called");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn whatever_a_model_does_is_a_state_in_the_results(pool: PgPool) {
    let odd = ["[status 401]", "[cut]", "[notutf8]", "[empty]", "[long 1MB]", "fine"];
    let cases = odd.iter().map(|what| json!({ "name": what, "input": what })).collect();
    let bench = Bench::new(&pool, ["One.", "Two."], cases).await;
    let results = async |model: &str, max_tokens: Option<u32>| {
        let mut request = bench.request();
        (request["model"], request["max_tokens"]) = (json!(model), json!(max_tokens));
        let run = bench.client.post("/api/v1/lab/runs", request).await.expect(StatusCode::CREATED).json();
        let id = run["id"].as_str().unwrap();
        assert_eq!(bench.finished(id).await["status"], "finished", "the rest of the run goes on");
        let results = bench.client.get(&format!("/api/v1/lab/runs/{id}/results")).await.json();
        results["cases"].as_array().unwrap().iter().map(|case| case["repeats"][0]["a"].clone()).collect::<Vec<_>>()
    };
    let answers = results("compatible::test-model", None).await;
    let states: Vec<_> = answers.iter().map(|answer| answer["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["failed", "failed", "failed", "answered", "answered", "answered"]);
    assert_eq!((&answers[0]["error_kind"], &answers[0]["attempts"]), (&json!("unauthorized"), &json!(1)));
    assert_eq!(answers[3]["answer"], "");
    assert_eq!(answers[4]["answer"].as_str().unwrap().len(), 1024 * 1024);
    assert_eq!(results("compatible::test-model", Some(1)).await[5]["stop"], "length");
    let away = results("openai::gpt-4o-mini", None).await;
    assert!(away.iter().all(|answer| answer["error_kind"] == "not_configured"), "{away:?}");
    assert!(away[0]["error"].as_str().unwrap().contains("OPENAI_API_KEY"));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn large_bodies_have_limits_of_their_own(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    let import = format!("/api/v1/lab/sets/{}/import", bench.set);
    let outputs = "/api/v1/lab/runs/outputs";
    let send = async |content_type: &str, body: String| bench.client.post_raw(outputs, content_type, body).await;
    bench.client.post_raw(&import, "text/csv", vec![b'x'; 10 * 1024 * 1024 + 1]).await.problem(413, "body_too_large");
    send("application/json", " ".repeat(32 * 1024 * 1024 + 1)).await.problem(413, "body_too_large");
    send("text/plain", "{}".into()).await.problem(415, "not_json");
    send("application/json", "{".into()).await.problem(400, "malformed_json");
    send("application/json", "[1]".into()).await.problem(422, "invalid_body");
    for (change, field) in [(json!({}), "outputs"), (json!({ "outputs": 1 }), "outputs"), (json!({ "x": 1 }), "x")] {
        let mut request = bench.request();
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = bench.client.post(outputs, request).await;
        assert_eq!(refused.problem(422, "invalid_body").as_deref(), Some(field));
    }
    // Larger than any other body may be.
    let line =
        |side: &str| json!({ "case": "Case 1", "side": side, "output": "x".repeat(3 * 1024 * 1024) }).to_string();
    let mut request = bench.request();
    request["outputs"] = json!([line("a"), line("b")].join("\n"));
    bench.client.post(outputs, request).await.expect(StatusCode::CREATED);
}
