//! What the other providers are sent, and how their answers are read.

use agents::{
    Answer, ModelError, ModelErrorKind as K, Models, ModelsSettings, Provider, Secret, StopReason, Usage, complete,
};
use serde_json::json;

use crate::support::{Canned, Seen, ask_model};

const ANTHROPIC: &str = r#"event: message_start
data: {"type":"message_start","message":{"usage":{"input_tokens":12,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" you"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":5}}

event: message_stop
data: {"type":"message_stop"}

"#;

const GEMINI: &str = r#"data: {"candidates":[{"content":{"parts":[{"text":"Hello"}],"role":"model"}}],"usageMetadata":{"promptTokenCount":12}}

data: {"candidates":[{"content":{"parts":[{"text":" you"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":5,"totalTokenCount":17}}

"#;

const OLLAMA: &str = r#"{"message":{"role":"assistant","content":"Hello"},"done":false}
{"message":{"role":"assistant","content":" you"},"done":false}
{"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":12,"eval_count":5}
"#;

/// Asks a provider that gives this answer.
async fn asked(model: &str, status: u16, body: &str) -> (Result<Answer, ModelError>, Seen) {
    let server = Canned::answering(status, &[], body).await;
    let key = Some(Secret::from("a-key"));
    let models = Models::new(ModelsSettings {
        openai_key: key.clone(),
        anthropic_key: key.clone(),
        gemini_key: key,
        ollama_url: Some(server.address.to_string()),
        ..ModelsSettings::default()
    })
    .with_address(Provider::OpenAi, format!("{}v1", server.url()))
    .with_address(Provider::Anthropic, format!("{}v1/", server.url()))
    .with_address(Provider::Gemini, format!("{}v1beta/", server.url()));
    let mut request = ask_model(model, "Hi");
    request.system = "Be brief.".into();
    request.settings.temperature = Some(0.5);
    request.settings.max_tokens = Some(9);
    let outcome = complete(&models, &request).await;
    (outcome, server.seen().pop().unwrap())
}

fn read(answer: Answer) -> (String, Usage, StopReason) {
    assert!(answer.time_to_first_token.unwrap() <= answer.latency);
    (answer.text, answer.usage, answer.stop)
}

const USAGE: Usage = Usage { input_tokens: Some(12), output_tokens: Some(5) };

#[tokio::test]
async fn anthropic_is_asked_and_read() {
    let (outcome, seen) = asked("anthropic::claude-sonnet-4-5", 200, ANTHROPIC).await;
    assert_eq!(read(outcome.unwrap()), ("Hello you".into(), USAGE, StopReason::Length));
    assert_eq!(seen.uri.path(), "/v1/messages");
    assert_eq!(seen.headers["x-api-key"], "a-key");
    assert_eq!(seen.body["model"], "claude-sonnet-4-5");
    assert_eq!((&seen.body["temperature"], &seen.body["max_tokens"]), (&json!(0.5), &json!(9)));
    assert_eq!(seen.body["thinking"], json!(null));
}

#[tokio::test]
async fn gemini_is_asked_and_read() {
    let (outcome, seen) = asked("gemini::gemini-2.5-flash", 200, GEMINI).await;
    assert_eq!(read(outcome.unwrap()), ("Hello you".into(), USAGE, StopReason::Finished));
    assert_eq!(seen.uri.to_string(), "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
    assert_eq!(seen.headers["x-goog-api-key"], "a-key");
    assert_eq!(seen.body["generationConfig"], json!({ "temperature": 0.5, "maxOutputTokens": 9 }));
}

#[tokio::test]
async fn ollama_is_asked_and_read() {
    let (outcome, seen) = asked("ollama::llama3.2:3b", 200, OLLAMA).await;
    assert_eq!(read(outcome.unwrap()), ("Hello you".into(), USAGE, StopReason::Finished));
    assert_eq!(seen.uri.path(), "/api/chat");
    assert!(!seen.headers.contains_key("authorization"));
    assert_eq!(seen.body["model"], "llama3.2:3b");
    assert_eq!(seen.body["options"], json!({ "temperature": 0.5, "num_predict": 9 }));
    assert_eq!(seen.body["messages"][0], json!({ "role": "system", "content": "Be brief." }));
}

#[tokio::test]
async fn openai_is_asked_with_its_key() {
    let (outcome, seen) = asked("openai::gpt-5-mini", 200, "data: [DONE]\n\n").await;
    assert_eq!(outcome.unwrap().stop, StopReason::Other);
    assert_eq!(seen.uri.path(), "/v1/chat/completions");
    assert_eq!(seen.headers["authorization"], "Bearer a-key");
    assert_eq!((&seen.body["model"], &seen.body["max_completion_tokens"]), (&json!("gpt-5-mini"), &json!(9)));
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_none_for_any_provider() {
    for (model, whole) in [("anthropic::claude", ANTHROPIC), ("gemini::gemini", GEMINI), ("ollama::llama", OLLAMA)] {
        let (outcome, _) = asked(model, 200, whole).await;
        outcome.unwrap();
        let half = &whole[..whole.rfind("you").unwrap() - 40];
        let half = &half[..half.rfind('\n').unwrap() + 1];
        assert!(half.contains("Hello"), "{half}");
        let (outcome, _) = asked(model, 200, half).await;
        assert_eq!(outcome.unwrap_err().kind, K::Broken, "{model}");
    }
}

#[tokio::test]
async fn errors_in_streams_are_read_for_what_they_are() {
    let anthropic = |kind: &str| {
        format!(
            "event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"It is busy\"}}}}\n\n"
        )
    };
    for (kind, expected) in [
        ("overloaded_error", K::Overloaded),
        ("api_error", K::Overloaded),
        ("rate_limit_error", K::RateLimited),
        ("invalid_request_error", K::Refused),
        ("authentication_error", K::Unauthorized),
        ("something_new", K::Broken),
    ] {
        let (outcome, _) = asked("anthropic::claude", 200, &anthropic(kind)).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.kind, expected, "{kind}");
        assert_eq!(error.message.contains("It says: It is busy"), expected != K::Unauthorized, "{error}");
    }
    let gemini = |code: u16| format!("data: {{\"error\":{{\"code\":{code},\"status\":\"X\",\"message\":\"No\"}}}}\n\n");
    for (code, expected) in [(429, K::RateLimited), (503, K::Overloaded), (400, K::Refused), (404, K::UnknownModel)] {
        let (outcome, _) = asked("gemini::gemini", 200, &gemini(code)).await;
        assert_eq!(outcome.unwrap_err().kind, expected, "{code}");
    }
    let blocked = "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n";
    let (outcome, _) = asked("gemini::gemini", 200, blocked).await;
    let error = outcome.unwrap_err();
    assert!(error.kind == K::Refused && error.message.contains("blocked the prompt"), "{error}");
}

#[tokio::test]
async fn a_provider_is_named_in_its_failures() {
    for (model, who, way) in [
        ("openai::gpt-4o", "OpenAI refuses the key (401)", "OPENAI_API_KEY"),
        ("anthropic::claude", "Anthropic refuses the key (401)", "ANTHROPIC_API_KEY"),
        ("gemini::gemini", "Gemini refuses the key (401)", "GEMINI_API_KEY"),
        ("ollama::llama", "Ollama at 127.0.0.1:", "OLLAMA_HOST"),
    ] {
        let (outcome, _) = asked(model, 401, "{}").await;
        let message = outcome.unwrap_err().message;
        assert!(message.starts_with(who) && message.contains(way), "{message}");
    }
}
