//! The lab over REST, through the real router, with a model's API over real HTTP.

use std::sync::Arc;

use agents::{Models, ModelsSettings, Prices};
use http::StatusCode;
use lab::{Lab, Runner, RunnerSettings};
use model_api::{Behaviour, ModelApi};
use serde_json::{Value, json};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::MIGRATOR;

use crate::{
    process::{Node, database, verbatim},
    support::{Client, eventually},
};

/// A server with a lab whose model answers, an agent with two versions, and a set.
pub struct Bench {
    pub client: Client,
    pub api: ModelApi,
    pub set: String,
    _runner: Runner,
}

impl Bench {
    pub async fn new(pool: &PgPool, prompts: [&str; 2], cases: Value) -> Self {
        let api = ModelApi::start(Behaviour::default());
        let models = Models::new(ModelsSettings { compatible_url: Some(api.url()), ..ModelsSettings::default() });
        let client = Client::with_lab(pool, |services| {
            Lab::new(pool.clone(), services.clone(), Arc::new(models), Prices::built_in())
        });
        let runner = Runner::spawn(client.lab.clone(), RunnerSettings::default());
        for (version, text) in [("1.0.0", prompts[0]), ("1.1.0", prompts[1])] {
            let version = json!({ "agent_type": "writer", "version": version, "prompt_text": text });
            client.post("/api/v1/prompts/versions", version).await.expect(StatusCode::CREATED);
        }
        let first = json!({ "agent_type": "writer", "version": "1.0.0" });
        client.post("/api/v1/prompts/promote", first).await.expect(StatusCode::OK);
        let set = json!({ "agent_type": "writer", "name": "Basics", "test_cases": cases });
        let set = client.post("/api/v1/lab/sets", set).await.expect(StatusCode::CREATED).json();
        Self { client, api, set: set["id"].as_str().unwrap().into(), _runner: runner }
    }

    pub fn request(&self) -> Value {
        json!({
            "agent_type": "writer", "version_a": "1.0.0", "version_b": "1.1.0", "set_id": self.set,
            "model": "compatible::test-model", "concurrency": 8, "shuffle_seed": 7,
        })
    }

    pub async fn finished(&self, run: &str) -> Value {
        let path = format!("/api/v1/lab/runs/{run}");
        eventually("the run is over", async || self.client.get(&path).await.json()["status"] != "running").await;
        self.client.get(&path).await.json()
    }
}

