//! Whole answers: their text, their times, their tokens.

use std::time::Duration;

use agents::{
    Ending, LanguageModel, ModelError, ModelErrorKind, ModelSettings, Piece, ProviderState, StopReason, Usage, complete,
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream, stream::BoxStream};
use serde_json::json;

use crate::support::{ask, ask_model, endpoint, models_at, until_asked};

#[tokio::test]
async fn an_answer_comes_piece_by_piece_and_ends() {
    let (_api, models) = endpoint();
    let pieces: Vec<Piece> = models.stream(&ask("Hello there, model")).map(Result::unwrap).collect().await;
    let (end, texts) = pieces.split_last().unwrap();
    let texts: Vec<&String> =
        texts.iter().map(|piece| if let Piece::Text(text) = piece { text } else { panic!() }).collect();
    assert!(texts.len() > 1, "{texts:?}");
    assert_eq!(texts.into_iter().cloned().collect::<String>(), "Echo: Hello there, model");
    let usage = Usage { input_tokens: Some(3), output_tokens: Some(4) };
    assert_eq!(*end, Piece::End(Ending { usage, stop: StopReason::Finished }));
}

#[tokio::test]
async fn everything_that_was_asked_for_is_sent() {
    let (api, models) = endpoint();
    let mut request = ask("Hi");
    request.system = "Be brief.\nanswer: It depends.".into();
    request.settings = ModelSettings { temperature: Some(0.5), top_p: Some(0.9), max_tokens: Some(7), seed: Some(42) };
    assert_eq!(complete(&models, &request).await.unwrap().text, "It depends.");
    let [sent] = &api.requests()[..] else { panic!() };
    assert_eq!(
        sent.body,
        json!({
            "model": "test-model",
            "stream": true,
            "stream_options": { "include_usage": true },
            "messages": [
                { "role": "system", "content": "Be brief.\nanswer: It depends." },
                { "role": "user", "content": "Hi" },
            ],
            "temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "seed": 42,
        })
    );
    assert_eq!(sent.authorization, None);
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_sent() {
    let (api, models) = endpoint();
    complete(&models, &ask("Hi")).await.unwrap();
    let body = &api.requests()[0].body;
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["model", "stream", "messages", "stream_options"]);
    assert_eq!(body["messages"], json!([{ "role": "user", "content": "Hi" }]));
}

#[tokio::test]
async fn a_name_is_sent_as_it_is() {
    let (api, models) = endpoint();
    // The library would read an effort of reasoning out of the first two, and a namespace out of the last.
    for name in ["qwen3-max", "big-high", "org/model:8b", "a::b"] {
        complete(&models, &ask_model(&format!("compatible::{name}"), "Hi")).await.unwrap();
        let body = api.requests().pop().unwrap().body;
        assert_eq!(body["model"], name);
        assert_eq!(body.get("reasoning_effort"), None, "{name}");
    }
}

#[tokio::test]
async fn times_are_those_of_the_endpoint() {
    let (api, models) = endpoint();
    let mut soonest = Duration::MAX;
    for call in 0..50 {
        let started = std::time::Instant::now();
        let answer = complete(&models, &ask(&format!("[first 40ms] [delay 120ms] call {call}"))).await.unwrap();
        let whole = started.elapsed();
        let first = answer.time_to_first_token.unwrap();
        assert!(first >= Duration::from_millis(40), "{first:?}");
        assert!(answer.latency >= Duration::from_millis(120), "{:?}", answer.latency);
        // How close it comes to the endpoint's own time is measured by `make bench`.
        let took = api.requests().pop().unwrap().took.unwrap();
        assert!(answer.latency >= took && answer.latency <= whole, "{took:?}, {:?}, {whole:?}", answer.latency);
        soonest = soonest.min(first);
        // The best of some, because other tests use the same processors.
        if soonest < Duration::from_millis(110) {
            return;
        }
    }
    panic!("{soonest:?} until the first token");
}

