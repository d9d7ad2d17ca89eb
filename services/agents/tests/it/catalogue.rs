//! Which models are offered, and what is said when there are none.

use agents::{LanguageModel, Models, ModelsSettings, Prices, Provider, ProviderState, Reachability, Secret};
use model_api::{Behaviour, ModelApi};

use crate::support::{Canned, models_at};

async fn state_of(models: &Models, provider: Provider) -> ProviderState {
    let states = models.catalogue().await;
    assert_eq!(states.iter().map(|state| state.provider).collect::<Vec<_>>(), Provider::ALL);
    states.into_iter().find(|state| state.provider == provider).unwrap()
}

fn why(state: &ProviderState) -> &str {
    if let Reachability::Unreachable { why } = &state.state { why } else { panic!("{state:?}") }
}

#[tokio::test]
async fn without_anything_every_provider_says_how() {
    // Nothing listens there: a machine that runs these tests may well run Ollama.
    let models = Models::new(ModelsSettings { ollama_url: Some("127.0.0.1:1".into()), ..ModelsSettings::default() });
    for (provider, variable) in [
        (Provider::OpenAi, "OPENAI_API_KEY"),
        (Provider::Anthropic, "ANTHROPIC_API_KEY"),
        (Provider::Gemini, "GEMINI_API_KEY"),
        (Provider::Compatible, "OPENAI_BASE_URL"),
    ] {
        let state = state_of(&models, provider).await;
        let Reachability::NotConfigured { how } = state.state else { panic!("{state:?}") };
        assert!(how.contains(variable) && state.models.is_empty(), "{how}");
    }
    let ollama = state_of(&models, Provider::Ollama).await;
    assert!(why(&ollama).contains("127.0.0.1:1 does not answer") && why(&ollama).contains("OLLAMA_HOST"), "{ollama:?}");
}

#[tokio::test]
async fn a_key_makes_a_provider_reachable() {
    let prices = "model,input_usd_per_million,output_usd_per_million\nopenai::b,1,1\nopenai::a,1,1\ngemini::c,1,1\n";
    let models = Models::new(ModelsSettings {
        openai_key: Some(Secret::from("key")),
        ollama_url: Some("127.0.0.1:1".into()),
        ..ModelsSettings::default()
    })
    .with_prices(Prices::parse(prices).unwrap());
    let state = state_of(&models, Provider::OpenAi).await;
    assert_eq!(state.models, ["openai::a", "openai::b"]);
    assert_eq!(state.state, Reachability::Reachable);
}

#[tokio::test]
async fn an_endpoint_lists_its_models() {
    let api = ModelApi::start(Behaviour { key: Some("right".into()), ..Behaviour::default() });
    let settings = |key: &str| ModelsSettings {
        compatible_url: Some(api.url()),
        compatible_key: Some(Secret::from(key)),
        ..ModelsSettings::default()
    };
    let state = state_of(&Models::new(settings("right")), Provider::Compatible).await;
    assert_eq!(state.models, ["compatible::other-model", "compatible::test-model"]);
    assert_eq!(state.state, Reachability::Reachable);
    let state = state_of(&Models::new(settings("wrong")), Provider::Compatible).await;
    assert!(why(&state).contains("refuses the key") && why(&state).contains("OPENAI_API_KEY"), "{state:?}");
}

#[tokio::test]
async fn lists_come_in_several_shapes() {
    for (body, expected) in [
        (r#"{"data":[{"id":"a","name":"A"}],"models":[{"name":"b"}]}"#, vec!["compatible::a"]),
        (
            r#"{"object":"list","data":[{"id":"b"},{"id":"a"},{"id":"with space"},{"other":1}]}"#,
            vec!["compatible::a", "compatible::b"],
        ),
        (r#"{"object":"list","data":null}"#, vec![]),
    ] {
        let server = Canned::answering(200, &[], body).await;
        let state = state_of(&models_at(&server.url()), Provider::Compatible).await;
        assert_eq!(
            (state.models, state.state),
            (expected.into_iter().map(String::from).collect(), Reachability::Reachable)
        );
    }
    // An endpoint without a list.
    let server = Canned::answering(404, &[], "").await;
    let state = state_of(&models_at(&server.url()), Provider::Compatible).await;
    assert_eq!((state.models.len(), state.state), (0, Reachability::Reachable));
    for (status, body, what) in [(200, "<html>", "does not list"), (500, "", "status 500"), (302, "", "status 302")] {
        let server = Canned::answering(status, &[], body).await;
        let state = state_of(&models_at(&server.url()), Provider::Compatible).await;
        assert!(why(&state).contains(what), "{state:?}");
    }
}

#[tokio::test]
async fn ollama_lists_what_was_pulled() {
    let server =
        Canned::answering(200, &[], r#"{"models":[{"name":"llama3.2:3b","model":"llama3.2:3b","size":1}]}"#).await;
    let models =
        Models::new(ModelsSettings { ollama_url: Some(server.address.to_string()), ..ModelsSettings::default() });
    let state = state_of(&models, Provider::Ollama).await;
    assert_eq!((state.models, state.state), (vec!["ollama::llama3.2:3b".to_owned()], Reachability::Reachable));
    assert_eq!(server.seen()[0].uri.path(), "/api/tags");
}

#[tokio::test]
async fn it_is_asked_once_for_all_who_look() {
    let server = Canned::answering(200, &[], r#"{"data":[]}"#).await;
    let models = models_at(&server.url());
    futures_util::future::join_all((0..20).map(|_| models.catalogue())).await;
    models.catalogue().await;
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn what_does_not_answer_does_not_keep_the_page_waiting() {
    // It takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let models = models_at(&format!("http://{}/v1", silent.local_addr().unwrap()));
    let state = state_of(&models, Provider::Compatible).await;
    assert!(why(&state).contains("within 1.5 s"), "{state:?}");
}