pub fn good(count: u32) -> Value {
    let case = |number| {
        json!({
            "name": format!("Case {number}"), "input": format!("Question {number}"),
            "checks": [{ "type": "contains", "value": "GOOD" }],
        })
    };
    (1..=count).map(case).collect()
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_experiment_from_the_cases_to_the_prompt_that_is_served(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "answer: GOOD"], good(12)).await;
    let client = &bench.client;
    let models = client.get("/api/v1/lab/models").await.expect(StatusCode::OK).json();
    let compatible = models.as_array().unwrap().iter().find(|model| model["provider"] == "compatible").unwrap();
    assert_eq!(compatible["status"], "reachable");
    assert!(compatible["models"].as_array().unwrap().contains(&json!("compatible::test-model")), "{models}");
    assert!(models.as_array().unwrap().iter().any(|model| model["status"] == "not_configured"), "{models}");

    let dry = client.post("/api/v1/lab/dry-run", bench.request()).await.expect(StatusCode::OK).json();
    assert_eq!((&dry["calls"], &dry["first"][0]["messages"]["system"].is_string()), (&json!(24), &true));
    assert!(bench.api.requests().is_empty());

    let started = client.post("/api/v1/lab/runs", bench.request()).await.expect(StatusCode::CREATED);
    let run = started.json();
    let id = run["id"].as_str().unwrap();
    assert_eq!(started.headers["location"], format!("/api/v1/lab/runs/{id}"));
    let run = bench.finished(id).await;
    assert_eq!((&run["status"], &run["done"], &run["failed"]), (&json!("finished"), &json!(24), &json!(0)));
    let listed = client.get("/api/v1/lab/runs?agent_type=writer&limit=1").await.expect(StatusCode::OK).json();
    assert_eq!(listed[0]["id"], id);

    let results = client.get(&format!("/api/v1/lab/runs/{id}/results?filter=a_fails&per_page=5")).await.json();
    assert_eq!((&results["total"], &results["pages"]), (&json!(12), &json!(3)));
    assert_eq!(results["cases"][0]["repeats"][0]["b"]["answer"], "GOOD");
    let verdict = client.get(&format!("/api/v1/lab/runs/{id}/verdict")).await.expect(StatusCode::OK).json();
    assert_eq!(verdict["outcome"], "b_is_better", "{verdict}");

    let csv = client.get(&format!("/api/v1/lab/runs/{id}/export?format=csv")).await.expect(StatusCode::OK);
    assert!(csv.headers["content-disposition"].to_str().unwrap().contains(".csv"));
    assert_eq!(String::from_utf8(csv.body).unwrap().lines().count(), 25);

    let review = format!("/api/v1/lab/runs/{id}/review?reviewer=ada");
    let pair = client.get(&review).await.expect(StatusCode::OK).json();
    assert!(pair["left"].is_string() && pair.get("a").is_none() && !pair.to_string().contains("1.1.0"), "{pair}");
    let vote = json!({
        "reviewer": "ada", "case_number": pair["case_number"], "repeat": pair["repeat"], "better": "tie",
    });
    client.post(&format!("/api/v1/lab/runs/{id}/votes"), vote).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(client.get(&review).await.json()["voted"], 1);
    assert_eq!(client.get(&format!("/api/v1/lab/runs/{id}/verdict")).await.json()["votes"], json!(null));
    let end = format!("/api/v1/lab/runs/{id}/review/end");
    let ended = client.post(&end, json!({})).await.expect(StatusCode::OK).json();
    assert!(ended["review_ended_at"].is_string(), "{ended}");
    assert_eq!(client.get(&format!("/api/v1/lab/runs/{id}/verdict")).await.json()["votes"], json!([0, 0, 1]));
    client.post(&end, json!({})).await.problem(409, "review_has_ended");
    client.get(&review).await.problem(409, "review_has_ended");

    let winner = json!({ "winner": "b", "reason": "It passes.", "chosen_by": "ada", "go_live": true });
    let path = format!("/api/v1/lab/runs/{id}/winner");
    let chosen = client.post(&path, winner.clone()).await.expect(StatusCode::CREATED).json();
    assert_eq!(chosen["live"], "1.1.0");
    assert_eq!(client.get("/api/v1/prompts/writer/active").await.json()["prompt_text"], "answer: GOOD");
    assert_eq!(client.post(&path, winner).await.expect(StatusCode::CONFLICT).json()["code"], "winner_already_chosen");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn cases_are_imported_exported_and_changed(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], json!([])).await;
    let (client, set) = (&bench.client, format!("/api/v1/lab/sets/{}", bench.set));
    let import = format!("{set}/import");
    let csv = "name,input,checks\nFirst,Hello,contains: x\nSecond,Bye,\n";
    assert_eq!(client.post_raw(&import, "text/csv", csv).await.expect(StatusCode::OK).json()["imported"], 2);
    let yaml = "tests:\n  - description: Third\n    vars: {input: Hi}\n    assert:\n      - type: is-json\n";
    assert_eq!(client.post_raw(&import, "application/yaml", yaml).await.expect(StatusCode::OK).json()["imported"], 1);
    let broken = client.post_raw(&import, "application/jsonl", "{\"name\": \"x\",\n").await;
    let problem = broken.expect(StatusCode::BAD_REQUEST).json();
    assert_eq!(problem["code"], "malformed_import");
    assert!(problem["detail"].as_str().unwrap().contains("ine 1"), "{problem}");
    let twice = client.post_raw(&import, "text/csv", csv).await.expect(StatusCode::CONFLICT).json();
    assert_eq!(twice["code"], "case_name_taken");
    let invalid = client.post_raw(&import, "application/jsonl", vec![0xff, 0xfe]).await;
    assert_eq!(invalid.expect(StatusCode::BAD_REQUEST).json()["code"], "not_utf8");

    let cases = client.get(&set).await.expect(StatusCode::OK).json()["test_cases"].clone();
    assert_eq!(cases.as_array().unwrap().len(), 3);
    let id = cases[0]["id"].as_str().unwrap();
    let broken = json!({ "name": "First", "input": "Hello", "checks": [{ "type": "regex", "value": "(" }] });
    let refused = client.put(&format!("{set}/cases/{id}"), broken).await.expect(StatusCode::BAD_REQUEST).json();
    assert_eq!((&refused["code"], &refused["field"]), (&json!("invalid_case"), &json!("checks")), "{refused}");
    client.post(&format!("{set}/cases/{id}/move"), json!({ "to": 9 })).await.expect(StatusCode::OK);
    let copy = client.post(&format!("{set}/cases/{id}/duplicate"), json!({})).await.expect(StatusCode::CREATED).json();
    assert_eq!(
        (&copy["place"], &copy["name"]),
        (&json!(3), &json!("First (2)")),
        "a change answers with the case alone"
    );
    let after = client.get(&set).await.expect(StatusCode::OK).json();
    let names: Vec<&str> =
        after["test_cases"].as_array().unwrap().iter().map(|case| case["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Second", "Third", "First", "First (2)"]);
    let page = client.get(&format!("{set}?limit=3")).await.expect(StatusCode::OK);
    let next = page.headers["link"].to_str().unwrap().to_owned();
    assert_eq!(next, format!("<{set}?limit=3&cursor=3>; rel=\"next\""));
    let next = client.get(next.trim_start_matches('<').split('>').next().unwrap()).await.expect(StatusCode::OK);
    assert!(!next.headers.contains_key("link"), "it is the last page");
    let next = next.json();
    assert_eq!((&next["cases"], next["test_cases"].as_array().unwrap().len()), (&json!(4), 1));
    let refused = client.get(&format!("{set}?cursor=x")).await.expect(StatusCode::BAD_REQUEST).json();
    assert_eq!((&refused["code"], &refused["field"]), (&json!("invalid_cursor"), &json!("cursor")));
    client.delete(&format!("{set}/cases/{id}")).await.expect(StatusCode::NO_CONTENT);
    client.patch(&set, json!({ "name": "Renamed" })).await.expect(StatusCode::OK);
    let csv = client.get(&format!("{set}/export?format=csv")).await.expect(StatusCode::OK);
    assert!(String::from_utf8(csv.body).unwrap().contains("Second"));
    client.delete(&set).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(client.get(&set).await.expect(StatusCode::NOT_FOUND).json()["code"], "unknown_set");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn whatever_is_wrong_is_named(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    let client = &bench.client;
    for (field, value, status, code) in [
        ("version_a", json!("9.9.9"), StatusCode::NOT_FOUND, "unknown_version"),
        ("version_a", json!("1.0"), StatusCode::BAD_REQUEST, "invalid_version"),
        ("version_b", json!("1.0.0"), StatusCode::BAD_REQUEST, "same_version"),
        ("model", json!("gpt"), StatusCode::BAD_REQUEST, "invalid_model"),
        ("repeats", json!(0), StatusCode::BAD_REQUEST, "invalid_repeats"),
        ("confidence", json!(2), StatusCode::BAD_REQUEST, "invalid_confidence"),
        ("primary", json!("beauty"), StatusCode::UNPROCESSABLE_ENTITY, "invalid_body"),
        ("surprise", json!(1), StatusCode::UNPROCESSABLE_ENTITY, "invalid_body"),
        ("outputs", json!("{}"), StatusCode::UNPROCESSABLE_ENTITY, "invalid_body"),
        ("set_id", json!("00000000-0000-0000-0000-000000000000"), StatusCode::NOT_FOUND, "unknown_set"),
    ] {
        let mut request = bench.request();
        request[field] = value;
        for path in ["/api/v1/lab/runs", "/api/v1/lab/dry-run"] {
            let problem = client.post(path, request.clone()).await.expect(status).json();
            assert_eq!(problem["code"], code, "{field}: {problem}");
        }
    }
    for path in ["runs/x", "runs/00000000-0000-0000-0000-000000000000/verdict", "sets/1"] {
        client.get(&format!("/api/v1/lab/{path}")).await.expect(StatusCode::NOT_FOUND);
    }
    for path in ["runs?limit=0", "runs?colour=red", "runs?cursor=x", "sets?agent_type=No"] {
        client.get(&format!("/api/v1/lab/{path}")).await.expect(StatusCode::BAD_REQUEST);
    }
    let mut outputs = bench.request();
    outputs["outputs"] = json!("{\"case\": \"Nobody\", \"side\": \"a\", \"output\": \"x\"}");
    let problem = client.post("/api/v1/lab/runs/outputs", outputs).await.expect(StatusCode::BAD_REQUEST).json();
    assert!(problem["detail"].as_str().unwrap().contains("ine 1"), "{problem}");
    assert!(bench.api.requests().is_empty(), "nothing was called");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn answers_from_elsewhere_make_a_run(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(2)).await;
    let lines: Vec<String> = [("Case 1", "a"), ("Case 1", "b"), ("Case 2", "a"), ("Case 2", "b")]
        .map(|(case, side)| json!({ "case": case, "side": side, "output": "GOOD", "latency_ms": 3.5 }).to_string())
        .into();
    let mut request = bench.request();
    request["outputs"] = json!(lines.join("\n"));
    let run = bench.client.post("/api/v1/lab/runs/outputs", request).await.expect(StatusCode::CREATED).json();
    assert_eq!((&run["status"], &run["is_imported"]), (&json!("finished"), &json!(true)));
    assert!(bench.api.requests().is_empty());
}

