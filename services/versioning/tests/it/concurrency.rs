//! Many writers at once: mistakes 5, 7 and 8 of earlier systems, and rule 8 of the design.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{MIGRATOR, VersioningError};

use crate::support::{
    PATIENCE, active_rows, agent, draft, live, new_patch, numbers, promotion, services, somebody_waits_for, version,
    wide_pool,
};

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_hundred_patches_at_once_give_a_hundred_consecutive_versions(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options, 25).await;
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    let patches = join_all((0..100).map(|number| {
        let management = management.clone();
        tokio::spawn(async move { management.create_patch(new_patch("writer", &number.to_string())).await })
    }))
    .await;
    let given: BTreeSet<_> = patches.into_iter().map(|patch| patch.unwrap().unwrap().version).collect();
    let expected: BTreeSet<_> = (1..=100).map(|patch| version(&format!("1.0.{patch}"))).collect();
    assert_eq!(given, expected);
    assert_eq!(active_rows(&pool, "writer").await, 1);
    let history = numbers(&management, "writer").await;
    assert_eq!(history.first().map(String::as_str), Some("1.0.100"), "the newest is the highest");
    let next = management.next_versions(&agent("writer"), None).await.unwrap();
    assert_eq!(next.base, Some(version("1.0.100")));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn writers_who_give_up_leave_the_connections_to_others(_: PgPoolOptions, options: PgConnectOptions) {
    const SHORT: Duration = Duration::from_millis(200);
    let holding = wide_pool(options.clone(), 1).await;
    let pool = wide_pool(options, 4).await;
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    live(&management, "other", "1.0.0").await;
    let mut holder = holding.begin().await.unwrap();
    sqlx::query("select 1 from agents where agent_type = 'writer' for no key update")
        .execute(&mut *holder)
        .await
        .unwrap();
    for number in 0..6 {
        let patch = management.create_patch(new_patch("writer", &number.to_string()));
        assert!(tokio::time::timeout(SHORT, patch).await.is_err(), "it waits for the lock");
    }
    management.create_patch(new_patch("other", "x")).await.unwrap();
    holder.rollback().await.unwrap();
    management.create_patch(new_patch("writer", "x")).await.unwrap();
    assert_eq!(numbers(&management, "writer").await, ["1.0.1", "1.0.0"], "who gave up wrote nothing");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn of_many_promotions_at_once_the_highest_is_left_active(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options, 25).await;
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    for minor in 1..=64 {
        draft(&management, "writer", &format!("1.{minor}.0")).await;
    }
    let promotions = join_all((1..=64).map(|minor| {
        let management = management.clone();
        // Neither up nor down: the order of the numbers is scattered over the crowd.
        let minor = minor * 37 % 65;
        tokio::spawn(async move { management.promote_to_active(promotion("writer", &format!("1.{minor}.0"))).await })
    }))
    .await;
    for promoted in promotions {
        match promoted.unwrap() {
            Ok(_) | Err(VersioningError::FixForward { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(active_rows(&pool, "writer").await, 1);
    let overview = management.overview().await.unwrap();
    assert_eq!(overview[0].active.as_ref().unwrap().version, version("1.64.0"));
    let active = sqlx::query_scalar::<_, i64>(
        "select count(*) from prompt_events e join prompts p using (agent_type, version)
            where kind = 'promoted' and previous_active is not null
                and array[p.major, p.minor, p.patch]
                    <= string_to_array(e.previous_active, '.')::bigint[]",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(active, 0, "no promotion ever went down");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_same_number_is_given_to_one_of_many(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options, 25).await;
    let management = services(&pool).management;
    let created = join_all((0..20).map(|_| {
        let management = management.clone();
        tokio::spawn(
            async move { management.create_version(crate::support::new_version("writer", "1.0.0", "first")).await },
        )
    }))
    .await;
    let mut given = 0;
    for created in created {
        match created.unwrap() {
            Ok(_) => given += 1,
            Err(VersioningError::VersionExists { free, .. }) => assert_eq!(free, Some(version("1.0.1"))),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(given, 1);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn writers_of_different_agents_do_not_wait_for_each_other(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "busy", "1.0.0").await;
    live(&management, "calm", "1.0.0").await;

    let mut holder = pool.begin().await.unwrap();
    sqlx::query("select 1 from agents where agent_type = 'busy' for no key update")
        .execute(&mut *holder)
        .await
        .unwrap();
    // More of them than there are connections.
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let management = management.clone();
            tokio::spawn(async move { management.create_patch(new_patch("busy", "waits")).await })
        })
        .collect();
    somebody_waits_for(&mut holder).await;
    let calm = tokio::time::timeout(PATIENCE, management.create_patch(new_patch("calm", "goes on")));
    assert_eq!(calm.await.expect("the other agent's writer waited too").unwrap().version, version("1.0.1"));
    assert!(waiting.iter().all(|writer| !writer.is_finished()));
    holder.rollback().await.unwrap();
    for writer in waiting {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(numbers(&management, "busy").await.len(), 21);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn who_waited_for_another_node_knows_what_it_promoted(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    for (promoted, created, expected) in [
        ("2.0.0", "1.5.0", Err("fix_forward")),
        ("3.0.0", "4.0.0", Ok(Some("3.0.0"))),
        ("5.0.0", "5.0.0", Err("version_exists")),
    ] {
        draft(&management, "writer", promoted).await;
        // Another node, which no queue of this process knows of.
        let mut other = pool.begin().await.unwrap();
        for statement in [
            "update prompts set is_active = false where agent_type = 'writer' and is_active",
            "update prompts set is_active = true where agent_type = 'writer'
                and major = (select max(major) from prompts where agent_type = 'writer')",
        ] {
            sqlx::query(statement).execute(&mut *other).await.unwrap();
        }
        let waiting = tokio::spawn({
            let management = management.clone();
            let new = crate::support::new_version("writer", created, "waits");
            async move { management.create_version(new).await }
        });
        somebody_waits_for(&mut other).await;
        other.commit().await.unwrap();
        let made = waiting.await.unwrap();
        let previous: Option<String> = sqlx::query_scalar(
            "select previous_active from prompt_events where kind = 'created' order by id desc limit 1",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        match expected {
            Ok(active) => {
                made.unwrap();
                assert_eq!(previous.as_deref(), active, "after {promoted}");
            }
            Err(code) => assert_eq!(made.unwrap_err().code(), code, "after {promoted}"),
        }
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_change_that_is_given_up_leaves_nothing(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("select 1 from agents where agent_type = 'writer' for no key update")
        .execute(&mut *holder)
        .await
        .unwrap();
    // The caller goes away while the change waits, as a request that takes too long does.
    let given_up =
        tokio::time::timeout(Duration::from_millis(50), management.create_patch(new_patch("writer", "lost"))).await;
    assert!(given_up.is_err());
    holder.rollback().await.unwrap();
    assert_eq!(management.create_patch(new_patch("writer", "kept")).await.unwrap().version, version("1.0.1"));
    assert_eq!(numbers(&management, "writer").await, ["1.0.1", "1.0.0"]);
}
