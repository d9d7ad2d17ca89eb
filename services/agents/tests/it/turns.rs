//! A model that is slow or never answers: how many calls it can hold, and that those who leave make room.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use agents::{
    Agent, AgentError, AgentLimits, AgentRuntime, CallOutcome, CallRecord, CallSink, ModelErrorKind, ModelSettings,
    Prices, Question,
};
use model_api::{Behaviour, ModelApi};
use versioning::{ActivePrompt, AgentType, LoadFuture, PromptLoader, PromptSource, Version};

use crate::support::models_at;

/// One prompt for everybody.
#[derive(Debug)]
struct OnePrompt;

impl PromptLoader for OnePrompt {
    fn load<'a>(&'a self, agent_type: &'a AgentType) -> LoadFuture<'a> {
        let prompt = ActivePrompt {
            agent_type: agent_type.clone(),
            version: Version::FIRST,
            text: "Be brief.".into(),
            sha256: "".into(),
            source: PromptSource::Fresh,
            confirmed: Instant::now(),
            age_before: Duration::ZERO,
        };
        LoadFuture::ready(Ok(prompt))
    }
}

/// What was recorded.
#[derive(Debug, Default)]
struct Records(Mutex<Vec<CallRecord>>);

impl CallSink for Records {
    fn record(&self, call: CallRecord) {
        self.0.lock().unwrap().push(call);
    }
}

fn agent(api: &ModelApi, records: &Arc<Records>, limits: AgentLimits) -> Agent {
    let (loader, model) = (Arc::new(OnePrompt), Arc::new(models_at(&api.url())));
    AgentRuntime::new(loader, model, Prices::built_in(), records.clone(), limits).agent("writer".parse().unwrap())
}

fn question(input: &str) -> Question {
    Question {
        input: input.into(),
        variables: std::collections::BTreeMap::new(),
        model: "compatible::test-model".parse().unwrap(),
        settings: ModelSettings::default(),
    }
}

#[tokio::test]
async fn a_dead_model_holds_only_so_many_calls_and_who_leaves_makes_room() {
    let api = ModelApi::start(Behaviour::default());
    let records = Arc::new(Records::default());
    let limits = AgentLimits { concurrency: 2, wait: Duration::from_millis(50), timeout: Duration::from_secs(60) };
    let agent = agent(&api, &records, limits);
    let mut first = agent.ask(&question("[hang] one")).await.unwrap();
    let second = agent.ask(&question("[hang] two")).await.unwrap();
    let refused = agent.ask(&question("three")).await.unwrap_err();
    assert_eq!(refused, AgentError::Busy { calls: 2 });

    // The first waits for its answer when whoever asked goes away.
    let asked = tokio::time::timeout(Duration::from_millis(300), first.next()).await;
    assert!(asked.is_err() || matches!(asked, Ok(Some(Ok(_)))), "{asked:?}");
    drop(first);
    let (answer, _) = agent.ask(&question("three")).await.unwrap().whole().await.unwrap();
    assert_eq!(answer.text, "Echo: three");
    drop(second);
    let outcomes: Vec<CallOutcome> = records.0.lock().unwrap().iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, [CallOutcome::Cancelled, CallOutcome::Answered, CallOutcome::Cancelled]);
}

#[tokio::test]
async fn a_dead_model_is_given_up_in_time_and_makes_room() {
    let api = ModelApi::start(Behaviour::default());
    let records = Arc::new(Records::default());
    let limits = AgentLimits { concurrency: 1, wait: Duration::from_secs(20), timeout: Duration::from_millis(200) };
    let agent = agent(&api, &records, limits);
    let (dead, next) = tokio::join!(async { agent.ask(&question("[hang] one")).await.unwrap().whole().await }, async {
        agent.ask(&question("[hang] two")).await.unwrap().whole().await
    },);
    for gave_up in [dead, next] {
        assert_eq!(gave_up.unwrap_err().kind, ModelErrorKind::Timeout);
    }
    assert_eq!(records.0.lock().unwrap().len(), 2);
}
