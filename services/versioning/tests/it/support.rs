//! What the tests share: short ways to write and read, and to wait for a condition.

use sqlx::{
    Connection, Executor, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{
    AgentType, Listener, NewPatch, NewVersion, Promotion, PromptManagementService, PromptStore, PromptText,
    PromptVersion, Services, Version, VersioningError, listen,
};

pub use crate::waiting::{PATIENCE, eventually, patient, somebody_waits_for};

pub fn services(pool: &PgPool) -> Services {
    Services::new(PromptStore::new(pool.clone()), patient())
}

/// Begins to listen, and waits until promotions are heard of. `listen` itself returns deaf when a connection takes too long.
pub async fn listening(services: &Services) -> Listener {
    let listener = listen(services).await;
    eventually("promotions are heard of", async || services.loading.is_listening()).await;
    listener
}

/// A pool that is wide enough for a crowd.
pub async fn wide_pool(options: PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new().max_connections(connections).connect_with(options).await.unwrap()
}

pub fn agent(name: &str) -> AgentType {
    name.parse().unwrap()
}

pub fn version(text: &str) -> Version {
    text.parse().unwrap()
}

pub fn text(text: &str) -> PromptText {
    PromptText::parse(text.into()).unwrap()
}

pub fn new_version(name: &str, number: &str, prompt: &str) -> NewVersion {
    NewVersion {
        agent_type: agent(name),
        version: version(number),
        prompt_text: text(prompt),
        created_by: None,
        notes: None,
        base_version: None,
    }
}

pub fn new_patch(name: &str, prompt: &str) -> NewPatch {
    NewPatch { agent_type: agent(name), prompt_text: text(prompt), created_by: None, notes: None, base_version: None }
}

pub fn promotion(name: &str, number: &str) -> Promotion {
    Promotion { agent_type: agent(name), version: version(number), expected_active: None, promoted_by: None }
}

/// Creates a version with a text that names it, and promotes it.
pub async fn live(management: &PromptManagementService, name: &str, number: &str) -> PromptVersion {
    draft(management, name, number).await;
    management.promote_to_active(promotion(name, number)).await.unwrap()
}

/// Creates a version with a text that names it.
pub async fn draft(management: &PromptManagementService, name: &str, number: &str) -> PromptVersion {
    management.create_version(new_version(name, number, &format!("{name} {number}"))).await.unwrap()
}

/// The versions of an agent as text, newest first.
pub async fn numbers(management: &PromptManagementService, name: &str) -> Vec<String> {
    let page = management.get_versions(&agent(name), None, 1000).await.unwrap();
    page.versions.iter().map(|version| version.version.to_string()).collect()
}

/// How many rows of an agent are active.
pub async fn active_rows(pool: &PgPool, name: &str) -> i64 {
    sqlx::query_scalar("select count(*) from prompts where agent_type = $1 and is_active")
        .bind(name)
        .fetch_one(pool)
        .await
        .unwrap()
}

pub fn code<T: std::fmt::Debug>(result: Result<T, VersioningError>) -> &'static str {
    result.unwrap_err().code()
}

/// Another database of the same server, empty or migrated by the caller, which is removed at the end.
pub struct OtherDatabase {
    admin: PgConnectOptions,
    name: String,
    pub pool: PgPool,
}

impl OtherDatabase {
    pub async fn create(options: &PgConnectOptions) -> Self {
        Self::create_with(options, "").await
    }

    /// One that is made with other options than those of the server.
    pub async fn create_with(options: &PgConnectOptions, how: &str) -> Self {
        let admin = options.clone().database("postgres");
        let own = options.get_database().unwrap();
        // A longer name than 63 bytes would be cut, to that of the database itself.
        let name = format!("{}_other", &own[..own.len().min(57)]);
        let mut connection = PgConnection::connect_with(&admin).await.unwrap();
        let statements =
            [format!("drop database if exists \"{name}\" with (force)"), format!("create database \"{name}\" {how}")];
        for statement in statements {
            connection.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
        }
        let pool = wide_pool(options.clone().database(&name), 5).await;
        versioning::MIGRATOR.run(&pool).await.unwrap();
        Self { admin, name, pool }
    }

    pub async fn remove(self) {
        self.pool.close().await;
        let mut connection = PgConnection::connect_with(&self.admin).await.unwrap();
        let statement = format!("drop database \"{}\" with (force)", self.name);
        connection.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    }
}
