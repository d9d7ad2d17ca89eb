//! Agents at work over REST and on the command line: what they answer with, what is recorded, and what they refuse.

use std::sync::Arc;

use agents::{CallOutcome, CallRecord, CallRecorder, CallSink, Models, ModelsSettings, Prices};
use http::{Request, StatusCode, header};
use lab::Lab;
use model_api::{Behaviour, ModelApi};
use serde_json::{Value, json};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{MIGRATOR, PerformanceService, PromptStore};

use crate::{
    process::{Node, database, verbatim},
    support::{Answer, Client, eventually, patient},
};

const MODEL: &str = "compatible::test-model";

/// What is said to whoever names a model that there is not.
const NEAR: &str = "Perhaps compatible::test-model";

/// A server whose model answers.
fn server(pool: &PgPool) -> (Client, ModelApi) {
    let api = ModelApi::start(Behaviour::default());
    let settings = ModelsSettings { compatible_url: Some(api.url()), ..ModelsSettings::default() };
    let client = Client::with_lab(pool, |services| {
        Lab::new(pool.clone(), services.clone(), Arc::new(Models::new(settings)), Prices::built_in())
    });
    (client, api)
}

async fn ask(client: &Client, agent: &str, request: Value) -> Answer {
    client.post(&format!("/api/v1/agents/{agent}/respond"), request).await
}

async fn version(client: &Client, version: &str, text: &str) {
    let body = json!({ "agent_type": "writer", "version": version, "prompt_text": text });
    client.post("/api/v1/prompts/versions", body).await.expect(StatusCode::CREATED);
}

