//! Nodes that share a run, nodes that are gone, and a database that is away for a while.

use std::{collections::BTreeMap, time::Duration};

use agents::Retries;
use lab::{Run, RunStatus, Runner, RunnerSettings, cases::TestCase};
use model_api::{Behaviour, ModelApi, RecordedRequest};
use sqlx::PgPool;

use crate::support::{MIGRATOR, Node, cases, node, registry, request, runner, set, until};

/// A lease that is soon over.
const LEASE: Duration = Duration::from_millis(400);

fn hasty(node: &Node) -> Runner {
    Runner::spawn(
        node.lab.clone(),
        RunnerSettings { poll: Duration::from_millis(20), lease: LEASE, retries: Retries::NONE },
    )
}

/// Cases whose answers take so long.
fn slow(count: usize, delay: &str) -> Vec<TestCase> {
    let mut cases = cases(count);
    for case in &mut cases {
        case.input = format!("[delay {delay}] {}", case.input);
    }
    cases
}

/// Asks until a query of the database says yes.
async fn until_database(pool: &PgPool, query: &str) {
    for _ in 0..3_000 {
        if sqlx::query_scalar::<_, bool>(sqlx::AssertSqlSafe(query)).fetch_one(pool).await.unwrap() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the database never said yes to {query}");
}

/// Asks until the API was asked so often.
async fn until_asked(api: &ModelApi, times: usize) {
    for _ in 0..3_000 {
        if api.requests().len() >= times {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the model was asked {} times", api.requests().len());
}

const LEASES_ARE_OVER: &str =
    "select coalesce(bool_and(claimed_until < clock_timestamp()), false) from lab_calls where status = 'claimed'";

/// Keeps every node from the run until all leases are over.
async fn outage(pool: &PgPool, run: &Run) {
    let mut away = pool.begin().await.unwrap();
    sqlx::query("select 1 from lab_runs where id = $1 for update").bind(run.id).execute(&mut *away).await.unwrap();
    until_database(pool, LEASES_ARE_OVER).await;
    away.rollback().await.unwrap();
}

fn asked_twice(requests: &[RecordedRequest]) -> usize {
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for request in requests {
        *asked.entry(request.body.to_string()).or_default() += 1;
    }
    asked.values().map(|times| times - 1).sum()
}

/// How many answers were under way at once, at most.
fn most_at_once(requests: &[RecordedRequest]) -> usize {
    let under_way = |at| {
        requests.iter().filter(|other| other.at <= at && other.took.is_none_or(|took| at < other.at + took)).count()
    };
    requests.iter().map(|request| under_way(request.at)).max().unwrap_or(0)
}

async fn paid(pool: &PgPool) -> f64 {
    sqlx::query_scalar("select sum(cost_usd) from lab_calls").fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_outage_longer_than_the_lease_pays_for_nothing_twice(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let set = set(&node, &slow(20, "700ms")).await;
    let run = node.lab.start(request(&set)).await.unwrap();
    let runner = hasty(&node);
    until_asked(&api, 8).await;
    outage(&pool, &run).await;
    let over = until(&node, run.id, |run| run.status != RunStatus::Running).await;
    runner.stop(Duration::from_secs(5)).await;
    assert_eq!((over.status, over.done, over.failed), (RunStatus::Finished, 40, 0));
    assert_eq!((api.requests().len(), asked_twice(&api.requests())), (40, 0));
    assert!((over.spent_usd - paid(&pool).await).abs() < 1e-9, "what was spent is what the answers cost");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn two_nodes_do_not_take_each_others_calls_after_an_outage(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let one = registry(&pool, &api, ["One.", "Two."]).await;
    let two = node(&pool, &api.url());
    let set = set(&one, &slow(20, "700ms")).await;
    let run = one.lab.start(request(&set)).await.unwrap();
    let runners = [hasty(&one), hasty(&two)];
    until_database(&pool, "select count(distinct claimed_by) = 2 from lab_calls where status = 'claimed'").await;
    outage(&pool, &run).await;
    let over = until(&one, run.id, |run| run.status != RunStatus::Running).await;
    for runner in runners {
        runner.stop(Duration::from_secs(5)).await;
    }
    assert_eq!((over.status, over.done, over.failed), (RunStatus::Finished, 40, 0));
    assert_eq!((api.requests().len(), asked_twice(&api.requests())), (40, 0));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_answer_is_kept_whoever_has_the_call_by_then(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let set = set(&node, &slow(4, "500ms")).await;
    let run = node.lab.start(request(&set)).await.unwrap();
    let runner = hasty(&node);
    until_asked(&api, 8).await;
    // As another node does that has not heard of this one for a lease.
    let taken = sqlx::query(
        "update lab_calls set claimed_by = gen_random_uuid(), claimed_until = now() + interval '1 hour'
            where status = 'claimed'",
    );
    assert_eq!(taken.execute(&pool).await.unwrap().rows_affected(), 8);
    let over = until(&node, run.id, |run| run.status != RunStatus::Running).await;
    runner.stop(Duration::from_secs(5)).await;
    assert_eq!((over.status, over.done, over.failed), (RunStatus::Finished, 8, 0));
    assert_eq!(api.requests().len(), 8);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_answer_that_comes_too_late_costs_all_the_same(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let mut cases = slow(4, "500ms");
    // What keeps the run going until the others are late.
    cases[0].input = "[delay 1500ms] The last one".into();
    let set = set(&node, &cases).await;
    let run = node.lab.start(request(&set)).await.unwrap();
    let runner = hasty(&node);
    until_asked(&api, 8).await;
    let mut change = pool.begin().await.unwrap();
    let answered = sqlx::query(
        "update lab_calls set status = 'answered', claimed_by = null, claimed_until = null, answer = 'Of another node',
                finished_at = now(), cost_usd = 0
            where status = 'claimed' and case_number > 1",
    );
    assert_eq!(answered.execute(&mut *change).await.unwrap().rows_affected(), 6);
    sqlx::query("update lab_runs set done = done + 6").execute(&mut *change).await.unwrap();
    change.commit().await.unwrap();
    let over = until(&node, run.id, |run| run.status != RunStatus::Running).await;
    runner.stop(Duration::from_secs(5)).await;
    assert_eq!((over.status, over.done), (RunStatus::Finished, 8));
    let each = paid(&pool).await / 2.0;
    assert!(over.spent_usd > 6.0 * each, "{} for 8 answers, each of which cost about {each}", over.spent_usd);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn more_nodes_than_calls_at_once_make_no_more_calls_at_once(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let first = registry(&pool, &api, ["One.", "Two."]).await;
    let set = set(&first, &slow(10, "40ms")).await;
    for concurrency in [1, 2] {
        let before = api.requests().len();
        let mut request = request(&set);
        request.concurrency = concurrency;
        let run = first.lab.start(request).await.unwrap();
        let nodes = [0; 4].map(|_| node(&pool, &api.url()));
        let runners: Vec<Runner> = nodes.iter().map(hasty).collect();
        let over = until(&first, run.id, |run| run.status != RunStatus::Running).await;
        for runner in runners {
            runner.stop(Duration::from_secs(5)).await;
        }
        assert_eq!((over.status, over.done, over.failed), (RunStatus::Finished, 20, 0));
        let asked = &api.requests()[before..];
        assert_eq!((asked.len(), most_at_once(asked)), (20, usize::try_from(concurrency).unwrap()));
    }
}

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
