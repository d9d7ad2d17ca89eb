//! Two who write at the same time, or one who sends twice: what the editor's form makes of it, as a browser without
//! scripts sees it.

use http::StatusCode;
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::{
    page_forms::{location, send},
    support::Client,
};

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_conflict_shows_both_and_can_be_saved(pool: PgPool) {
    let client = Client::new(&pool);
    client.live_with("writer", "1.0.0", "one\ntwo\nthree\nfour\nfive\n").await;
    client.live_with("writer", "1.1.0", "ONE\ntwo\nthree\nfour\nfive\n").await;
    let mine = [
        ("base", "1.0.0"),
        ("seen_active", "1.0.0"),
        ("seen_newest", "1.0.0"),
        ("text", "one\r\ntwo\r\nthree\r\nfour\r\nFIVE\r\n"),
        ("bump", "patch"),
        ("intent", "save"),
    ];
    let answer = send(&client, "/agents/writer/edit", &mine).await.expect(StatusCode::CONFLICT);
    let page = String::from_utf8(answer.body).unwrap();
    assert!(page.contains("ONE\ntwo\nthree\nfour\nFIVE\n"), "both changes are in the text");
    for said in ["wrote 1.1.0 and made it live", "Their change", "Your change", "name=\"base\" value=\"1.1.0\""] {
        assert!(page.contains(said), "{said}");
    }
    let again = [
        ("base", "1.1.0"),
        ("seen_active", "1.1.0"),
        ("seen_newest", "1.1.0"),
        ("text", "ONE\r\ntwo\r\nthree\r\nfour\r\nFIVE\r\n"),
        ("bump", "patch"),
        ("intent", "save"),
    ];
    let answer = send(&client, "/agents/writer/edit", &again).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/agents/writer/versions/1.1.1");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_prompt_about_conflict_marks_can_be_saved(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    let text = "Settle this:\n<<<<<<< yours\na\n=======\nb\n>>>>>>> 1.1.0\n";
    let fields = [
        ("base", "1.0.0"),
        ("seen_active", "1.0.0"),
        ("seen_newest", "1.0.0"),
        ("text", text),
        ("bump", "minor"),
        ("intent", "save"),
    ];
    let answer = send(&client, "/agents/writer/edit", &fields).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/agents/writer/versions/1.1.0");
    // A merge with that version writes marks of another name, and only these are asked to be settled.
    let theirs = text.replace("Settle", "Resolve");
    let body = serde_json::json!({ "agent_type": "writer", "version": "1.2.0", "prompt_text": theirs });
    client.post("/api/v1/prompts/versions", body).await.expect(StatusCode::CREATED);
    let mine = text.replace("Settle", "Mend");
    let fields = [
        ("base", "1.1.0"),
        ("seen_active", "1.0.0"),
        ("seen_newest", "1.1.0"),
        ("text", mine.as_str()),
        ("bump", "minor"),
        ("intent", "save"),
    ];
    let answer = send(&client, "/agents/writer/edit", &fields).await.expect(StatusCode::CONFLICT);
    let page = String::from_utf8(answer.body).unwrap();
    assert!(page.contains("name=\"merged\" value=\"1.2.0\""), "the form knows the marks of the merge");
    let marked = format!("<<<<<<< yours\nMend this:\n=======\nResolve this:\n>>>>>>> 1.2.0\n{}", &text[13..]);
    for (text, status) in [(marked.as_str(), StatusCode::UNPROCESSABLE_ENTITY), (&mine, StatusCode::SEE_OTHER)] {
        let fields = [
            ("base", "1.2.0"),
            ("seen_active", "1.0.0"),
            ("seen_newest", "1.2.0"),
            ("merged", "1.2.0"),
            ("text", text),
            ("bump", "minor"),
            ("intent", "save"),
        ];
        send(&client, "/agents/writer/edit", &fields).await.expect(status);
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_conflict_names_who_made_it(pool: PgPool) {
    let client = Client::new(&pool);
    let create = async |number: &str, text: &str| {
        let body = serde_json::json!({
            "agent_type": "writer", "version": number, "prompt_text": text, "created_by": "Alice",
        });
        client.post("/api/v1/prompts/versions", body).await.expect(StatusCode::CREATED);
    };
    let promote = async |number: &str, by: &str| {
        let body = serde_json::json!({ "agent_type": "writer", "version": number, "promoted_by": by });
        client.post("/api/v1/prompts/promote", body).await.expect(StatusCode::OK);
    };
    create("1.0.0", "one\n").await;
    promote("1.0.0", "Alice").await;
    create("1.1.0", "two\n").await;
    promote("1.1.0", "Bob").await;
    for (seen_newest, said) in
        [("1.1.0", "Bob made 1.1.0, which Alice wrote, live"), ("1.0.0", "Alice wrote 1.1.0 and Bob made it live")]
    {
        let fields = [
            ("base", "1.0.0"),
            ("seen_active", "1.0.0"),
            ("seen_newest", seen_newest),
            ("text", "three\n"),
            ("intent", "save"),
        ];
        let answer = send(&client, "/agents/writer/edit", &fields).await.expect(StatusCode::CONFLICT);
        let page = String::from_utf8(answer.body).unwrap();
        assert!(page.contains(&format!("{said} while you were writing from 1.0.0")), "{said}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_is_sent_twice_is_saved_once(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    let mut form = vec![
        ("base", "1.0.0"),
        ("seen_active", "1.0.0"),
        ("seen_newest", "1.0.0"),
        ("text", "Be kind."),
        ("notes", "Kinder."),
        ("author", "ada"),
        ("bump", "minor"),
    ];
    for (intent, version) in [("save", "1.1.0"), ("promote", "1.2.0")] {
        let mut fields = form.clone();
        fields.push(("intent", intent));
        for _ in 0..2 {
            let answer = send(&client, "/agents/writer/edit", &fields).await.expect(StatusCode::SEE_OTHER);
            assert_eq!(location(&answer), format!("/agents/writer/versions/{version}"));
        }
        // Whatever else is another version is a conflict.
        for other in [("notes", ""), ("author", "bob"), ("bump", "major"), ("text", "Be calm."), ("base", "")] {
            let mut fields = fields.clone();
            fields.retain(|(name, _)| *name != other.0);
            fields.push(other);
            let answer = send(&client, "/agents/writer/edit", &fields).await;
            assert_ne!(answer.status, StatusCode::SEE_OTHER, "{intent} with another {}", other.0);
        }
        form.retain(|(name, _)| !["seen_newest", "text"].contains(name));
        form.extend([("seen_newest", "1.1.0"), ("text", "Be kinder.")]);
    }
    // Saved is not live.
    let fields = [("agent_type", "other"), ("text", "You plan."), ("author", "ada"), ("intent", "save")];
    for _ in 0..2 {
        let answer = send(&client, "/new", &fields).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(location(&answer), "/agents/other/versions/1.0.0");
    }
    let fields = [fields[0], fields[1], fields[2], ("intent", "promote")];
    send(&client, "/new", &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
}

/// A writer's form, and what a conflict makes of it.
struct Conflicting {
    /// What is saved and promoted after 1.0.0, oldest first: number, text, base; empty for none.
    others: &'static [(&'static str, &'static str, &'static str)],
    /// How many of them the writer sees.
    seen: usize,
    base: &'static str,
    text: &'static str,
    merged: &'static str,
    their_base: &'static str,
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn their_change_is_what_the_writer_did_not_know(pool: PgPool) {
    let client = Client::new(&pool);
    for (number, case) in [
        // The writer goes back behind 1.1.0, and the next one builds on it.
        Conflicting {
            others: &[("1.1.0", "a\nB\nc\nd\ne\n", "1.0.0"), ("1.2.0", "a\nB\nc\nd\nE\n", "1.1.0")],
            seen: 1,
            base: "1.0.0",
            text: "A\nb\nc\nd\ne\n",
            merged: "A\nb\nc\nd\nE\n",
            their_base: "1.1.0",
        },
        // The same, of somebody who says no base.
        Conflicting {
            others: &[("1.1.0", "a\nB\nc\nd\ne\n", ""), ("1.2.0", "a\nB\nc\nd\nE\n", "")],
            seen: 1,
            base: "1.0.0",
            text: "A\nb\nc\nd\ne\n",
            merged: "A\nb\nc\nd\nE\n",
            their_base: "1.1.0",
        },
        // Two changes since, of which the last builds on the other.
        Conflicting {
            others: &[("1.1.0", "a\nB\nc\nd\ne\n", "1.0.0"), ("1.2.0", "a\nB\nc\nd\nE\n", "1.1.0")],
            seen: 0,
            base: "1.0.0",
            text: "a\nb\nc\nD\ne\n",
            merged: "a\nB\nc\n<<<<<<< yours\nD\ne\n=======\nd\nE\n>>>>>>> 1.2.0\n",
            their_base: "1.0.0",
        },
        // Somebody mends what was live twice, the second time after the writer began.
        Conflicting {
            others: &[("1.0.1", "a\nB\nc\nd\ne\n", "1.0.0"), ("1.0.2", "a\nb\nc\nd\ne\n", "1.0.1")],
            seen: 1,
            base: "1.0.1",
            text: "a\nB\nc\nd\nE\n",
            merged: "a\nb\nc\nd\nE\n",
            their_base: "1.0.1",
        },
    ]
    .into_iter()
    .enumerate()
    {
        let agent = format!("writer_{number}");
        let create = async |version: &str, text: &str, base: &str| {
            let mut body = serde_json::json!({ "agent_type": agent, "version": version, "prompt_text": text });
            if !base.is_empty() {
                body["base_version"] = base.into();
            }
            client.post("/api/v1/prompts/versions", body).await.expect(StatusCode::CREATED);
            let body = serde_json::json!({ "agent_type": agent, "version": version });
            client.post("/api/v1/prompts/promote", body).await.expect(StatusCode::OK);
        };
        create("1.0.0", "a\nb\nc\nd\ne\n", "").await;
        for (version, text, base) in case.others {
            create(version, text, base).await;
        }
        let seen = case.seen.checked_sub(1).map_or("1.0.0", |last| case.others[last].0);
        let fields = [
            ("base", case.base),
            ("seen_active", seen),
            ("seen_newest", seen),
            ("text", case.text),
            ("bump", "patch"),
            ("intent", "save"),
        ];
        let answer = send(&client, &format!("/agents/{agent}/edit"), &fields).await.expect(StatusCode::CONFLICT);
        let page = String::from_utf8(answer.body).unwrap();
        let escaped = case.merged.replace('<', "&lt;");
        assert!(page.contains(&format!(">\n{escaped}</textarea>")), "case {number}: {page}");
        let theirs = case.others.last().unwrap().0;
        let comparison = format!("/agents/{agent}/compare?base={}&amp;head={theirs}", case.their_base);
        assert!(page.contains(&comparison), "case {number} links {comparison}");
        for link in [theirs, case.base, case.their_base] {
            assert!(page.contains(&format!("href=\"/agents/{agent}/versions/{link}\"")), "case {number} links {link}");
        }
        assert!(page.contains(&format!("Text of {}", case.base)), "case {number} shows the base");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_text_that_was_brought_back_is_a_change_of_what_was_live(pool: PgPool) {
    let client = Client::new(&pool);
    client.live_with("writer", "1.0.0", "a\nb\nc\nd\ne\n").await;
    client.live_with("writer", "1.1.0", "a\nB\nc\nd\ne\n").await;
    let fields = [("version", "1.0.0"), ("expected_active", "1.1.0"), ("back", "/agents/writer")];
    send(&client, "/agents/writer/reissue", &fields).await.expect(StatusCode::SEE_OTHER);
    let fields = [
        ("base", "1.1.0"),
        ("seen_active", "1.1.0"),
        ("seen_newest", "1.1.0"),
        ("text", "a\nB\nc\nd\nE\n"),
        ("intent", "save"),
    ];
    let answer = send(&client, "/agents/writer/edit", &fields).await.expect(StatusCode::CONFLICT);
    let page = String::from_utf8(answer.body).unwrap();
    assert!(page.contains(">\na\nb\nc\nd\nE\n</textarea>"), "{page}");
}
