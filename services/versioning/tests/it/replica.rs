//! What a replica answers, and what it never does. A copy that lags behind is a second schema with an older state.

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{ErrorKind, LoadingSettings, MIGRATOR, MetricsRange, PromptSource, PromptStore, Services};

use crate::support::{agent, draft, eventually, live, services};

/// The database, and a copy of it in which `writer` has 1.0.0 alone.
async fn pair(options: PgConnectOptions) -> (PgPool, PgPool) {
    let pool = PgPoolOptions::new().connect_with(options.clone()).await.unwrap();
    sqlx::query("create schema copy").execute(&pool).await.unwrap();
    let copy = PgPoolOptions::new().connect_with(options.options([("search_path", "copy")])).await.unwrap();
    MIGRATOR.run(&copy).await.unwrap();
    for pool in [&pool, &copy] {
        live(&services(pool).management, "writer", "1.0.0").await;
    }
    live(&services(&pool).management, "writer", "1.1.0").await;
    (pool, copy)
}

fn with_replica(pool: &PgPool, replica: &PgPool) -> Services {
    Services::new(PromptStore::new(pool.clone()).with_replica(replica.clone()), LoadingSettings::default())
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn figures_come_from_the_replica_and_what_agents_load_does_not(_: PgPoolOptions, options: PgConnectOptions) {
    let (pool, copy) = pair(options).await;
    let services = with_replica(&pool, &copy);
    let metrics = services.metrics.of_prompts(Some(&agent("writer")), MetricsRange::Day).await.unwrap();
    assert_eq!((metrics.lengths.versions, metrics.promotions.len()), (1, 1));
    let loaded = services.loading.get_active_prompt(&agent("writer")).await.unwrap();
    assert_eq!((loaded.content().version.version.to_string(), loaded.source()), ("1.1.0".into(), PromptSource::Fresh));
    // What was just written is read where it was written.
    draft(&services.management, "writer", "1.2.0").await;
    assert_eq!(services.management.get_versions(&agent("writer"), None, 10).await.unwrap().versions.len(), 3);
    assert_eq!(services.management.overview().await.unwrap()[0].versions, 3);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_replica_that_is_away_is_done_without(_: PgPoolOptions, options: PgConnectOptions) {
    let (pool, copy) = pair(options).await;
    let services = with_replica(&pool, &copy);
    copy.close().await;
    for _ in 0..2 {
        let metrics = services.metrics.of_prompts(Some(&agent("writer")), MetricsRange::Day).await.unwrap();
        assert_eq!(metrics.lengths.versions, 2);
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_node_that_starts_while_the_database_is_away_knows_what_the_replica_knows(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let (pool, copy) = pair(options).await;
    let brief = LoadingSettings { time_to_live: Duration::from_millis(20), ..LoadingSettings::default() };
    let knows = Services::new(PromptStore::new(pool.clone()).with_replica(copy.clone()), brief);
    knows.loading.get_active_prompt(&agent("writer")).await.unwrap();
    let cold = with_replica(&pool, &copy);
    pool.close().await;

    let loaded = cold.loading.get_active_prompt(&agent("writer")).await.unwrap();
    assert_eq!((loaded.content().version.version.to_string(), loaded.source()), ("1.0.0".into(), PromptSource::Stale));
    let error = cold.loading.get_active_prompt(&agent("nobody")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "whether there is such an agent is not for the replica to say");
    // Whoever has known better goes on with that.
    eventually("what was cached has run out", async || {
        let loaded = knows.loading.get_active_prompt(&agent("writer")).await.unwrap();
        assert_eq!(loaded.content().version.version.to_string(), "1.1.0");
        loaded.is_stale()
    })
    .await;
    // Without the database and without the replica, nothing is known.
    let lost = with_replica(&pool, &copy);
    copy.close().await;
    assert_eq!(lost.loading.get_active_prompt(&agent("writer")).await.unwrap_err().kind(), ErrorKind::Unavailable);
}
