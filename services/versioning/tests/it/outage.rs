//! The database goes away and comes back.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{LoadingSettings, MIGRATOR, PromptStore, Services, listen};

use crate::support::{agent, code, eventually, live, new_patch, services};

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