#[sqlx::test(migrations = false)]
async fn the_command_line_has_a_code_for_what_could_not_be_run(_: PgPoolOptions, options: PgConnectOptions) {
    let api = ModelApi::start(Behaviour::default());
    let node = Node::start_with(&database(&options).await, &[("OPENAI_BASE_URL", &api.url())]).await;
    let json = "content-type: application/json";
    for (path, body) in [
        ("prompts/versions", json!({ "agent_type": "lab_writer", "version": "1.0.0", "prompt_text": "One." })),
        ("prompts/versions", json!({ "agent_type": "lab_writer", "version": "1.1.0", "prompt_text": "Two." })),
        ("lab/sets", json!({ "agent_type": "lab_writer", "name": "Basics", "test_cases": good(2) })),
    ] {
        let answer = node.curl(&["-H", json, "-d", &body.to_string()], &format!("/api/v1/{path}")).await.unwrap();
        assert_eq!(answer.0, 201, "{}", answer.1);
    }
    let run = async |server: &str, model: &str, more: &[&str]| {
        let line = ["lab", "run", "--agent", "lab_writer", "--a", "1.0.0", "--b", "1.1.0", "--set", "Basics"];
        let output =
            verbatim().args(line).args(["--server", server, "--model", model]).args(more).output().await.unwrap();
        let [said, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), said, error)
    };
    let model = "compatible::test-model";
    let (code, said, error) = run(&node.url, model, &["--json", "--model-seed", "7"]).await;
    assert_eq!(code, Some(2), "{error}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&report["outcome"], &report["run"]["plan"]["settings"]["seed"]), (&json!("cannot_tell"), &json!(7)));
    assert!(error.contains(&format!("/lab/runs/{}", report["run"]["id"].as_str().unwrap())), "{error}");
    for (server, model, more, said) in [
        ("http://127.0.0.1:9", model, &[][..], "cannot be reached"),
        ("nowhere", model, &[], "not an address"),
        (&node.url, "gpt", &[], "provider"),
        (&node.url, model, &["--repeats", "99"], "1 to 50"),
        (&node.url, model, &["--primary", "beauty"], "primary"),
    ] {
        let (code, _, error) = run(server, model, more).await;
        assert_eq!(code, Some(3), "{error}");
        assert!(error.contains(said), "{error}");
    }
}
