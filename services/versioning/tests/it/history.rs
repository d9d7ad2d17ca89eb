//! Reading a history, searching, and what is told of what happens.

use std::pin::pin;

use futures_util::FutureExt;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{
    HistoryOrder, HistoryQuery, MIGRATOR, Notes, PromptManagementService, SearchPlace, VersionStatus,
    history::{HIT_END, HIT_START},
};

use crate::support::{PATIENCE, agent, code, draft, live, new_version, promotion, services, text, version, wide_pool};

fn query(name: &str) -> HistoryQuery {
    HistoryQuery { agent_type: Some(agent(name)), limit: 50, ..HistoryQuery::default() }
}

async fn found(management: &PromptManagementService, query: &HistoryQuery) -> Vec<String> {
    let history = management.history(query).await.unwrap();
    assert!(history.total >= history.versions.len() as u64);
    history.versions.into_iter().map(|row| row.version.version.to_string()).collect()
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_history_is_sorted_by_time_or_by_numbers(pool: PgPool) {
    let management = services(&pool).management;
    for number in ["1.9.0", "1.10.0", "1.2.0", "2.0.0"] {
        draft(&management, "writer", number).await;
    }
    let by = async |order, ascending| found(&management, &HistoryQuery { order, ascending, ..query("writer") }).await;
    assert_eq!(by(HistoryOrder::Created, false).await, ["2.0.0", "1.2.0", "1.10.0", "1.9.0"]);
    assert_eq!(by(HistoryOrder::Created, true).await, ["1.9.0", "1.10.0", "1.2.0", "2.0.0"]);
    assert_eq!(by(HistoryOrder::Version, false).await, ["2.0.0", "1.10.0", "1.9.0", "1.2.0"]);
    assert_eq!(by(HistoryOrder::Version, true).await, ["1.2.0", "1.9.0", "1.10.0", "2.0.0"]);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_history_is_filtered_and_paged(pool: PgPool) {
    let management = services(&pool).management;
    for (number, author, notes, prompt) in [
        ("1.0.0", "Ada", "First", "Write plainly."),
        ("1.1.0", "Grace", "100% shorter", "Write_plainly"),
        ("1.2.0", "ada lovelace", "Tone", "Be kind."),
    ] {
        let mut new = new_version("writer", number, prompt);
        new.created_by = versioning::Author::parse(author).unwrap();
        new.notes = Notes::parse(notes.into()).unwrap();
        management.create_version(new).await.unwrap();
    }
    management.promote_to_active(promotion("writer", "1.1.0")).await.unwrap();
    live(&management, "other", "1.0.0").await;
    let all = query("writer");
    let by_author = HistoryQuery { author: Some("ADA".into()), ..all.clone() };
    assert_eq!(found(&management, &by_author).await, ["1.2.0", "1.0.0"]);
    for (status, expected) in
        [(VersionStatus::Active, "1.1.0"), (VersionStatus::Draft, "1.2.0"), (VersionStatus::Superseded, "1.0.0")]
    {
        let query = HistoryQuery { status: Some(status), ..all.clone() };
        assert_eq!(found(&management, &query).await, [expected]);
    }
    // What LIKE takes for a pattern is a letter here.
    for (words, expected) in
        [("PLAINLY.", vec!["1.0.0"]), ("0%", vec!["1.1.0"]), ("e_p", vec!["1.1.0"]), ("\\", vec![])]
    {
        let query = HistoryQuery { text: Some(words.into()), ..all.clone() };
        assert_eq!(found(&management, &query).await, expected, "{words}");
    }
    let second = HistoryQuery { offset: 1, limit: 1, ..all.clone() };
    assert_eq!(found(&management, &second).await, ["1.1.0"]);
    assert_eq!(management.history(&second).await.unwrap().total, 3);
    let everybody = HistoryQuery { limit: 50, ..HistoryQuery::default() };
    assert_eq!(management.history(&everybody).await.unwrap().total, 4);
    assert_eq!(code(management.history(&query("nobody")).await), "unknown_agent");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_size_is_compared_with_the_version_below(pool: PgPool) {
    let management = services(&pool).management;
    for (number, prompt) in [("1.0.0", "four"), ("2.0.0", "nine char"), ("1.5.0", "sixsix")] {
        management.create_version(new_version("writer", number, prompt)).await.unwrap();
    }
    let history = management.history(&query("writer")).await.unwrap();
    let before: Vec<_> =
        history.versions.iter().map(|row| (row.version.version.to_string(), row.previous_char_count)).collect();
    assert_eq!(before, [("1.5.0".into(), Some(4)), ("2.0.0".into(), Some(6)), ("1.0.0".into(), None)]);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_was_live_when_is_told(pool: PgPool) {
    let management = services(&pool).management;
    for number in ["1.0.0", "1.1.0", "1.2.0"] {
        live(&management, "writer", number).await;
    }
    draft(&management, "writer", "1.3.0").await;
    let spans = management.activations(&agent("writer"), 10).await.unwrap();
    let versions: Vec<_> = spans.iter().map(|span| span.version.to_string()).collect();
    assert_eq!(versions, ["1.2.0", "1.1.0", "1.0.0"]);
    assert_eq!(spans[0].until, None);
    assert_eq!(spans[1].until, Some(spans[0].from));
    let middle = management.activation_of(&agent("writer"), version("1.1.0")).await.unwrap().unwrap();
    assert_eq!((middle.from, middle.until), (spans[1].from, spans[1].until));
    assert!(management.activation_of(&agent("writer"), version("1.3.0")).await.unwrap().is_none());
    let beside = management.neighbours(&agent("writer"), version("1.1.0")).await.unwrap();
    assert_eq!(beside, (Some(version("1.0.0")), Some(version("1.2.0"))));
    let kinds: Vec<_> = management
        .events_of_version(&agent("writer"), version("1.1.0"))
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.kind.as_str())
        .collect();
    assert_eq!(kinds, ["created", "promoted"]);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn words_are_found_where_they_matter(pool: PgPool) {
    let management = services(&pool).management;
    for (number, prompt, promote) in [
        ("1.0.0", "You once liked zebras.", true),
        ("1.1.0", "You deploy services carefully.", true),
        ("1.2.0", "You are deploying giraffes.", false),
    ] {
        management.create_version(new_version("deployer", number, prompt)).await.unwrap();
        if promote {
            management.promote_to_active(promotion("deployer", number)).await.unwrap();
        }
    }
    let mut noted = new_version("writer", "1.0.0", "Plain.");
    noted.notes = Notes::parse("Because deployments failed".into()).unwrap();
    management.create_version(noted).await.unwrap();
    let places = async |words: &str| -> Vec<_> {
        let hits = management.search(words, 10).await.unwrap();
        hits.into_iter().map(|hit| (hit.agent_type.to_string(), hit.place)).collect()
    };
    let hits = places("deploy").await;
    assert_eq!(hits[0], ("deployer".into(), SearchPlace::Name));
    for expected in [
        ("deployer".to_owned(), SearchPlace::LiveText),
        ("deployer".to_owned(), SearchPlace::DraftText),
        ("writer".to_owned(), SearchPlace::Notes),
    ] {
        assert!(hits.contains(&expected), "{expected:?} in {hits:?}");
    }
    assert_eq!(places("zebras").await, [], "what was superseded is found in the history");
    for hostile in ["", "  ", "'", "\"", "-", "& | !", "a\0b", "<->", "%", "\\"] {
        management.search(hostile, 10).await.unwrap();
    }
    let excerpt = &management.search("giraffe", 1).await.unwrap()[0].excerpt;
    assert!(excerpt.contains(&format!("{HIT_START}giraffes{HIT_END}")), "{excerpt}");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_longest_text_of_other_words_can_go_live(pool: PgPool) {
    let management = services(&pool).management;
    let words: String = (0..)
        .map(|n| format!("{n:x} "))
        .scan(0, |length, word| {
            *length += word.len();
            (*length <= 1_048_576).then_some(word)
        })
        .collect();
    management.create_version(new_version("writer", "1.0.0", &words)).await.unwrap();
    management.promote_to_active(promotion("writer", "1.0.0")).await.unwrap();
    let wide = "\u{1F600}x ".repeat(1_048_576 / 6);
    let mut next = new_version("writer", "1.1.0", "x");
    next.prompt_text = text(&wide);
    management.create_version(next).await.unwrap();
    management.promote_to_active(promotion("writer", "1.1.0")).await.unwrap();
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn variables_and_activity_are_those_of_the_agent(pool: PgPool) {
    let management = services(&pool).management;
    management.create_version(new_version("writer", "1.0.0", "{{tone}} and {{audience}}")).await.unwrap();
    management.create_version(new_version("writer", "1.1.0", "{{tone}} and {{length}}")).await.unwrap();
    management.create_version(new_version("other", "1.0.0", "{{secret}}")).await.unwrap();
    assert_eq!(management.known_variables(&agent("writer")).await.unwrap(), ["audience", "length", "tone"]);
    let activity = management.daily_activity(14).await.unwrap();
    assert_eq!(activity.len(), 2);
    let (name, days) = &activity[1];
    // The day may have ended meanwhile.
    assert_eq!((name.as_str(), days.len(), days[12] + days[13]), ("writer", 14, 2));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_happens_is_heard_by_whoever_listens(pool: PgPool) {
    let services = services(&pool);
    let management = &services.management;
    draft(management, "writer", "1.0.0").await;
    let mut one = services.activity.subscribe().await;
    let mut other = services.activity.subscribe().await;
    let last = management.recent_events(1).await.unwrap()[0].id;
    management.promote_to_active(promotion("writer", "1.0.0")).await.unwrap();
    draft(management, "writer", "1.1.0").await;
    for receiver in [&mut one, &mut other] {
        let mut heard = Vec::new();
        while heard.len() < 2 {
            let event = tokio::time::timeout(PATIENCE, receiver.recv()).await.unwrap().unwrap();
            if event.id > last {
                heard.push((event.kind.as_str(), event.version.unwrap().to_string()));
            }
        }
        assert_eq!(heard, [("promoted", "1.0.0".into()), ("created", "1.1.0".into())]);
    }
    let missed = management.events_after(last, 10).await.unwrap();
    assert_eq!(missed.len(), 2);
    assert!(missed[0].id < missed[1].id);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn whoever_listens_from_the_start_misses_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let other = services(&wide_pool(options.clone(), 2).await);
    let narrow = wide_pool(options, 1).await;
    let only = narrow.acquire().await.unwrap();
    // Its first look at what has happened already has to wait.
    let services = services(&narrow);
    let mut listening = pin!(services.activity.subscribe());
    assert!(listening.as_mut().now_or_never().is_none(), "what happens before the first look would not be told");
    live(&other.management, "writer", "1.0.0").await;
    drop(only);
    let mut heard = listening.await;
    draft(&other.management, "writer", "1.1.0").await;
    let event = tokio::time::timeout(PATIENCE, heard.recv()).await.unwrap().unwrap();
    assert_eq!((event.kind.as_str(), event.version.unwrap().to_string()), ("created", "1.1.0".into()));
}
