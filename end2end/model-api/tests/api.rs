//! The API over HTTP, as a client that knows nothing of it sees it.
#![expect(clippy::unwrap_used, reason = "a test that meets an error fails")]

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::Once,
    time::{Duration, Instant},
};

use model_api::{Behaviour, Judge, ModelApi, RecordedRequest};
use serde_json::{Value, json};

fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

async fn post(api: &ModelApi, system: &str, user: &str, streams: bool) -> reqwest::Result<reqwest::Response> {
    let body = json!({
        "model": "test-model",
        "stream": streams,
        "stream_options": { "include_usage": true },
        "messages": [{ "role": "system", "content": system }, { "role": "user", "content": user }],
    });
    client().post(format!("{}chat/completions", api.url())).bearer_auth("a-key").json(&body).send().await
}

/// The text of an answer that came at once.
async fn answer(api: &ModelApi, system: &str, user: &str) -> String {
    let body: Value = post(api, system, user, false).await.unwrap().json().await.unwrap();
    assert_eq!(body["object"], "chat.completion");
    body["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn it_answers_at_once_and_piece_by_piece() {
    let api = ModelApi::start(Behaviour::default());
    let body: Value = post(&api, "Be brief.", "Hello you", false).await.unwrap().json().await.unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "Echo: Hello you");
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["usage"], json!({ "prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7 }));
    let text = post(&api, "", "Hello you", true).await.unwrap().text().await.unwrap();
    let events: Vec<&str> = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
    let (done, events) = events.split_last().unwrap();
    assert_eq!(*done, "[DONE]");
    let events: Vec<Value> = events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let said: String = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "Echo: Hello you");
    assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], 3);
    let requests = api.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].authorization.as_deref(), Some("Bearer a-key"));
    assert!(requests.iter().all(|request| request.took.is_some()));
}

#[tokio::test]
async fn the_prompt_and_the_message_decide() {
    let api = ModelApi::start(Behaviour { judge: Judge::new(|user| format!("judged {user}")), ..Behaviour::default() });
    assert_eq!(answer(&api, "Hi.\n  answer: It depends. \nBye.", "x").await, "It depends.");
    assert_eq!(answer(&api, "answer: a", "[json [1, 2]] x").await, "[1, 2]");
    assert_eq!(answer(&api, "You are a judge.", "[empty] x").await, "judged [empty] x");
    assert_eq!(answer(&api, "You are a judge.\nanswer: no", "x").await, "no");
    assert!(!answer(&api, "You are a judge.", "[mumble]").await.contains('{'));
    let flipped: Value = serde_json::from_str(&answer(&api, "You are a judge.", "x [flip]").await).unwrap();
    assert_eq!(flipped["better"], "first");
    assert_eq!(answer(&api, "", "[empty]").await, "");
    assert_eq!(answer(&api, "", "[long 1MB]").await.len(), 1024 * 1024);
}

