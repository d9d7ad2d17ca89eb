//! `PromptLoadingService`: the cache, on one node and on several.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{AgentType, LoadingSettings, MIGRATOR, MetricsRange, PromptStore, Services, VersioningError};

use crate::support::{
    agent, code, draft, eventually, listening, live, new_patch, patient, promotion, services, version, wide_pool,
};

async fn loaded(services: &Services, name: &str) -> String {
    let prompt = services.loading.get_active_prompt(&agent(name)).await.unwrap();
    let content = prompt.content();
    let named = content.prompt_text.rsplit(' ').next().unwrap();
    assert_eq!(named, content.version.version.to_string(), "text and version belong together");
    assert!(!prompt.is_stale());
    content.version.version.to_string()
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_first_load_misses_and_the_next_ones_hit(pool: PgPool) {
    let services = services(&pool);
    live(&services.management, "writer", "1.0.0").await;
    live(&services.management, "reader", "2.0.0").await;
    for _ in 0..3 {
        assert_eq!(loaded(&services, "writer").await, "1.0.0");
        assert_eq!(loaded(&services, "reader").await, "2.0.0");
    }
    let stats = services.loading.get_cache_stats();
    assert_eq!((stats.counters.hits, stats.counters.misses), (4, 2));
    assert_eq!(stats.counters.hit_rate(), Some(4.0 / 6.0));
    let entries: Vec<_> = stats
        .entries
        .iter()
        .map(|entry| (entry.agent_type.as_str(), entry.version.to_string(), entry.hits, entry.misses))
        .collect();
    assert_eq!(entries, [("reader", "2.0.0".into(), 2, 1), ("writer", "1.0.0".into(), 2, 1)]);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_missing_prompt_is_an_error(pool: PgPool) {
    let settings = LoadingSettings { missing_time_to_live: Duration::from_secs(3600), ..patient() };
    let services = Services::new(PromptStore::new(pool), settings);
    draft(&services.management, "writer", "1.0.0").await;
    // Read, and remembered.
    for _ in 0..2 {
        for (name, expected) in [("writer", "no_active_version"), ("nobody", "unknown_agent")] {
            assert_eq!(code(services.loading.get_active_prompt(&agent(name)).await), expected);
        }
    }
    assert_eq!(services.loading.counters().misses, 2);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_does_not_exist_names_what_may_be_meant(pool: PgPool) {
    let services = services(&pool);
    for number in ["1.0.0", "1.2.0", "2.0.0"] {
        draft(&services.management, "writer", number).await;
    }
    draft(&services.management, "reader", "1.0.0").await;
    let management = &services.management;
    let named = |error: VersioningError| match error {
        VersioningError::UnknownAgent { ref near, .. } => {
            assert!(error.to_string().contains(" Perhaps writer is meant. "), "{error}");
            near.iter().map(AgentType::to_string).collect::<Vec<_>>()
        }
        other => panic!("{other}"),
    };
    let unknown = agent("writre");
    assert_eq!(named(services.loading.get_active_prompt(&unknown).await.unwrap_err()), ["writer"]);
    assert_eq!(named(management.get_versions(&unknown, None, 1).await.unwrap_err()), ["writer"]);
    assert_eq!(named(management.get_prompt_content(&unknown, version("1.0.0")).await.unwrap_err()), ["writer"]);
    assert_eq!(named(management.promote_to_active(promotion("writre", "1.0.0")).await.unwrap_err()), ["writer"]);
    assert_eq!(named(management.create_patch(new_patch("writre", "x")).await.unwrap_err()), ["writer"]);
    let range = MetricsRange::Day;
    assert_eq!(named(services.metrics.of_prompts(Some(&unknown), range).await.unwrap_err()), ["writer"]);
    for (number, neighbours) in [
        ("1.1.0", " The nearest are 1.0.0 and 1.2.0. "),
        ("3.0.0", " The nearest is 2.0.0. "),
        ("0.1.0", " The nearest is 1.0.0. "),
    ] {
        let read = management.get_prompt_content(&agent("writer"), version(number)).await.unwrap_err();
        let promoted = management.promote_to_active(promotion("writer", number)).await.unwrap_err();
        for error in [read, promoted] {
            assert!(error.to_string().contains(neighbours), "{error}");
        }
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_missing_prompt_is_remembered_only_briefly(pool: PgPool) {
    let settings = LoadingSettings { missing_time_to_live: Duration::from_millis(50), ..patient() };
    // This node does not listen, so nothing but time can tell it.
    let deaf = Services::new(PromptStore::new(pool.clone()), settings);
    assert_eq!(code(deaf.loading.get_active_prompt(&agent("writer")).await), "unknown_agent");
    live(&services(&pool).management, "writer", "1.0.0").await;
    eventually("the prompt is found", async || deaf.loading.get_active_prompt(&agent("writer")).await.is_ok()).await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_entry_expires(pool: PgPool) {
    let settings = LoadingSettings { time_to_live: Duration::from_millis(50), ..patient() };
    let deaf = Services::new(PromptStore::new(pool.clone()), settings);
    let other = services(&pool);
    live(&other.management, "writer", "1.0.0").await;
    assert_eq!(loaded(&deaf, "writer").await, "1.0.0");
    live(&other.management, "writer", "1.1.0").await;
    eventually("the entry expires", async || loaded(&deaf, "writer").await == "1.1.0").await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn clearing_drops_what_is_served(pool: PgPool) {
    let node = services(&pool);
    let other = services(&pool);
    live(&other.management, "writer", "1.0.0").await;
    assert_eq!(loaded(&node, "writer").await, "1.0.0");
    live(&other.management, "writer", "1.1.0").await;
    assert_eq!(loaded(&node, "writer").await, "1.0.0", "a node that does not listen serves what it has");
    assert!(node.loading.clear_cache(&agent("writer")).await);
    assert_eq!(loaded(&node, "writer").await, "1.1.0");
    assert!(!node.loading.clear_cache(&agent("reader")).await, "there was nothing to clear");
    assert_eq!(node.loading.get_cache_stats().entries.len(), 1);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_promotion_is_served_by_the_same_node_at_once(pool: PgPool) {
    let services = services(&pool);
    live(&services.management, "writer", "1.0.0").await;
    assert_eq!(loaded(&services, "writer").await, "1.0.0");
    for minor in 1..10 {
        let number = format!("1.{minor}.0");
        live(&services.management, "writer", &number).await;
        assert_eq!(loaded(&services, "writer").await, number);
        let patched = format!("1.{minor}.1");
        services.management.create_patch(new_patch("writer", &patched)).await.unwrap();
        assert_eq!(loaded(&services, "writer").await, patched);
    }
    assert!(services.loading.counters().invalidations >= 18);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn every_node_hears_of_promotions_and_cleared_caches(pool: PgPool) {
    let writer = services(&pool);
    let node = services(&pool);
    let _listener = listening(&node).await;
    live(&writer.management, "writer", "1.0.0").await;
    assert_eq!(loaded(&node, "writer").await, "1.0.0");
    live(&writer.management, "writer", "1.1.0").await;
    // What is read while something is heard of is answered, but not kept.
    eventually("the promotion is heard of, and kept", async || {
        loaded(&node, "writer").await == "1.1.0" && node.loading.get_cache_stats().entries.len() == 1
    })
    .await;

    let before = node.loading.counters().invalidations;
    assert!(writer.management.clear_cache(&agent("writer")).await.unwrap().announced);
    eventually("the clearing is heard of", async || node.loading.counters().invalidations > before).await;
    assert!(!writer.management.clear_cache(&agent("nobody")).await.unwrap().announced);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn by_hand_or_not_a_promotion_is_heard_of(pool: PgPool) {
    let node = services(&pool);
    let _listener = listening(&node).await;
    live(&node.management, "writer", "1.0.0").await;
    draft(&node.management, "writer", "1.1.0").await;
    assert_eq!(loaded(&node, "writer").await, "1.0.0");
    let mut transaction = pool.begin().await.unwrap();
    for statement in [
        "update prompts set is_active = false where is_active",
        "update prompts set is_active = true where version = '1.1.0'",
    ] {
        sqlx::query(statement).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    eventually("the promotion is heard of", async || loaded(&node, "writer").await == "1.1.0").await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_crowd_that_misses_reads_once(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options, 20).await;
    let services = services(&pool);
    live(&services.management, "writer", "1.0.0").await;
    // Reads wait until this lets go, so that all of the crowd arrives while the first is under way.
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("lock table prompts in access exclusive mode").execute(&mut *holder).await.unwrap();
    let crowd: Vec<_> = (0..50)
        .map(|_| {
            let services = services.clone();
            tokio::spawn(async move { loaded(&services, "writer").await })
        })
        .collect();
    eventually("everybody has missed", async || services.loading.counters().misses == 50).await;
    // Not in the transaction that holds the lock: within one, PostgreSQL shows the activity of its first look for ever.
    let reading = async || {
        sqlx::query_scalar::<_, i64>(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(&pool)
        .await
        .unwrap()
    };
    eventually("somebody reads", async || reading().await > 0).await;
    assert_eq!(reading().await, 1);
    holder.rollback().await.unwrap();
    for answer in join_all(crowd).await {
        assert_eq!(answer.unwrap(), "1.0.0");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn nobody_is_served_an_older_version_after_a_newer_one(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options, 20).await;
    let writer = services(&pool);
    let node = services(&pool);
    let _listener = listening(&node).await;
    live(&writer.management, "writer", "1.0.0").await;
    let is_over = AtomicBool::new(false);
    let read = async |services: &Services| {
        let mut last = version("0.0.0");
        let mut seen = 0;
        while !is_over.load(Ordering::Relaxed) {
            let prompt = services.loading.get_active_prompt(&agent("writer")).await.unwrap();
            let now = prompt.content().version.version;
            assert!(now >= last, "{now} was served after {last}");
            seen += usize::from(now > last);
            last = now;
            tokio::task::yield_now().await;
        }
        seen
    };
    let write = async {
        for patch in 1..=100 {
            let created = writer.management.create_patch(new_patch("writer", &format!("1.0.{patch}"))).await.unwrap();
            let served = loaded(&writer, "writer").await;
            assert_eq!(served, created.version.to_string(), "who promotes sees it in the next answer");
        }
        eventually("the other node has the last one", async || loaded(&node, "writer").await == "1.0.100").await;
        is_over.store(true, Ordering::Relaxed);
    };
    let ((), here, there, there_too) = tokio::join!(write, read(&writer), read(&node), read(&node));
    assert!(here > 1 && there > 1 && there_too > 1, "the readers saw the promotions go by");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_derived_value_is_made_once_for_each_read(pool: PgPool) {
    let services = services(&pool);
    live(&services.management, "writer", "1.0.0").await;
    let made = std::cell::Cell::new(0);
    for _ in 0..3 {
        let prompt = services.loading.get_active_prompt(&agent("writer")).await.unwrap();
        let length = prompt.derived(|content| {
            made.set(made.get() + 1);
            content.prompt_text.len()
        });
        assert_eq!(length, "writer 1.0.0".len());
    }
    assert_eq!(made.get(), 1);
}
