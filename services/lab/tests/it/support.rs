//! What the tests share: a registry with an agent, a model's API, and short ways to ask the lab.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use agents::{Models, ModelsSettings, Prices, Retries};
use lab::{Lab, Run, RunPlan, RunRequest, RunStatus, Runner, RunnerSettings, TestSet, cases::TestCase, checks::Check};
use model_api::{ModelApi, RecordedRequest};
use sqlx::PgPool;
use uuid::Uuid;
use versioning::{
    AgentType, Author, LoadingSettings, NewVersion, Promotion, PromptStore, PromptText, Services, Version,
};

pub use versioning::MIGRATOR;

/// The model that the tests ask.
pub const MODEL: &str = "compatible::test-model";

/// A node: the lab with what answers it.
pub struct Node {
    pub lab: Lab,
    pub services: Services,
}

pub fn agent() -> AgentType {
    "writer".parse().unwrap()
}

pub fn author(name: &str) -> Author {
    Author::parse(name).unwrap().unwrap()
}

pub fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// A node over a database, whose model is behind this address.
pub fn node(pool: &PgPool, url: &str) -> Node {
    let services = Services::new(PromptStore::new(pool.clone()), LoadingSettings::default());
    let models = Models::new(ModelsSettings { compatible_url: Some(url.into()), ..ModelsSettings::default() });
    let prices = Prices::parse(
        "model,input_usd_per_million,output_usd_per_million\n\
         compatible::test-model,1000,2000\n",
    )
    .unwrap();
    Node { lab: Lab::new(pool.clone(), services.clone(), Arc::new(models), prices), services }
}

/// A registry with the agent `writer`: 1.0.0 active, 1.1.0 a draft.
pub async fn registry(pool: &PgPool, api: &ModelApi, prompts: [&str; 2]) -> Node {
    let node = node(pool, &api.url());
    for (number, text) in [("1.0.0", prompts[0]), ("1.1.0", prompts[1])] {
        node.services
            .management
            .create_version(NewVersion {
                agent_type: agent(),
                version: version(number),
                prompt_text: PromptText::parse(text.into()).unwrap(),
                created_by: None,
                notes: None,
                base_version: None,
            })
            .await
            .unwrap();
    }
    node.services
        .management
        .promote_to_active(Promotion {
            agent_type: agent(),
            version: version("1.0.0"),
            expected_active: None,
            promoted_by: None,
        })
        .await
        .unwrap();
    node
}

pub fn case(name: &str, input: &str, checks: Vec<Check>) -> TestCase {
    TestCase {
        name: name.into(),
        input: input.into(),
        variables: BTreeMap::new(),
        expected: None,
        tags: Vec::new(),
        checks,
    }
}

/// Cases that ask for nothing in particular.
pub fn cases(count: usize) -> Vec<TestCase> {
    (1..=count).map(|number| case(&format!("Case {number}"), &format!("Question {number}"), Vec::new())).collect()
}

pub async fn set(node: &Node, cases: &[TestCase]) -> TestSet {
    node.lab.create_set(&agent(), &format!("Set {}", Uuid::now_v7()), cases).await.unwrap()
}

pub fn plan() -> RunPlan {
    RunPlan::new(MODEL.parse().ok(), 7)
}

pub fn request(set: &TestSet) -> RunRequest {
    RunRequest {
        agent_type: agent(),
        version_a: version("1.0.0"),
        version_b: version("1.1.0"),
        set_id: set.summary.id,
        plan: plan(),
        concurrency: 8,
        budget_usd: None,
        created_by: None,
    }
}

/// A runner that waits for little.
pub fn runner(node: &Node) -> Runner {
    let retries = Retries { attempts: 3, base: Duration::from_millis(5), cap: Duration::from_millis(20) };
    Runner::spawn(
        node.lab.clone(),
        RunnerSettings { poll: Duration::from_millis(50), lease: Duration::from_secs(2), retries },
    )
}

/// Asks until the run is as wanted.
///
/// # Panics
/// After a minute: it will not be.
pub async fn until(node: &Node, run: Uuid, mut is_so: impl FnMut(&Run) -> bool) -> Run {
    for _ in 0..6_000 {
        let now = node.lab.run(run).await.unwrap();
        if is_so(&now) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the run never became as wanted: {:?}", node.lab.run(run).await.unwrap());
}

/// Looks until the requests for answers are as wanted.
///
/// # Panics
/// After a minute: they will not be.
pub async fn until_requests(api: &ModelApi, mut are_so: impl FnMut(&[RecordedRequest]) -> bool) {
    for _ in 0..12_000 {
        if are_so(&api.requests()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the requests never became as wanted: there are {}", api.requests().len());
}

/// Looks until the API was asked so often.
pub async fn until_asked(api: &ModelApi, times: usize) {
    until_requests(api, |requests| requests.len() >= times).await;
}

/// Runs a request to its end.
pub async fn run_to_end(node: &Node, request: RunRequest) -> Run {
    let run = node.lab.start(request).await.unwrap();
    let runner = runner(node);
    let over = until(node, run.id, |run| run.status != RunStatus::Running).await;
    runner.stop(Duration::from_secs(5)).await;
    over
}
