//! The lab over real processes: a node that is killed in the middle of a run, and the command line.

use model_api::{Behaviour, ModelApi};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::{
    process::{Node, database, verbatim},
    support::eventually,
};

async fn post(node: &Node, path: &str, body: Value) -> Value {
    let arguments = ["-H", "content-type: application/json", "-d", &body.to_string()];
    let (status, answer) = node.curl(&arguments, path).await.unwrap();
    assert_eq!(status, 201, "{answer}");
    serde_json::from_str(&answer).unwrap()
}

async fn run(node: &Node, id: &str) -> Value {
    let (status, answer) = node.curl(&[], &format!("/api/v1/lab/runs/{id}")).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str(&answer).unwrap()
}

#[sqlx::test(migrations = false)]
async fn a_run_goes_on_after_a_kill_and_pays_for_no_answer_twice(_: PgPoolOptions, options: PgConnectOptions) {
    let api = ModelApi::start(Behaviour::default());
    let url = database(&options).await;
    let settings = [("OPENAI_BASE_URL", api.url()), ("VERBATIM_LAB_LEASE", "2".into())];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let first = Node::start_with(&url, &settings).await;
    let version = json!({ "agent_type": "lab_writer", "version": "1.0.0", "prompt_text": "One." });
    post(&first, "/api/v1/prompts/versions", version).await;
    let version = json!({ "agent_type": "lab_writer", "version": "1.1.0", "prompt_text": "Two." });
    post(&first, "/api/v1/prompts/versions", version).await;
    let cases: Vec<Value> = (1..=30)
        .map(|number| json!({ "name": number.to_string(), "input": format!("[wait all] question {number}") }))
        .collect();
    let set = json!({ "agent_type": "lab_writer", "name": "Thirty", "test_cases": cases });
    let set = post(&first, "/api/v1/lab/sets", set).await;
    let request = json!({
        "agent_type": "lab_writer", "version_a": "1.0.0", "version_b": "1.1.0", "set_id": set["id"],
        "model": "compatible::test-model", "concurrency": 4,
    });
    let started = post(&first, "/api/v1/lab/runs", request).await;
    let id = started["id"].as_str().unwrap().to_owned();
    api.release("all", 20);
    eventually("a third is recorded", async || run(&first, &id).await["done"] == 20).await;
    eventually("four are under way", async || api.requests().len() == 24).await;
    first.kill().await;

    let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    let recorded: i64 =
        sqlx::query_scalar("select count(*) from lab_calls where status = 'answered'").fetch_one(&pool).await.unwrap();
    assert_eq!(recorded, 20, "answers were recorded when it was killed");
    api.open("all");
    let second = Node::start_with(&url, &settings).await;
    eventually("the run is over", async || run(&second, &id).await["status"] == "finished").await;
    let over = run(&second, &id).await;
    assert_eq!((&over["done"], &over["failed"]), (&json!(60), &json!(0)));
    assert_eq!(api.requests().len(), 64, "60 answers, and 4 that were lost with the process");
}

#[sqlx::test(migrations = false)]
async fn the_command_line_says_by_its_exit_code_what_came_out(_: PgPoolOptions, options: PgConnectOptions) {
    let api = ModelApi::start(Behaviour::default());
    let url = database(&options).await;
    let models = api.url();
    let node = Node::start_with(&url, &[("OPENAI_BASE_URL", &models)]).await;
    for (version, text) in [("1.0.0", "One."), ("1.1.0", "answer: GOOD"), ("1.2.0", "Three.")] {
        let version = json!({ "agent_type": "lab_writer", "version": version, "prompt_text": text });
        post(&node, "/api/v1/prompts/versions", version).await;
    }
    let cases: Vec<Value> = (1..=12)
        .map(|number| {
            let checks = json!([{ "type": "contains", "value": "GOOD" }]);
            json!({ "name": number.to_string(), "input": format!("Question {number}"), "checks": checks })
        })
        .collect();
    post(&node, "/api/v1/lab/sets", json!({ "agent_type": "lab_writer", "name": "Dozen", "test_cases": cases })).await;
    let run = async |a: &str, b: &str, set: &str| {
        let mut command = verbatim();
        command.args(["lab", "run", "--agent", "lab_writer", "--a", a, "--b", b, "--set", set, "--server", &node.url]);
        let output = command.args(["--model", "compatible::test-model"]).output().await.unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), said[0].clone(), said[1].clone())
    };
    let (code, said, _) = run("1.0.0", "1.1.0", "Dozen").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("B is better: 1.1.0\n") && said.contains("12 cases"), "{said}");
    assert_eq!(run("1.1.0", "1.2.0", "Dozen").await.0, Some(1));
    assert_eq!(run("1.0.0", "1.2.0", "Dozen").await.0, Some(2));
    let (code, _, said) = run("1.0.0", "1.1.0", "Dozens").await;
    assert_eq!(code, Some(3));
    assert!(said.contains("it has Dozen"), "{said}");
    let (code, _, said) = run("1.0.0", "9.9.9", "Dozen").await;
    assert_eq!(code, Some(3));
    assert!(said.contains("no version 9.9.9"), "{said}");
    let misused = verbatim().args(["lab", "run", "--agent", "lab_writer", "--sets", "Dozen"]).output().await.unwrap();
    assert_eq!(misused.status.code(), Some(3), "{misused:?}");
    assert!(String::from_utf8(misused.stderr).unwrap().contains("--sets"));
    assert_eq!(verbatim().args(["lab", "--help"]).output().await.unwrap().status.code(), Some(0));
    // More sets than one page of the list has, before the one that is meant.
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    sqlx::query(
        "insert into lab_sets (agent_type, name) select 'lab_writer', 'A ' || n from generate_series(1, 200) n",
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(run("1.0.0", "1.1.0", "Dozen").await.0, Some(0));
    let (code, _, said) = run("1.0.0", "1.1.0", "Dozens").await;
    assert_eq!(code, Some(3));
    assert!(said.contains("it has A 1, ") && said.contains(", and 191 more"), "{said}");
}
