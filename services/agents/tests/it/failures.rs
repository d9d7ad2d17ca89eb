//! Every way in which a call fails.

use std::time::{Duration, Instant};

use agents::{LanguageModel, ModelErrorKind as K, Models, ModelsSettings, complete};
use futures_util::StreamExt;

use crate::support::{Canned, ask, ask_model, endpoint, failure, kind_of, models_at, nobody, until_asked};

#[tokio::test]
async fn statuses_tell_what_kind_of_failure_it_is() {
    let (_api, models) = endpoint();
    for (status, kind) in [
        (400, K::Refused),
        (401, K::Unauthorized),
        (403, K::Unauthorized),
        (404, K::UnknownModel),
        (408, K::Timeout),
        (413, K::Refused),
        (422, K::Refused),
        (429, K::RateLimited),
        (500, K::Overloaded),
        (502, K::Overloaded),
        (503, K::Overloaded),
        (529, K::Overloaded),
    ] {
        let error = failure(&models, &ask(&format!("[status {status}]"))).await;
        assert_eq!(error.kind, kind, "{status}");
        assert!(error.message.contains(&status.to_string()), "{error}");
    }
    let error = failure(&models, &ask("[status 400]")).await;
    assert!(error.message.ends_with("It says: This is what status 400 looks like."), "{error}");
}

#[tokio::test]
async fn an_empty_account_is_not_a_crowd() {
    let (_api, models) = endpoint();
    let error = failure(&models, &ask("[status 429 code insufficient_quota]")).await;
    assert_eq!(error.kind, K::Refused);
    assert!(error.message.contains("no credit left"), "{error}");
}

#[tokio::test]
async fn a_model_that_does_not_exist_is_named() {
    let (_api, models) = endpoint();
    let error = failure(&models, &ask_model("compatible::missing-1", "Hi")).await;
    assert_eq!(error.kind, K::UnknownModel);
    assert!(error.message.contains("knows no model missing-1"), "{error}");
}

#[tokio::test]
async fn a_broken_answer_is_no_answer() {
    let (_api, models) = endpoint();
    for user in ["[cut]", "[unfinished]", "[malformed]", "[notutf8]", "[cut] [long 1MB]"] {
        assert_eq!(kind_of(&models, user).await, K::Broken, "{user}");
    }
    assert!(failure(&models, &ask("[cut]")).await.message.contains("closed the connection before"));
    assert!(failure(&models, &ask("[unfinished]")).await.message.contains("cut off"));
    assert!(failure(&models, &ask("[malformed]")).await.message.contains("not the JSON"));
    assert!(failure(&models, &ask("[notutf8]")).await.message.contains("not UTF-8"));
}

#[tokio::test]
async fn nothing_follows_an_error() {
    let (_api, models) = endpoint();
    for user in ["[malformed]", "[failing]", "[cut]", "[status 500]"] {
        let items: Vec<_> = models.stream(&ask(user)).collect().await;
        let (last, before) = items.split_last().unwrap();
        assert!(last.is_err() && before.iter().all(Result::is_ok), "{user}: {items:?}");
        // What came before the failure was passed on as it came.
        assert_eq!(before.is_empty(), user == "[status 500]", "{user}: {items:?}");
    }
}

#[tokio::test]
async fn an_error_in_the_middle_of_an_answer_is_one() {
    let (_api, models) = endpoint();
    let error = failure(&models, &ask("[failing]")).await;
    assert_eq!(error.kind, K::Overloaded);
    assert!(error.message.ends_with("It says: It broke off."), "{error}");
}

#[tokio::test]
async fn a_page_is_not_an_answer() {
    let server = Canned::answering(200, &[("content-type", "text/html")], "<html>Welcome</html>").await;
    assert_eq!(kind_of(&models_at(&server.url()), "Hi").await, K::Broken);
}

