//! `PromptManagementService`: what each operation does, and what it refuses.

use chrono::{TimeDelta, Utc};
use sqlx::PgPool;
use versioning::{Author, EventKind, MIGRATOR, NewVersion, Notes, Promotion, Reissue, VersionStatus, VersioningError};

use crate::support::{
    active_rows, agent, code, draft, live, new_patch, new_version, numbers, promotion, services, version,
};

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_new_version_is_a_draft_with_all_that_was_said(pool: PgPool) {
    let management = services(&pool).management;
    let new = NewVersion {
        created_by: Author::parse("ada").unwrap(),
        notes: Notes::parse("First words.".into()).unwrap(),
        ..new_version("writer", "1.0.0", "Hällo\nworld\n")
    };
    let created = management.create_version(new).await.unwrap();
    assert_eq!(created.status, VersionStatus::Draft);
    assert_eq!((created.char_count, created.line_count), (12, 2));
    // printf "Hällo\nworld\n" | sha256sum
    assert_eq!(created.sha256, "73273939a9232af08ccad1d7a0645b7b6a961a86fdb32db0c0a3d03d5893c07a");
    let content = management.get_prompt_content(&agent("writer"), version("1.0.0")).await.unwrap();
    assert_eq!(content.version, created);
    assert_eq!(content.prompt_text, "Hällo\nworld\n");
    assert_eq!((created.created_by.as_deref(), created.notes.as_deref()), (Some("ada"), Some("First words.")));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_number_is_given_once(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    draft(&management, "writer", "1.0.1").await;
    for (taken, next) in [("1.0.0", "1.0.2"), ("1.0.1", "1.0.2")] {
        let refusal = management.create_version(new_version("writer", taken, "again")).await.unwrap_err();
        let VersioningError::VersionExists { free, .. } = refusal else { panic!("{refusal:?}") };
        assert_eq!(free, Some(version(next)));
    }
    assert_eq!(numbers(&management, "writer").await, ["1.0.1", "1.0.0"]);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_new_version_must_be_above_the_active_one(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.10.0").await;
    for low in ["1.9.9", "0.1.0", "1.2.0"] {
        assert_eq!(code(management.create_version(new_version("writer", low, "low")).await), "fix_forward", "{low}");
    }
    // Drafts need not come in order; only the active version is a floor.
    draft(&management, "writer", "3.0.0").await;
    draft(&management, "writer", "2.0.0").await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_refused_first_version_leaves_no_agent_behind(pool: PgPool) {
    let management = services(&pool).management;
    let new = NewVersion { base_version: Some(version("1.0.0")), ..new_version("writer", "1.0.1", "x") };
    assert_eq!(code(management.create_version(new).await), "unknown_base_version");
    assert_eq!(code(management.get_versions(&agent("writer"), None, 10).await), "unknown_agent");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_base_must_exist_and_not_be_superseded(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    draft(&management, "writer", "1.2.0").await;
    let based_on = |base: &str, number: &str| NewVersion {
        base_version: Some(version(base)),
        ..new_version("writer", number, "based")
    };
    management.create_version(based_on("1.0.0", "1.1.0")).await.unwrap();
    management.create_version(based_on("1.2.0", "1.2.1")).await.unwrap();
    assert_eq!(code(management.create_version(based_on("7.0.0", "7.0.1")).await), "unknown_base_version");
    management.promote_to_active(promotion("writer", "1.1.0")).await.unwrap();
    let refusal = management.create_version(based_on("1.0.0", "1.3.0")).await.unwrap_err();
    assert_eq!(refusal.code(), "stale_base");
    assert!(refusal.to_string().contains("1.1.0 is active now"), "{refusal}");
    assert_eq!(
        numbers(&management, "writer").await,
        ["1.2.1", "1.1.0", "1.2.0", "1.0.0"],
        "a refused version must not exist"
    );
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn promoting_makes_exactly_one_version_active(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    let promoted = live(&management, "writer", "1.1.0").await;
    assert_eq!(promoted.status, VersionStatus::Active);
    assert!(promoted.activated_at.is_some());
    assert_eq!(active_rows(&pool, "writer").await, 1);
    let old = management.get_prompt_content(&agent("writer"), version("1.0.0")).await.unwrap();
    assert_eq!(old.version.status, VersionStatus::Superseded);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn promoting_what_does_not_exist_is_refused(pool: PgPool) {
    let management = services(&pool).management;
    assert_eq!(code(management.promote_to_active(promotion("writer", "1.0.0")).await), "unknown_agent");
    live(&management, "writer", "1.0.0").await;
    assert_eq!(code(management.promote_to_active(promotion("writer", "1.0.1")).await), "unknown_version");
    assert_eq!(active_rows(&pool, "writer").await, 1);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn nothing_is_rolled_back(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    draft(&management, "writer", "1.0.5").await;
    live(&management, "writer", "1.1.0").await;
    for low in ["1.0.0", "1.0.5"] {
        let refusal = management.promote_to_active(promotion("writer", low)).await.unwrap_err();
        assert_eq!(refusal.code(), "fix_forward");
        assert!(refusal.to_string().contains("reissue"), "the way forward is missing: {refusal}");
    }
    let reissued = management
        .reissue(Reissue {
            agent_type: agent("writer"),
            version: version("1.0.0"),
            created_by: Author::parse("ada").unwrap(),
            notes: None,
        })
        .await
        .unwrap();
    assert_eq!((reissued.version, reissued.status), (version("1.1.1"), VersionStatus::Active));
    let content = management.get_prompt_content(&agent("writer"), version("1.1.1")).await.unwrap();
    assert_eq!(content.prompt_text, "writer 1.0.0");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn promoting_the_active_version_again_changes_nothing(pool: PgPool) {
    let management = services(&pool).management;
    let first = live(&management, "writer", "1.0.0").await;
    let events = management.events_of(&agent("writer")).await.unwrap();
    // A caller that lost the first answer asks again with what was true before.
    let again = Promotion { expected_active: Some(version("0.9.0")), ..promotion("writer", "1.0.0") };
    assert_eq!(management.promote_to_active(again).await.unwrap(), first);
    assert_eq!(management.events_of(&agent("writer")).await.unwrap(), events);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_promotion_can_name_what_it_expects_to_be_active(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    draft(&management, "writer", "1.1.0").await;
    let expecting =
        |expected: &str| Promotion { expected_active: Some(version(expected)), ..promotion("writer", "1.1.0") };
    assert_eq!(code(management.promote_to_active(expecting("0.9.0")).await), "stale_base");
    assert_eq!(management.promote_to_active(expecting("1.0.0")).await.unwrap().version, version("1.1.0"));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn patches_count_up_and_are_live_at_once(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    for expected in ["1.0.1", "1.0.2", "1.0.3"] {
        let patch = management.create_patch(new_patch("writer", expected)).await.unwrap();
        assert_eq!((patch.version, patch.status), (version(expected), VersionStatus::Active));
        assert_eq!(active_rows(&pool, "writer").await, 1);
        let read = management.get_prompt_content(&agent("writer"), patch.version).await.unwrap();
        assert_eq!(read.version, patch, "what was answered is what was stored");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_patch_takes_the_first_free_number_of_the_active_line(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.2.3").await;
    for taken in ["1.2.4", "1.2.5", "1.2.7", "1.3.0", "2.0.0"] {
        draft(&management, "writer", taken).await;
    }
    assert_eq!(management.create_patch(new_patch("writer", "x")).await.unwrap().version, version("1.2.6"));
    assert_eq!(management.create_patch(new_patch("writer", "x")).await.unwrap().version, version("1.2.8"));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_patch_needs_an_active_version_and_its_base_to_be_that(pool: PgPool) {
    let management = services(&pool).management;
    assert_eq!(code(management.create_patch(new_patch("writer", "x")).await), "unknown_agent");
    draft(&management, "writer", "1.0.0").await;
    assert_eq!(code(management.create_patch(new_patch("writer", "x")).await), "no_active_version");
    management.promote_to_active(promotion("writer", "1.0.0")).await.unwrap();
    live(&management, "writer", "1.1.0").await;
    let mut patch = new_patch("writer", "x");
    patch.base_version = Some(version("1.0.0"));
    assert_eq!(code(management.create_patch(patch.clone()).await), "stale_base");
    patch.base_version = Some(version("9.0.0"));
    assert_eq!(code(management.create_patch(patch.clone()).await), "unknown_base_version");
    patch.base_version = Some(version("1.1.0"));
    assert_eq!(management.create_patch(patch).await.unwrap().version, version("1.1.1"));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_line_that_is_full_says_so(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "9999999999999999.0.9").await;
    assert_eq!(code(management.create_patch(new_patch("writer", "x")).await), "numbers_exhausted");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn reissuing_needs_the_version_and_an_active_one(pool: PgPool) {
    let management = services(&pool).management;
    let reissue =
        |number: &str| Reissue { agent_type: agent("writer"), version: version(number), created_by: None, notes: None };
    assert_eq!(code(management.reissue(reissue("1.0.0")).await), "unknown_agent");
    draft(&management, "writer", "1.0.0").await;
    assert_eq!(code(management.reissue(reissue("1.0.0")).await), "no_active_version");
    management.promote_to_active(promotion("writer", "1.0.0")).await.unwrap();
    assert_eq!(code(management.reissue(reissue("4.0.0")).await), "unknown_version");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_history_is_newest_first_and_pages_without_gaps(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.0.0").await;
    let created = ["1.9.0", "1.10.0", "3.0.0", "2.0.0", "2.10.0", "2.9.0"];
    for number in created {
        draft(&management, "writer", number).await;
    }
    let mut expected: Vec<_> = created.into_iter().rev().map(String::from).collect();
    expected.push("1.0.0".into());
    assert_eq!(numbers(&management, "writer").await, expected);

    let mut paged = Vec::new();
    let mut cursor = None;
    loop {
        let page = management.get_versions(&agent("writer"), cursor, 2).await.unwrap();
        assert!(page.versions.len() <= 2);
        paged.extend(page.versions.into_iter().map(|version| version.version.to_string()));
        // What a client gets is the text of the cursor.
        cursor = page.next.map(|next| next.to_string().parse().unwrap());
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(paged, expected);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn versions_of_the_same_instant_are_in_version_order(pool: PgPool) {
    let management = services(&pool).management;
    draft(&management, "writer", "0.1.0").await;
    sqlx::query(
        "insert into prompts (agent_type, version, prompt_text, created_at)
            select 'writer', v, 'x', now() + interval '1 day' from unnest(array['1.9.0', '1.10.0', '1.2.0']) v",
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(numbers(&management, "writer").await, ["1.10.0", "1.9.0", "1.2.0", "0.1.0"]);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn agents_do_not_see_each_other(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "2.0.0").await;
    live(&management, "reader", "1.0.0").await;
    management.create_patch(new_patch("reader", "x")).await.unwrap();
    assert_eq!(numbers(&management, "writer").await, ["2.0.0"]);
    assert_eq!(numbers(&management, "reader").await, ["1.0.1", "1.0.0"]);
    assert_eq!(code(management.get_prompt_content(&agent("writer"), version("1.0.0")).await), "unknown_version");
    assert_eq!(code(management.get_prompt_content(&agent("nobody"), version("1.0.0")).await), "unknown_agent");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_was_live_at_any_time_is_known(pool: PgPool) {
    let management = services(&pool).management;
    assert_eq!(code(management.live_at(&agent("writer"), Utc::now()).await), "unknown_agent");
    let mut promoted = Vec::new();
    for number in ["1.0.0", "1.1.0", "2.0.0"] {
        promoted.push(live(&management, "writer", number).await);
    }
    let at = |index: usize| promoted[index].activated_at.unwrap();
    let tick = TimeDelta::microseconds(1);
    for (moment, expected) in [
        (at(0) - tick, None),
        (at(0), Some("1.0.0")),
        (at(1) - tick, Some("1.0.0")),
        (at(1), Some("1.1.0")),
        (at(2), Some("2.0.0")),
        (at(2) + TimeDelta::days(365), Some("2.0.0")),
    ] {
        let found = management.live_at(&agent("writer"), moment).await.unwrap();
        assert_eq!(found.map(|content| content.version.version), expected.map(version), "{moment}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_next_numbers_are_free(pool: PgPool) {
    let management = services(&pool).management;
    let next = async || {
        let next = management.next_versions(&agent("writer"), None).await.unwrap();
        (
            next.base.map(|base| base.to_string()),
            [next.major, next.minor, next.patch].map(|version| version.unwrap().to_string()),
        )
    };
    assert_eq!(next().await, (None, ["1.0.0", "1.0.0", "1.0.0"].map(String::from)));
    live(&management, "writer", "1.2.3").await;
    assert_eq!(next().await, (Some("1.2.3".into()), ["2.0.0", "1.3.0", "1.2.4"].map(String::from)));
    for taken in ["1.2.4", "1.3.0", "1.4.1", "2.1.0"] {
        draft(&management, "writer", taken).await;
    }
    assert_eq!(next().await, (Some("1.2.3".into()), ["3.0.0", "1.5.0", "1.2.5"].map(String::from)));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn every_change_is_an_event(pool: PgPool) {
    let services = services(&pool);
    let management = &services.management;
    let ada = Author::parse("ada").unwrap();
    let first = NewVersion { created_by: ada.clone(), ..new_version("writer", "1.0.0", "one") };
    management.create_version(first).await.unwrap();
    let promoted_by = Author::parse("grace").unwrap();
    management.promote_to_active(Promotion { promoted_by, ..promotion("writer", "1.0.0") }).await.unwrap();
    management.create_patch(new_patch("writer", "two")).await.unwrap();
    let reissue = Reissue { agent_type: agent("writer"), version: version("1.0.0"), created_by: ada, notes: None };
    management.reissue(reissue).await.unwrap();
    management.clear_cache(&agent("writer")).await.unwrap();

    let events: Vec<_> = management
        .events_of(&agent("writer"))
        .await
        .unwrap()
        .into_iter()
        .map(|event| {
            let text = |version: Option<versioning::Version>| version.map(|version| version.to_string());
            (event.kind, text(event.version), event.actor, text(event.base_version), text(event.previous_active))
        })
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        events,
        [
            (EventKind::Created, text("1.0.0"), text("ada"), None, None),
            (EventKind::Promoted, text("1.0.0"), text("grace"), None, None),
            (EventKind::Created, text("1.0.1"), None, text("1.0.0"), text("1.0.0")),
            (EventKind::Promoted, text("1.0.1"), None, None, text("1.0.0")),
            (EventKind::Reissued, text("1.0.2"), text("ada"), text("1.0.0"), text("1.0.1")),
            (EventKind::Promoted, text("1.0.2"), text("ada"), None, text("1.0.1")),
            (EventKind::CacheCleared, None, None, None, None),
        ]
    );
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_overview_tells_what_is_live_and_what_waits(pool: PgPool) {
    let management = services(&pool).management;
    live(&management, "writer", "1.9.0").await;
    draft(&management, "writer", "1.10.0").await;
    draft(&management, "writer", "2.0.0").await;
    draft(&management, "reader", "0.1.0").await;
    let overview = management.overview().await.unwrap();
    let seen: Vec<_> = overview
        .iter()
        .map(|agent| {
            let active = agent.active.as_ref().map(|active| active.version.to_string());
            (agent.agent_type.as_str(), active, agent.latest.version.to_string(), agent.drafts, agent.versions)
        })
        .collect();
    assert_eq!(seen, [("reader", None, "0.1.0".into(), 1, 1), ("writer", Some("1.9.0".into()), "2.0.0".into(), 2, 3)]);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn seeding_fills_an_empty_registry_only(pool: PgPool) {
    let management = services(&pool).management;
    let seed = |number: &str, promote| versioning::SeedVersion { new: new_version("writer", number, number), promote };
    let seeds = [seed("1.0.0", true), seed("1.1.0", true), seed("1.2.0", false)];
    assert!(management.seed(&seeds).await.unwrap());
    assert!(!management.seed(&seeds).await.unwrap());
    let overview = management.overview().await.unwrap();
    assert_eq!(overview[0].active.as_ref().unwrap().version, version("1.1.0"));
    assert_eq!((overview[0].drafts, overview[0].versions), (1, 3));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn two_nodes_that_seed_at_once_seed_once(pool: PgPool) {
    let management = services(&pool).management;
    let seeds = [versioning::SeedVersion { new: new_version("writer", "1.0.0", "x"), promote: true }];
    let seeded = futures_util::future::join_all((0..4).map(|_| management.seed(&seeds))).await;
    assert_eq!(seeded.into_iter().filter(|seeded| *seeded.as_ref().unwrap()).count(), 1);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_expectation_is_checked_with_the_change(pool: PgPool) {
    let management = services(&pool).management;
    let reissue = || Reissue { agent_type: agent("writer"), version: version("1.0.0"), created_by: None, notes: None };
    draft(&management, "writer", "1.0.0").await;
    // Nothing is live, and nothing was expected to be.
    management.promote_first(promotion("writer", "1.0.0")).await.unwrap();
    draft(&management, "writer", "1.1.0").await;
    assert_eq!(code(management.promote_first(promotion("writer", "1.1.0")).await), "stale_base");
    let stale = management.reissue_expecting(reissue(), Some(version("0.9.0"))).await;
    assert_eq!(code(stale), "stale_base");
    assert_eq!(code(management.reissue_expecting(reissue(), None).await), "stale_base");
    // Of two that expect the same, one comes second.
    let expected = Some(version("1.0.0"));
    let both = [(); 2].map(|()| management.reissue_expecting(reissue(), expected));
    let outcomes = futures_util::future::join_all(both).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let refused = outcomes.into_iter().find(Result::is_err).unwrap();
    assert_eq!(code(refused), "stale_base");
    assert_eq!(management.reissue(reissue()).await.unwrap().version, version("1.0.2"));
}