async fn promote(client: &Client, version: &str) {
    let body = json!({ "agent_type": "writer", "version": version });
    client.post("/api/v1/prompts/promote", body).await.expect(StatusCode::OK);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_agent_answers_with_what_is_live_and_says_what_that_was(pool: PgPool) {
    let (client, api) = server(&pool);
    version(&client, "1.0.0", "answer: {{greeting}} from one").await;
    promote(&client, "1.0.0").await;
    let question = json!({ "input": "Hi.", "model": MODEL, "variables": { "greeting": "Hello" }, "max_tokens": 50 });
    let first = ask(&client, "writer", question.clone()).await.expect(StatusCode::OK).json();
    assert_eq!((&first["version"], &first["answer"]), (&json!("1.0.0"), &json!("Hello from one")));
    assert_eq!((&first["model"], &first["stop"]), (&json!(MODEL), &json!("finished")));
    assert!(first["output_tokens"] == 3 && first["latency_ms"].as_f64().unwrap() > 0.0, "{first}");
    assert_eq!(api.requests()[0].body["messages"][0]["content"], "answer: Hello from one");

    // The next question after a promotion is answered with the new prompt.
    version(&client, "1.1.0", "answer: {{ greeting }} from two").await;
    promote(&client, "1.1.0").await;
    let second = ask(&client, "writer", question.clone()).await.expect(StatusCode::OK).json();
    assert_eq!((&second["version"], &second["answer"]), (&json!("1.1.0"), &json!("Hello from two")));
    assert_eq!(ask(&client, "writer", question.clone()).await.json()["source"], "cache");

    // Another version, and a text that is none yet.
    let mut old = question.clone();
    old["version"] = json!("1.0.0");
    assert_eq!(ask(&client, "writer", old).await.json()["answer"], "Hello from one");
    let mut unsaved = question;
    unsaved["prompt_text"] = json!("answer: unsaved");
    let unsaved = ask(&client, "writer", unsaved).await.expect(StatusCode::OK).json();
    assert_eq!((&unsaved["version"], &unsaved["answer"]), (&Value::Null, &json!("unsaved")));

    // Calls with a version are recorded.
    eventually("four calls are counted", async || {
        let metrics = String::from_utf8(client.get("/metrics").await.body).unwrap();
        metrics.contains("verbatim_agent_calls_recorded_total 4\n")
            && metrics.contains("verbatim_agent_calls_waiting 0\n")
    })
    .await;
    let page = String::from_utf8(client.get("/agents/writer/compare?base=1.0.0&head=1.1.0").await.body).unwrap();
    assert!(page.contains("Agents at work · compatible::test-model"), "the comparison shows what agents did");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn all_ten_agents_answer_with_their_prompts(pool: PgPool) {
    let (client, api) = server(&pool);
    let seeds = server::seeds::versions().unwrap();
    let services = versioning::Services::new(PromptStore::new(pool.clone()), patient());
    assert!(services.management.seed(&seeds).await.unwrap());
    let agents = services.management.overview().await.unwrap();
    assert_eq!(agents.len(), 10);
    for agent in agents {
        let live = services.loading.get_active_prompt(&agent.agent_type).await.unwrap();
        let text = &live.content().prompt_text;
        let names = versioning::template::variables(text.as_str());
        assert!(!names.is_empty(), "{}", agent.agent_type);
        let without = json!({ "input": "Hi.", "model": MODEL });
        let refused =
            ask(&client, agent.agent_type.as_str(), without).await.expect(StatusCode::UNPROCESSABLE_ENTITY).json();
        let variables: serde_json::Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), json!(format!("<{name}>")))).collect();
        for name in &names {
            assert!(refused["detail"].as_str().unwrap().contains(&format!("{{{{{name}}}}}")), "{refused}");
        }
        let question = json!({ "input": "Hi.", "model": MODEL, "variables": variables });
        let answer = ask(&client, agent.agent_type.as_str(), question).await.expect(StatusCode::OK).json();
        assert_eq!(answer["version"], live.content().version.version.to_string());
        let sent = api.requests().pop().unwrap().body["messages"][0]["content"].as_str().unwrap().to_owned();
        assert!(sent.contains(&format!("<{}>", names[0])) && !sent.contains("{{"), "{sent}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_answer_streams(pool: PgPool) {
    let (client, _api) = server(&pool);
    version(&client, "1.0.0", "Be brief.").await;
    promote(&client, "1.0.0").await;
    let send_to = async |model: &str, input: &str| {
        let request = Request::post("/api/v1/agents/writer/respond")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream")
            .body(json!({ "input": input, "model": model }).to_string().into())
            .unwrap();
        String::from_utf8(client.send(request).await.expect(StatusCode::OK).body).unwrap()
    };
    let send = async |input: &str| send_to(MODEL, input).await;
    let whole = send("one two three").await;
    let kinds: Vec<&str> = whole.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"prompt"), Some(&"end")), "{whole}");
    let said: String = whole
        .lines()
        .filter_map(|line| {
            serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok()?["text"].as_str().map(Into::into)
        })
        .collect::<Vec<String>>()
        .concat();
    assert_eq!(said, "Echo: one two three");
    let broken = send("[cut] x").await;
    assert!(broken.contains("event: error") && broken.contains("\"code\":\"broken\""), "{broken}");
    let unknown = send_to("compatible::missing-model", "x").await;
    assert!(unknown.contains("\"code\":\"unknown_model\"") && unknown.contains(NEAR), "{unknown}");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_cannot_be_answered_says_the_way_forward(pool: PgPool) {
    let (client, api) = server(&pool);
    version(&client, "1.0.0", "For {{reader}} in {{tone}}, {{reader}}.").await;
    let question = |model: &str| json!({ "input": "Hi.", "model": model, "variables": { "reader": "x", "tone": "y" } });
    ask(&client, "writer", question(MODEL)).await.problem(404, "no_active_version");
    promote(&client, "1.0.0").await;
    let refused = async |agent: &str, request: Value, status: u16, code: &str| {
        let answer = ask(&client, agent, request).await;
        let field = answer.problem(status, code);
        (field.unwrap_or_default(), answer.json()["detail"].as_str().unwrap().to_owned())
    };
    let (field, detail) = refused("writer", json!({ "input": "Hi.", "model": MODEL }), 422, "missing_variables").await;
    assert_eq!(field, "variables");
    assert!(detail.contains("Version 1.0.0 uses {{reader}}, {{tone}}, and"), "{detail}");
    let (_, detail) = refused("writre", question(MODEL), 404, "unknown_agent").await;
    assert!(detail.contains("Perhaps writer is meant."), "{detail}");
    assert_eq!(refused("writer", json!({ "input": "Hi." }), 422, "model_missing").await.0, "model");
    assert_eq!(refused("writer", question("gpt"), 422, "invalid_model").await.0, "model");
    let (field, detail) = refused("writer", question("openai::gpt-4o-mini"), 422, "model_not_configured").await;
    assert!(field == "model" && detail.contains("OPENAI_API_KEY"), "{detail}");
    let (_, detail) = refused("writer", question("compatible::missing-model"), 404, "unknown_model").await;
    assert!(detail.contains(NEAR), "{detail}");
    let (_, detail) = refused("writer", question("compatibel::test-model"), 422, "invalid_model").await;
    assert!(detail.contains("Perhaps \"compatible::test-model\" is meant."), "{detail}");
    let with = |name: &str, value: Value| {
        let mut question = question(MODEL);
        question[name] = value;
        question
    };
    assert_eq!(refused("writer", with("temperature", json!(3)), 400, "invalid_setting").await.0, "temperature");
    refused("writer", with("version", json!("9.9.9")), 404, "unknown_version").await;
    let mut both = with("version", json!("1.0.0"));
    both["prompt_text"] = json!("x");
    refused("writer", both, 422, "two_prompts").await;
    refused("writer", with("nonsense", json!(1)), 422, "invalid_body").await;
    let asked = api.requests().len();
    assert_eq!(asked, 1, "only the model that does not exist was asked");
    for (input, status, code) in
        [("[status 500]", 503, "model_busy"), ("[cut]", 502, "model_failed"), ("[status 401]", 502, "model_failed")]
    {
        refused("writer", with("input", json!(input)), status, code).await;
    }
}