#[tokio::test]
async fn failures_are_those_that_were_asked_for() {
    let api = ModelApi::start(Behaviour::default());
    let first = post(&api, "", "[status 429 retry-after 7 times 1]", true).await.unwrap();
    assert_eq!((first.status().as_u16(), first.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(post(&api, "", "[status 429 retry-after 7 times 1]", true).await.unwrap().status().as_u16(), 200);
    // Another prompt fails on its own.
    let other = post(&api, "another", "[status 429 retry-after 7 times 1]", true).await.unwrap();
    assert_eq!(other.status().as_u16(), 429);
    for streams in [false, true] {
        assert!(post(&api, "", "[cut]", streams).await.unwrap().bytes().await.is_err(), "{streams}");
        let malformed = post(&api, "", "[malformed]", streams).await.unwrap().text().await.unwrap();
        let last = malformed.trim_end().rsplit("data: ").next().unwrap();
        assert!(serde_json::from_str::<Value>(last).is_err(), "{malformed}");
        let bytes = post(&api, "", "[notutf8]", streams).await.unwrap().bytes().await.unwrap();
        assert!(std::str::from_utf8(&bytes).is_err());
    }
    let unfinished = post(&api, "", "[unfinished]", true).await.unwrap().text().await.unwrap();
    assert!(unfinished.contains("Ec") && !unfinished.contains("[DONE]") && !unfinished.contains("\"stop\""));
    let hangs = tokio::time::timeout(Duration::from_millis(200), post(&api, "", "[hang]", true)).await;
    assert!(hangs.is_err());
}

#[tokio::test]
async fn what_was_answered_before_a_cut_arrives_however_slow_the_answer_was() {
    // Longer than the connection lives on before it is cut.
    let slow = Judge::new(|_| {
        std::thread::sleep(Duration::from_millis(30));
        "It depends.".into()
    });
    let api = ModelApi::start(Behaviour { judge: slow, ..Behaviour::default() });
    for streams in [false, true] {
        let mut answer = post(&api, "You are a judge.", "[cut]", streams).await.unwrap();
        assert!(answer.chunk().await.unwrap().is_some_and(|piece| !piece.is_empty()), "{streams}");
        while let Ok(piece) = answer.chunk().await {
            assert!(piece.is_some(), "it ended in good order: {streams}");
        }
    }
}

#[tokio::test]
async fn delays_are_kept() {
    let delayed = |delay| ModelApi::start(Behaviour { delay, ..Behaviour::default() });
    // What says how long it takes does not take the hour.
    let (api, slow) = (delayed(Duration::from_millis(60)), delayed(Duration::from_hours(1)));
    for (api, user, at_least) in
        [(&api, "x", 60), (&slow, "[delay 120ms]", 120), (&api, "[first 90ms]", 90), (&api, "[status 500]", 60)]
    {
        let started = Instant::now();
        post(api, "", user, true).await.unwrap().bytes().await.unwrap();
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(at_least), "{user}: {took:?}");
    }
}

/// Waits until the requests are as wanted, for a minute at most.
async fn until(api: &ModelApi, are_so: impl Fn(&[RecordedRequest]) -> bool) {
    for _ in 0..12_000 {
        if are_so(&api.requests()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", api.requests());
}

#[tokio::test]
async fn two_hundred_are_answered_side_by_side() {
    let api = ModelApi::start(Behaviour::default());
    let calls: Vec<_> = (0..200).map(|_| post(&api, "", "[wait all]", true)).collect();
    let opens = async {
        until(&api, |requests| requests.len() == 200).await;
        api.open("all");
    };
    for answered in tokio::join!(futures_util::future::join_all(calls), opens).0 {
        assert!(answered.unwrap().text().await.unwrap().ends_with("[DONE]\n\n"));
    }
}

#[tokio::test]
async fn answers_wait_until_they_are_let_go() {
    let api = ModelApi::start(Behaviour::default());
    let answered = |requests: &[RecordedRequest]| requests.iter().filter(|request| request.took.is_some()).count();
    let calls = (0..6).map(|_| answer(&api, "", "[wait all] x"));
    let steps = async {
        until(&api, |requests| requests.len() == 6).await;
        assert_eq!(answered(&api.requests()), 0);
        // Another one does not wait for that.
        api.open("another");
        assert_eq!(answer(&api, "", "[wait another] y").await, "Echo: y");
        api.release("all", 2);
        until(&api, |requests| answered(requests) == 3).await;
        assert_eq!(answer(&api, "", "z").await, "Echo: z");
        assert_eq!(answered(&api.requests()), 4);
        api.open("all");
    };
    assert_eq!(tokio::join!(futures_util::future::join_all(calls), steps).0, ["Echo: x"; 6]);
    assert_eq!(answer(&api, "", "[wait all] later").await, "Echo: later");
}

#[tokio::test]
async fn a_key_is_asked_for_and_models_are_listed() {
    let api = ModelApi::start(Behaviour { key: Some("a-key".into()), ..Behaviour::default() });
    let list = |key: &'static str| client().get(format!("{}models", api.url())).bearer_auth(key).send();
    let models: Value = list("a-key").await.unwrap().json().await.unwrap();
    assert_eq!(models["data"][0]["id"], "test-model");
    let refused = list("another").await.unwrap();
    assert_eq!(refused.status().as_u16(), 401);
    assert!(refused.text().await.unwrap().contains("provided: another."));
}

#[tokio::test]
async fn it_stops_when_it_is_dropped() {
    // Nobody else takes a port of this address meanwhile.
    let api = ModelApi::start_at(([127, 0, 0, 2], 0).into(), Behaviour::default()).unwrap();
    let url = api.url();
    assert_eq!(client().get(format!("{url}models")).send().await.unwrap().status().as_u16(), 200);
    drop(api);
    assert!(client().get(format!("{url}models")).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn the_program_serves_until_it_is_terminated() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_model-api"))
        .args(["--addr", "127.0.0.1:0", "--delay-ms", "5"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let listed = client().get(format!("{}models", url.trim())).send().await.unwrap();
    assert_eq!(listed.status().as_u16(), 200);
    let terminated = Command::new("kill").arg(program.id().to_string()).status().unwrap();
    assert!(terminated.success());
    assert!(program.wait().unwrap().success());
}
