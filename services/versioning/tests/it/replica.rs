//! What a replica answers, and what it never does. A copy that lags behind is a second schema with an older state.

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::task::JoinSet;
use versioning::{
    ErrorKind, LoadingSettings, MIGRATOR, MetricsRange, PromptSource, PromptStore, ReplicaLimits, Services,
};

use crate::{
    gate::{Gate, Passage},
    support::{PATIENCE, agent, draft, eventually, live, patient, services, wide_pool},
};

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

/// So long that whoever waited for it would wait for ever.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Nothing is given up, and a replica that failed is never asked again. A test shortens what it is about.
const PATIENT: ReplicaLimits = ReplicaLimits { quiet: FOR_EVER, read: FOR_EVER, probe: FOR_EVER, turn: FOR_EVER };

const SHORT: Duration = Duration::from_millis(200);

fn with_replica(pool: &PgPool, replica: &PgPool) -> Services {
    with_limits(pool, replica, PATIENT)
}

fn with_limits(pool: &PgPool, replica: &PgPool, limits: ReplicaLimits) -> Services {
    Services::new(PromptStore::new(pool.clone()).with_replica(replica.clone(), limits), patient())
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
        assert_eq!(counted(&services).await, 2);
    }
}

/// Versions that the metrics count: one on the copy, two in the database.
async fn counted(services: &Services) -> u64 {
    services.metrics.of_prompts(Some(&agent("writer")), MetricsRange::Day).await.unwrap().lengths.versions
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_replica_whose_queries_fail_is_done_without(_: PgPoolOptions, options: PgConnectOptions) {
    let (pool, copy) = pair(options).await;
    let services = with_replica(&pool, &copy);
    let other = with_limits(&pool, &copy, ReplicaLimits { quiet: SHORT, ..PATIENT });
    assert_eq!((counted(&services).await, services.loading.replica_answers().await), (1, Some(true)));
    // As before a migration has reached it: it answers, and the table is not there.
    sqlx::query("alter table prompts rename to prompts_of_old").execute(&copy).await.unwrap();
    for services in [&services, &other] {
        assert_eq!(counted(services).await, 2);
        assert!(!services.management.search("writer", 10).await.unwrap().is_empty());
    }
    sqlx::query("alter table prompts_of_old rename to prompts").execute(&copy).await.unwrap();
    // It is left alone for a while, and that is told.
    assert_eq!((services.loading.replica_answers().await, counted(&services).await), (Some(false), 2));
    eventually("it is asked again", async || counted(&other).await == 1).await;
    assert_eq!(other.loading.replica_answers().await, Some(true));
    assert_eq!(self::services(&pool).loading.replica_answers().await, None, "there is none");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_replica_that_goes_mute_brings_no_crowd_to_the_database(_: PgPoolOptions, options: PgConnectOptions) {
    let (pool, copy) = pair(options.clone()).await;
    let mut gate = Gate::before(&options).await;
    let replica = PgPoolOptions::new()
        .max_connections(20)
        .acquire_timeout(FOR_EVER)
        .connect_with(gate.options.clone().options([("search_path", "copy")]))
        .await
        .unwrap();
    let wide = wide_pool(options, 20).await;
    assert_eq!(counted(&with_replica(&wide, &replica)).await, 1);

    gate.set(Passage::Mute).await;
    let brief = ReplicaLimits { read: SHORT, ..PATIENT };
    let services = with_limits(&wide, &replica, brief);
    let crowd: Vec<_> = (0..100)
        .map(|_| {
            let services = services.clone();
            tokio::spawn(async move { tokio::time::timeout(PATIENCE, counted(&services)).await })
        })
        .collect();
    for asked in crowd {
        // After a wait for the replica, and for a turn.
        assert_eq!(asked.await.unwrap().expect("the replica is given up"), 2, "the database answers");
    }
    // When the database is slow as well, four reads wait there, and the others are told: agents and writes find room.
    let hurried = with_limits(&wide, &replica, ReplicaLimits { turn: SHORT, ..brief });
    // Its own first look at the events is over.
    drop(hurried.activity.subscribe().await);
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("lock table prompt_events in access exclusive mode").execute(&mut *holder).await.unwrap();
    let mut crowd: JoinSet<_> = (0..20)
        .map(|_| {
            let services = hurried.clone();
            async move { services.management.daily_activity(7).await.map_err(|error| error.code()) }
        })
        .collect();
    for _ in 0..16 {
        assert_eq!(crowd.join_next().await.unwrap().unwrap(), Err("database_unavailable"));
    }
    // Perhaps they are still on their way; everybody else has been told.
    eventually("four wait", async || {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_locks join pg_database on pg_database.oid = database
                where not granted and datname = current_database()",
        )
        .fetch_one(&mut *holder)
        .await
        .unwrap();
        waiting == 4
    })
    .await;
    hurried.loading.get_active_prompt(&agent("writer")).await.unwrap();
    holder.rollback().await.unwrap();
    assert!(crowd.join_all().await.into_iter().all(|answer| answer.is_ok()));

    let again = with_limits(&wide, &replica, ReplicaLimits { quiet: SHORT, ..brief });
    assert_eq!(counted(&again).await, 2);
    gate.set(Passage::Open).await;
    assert_eq!(counted(&services).await, 2, "who comes later does not even ask it");
    eventually("it is asked again", async || counted(&again).await == 1).await;
    drop(copy);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_node_that_starts_while_the_database_is_away_knows_what_the_replica_knows(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let (pool, copy) = pair(options).await;
    let brief = LoadingSettings { time_to_live: Duration::from_millis(20), ..patient() };
    let knows = Services::new(PromptStore::new(pool.clone()).with_replica(copy.clone(), PATIENT), brief);
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