#[sqlx::test(migrations = false)]
async fn a_question_from_the_command_line(_: PgPoolOptions, options: PgConnectOptions) {
    let api = ModelApi::start(Behaviour::default());
    let (url, model_api) = (database(&options).await, api.url());
    let settings =
        [("OPENAI_BASE_URL", model_api.as_str()), ("VERBATIM_MODEL", MODEL), ("VERBATIM_AGENT_TIMEOUT", "1")];
    let node = Node::start_with(&url, &settings[..2]).await;
    let body = json!({ "agent_type": "asked_writer", "version": "1.0.0", "prompt_text": "answer: Dear {{reader}}," });
    let json_type = "content-type: application/json";
    for (path, body) in
        [("prompts/versions", body), ("prompts/promote", json!({ "agent_type": "asked_writer", "version": "1.0.0" }))]
    {
        let answer = node.curl(&["-H", json_type, "-d", &body.to_string()], &format!("/api/v1/{path}")).await.unwrap();
        assert!(answer.0 < 300, "{}", answer.1);
    }
    let run = async |agent: &str, more: &[&str]| {
        let line = ["agent", "ask", agent, "Hi.", "--server", &node.url];
        let output = verbatim().args(line).args(more).output().await.unwrap();
        let [said, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), said, error)
    };
    let (code, said, error) = run("asked_writer", &["--variable", "reader=Ada"]).await;
    assert_eq!((code, said.as_str()), (Some(0), "Dear Ada,\n"), "{error}");
    assert!(error.contains("asked_writer 1.0.0, answered by compatible::test-model"), "{error}");
    let (code, said, error) = run("asked_writer", &[]).await;
    assert_eq!((code, said.as_str()), (Some(1), ""));
    assert!(error.contains("{{reader}}"), "{error}");
    let (code, _, error) = run("asked_writre", &[]).await;
    assert!(code == Some(1) && error.contains("Perhaps asked_writer"), "{error}");
    for (model, near) in [
        ("compatible::missing-model", NEAR),
        ("compatibel::test-model", "Perhaps \"compatible::test-model\" is meant."),
    ] {
        let (code, said, error) = run("asked_writer", &["--variable", "reader=Ada", "--model", model]).await;
        assert_eq!((code, said.as_str()), (Some(1), ""));
        assert!(error.contains(near), "{error}");
    }
    // A model that never answers is given up.
    let hurried = Node::start_with(&url, &settings).await;
    let body = json!({ "input": "[hang]", "variables": { "reader": "Ada" } }).to_string();
    let slow = hurried.curl(&["-H", json_type, "-d", &body], "/api/v1/agents/asked_writer/respond").await.unwrap();
    assert_eq!(slow.0, 504, "{}", slow.1);
}

#[tokio::test]
async fn a_database_that_is_away_slows_no_call_and_what_was_dropped_is_counted() {
    let nowhere = PgPoolOptions::new()
        .acquire_timeout(std::time::Duration::from_millis(50))
        .connect_lazy("postgres://nobody@127.0.0.1:9/none")
        .unwrap();
    let recorder = CallRecorder::new(PerformanceService::new(PromptStore::new(nowhere)));
    let call = CallRecord {
        agent_type: "writer".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        model: MODEL.into(),
        outcome: CallOutcome::Answered,
        latency: std::time::Duration::from_millis(5),
        time_to_first_token: None,
        input_tokens: None,
        output_tokens: None,
        cost_usd: None,
        at: chrono::Utc::now(),
    };
    for _ in 0..12_000 {
        recorder.record(call.clone());
    }
    let counters = recorder.counters();
    assert_eq!((counters.recorded, counters.waiting + counters.dropped), (0, 12_000));
    assert!(counters.dropped >= 1_000, "{counters:?}");
    recorder.flush(std::time::Duration::from_millis(1)).await;
    assert!(recorder.counters().waiting > 0, "what waits is not forgotten");
}