#[tokio::test]
async fn calls_run_side_by_side() {
    let (api, models) = endpoint();
    let request = ask("[wait all] Hi");
    let calls = (0..40).map(|_| complete(&models, &request));
    let opens = async {
        until_asked(&api, 40).await;
        api.open("all");
    };
    assert!(tokio::join!(futures_util::future::join_all(calls), opens).0.iter().all(Result::is_ok));
}

#[tokio::test]
async fn usage_and_stop_reason_are_the_providers() {
    let (_api, models) = endpoint();
    let answer = complete(&models, &ask("one two [nousage] [stop content_filter]")).await.unwrap();
    assert_eq!((answer.usage, answer.stop), (Usage::default(), StopReason::Filtered));
    let mut request = ask("one two three four");
    request.settings.max_tokens = Some(3);
    let answer = complete(&models, &request).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.stop), ("Echo: one two", StopReason::Length));
    assert_eq!(answer.usage, Usage { input_tokens: Some(4), output_tokens: Some(3) });
    let answer = complete(&models, &ask("[stop tool_calls]")).await.unwrap();
    assert_eq!(answer.stop, StopReason::Other);
}

#[tokio::test]
async fn an_empty_answer_is_an_answer() {
    let (_api, models) = endpoint();
    let answer = complete(&models, &ask("[empty]")).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.time_to_first_token, answer.stop), ("", None, StopReason::Finished));
    assert_eq!(answer.usage.output_tokens, Some(0));
}

#[tokio::test]
async fn long_answers_are_whole_up_to_a_limit() {
    let (_api, models) = endpoint();
    let answer = complete(&models, &ask("[long 1MB]")).await.unwrap();
    assert_eq!(answer.text.len(), 1024 * 1024);
    assert!(answer.text.starts_with("word word ") && answer.text.is_ascii());
    assert_eq!(complete(&models, &ask("[long 4MB]")).await.unwrap().text.len(), 4 * 1024 * 1024);
    let error = complete(&models, &ask("[long 5MB]")).await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::TooLong);
    assert!(error.message.contains("4 MiB"), "{error}");
}

#[tokio::test]
async fn letters_survive_whatever_pieces_they_come_in() {
    let (_api, models) = endpoint();
    let text = "日本語 – ñandú 🦀 \"quoted\" \\ and\nlines\r\n[DONE] data: x";
    assert_eq!(complete(&models, &ask(text)).await.unwrap().text, format!("Echo: {text}"));
}

/// A model that ends without having said so.
#[derive(Debug)]
struct Unfinished;

impl LanguageModel for Unfinished {
    fn stream(&self, _: &agents::ModelRequest) -> BoxStream<'static, Result<Piece, ModelError>> {
        stream::iter([Ok(Piece::Text("Half an".into()))]).boxed()
    }

    fn catalogue(&self) -> BoxFuture<'_, Vec<ProviderState>> {
        async { Vec::new() }.boxed()
    }
}

#[tokio::test]
async fn no_end_is_no_answer() {
    assert_eq!(complete(&Unfinished, &ask("Hi")).await.unwrap_err().kind, ModelErrorKind::Broken);
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_call() {
    let (api, models) = endpoint();
    for _ in 0..30 {
        complete(&models, &ask("Hi")).await.unwrap();
    }
    // One, as a rule. It is closed when the end of an answer comes in two parts, which a busy machine makes happen.
    assert!(api.connections() < 30, "{} connections for 30 calls, one after the other", api.connections());
}

/// What the next test runs with a proxy in its environment, which a test cannot set for itself alone.
#[tokio::test]
async fn this_machine_is_asked_directly() {
    let (api, models) = endpoint();
    complete(&models, &ask("Hi")).await.unwrap();
    let by_name = models_at(&format!("http://localhost:{}/v1", api.address().port()));
    complete(&by_name, &ask("Hi")).await.unwrap();
    assert_eq!(api.requests().len(), 2);
}

#[test]
fn no_proxy_comes_between() {
    let proxy = "http://127.0.0.1:1";
    let mut test = std::process::Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "answers::this_machine_is_asked_directly"]).env_remove("NO_PROXY").env_remove("no_proxy");
    for variable in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        test.env(variable, proxy);
    }
    let output = test.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
