//! Keys are sent to their provider and shown to nobody.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, OnceLock},
};

use agents::{LanguageModel, ModelErrorKind, Models, ModelsSettings, Retries, Secret, complete, complete_with_retries};
use model_api::{Behaviour, ModelApi};

use crate::support::{Canned, ask, ask_model, failure};

const KEY: &str = "key-sentinel-0123456789";

/// A log that can be read.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Everything that any thread of this process logs from now on goes here: whole answers are read on a thread of their own.
    fn begin() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let begin = || {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
            log
        };
        LOG.get_or_init(begin).clone()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn models(url: &str) -> Models {
    let key = Some(Secret::from(KEY));
    Models::new(ModelsSettings {
        openai_key: key.clone(),
        anthropic_key: key.clone(),
        gemini_key: key.clone(),
        ollama_url: Some(url.into()),
        compatible_url: Some(url.into()),
        compatible_key: key,
    })
    .with_address(agents::Provider::OpenAi, url)
    .with_address(agents::Provider::Anthropic, url)
    .with_address(agents::Provider::Gemini, url)
}

const ALL: [&str; 5] = [
    "openai::gpt-4o-mini",
    "anthropic::claude-sonnet-4-5",
    "gemini::gemini-2.5-flash",
    "ollama::llama3.2",
    "compatible::m",
];

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_repeated() {
    let api = ModelApi::start(Behaviour { key: Some("another".into()), ..Behaviour::default() });
    let log = Log::begin();
    let models = models(&api.url());
    let error = failure(&models, &ask("Hi")).await;
    assert_eq!(error.kind, ModelErrorKind::Unauthorized);
    assert!(error.message.contains("(401)") && error.message.contains("OPENAI_API_KEY"), "{error}");
    // It was sent, and the endpoint quoted it.
    assert_eq!(api.requests()[0].authorization.as_deref(), Some(format!("Bearer {KEY}").as_str()));
    let shown = format!("{error} {error:?} {models:?} {}", log.text());
    assert!(!shown.contains("sentinel"), "{shown}");
}

#[tokio::test]
async fn the_right_key_is_taken() {
    let api = ModelApi::start(Behaviour { key: Some(KEY.into()), ..Behaviour::default() });
    assert_eq!(complete(&models(&api.url()), &ask("Hi")).await.unwrap().text, "Echo: Hi");
}

#[tokio::test]
async fn whatever_a_provider_quotes_no_key_is_shown_or_logged() {
    let quoting =
        format!("The key {KEY} of Bearer {KEY} at http://me:{KEY}@host/ and sk-proj-partial**** is not liked");
    let error =
        serde_json::json!({ "error": { "message": quoting, "type": "invalid_request_error", "code": quoting } });
    let event = format!("event: error\ndata: {error}\n\n");
    let bodies = [quoting.clone(), error.to_string(), event, format!("data: {{{KEY}\n\n"), format!("{error}\n")];
    let log = Log::begin();
    let server = Canned::answering(200, &[], "").await;
    let asked = models(&server.url());
    for status in [200, 400, 401, 403, 404, 418, 429, 500] {
        for body in &bodies {
            server.answer(status, body);
            for model in ALL {
                let error = complete(&asked, &ask_model(model, "Hi")).await.unwrap_err();
                let shown = format!("{error} {error:?}");
                assert!(!shown.contains("sentinel") && !shown.contains("sk-proj"), "{status} {model}: {shown}");
            }
        }
        let states = format!("{:?}", models(&server.url()).catalogue().await);
        assert!(!states.contains("sentinel"), "{states}");
    }
    assert!(!log.text().contains("sentinel"), "{}", log.text());
}

#[tokio::test]
async fn the_library_is_silent_and_this_crate_is_not() {
    let api = ModelApi::start(Behaviour::default());
    let log = Log::begin();
    let models = models(&api.url());
    let retries = Retries { attempts: 2, base: std::time::Duration::from_millis(1), ..Retries::default() };
    let request = ask_model("compatible::asked-again", "[status 500 times 1] Hi");
    complete_with_retries(&models, &request, retries).await.outcome.unwrap();
    let is_logged = |line: &str| line.contains("model is asked again") && line.contains("compatible::asked-again");
    assert!(log.text().lines().any(is_logged), "{}", log.text());
    assert!(!log.text().contains("genai"), "{}", log.text());
}