#[tokio::test]
async fn what_hangs_is_given_up_in_time() {
    let (_api, models) = endpoint();
    for user in ["[hang]", "[first 10ms] [delay 3600s]"] {
        let mut request = ask(user);
        request.timeout = Duration::from_millis(250);
        let started = Instant::now();
        let error = failure(&models, &request).await;
        assert_eq!(error.kind, K::Timeout, "{user}");
        assert!(error.message.contains("within 0.25 s"), "{error}");
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(250), "{took:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let (address, _socket) = nobody();
    let models = models_at(&format!("http://me:pass-sentinel@{address}/v1"));
    let error = failure(&models, &ask("Hi")).await;
    assert_eq!(error.kind, K::Unreachable);
    assert!(error.message.contains(&address.to_string()) && error.message.contains("OPENAI_BASE_URL"), "{error}");
    assert!(!format!("{error:?}").contains("sentinel"), "{error:?}");
    let models = models_at("http://no-such-host.invalid/v1/");
    // Through a proxy, it is the proxy that does not find it.
    let kind = complete(&models, &ask("Hi")).await.unwrap_err().kind;
    assert!(matches!(kind, K::Unreachable | K::Overloaded | K::Unauthorized | K::UnknownModel), "{kind:?}");
}

#[tokio::test]
async fn what_is_not_configured_says_what_to_set() {
    let models = Models::new(ModelsSettings::default());
    for (model, variable) in [
        ("openai::gpt-4o-mini", "OPENAI_API_KEY"),
        ("anthropic::claude-sonnet-4-5", "ANTHROPIC_API_KEY"),
        ("gemini::gemini-2.5-flash", "GEMINI_API_KEY"),
        ("compatible::mine", "OPENAI_BASE_URL"),
    ] {
        let error = failure(&models, &ask_model(model, "Hi")).await;
        assert_eq!(error.kind, K::NotConfigured, "{model}");
        assert!(error.message.contains(variable), "{error}");
    }
    for url in ["127.0.0.1:8000", "file:///etc/passwd", "not an address"] {
        let error = failure(&models_at(url), &ask("Hi")).await;
        assert_eq!(error.kind, K::NotConfigured, "{url}");
        assert!(error.message.contains("OPENAI_BASE_URL is not usable"), "{error}");
    }
}

#[tokio::test]
async fn a_key_that_http_cannot_carry_is_not_configured() {
    let settings = ModelsSettings { anthropic_key: Some("two\nlines-sentinel".into()), ..ModelsSettings::default() };
    let error = failure(&Models::new(settings), &ask_model("anthropic::claude", "Hi")).await;
    assert_eq!(error.kind, K::NotConfigured);
    assert!(error.message.contains("ANTHROPIC_API_KEY") && !error.message.contains("sentinel"), "{error}");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Canned::answering(200, &[], "").await;
    let server = Canned::answering(307, &[("location", elsewhere.url().as_str())], "").await;
    let error = failure(&models_at(&server.url()), &ask("Hi")).await;
    assert_eq!(error.kind, K::Refused);
    assert!(error.message.contains("redirect"), "{error}");
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn what_a_provider_writes_is_shown_short_and_plain() {
    let body = format!("<h1>Bad\u{7}  Gateway</h1>\r\n{}", "long ".repeat(500));
    let server = Canned::answering(502, &[], &body).await;
    let error = failure(&models_at(&server.url()), &ask("Hi")).await;
    let (_, said) = error.message.split_once("It says: ").unwrap();
    assert!(said.starts_with("<h1>Bad Gateway</h1> long long"), "{said}");
    assert!(said.ends_with('…') && said.chars().count() == 300, "{said}");
}

#[tokio::test]
async fn a_given_up_call_ends_its_connection() {
    let (api, models) = endpoint();
    let request = ask("[hang]");
    for call in 1..=2 {
        tokio::select! {
            answer = complete(&models, &request) => panic!("{answer:?}"),
            () = until_asked(&api, call) => {}
        }
    }
    // A connection that still waits for an answer cannot be used for the next question.
    assert_eq!(api.connections(), 2);
}
