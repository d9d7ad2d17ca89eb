//! Nodes that share a run, nodes that are gone, and a database that is away for a while.

use std::{collections::BTreeMap, time::Duration};

use agents::Retries;
use lab::{Run, RunStatus, Runner, RunnerSettings, cases::TestCase};
use model_api::{Behaviour, ModelApi, RecordedRequest};
use sqlx::PgPool;

use crate::support::{MIGRATOR, Node, cases, node, registry, request, runner, set, until, until_asked, until_requests};

/// A lease that does not end while a test runs, however slow the machine is.
const LONG: Duration = Duration::from_secs(60);

fn with_lease(node: &Node, lease: Duration) -> Runner {
    let settings = RunnerSettings { poll: Duration::from_millis(20), lease, retries: Retries::NONE };
    Runner::spawn(node.lab.clone(), settings)
}

/// Cases whose answers wait until they are let go.
fn waiting(count: usize) -> Vec<TestCase> {
    let mut cases = cases(count);
    for case in &mut cases {
        case.input = format!("[wait all] {}", case.input);
    }
    cases
}

/// Asks until a query of the database says yes.
async fn until_database(pool: &PgPool, query: &str) {
    for _ in 0..6_000 {
        if sqlx::query_scalar::<_, bool>(sqlx::AssertSqlSafe(query)).fetch_one(pool).await.unwrap() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the database never said yes to {query}");
}

const LEASES_ARE_OVER: &str =
    "select coalesce(bool_and(claimed_until < clock_timestamp()), false) from lab_calls where status = 'claimed'";

/// Keeps every node from the run until all leases are over. Some answers come meanwhile.
async fn outage(pool: &PgPool, run: &Run, api: &ModelApi) {
    let mut away = pool.begin().await.unwrap();
    sqlx::query("select 1 from lab_runs where id = $1 for update").bind(run.id).execute(&mut *away).await.unwrap();
    let answered = |requests: &[RecordedRequest]| requests.iter().filter(|request| request.took.is_some()).count();
    let before = answered(&api.requests());
    api.release("all", 4);
    until_requests(api, |requests| answered(requests) == before + 4).await;
    until_database(pool, LEASES_ARE_OVER).await;
    away.rollback().await.unwrap();
}

/// Lets answers of the node that came first go, one by one, until the other one has its share of the calls.
async fn until_shared(pool: &PgPool, apis: [&ModelApi; 2]) {
    // Both know of each other when they talk to the database next.
    until_database(pool, "select count(*) = 2 from lab_nodes").await;
    until_requests(apis[0], |requests| !requests.is_empty() || !apis[1].requests().is_empty()).await;
    let first = if apis[0].requests().is_empty() { apis[1] } else { apis[0] };
    for recorded in 1..40 {
        let nodes: i64 =
            sqlx::query_scalar("select count(distinct claimed_by) from lab_calls where status = 'claimed'")
                .fetch_one(pool)
                .await
                .unwrap();
        if nodes == 2 {
            return;
        }
        first.release("all", 1);
        until_database(pool, &format!("select count(*) >= {recorded} from lab_calls where status = 'answered'")).await;
    }
    panic!("one node made all calls");
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
    let set = set(&node, &waiting(20)).await;
    let run = node.lab.start(request(&set)).await.unwrap();
    let runner = with_lease(&node, Duration::from_millis(400));
    until_asked(&api, 8).await;
    outage(&pool, &run, &api).await;
    api.open("all");
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
    let set = set(&one, &waiting(20)).await;
    let run = one.lab.start(request(&set)).await.unwrap();
    // It has to end in the outage. That of each node is renewed four times as often.
    let lease = Duration::from_secs(5);
    let runners = [with_lease(&one, lease), with_lease(&two, lease)];
    until_shared(&pool, [&api, &api]).await;
    outage(&pool, &run, &api).await;
    api.open("all");
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
    let set = set(&node, &waiting(4)).await;
    let run = node.lab.start(request(&set)).await.unwrap();
    let runner = with_lease(&node, LONG);
    until_asked(&api, 8).await;
    // As another node does that has not heard of this one for a lease.
    let taken = sqlx::query(
        "update lab_calls set claimed_by = gen_random_uuid(), claimed_until = now() + interval '1 hour'
            where status = 'claimed'",
    );
    assert_eq!(taken.execute(&pool).await.unwrap().rows_affected(), 8);
    api.open("all");
    let over = until(&node, run.id, |run| run.status != RunStatus::Running).await;
    runner.stop(Duration::from_secs(5)).await;
    assert_eq!((over.status, over.done, over.failed), (RunStatus::Finished, 8, 0));
    assert_eq!(api.requests().len(), 8);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_answer_that_comes_too_late_costs_all_the_same(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let mut cases = waiting(4);
    // What keeps the run going until the others are late.
    cases[0].input = "[wait last] Question 1".into();
    let set = set(&node, &cases).await;
    let run = node.lab.start(request(&set)).await.unwrap();
    let runner = with_lease(&node, LONG);
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
    api.open("all");
    // A prompt of one word, a question of four with what it waits for, and an answer of three, at the prices of these tests.
    let each = 5.0 * 0.001 + 3.0 * 0.002;
    until(&node, run.id, |run| run.spent_usd > 5.5 * each).await;
    api.open("last");
    let over = until(&node, run.id, |run| run.status != RunStatus::Running).await;
    runner.stop(Duration::from_secs(5)).await;
    assert_eq!((over.status, over.done), (RunStatus::Finished, 8));
    assert!((paid(&pool).await - 2.0 * each).abs() < 1e-9, "two were recorded");
    assert!((over.spent_usd - 8.0 * each).abs() < 1e-9, "{} for 8 answers, each of which cost {each}", over.spent_usd);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn more_nodes_than_calls_at_once_make_no_more_calls_at_once(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let first = registry(&pool, &api, ["One.", "Two."]).await;
    for concurrency in [1, 2] {
        let before = api.requests().len();
        // The first ones until there are as many as may be, all of them long enough to be seen beside each other.
        let mut cases = cases(10);
        for case in &mut cases {
            case.input = format!("[wait {concurrency}] [delay 40ms] {}", case.input);
        }
        let mut request = request(&set(&first, &cases).await);
        request.concurrency = concurrency;
        let run = first.lab.start(request).await.unwrap();
        let nodes = [0; 4].map(|_| node(&pool, &api.url()));
        let runners: Vec<Runner> = nodes.iter().map(|node| with_lease(node, LONG)).collect();
        until_asked(&api, before + usize::try_from(concurrency).unwrap()).await;
        api.open(&concurrency.to_string());
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
    let set = set(&one, &waiting(60)).await;
    let run = one.lab.start(request(&set)).await.unwrap();
    let runners = [with_lease(&one, LONG), with_lease(&two, LONG)];
    until_shared(&pool, [&here, &there]).await;
    here.open("all");
    there.open("all");
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
    let set = set(&one, &waiting(40)).await;
    let run = one.lab.start(request(&set)).await.unwrap();
    let first = runner(&one);
    api.release("all", 20);
    until(&one, run.id, |run| run.done == 20).await;
    // All that it can have under way.
    until_asked(&api, 28).await;
    // As if killed: nothing is given back, nothing under way is recorded.
    drop(first);
    let recorded = recorded_answers(&pool).await;
    assert_eq!(recorded.len(), 20);
    api.open("all");
    let second = node(&pool, &api.url());
    let next = runner(&second);
    let over = until(&second, run.id, |run| run.status != RunStatus::Running).await;
    next.stop(Duration::from_secs(5)).await;
    assert_eq!((over.status, over.done, over.failed), (RunStatus::Finished, 80, 0));
    assert_eq!(api.requests().len(), 88, "80 answers, and 8 that were lost before");
    let now = recorded_answers(&pool).await;
    assert!(recorded.iter().all(|answer| now.contains(answer)), "what was recorded stays as it was");
}

/// The number of each answered call, and when it was recorded.
async fn recorded_answers(pool: &PgPool) -> Vec<(i32, chrono::DateTime<chrono::Utc>)> {
    sqlx::query_as("select number, finished_at from lab_calls where status = 'answered'").fetch_all(pool).await.unwrap()
}
