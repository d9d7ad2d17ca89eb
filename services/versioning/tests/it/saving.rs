//! Saving as the editor does: the next number, from what the writer saw, live at once if that was asked for.

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{Bump, MIGRATOR, NextVersion, PromptManagementService, Seen, VersionStatus, VersioningError};

use crate::support::{active_rows, agent, code, draft, live, numbers, services, text, version, wide_pool};

async fn next(management: &PromptManagementService, name: &str, bump: Bump, base: Option<&str>) -> NextVersion {
    NextVersion {
        agent_type: agent(name),
        bump,
        prompt_text: text("the next text"),
        created_by: None,
        notes: None,
        base_version: base.map(version),
        seen: management.seen(&agent(name)).await.unwrap(),
        promote: false,
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn each_bump_gives_the_number_that_was_announced(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.2.3").await;
    for taken in ["1.2.4", "1.4.1", "3.1.0"] {
        draft(&management, "writer", taken).await;
    }
    for (bump, expected) in [(Bump::Patch, "1.2.5"), (Bump::Minor, "1.5.0"), (Bump::Major, "4.0.0")] {
        let announced = management.next_versions(&agent("writer"), Some(version("1.2.3"))).await.unwrap().of(bump);
        let saved = management.create_next(next(&management, "writer", bump, Some("1.2.3")).await).await.unwrap();
        assert_eq!((saved.version, Some(saved.version)), (version(expected), announced));
        assert_eq!(saved.status, VersionStatus::Draft);
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn numbers_go_on_from_the_draft_that_was_edited(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    draft(&management, "writer", "2.0.0").await;
    let saved = management.create_next(next(&management, "writer", Bump::Patch, Some("2.0.0")).await).await.unwrap();
    assert_eq!(saved.version, version("2.0.1"));
    // From what is below the active version the numbers still rise.
    live(&management, "writer", "2.1.0").await;
    let saved = management.create_next(next(&management, "writer", Bump::Patch, Some("1.0.0")).await).await.unwrap();
    assert_eq!(saved.version, version("2.1.1"));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_new_agent_begins_with_its_first_version(pool: PgPool) {
    let management = services(&pool).management;
    let mut first = next(&management, "writer", Bump::Patch, None).await;
    first.promote = true;
    let saved = management.create_next(first.clone()).await.unwrap();
    assert_eq!((saved.version, saved.status), (version("1.0.0"), VersionStatus::Active));
    // Two people who make the same agent: the second sees what the first wrote.
    assert_eq!(code(management.create_next(first).await), "saved_meanwhile");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_happened_meanwhile_is_a_conflict(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    let before = next(&management, "writer", Bump::Patch, Some("1.0.0")).await;
    draft(&management, "writer", "1.1.0").await;
    match management.create_next(before.clone()).await.unwrap_err() {
        VersioningError::SavedMeanwhile { version: theirs, .. } => assert_eq!(theirs, version("1.1.0")),
        other => panic!("{other}"),
    }
    live(&management, "writer", "1.2.0").await;
    match management.create_next(before.clone()).await.unwrap_err() {
        VersioningError::StaleBase { base, active, .. } => {
            assert_eq!((base, active), (version("1.0.0"), Some(version("1.2.0"))));
        }
        other => panic!("{other}"),
    }
    let mut unknown = next(&management, "writer", Bump::Patch, Some("9.9.9")).await;
    assert_eq!(code(management.create_next(unknown.clone()).await), "unknown_base_version");
    unknown.base_version = None;
    unknown.seen = Seen::default();
    assert!(management.create_next(unknown).await.is_err());
    assert_eq!(numbers(&management, "writer").await, ["1.2.0", "1.1.0", "1.0.0"]);
    // What was seen anew can be saved.
    let after = NextVersion { seen: management.seen(&agent("writer")).await.unwrap(), ..before };
    management.create_next(after).await.unwrap();
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn of_many_who_save_at_once_one_is_first(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options, 20).await;
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    let mut one = next(&management, "writer", Bump::Minor, Some("1.0.0")).await;
    one.promote = true;
    let saves = (0..16).map(|_| management.create_next(one.clone()));
    let saved = futures_util::future::join_all(saves).await;
    assert_eq!(saved.iter().filter(|saved| saved.is_ok()).count(), 1);
    assert!(saved.into_iter().filter_map(Result::err).all(|error| error.code() == "stale_base"));
    assert_eq!(active_rows(&pool, "writer").await, 1);
}
