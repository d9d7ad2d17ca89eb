//! Nodes that share a run, and nodes that are gone.

use std::{collections::BTreeMap, time::Duration};

use lab::RunStatus;
use model_api::{Behaviour, ModelApi};
use sqlx::PgPool;

use crate::support::{MIGRATOR, cases, node, registry, request, runner, set, until};

#[sqlx::test(migrator = "MIGRATOR")]
async fn two_nodes_share_a_run_and_ask_nothing_twice(pool: PgPool) {
    let (here, there) = (ModelApi::start(Behaviour::default()), ModelApi::start(Behaviour::default()));
    let one = registry(&pool, &here, ["One.", "Two."]).await;
    let two = node(&pool, &there.url());
    let mut cases = cases(60);
    for case in &mut cases {
        case.input = format!("[delay 30ms] {}", case.input);
    }
    let set = set(&one, &cases).await;
    let run = one.lab.start(request(&set)).await.unwrap();
    let runners = [runner(&one), runner(&two)];
    let over = until(&one, run.id, |run| run.status != RunStatus::Running).await;
    for runner in runners {
        runner.stop(Duration::from_secs(5)).await;
    }
    assert_eq!((over.status, over.done, over.failed), (RunStatus::Finished, 120, 0));
    let (a, b) = (here.requests(), there.requests());
    assert!(!a.is_empty() && !b.is_empty(), "both nodes made calls: {} and {}", a.len(), b.len());
    let mut asked: BTreeMap<String, u32> = BTreeMap::new();
    for request in a.iter().chain(&b) {
        *asked.entry(request.body.to_string()).or_default() += 1;
    }
    assert_eq!(asked.len(), 120);
    assert!(asked.values().all(|times| *times == 1), "no call is made twice");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_node_that_is_gone_is_replaced_and_no_recorded_answer_is_paid_twice(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let one = registry(&pool, &api, ["One.", "Two."]).await;
    let mut cases = cases(40);
    for case in &mut cases {
        case.input = format!("[delay 40ms] {}", case.input);
    }
    let set = set(&one, &cases).await;
    let run = one.lab.start(request(&set)).await.unwrap();
    let first = runner(&one);
    until(&one, run.id, |run| run.done >= 20).await;
    // As if killed: nothing is given back, nothing under way is recorded.
    drop(first);
    let recorded = recorded_answers(&pool).await;
    let unrecorded = api.requests().len() - recorded.len();
    let second = node(&pool, &api.url());
    let next = runner(&second);
    let over = until(&second, run.id, |run| run.status != RunStatus::Running).await;
    next.stop(Duration::from_secs(5)).await;
    assert_eq!((over.status, over.done, over.failed), (RunStatus::Finished, 80, 0));
    let calls = api.requests().len();
    assert!(calls <= 80 + unrecorded, "{calls} calls for 80 answers, {unrecorded} of which were lost before");
    let now = recorded_answers(&pool).await;
    assert!(recorded.iter().all(|answer| now.contains(answer)), "what was recorded stays as it was");
}

/// The number of each answered call, and when it was recorded.
async fn recorded_answers(pool: &PgPool) -> Vec<(i32, chrono::DateTime<chrono::Utc>)> {
    sqlx::query_as("select number, finished_at from lab_calls where status = 'answered'").fetch_all(pool).await.unwrap()
}
