//! The database goes away and comes back.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{Listener, LoadingSettings, MIGRATOR, PromptNotice, PromptStore, Services, listen};

use crate::{
    gate::{Gate, Passage},
    support::{PATIENCE, agent, code, eventually, listening, live, new_patch, patient, services},
};

/// Cuts every connection to a database and lets no new one in, from a connection to another one.
struct Outage {
    admin: PgConnection,
    name: String,
}

impl Outage {
    async fn begin(options: &PgConnectOptions) -> Self {
        let mut admin = PgConnection::connect_with(&options.clone().database("postgres")).await.unwrap();
        let name = options.get_database().unwrap().to_owned();
        admin.execute(AssertSqlSafe(format!("alter database \"{name}\" with allow_connections false"))).await.unwrap();
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1")
            .bind(&name)
            .execute(&mut admin)
            .await
            .unwrap();
        Self { admin, name }
    }

    async fn end(mut self) {
        let name = &self.name;
        self.admin
            .execute(AssertSqlSafe(format!("alter database \"{name}\" with allow_connections true")))
            .await
            .unwrap();
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn without_the_database_the_last_known_prompt_is_served_and_marked(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = PgPoolOptions::new().max_connections(5).connect_with(options.clone()).await.unwrap();
    let settings = LoadingSettings { retry_after_failure: Duration::from_millis(20), ..patient() };
    let node = Services::new(PromptStore::new(pool.clone()), settings);
    let _listener = listening(&node).await;
    live(&node.management, "writer", "1.0.0").await;
    live(&node.management, "unread", "1.0.0").await;
    let load = async |name: &str| node.loading.get_active_prompt(&agent(name)).await;
    assert!(!load("writer").await.unwrap().is_stale());

    let outage = Outage::begin(&options).await;
    eventually("the gap is noticed", async || load("writer").await.unwrap().is_stale()).await;
    for _ in 0..20 {
        let prompt = load("writer").await.unwrap();
        assert!(prompt.is_stale());
        assert_eq!(prompt.content().prompt_text, "writer 1.0.0");
    }
    assert_eq!(code(load("unread").await), "database_unavailable", "an agent never known is an error");
    assert_eq!(code(node.management.create_patch(new_patch("writer", "x")).await), "database_unavailable");
    let cleared = node.management.clear_cache(&agent("writer")).await.unwrap();
    assert!(!cleared.announced);
    assert!(load("writer").await.unwrap().is_stale(), "to clear the cache does not lose what is known");
    assert!(node.loading.counters().stale >= 20);

    outage.end().await;
    eventually("it is served fresh again", async || !load("writer").await.unwrap().is_stale()).await;
    assert!(!load("unread").await.unwrap().is_stale());
    // And it hears of promotions again, those of other nodes too.
    let other = services(&pool);
    other.management.create_patch(new_patch("writer", "writer 1.0.1")).await.unwrap();
    eventually("the promotion is heard of", async || {
        load("writer").await.unwrap().content().prompt_text == "writer 1.0.1"
    })
    .await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_promotion_during_a_gap_is_not_missed(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = PgPoolOptions::new().max_connections(5).connect_with(options.clone()).await.unwrap();
    let node = services(&pool);
    let _listener = listening(&node).await;
    live(&node.management, "writer", "1.0.0").await;
    let version =
        async || node.loading.get_active_prompt(&agent("writer")).await.unwrap().content().version.version.to_string();
    assert_eq!(version().await, "1.0.0");
    for patch in 1..=5 {
        // The listener's connection is cut, and the promotion comes at once, from elsewhere.
        let mut other = PgConnection::connect_with(&options).await.unwrap();
        let mut transaction = other.begin().await.unwrap();
        sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and query ilike 'listen%'",
        )
        .execute(&mut *transaction)
        .await
        .unwrap();
        for statement in [
            "update prompts set is_active = false where is_active".to_owned(),
            format!(
                "insert into prompts (agent_type, version, prompt_text, is_active) values ('writer', '1.0.{patch}', 'x', true)"
            ),
        ] {
            transaction.execute(AssertSqlSafe(statement)).await.unwrap();
        }
        transaction.commit().await.unwrap();
        eventually("the promotion is served", async || version().await == format!("1.0.{patch}")).await;
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn who_made_a_version_live_is_served_it_however_short_the_database_was_away(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut gate = Gate::before(&options).await;
    let pool = PgPoolOptions::new().max_connections(5).connect_with(gate.options.clone()).await.unwrap();
    // A database that did not answer is left alone for longer than the test takes, and nobody hears that it is back.
    let settings = LoadingSettings {
        time_to_live: Duration::from_millis(20),
        retry_after_failure: Duration::from_secs(600),
        ..patient()
    };
    let node = Services::new(PromptStore::new(pool), settings);
    live(&node.management, "writer", "1.0.0").await;
    let load = async || node.loading.get_active_prompt(&agent("writer")).await.unwrap();
    assert!(!load().await.is_stale());
    gate.set(Passage::Shut).await;
    eventually("a read fails", async || load().await.is_stale()).await;
    gate.set(Passage::Open).await;
    eventually("it takes writes again", async || {
        node.management.create_patch(new_patch("writer", "new")).await.is_ok()
    })
    .await;
    let prompt = load().await;
    assert_eq!((prompt.content().prompt_text.as_str(), prompt.is_stale()), ("new", false));
}

/// So long that whoever waited for it would wait for ever.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// A node behind a gate that knows `writer` and has never read `unread`, and what hears of promotions for it. Nothing but the
/// settings limits how long it waits for its database.
async fn behind_gate(options: &PgConnectOptions, settings: LoadingSettings) -> (Gate, Services, Listener) {
    let gate = Gate::before(options).await;
    let pool = PgPoolOptions::new().max_connections(5).acquire_timeout(FOR_EVER);
    let pool = pool.connect_with(gate.options.clone()).await.unwrap();
    let node = Services::new(PromptStore::new(pool), settings);
    let listener = listening(&node).await;
    let mut notices = node.notices.subscribe();
    live(&node.management, "writer", "1.0.0").await;
    live(&node.management, "unread", "1.0.0").await;
    // Who hears of a promotion that was read already takes what is known for outdated, and waits a while for news.
    let heard = async {
        while !matches!(notices.recv().await, Ok(PromptNotice::Promoted { agent_type, .. }) if agent_type == agent("unread"))
        {
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("promotions are heard of");
    eventually("it is read", async || {
        node.loading.get_active_prompt(&agent("writer")).await.is_ok_and(|prompt| !prompt.is_stale())
    })
    .await;
    (gate, node, listener)
}

/// An agent that was never read is told that the database is away.
async fn is_told(node: &Services) {
    let answer = tokio::time::timeout(PATIENCE, node.loading.get_active_prompt(&agent("unread"))).await;
    assert_eq!(code(answer.expect("a read is given up")), "database_unavailable");
}

/// Once the way is open again, answers are fresh. How soon, `benches/outage.rs` of the server measures.
async fn comes_back(node: &Services, gate: &mut Gate) {
    gate.set(Passage::Open).await;
    eventually("it is served fresh again", async || {
        !node.loading.get_active_prompt(&agent("writer")).await.unwrap().is_stale()
    })
    .await;
}

/// What is there without anybody else having to do something for it: the cache may look after itself between two looks.
async fn without_waiting<T>(answer: impl Future<Output = T>) -> Option<T> {
    let mut answer = pin!(answer);
    for _ in 0..100 {
        if let Some(answer) = answer.as_mut().now_or_never() {
            return Some(answer);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Asks for `writer` over and over for a while: every answer is stale, and there as soon as it is asked for.
async fn is_answered_at_once(node: &Services, during: Duration) {
    let (begin, mut answers) = (Instant::now(), 0);
    while answers < 200 || begin.elapsed() < during {
        let prompt =
            without_waiting(node.loading.get_active_prompt(&agent("writer"))).await.expect("it waits").unwrap();
        assert!(prompt.is_stale(), "{} after {:?}", prompt.source(), begin.elapsed());
        answers += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn nobody_who_can_be_told_something_waits_for_a_database_that_refuses(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    // Once the gap is noticed, a read is a probe.
    let settings = LoadingSettings { probe_limit: LoadingSettings::default().probe_limit, ..patient() };
    let (mut gate, node, _listener) = behind_gate(&options, settings).await;

    gate.set(Passage::Refused).await;
    eventually("the gap is noticed", async || !node.loading.is_listening()).await;
    // Longer than an attempt to connect and the pause after it.
    is_answered_at_once(&node, Duration::from_millis(3500)).await;
    let of_all = node.loading.counters();
    let of_agent = node.loading.counts_by_agent()[0].1;
    assert_eq!((of_agent.hits, of_agent.misses), (of_all.hits, of_all.misses), "stale answers are misses for both");
    assert!(of_agent.stale > 100 && of_agent.stale < of_agent.misses);
    is_told(&node).await;

    comes_back(&node, &mut gate).await;
    eventually("promotions are heard of again", async || node.loading.is_listening()).await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn nobody_waits_for_a_read_that_is_not_given_up(_: PgPoolOptions, options: PgConnectOptions) {
    let settings = LoadingSettings {
        time_to_live: Duration::from_millis(20),
        read_limit: FOR_EVER,
        probe_limit: FOR_EVER,
        ..LoadingSettings::default()
    };
    let (mut gate, node, _listener) = behind_gate(&options, settings).await;

    gate.set(Passage::Mute).await;
    let mut stale = 0;
    while stale < 200 {
        let asked = tokio::time::timeout(PATIENCE, node.loading.get_active_prompt(&agent("writer"))).await;
        stale += usize::from(asked.expect("it waits for the read").unwrap().is_stale());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    comes_back(&node, &mut gate).await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn nobody_who_can_be_told_something_waits_for_a_database_that_is_mute(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let brief = LoadingSettings { time_to_live: Duration::from_millis(20), ..LoadingSettings::default() };
    let (mut gate, node, _listener) = behind_gate(&options, brief).await;

    gate.set(Passage::Mute).await;
    // A read is given up, although PostgreSQL could not be told to. From then on the node knows.
    is_told(&node).await;
    is_answered_at_once(&node, Duration::from_millis(2000)).await;
    is_told(&node).await;

    comes_back(&node, &mut gate).await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_node_hears_of_promotions_although_every_connection_is_in_use(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let node = services(&pool);
    let _used = pool.acquire().await.unwrap();
    let _listener = listening(&node).await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_deaf_node_trusts_what_it_has_read_for_a_moment_only(_: PgPoolOptions, options: PgConnectOptions) {
    let other = services(&PgPoolOptions::new().connect_with(options.clone()).await.unwrap());
    live(&other.management, "writer", "1.0.0").await;
    // What is open stays open; a new connection, such as the one to listen with, is refused.
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap();
    let mut gate = Gate::before(&options).await;
    gate.set(Passage::Refused).await;
    pool.set_connect_options(gate.options.clone());
    let node = services(&pool);
    let _listener = listen(&node).await;
    assert!(!node.loading.is_listening());
    let served = async || {
        let prompt = node.loading.get_active_prompt(&agent("writer")).await.unwrap();
        (prompt.content().version.version.to_string(), prompt.is_stale())
    };
    assert_eq!(served().await, ("1.0.0".into(), false));
    live(&other.management, "writer", "1.1.0").await;
    // Nothing but the moment being over can tell it; what is heard of is served for minutes.
    eventually("the promotion is served", async || served().await.0 == "1.1.0").await;
    assert!(!served().await.1, "the database answers, so nothing is stale");
}
