//! The database goes away and comes back.

use std::time::{Duration, Instant};

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{Listener, LoadedPrompt, LoadingSettings, MIGRATOR, PromptStore, Services, listen};

use crate::{
    gate::{Gate, Passage},
    support::{agent, code, eventually, live, new_patch, services},
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
    let pool = PgPoolOptions::new()
        .max_connections(5)
        .acquire_timeout(Duration::from_millis(500))
        .connect_with(options.clone())
        .await
        .unwrap();
    let settings = LoadingSettings { retry_after_failure: Duration::from_millis(20), ..LoadingSettings::default() };
    let node = Services::new(PromptStore::new(pool.clone()), settings);
    let _listener = listen(&node).await;
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
    let _listener = listen(&node).await;
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
        ..LoadingSettings::default()
    };
    let node = Services::new(PromptStore::new(pool), settings);
    live(&node.management, "writer", "1.0.0").await;
    let load = async || node.loading.get_active_prompt(&agent("writer")).await.unwrap();
    assert!(!load().await.is_stale());
    gate.set(Passage::Refused).await;
    eventually("a read fails", async || load().await.is_stale()).await;
    gate.set(Passage::Open).await;
    eventually("it takes writes again", async || {
        node.management.create_patch(new_patch("writer", "new")).await.is_ok()
    })
    .await;
    let prompt = load().await;
    assert_eq!((prompt.content().prompt_text.as_str(), prompt.is_stale()), ("new", false));
}

/// A node behind a gate that knows `writer` and has never read `unread`, and what hears of promotions for it.
async fn behind_gate(options: &PgConnectOptions, settings: LoadingSettings) -> (Gate, Services, Listener) {
    let gate = Gate::before(options).await;
    // As a server has it.
    let pool = PgPoolOptions::new()
        .max_connections(5)
        .acquire_timeout(Duration::from_secs(3))
        .connect_with(gate.options.clone())
        .await
        .unwrap();
    let node = Services::new(PromptStore::new(pool), settings);
    let listener = listen(&node).await;
    live(&node.management, "writer", "1.0.0").await;
    live(&node.management, "unread", "1.0.0").await;
    assert!(node.loading.is_listening());
    assert!(!node.loading.get_active_prompt(&agent("writer")).await.unwrap().is_stale());
    (gate, node, listener)
}

/// An agent that was never read is told soon that the database is away.
async fn is_told(node: &Services) {
    let asked = Instant::now();
    assert_eq!(code(node.loading.get_active_prompt(&agent("unread")).await), "database_unavailable");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}

/// Once the way is open again, answers are fresh soon.
async fn comes_back(node: &Services, gate: &mut Gate) {
    gate.set(Passage::Open).await;
    let back = Instant::now();
    eventually("it is served fresh again", async || {
        !node.loading.get_active_prompt(&agent("writer")).await.unwrap().is_stale()
    })
    .await;
    assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
}

/// Asks for `writer`, over and over, until the answers have been as they are to be for a while; the slowest of them.
async fn slowest(node: &Services, during: Duration, is_right: impl Fn(&LoadedPrompt) -> bool) -> Duration {
    let begin = Instant::now();
    let mut slowest = Duration::ZERO;
    while begin.elapsed() < during {
        let asked = Instant::now();
        let prompt = node.loading.get_active_prompt(&agent("writer")).await.unwrap();
        slowest = slowest.max(asked.elapsed());
        assert!(is_right(&prompt), "{} after {:?}", prompt.source(), begin.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    slowest
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn nobody_who_can_be_told_something_waits_for_a_database_that_refuses(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let (mut gate, node, _listener) = behind_gate(&options, LoadingSettings::default()).await;

    gate.set(Passage::Refused).await;
    eventually("the gap is noticed", async || !node.loading.is_listening()).await;
    // Longer than an attempt to connect and the pause after it.
    let slowest = slowest(&node, Duration::from_millis(3500), LoadedPrompt::is_stale).await;
    assert!(slowest < Duration::from_millis(200), "{slowest:?}");
    let of_all = node.loading.counters();
    let of_agent = node.loading.counts_by_agent()[0].1;
    assert_eq!((of_agent.hits, of_agent.misses), (of_all.hits, of_all.misses), "stale answers are misses for both");
    assert!(of_agent.stale > 100 && of_agent.stale < of_agent.misses);
    is_told(&node).await;

    comes_back(&node, &mut gate).await;
    eventually("promotions are heard of again", async || node.loading.is_listening()).await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn nobody_who_can_be_told_something_waits_for_a_database_that_is_mute(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let brief = LoadingSettings { time_to_live: Duration::from_millis(20), ..LoadingSettings::default() };
    let (mut gate, node, _listener) = behind_gate(&options, brief).await;

    gate.set(Passage::Mute).await;
    let waited = slowest(&node, Duration::from_millis(3500), |_| true).await;
    // Once for each read that began while nobody knew; no longer than that.
    assert!(waited < Duration::from_secs(1), "{waited:?}");
    let waited = slowest(&node, Duration::from_millis(2000), LoadedPrompt::is_stale).await;
    assert!(waited < Duration::from_millis(200), "{waited:?}");
    // A read is given up, although PostgreSQL could not be told to.
    is_told(&node).await;

    comes_back(&node, &mut gate).await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_node_hears_of_promotions_although_every_connection_is_in_use(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let node = services(&pool);
    let _used = pool.acquire().await.unwrap();
    let _listener = listen(&node).await;
    assert!(node.loading.is_listening());
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
    let promoted = Instant::now();
    eventually("the promotion is served", async || served().await.0 == "1.1.0").await;
    assert!(promoted.elapsed() < Duration::from_secs(3), "{:?}", promoted.elapsed());
    assert!(!served().await.1, "the database answers, so nothing is stale");
}
