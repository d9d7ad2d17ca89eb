//! The pages' forms and texts through the real router, as a browser without scripts sends and reads them.

use http::{Request, StatusCode, header};
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::support::{Answer, Client};

fn encoded(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| {
        text.bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") },
            )
            .collect::<String>()
    };
    fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

async fn send(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    client.post_raw(path, "application/x-www-form-urlencoded", encoded(fields)).await
}

fn location(answer: &Answer) -> &str {
    answer.headers[header::LOCATION].to_str().unwrap()
}

async fn text_of(client: &Client, path: &str) -> String {
    String::from_utf8(client.get(path).await.body).unwrap()
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_the_editor_sends_is_saved_with_the_line_breaks_of_its_base(pool: PgPool) {
    let client = Client::new(&pool);
    for (agent, base, kept) in [("unix", "a\nb\n", "\nä\nb"), ("dos", "a\r\nb\r\n", "\r\nä\r\nb")] {
        let body = serde_json::json!({ "agent_type": agent, "version": "1.0.0", "prompt_text": base });
        client.post("/api/v1/prompts/versions", body).await.expect(StatusCode::CREATED);
        let fields = [
            ("base", "1.0.0"),
            ("seen_active", ""),
            ("seen_newest", "1.0.0"),
            // As every browser sends them.
            ("text", "\r\nä\r\nb"),
            ("notes", "why\r\nnot"),
            ("author", "Ada; Løve"),
            ("bump", "minor"),
            ("intent", "promote"),
            ("draft", "65f0c0de-00ff00ff00ff"),
        ];
        let answer = send(&client, &format!("/agents/{agent}/edit"), &fields).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(location(&answer), format!("/agents/{agent}/versions/1.1.0?saved=65f0c0de-00ff00ff00ff"));
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
        assert!(cookie.starts_with("author=Ada%3B%20L%C3%B8ve;"), "{cookie}");
        let active = client.get(&format!("/api/v1/prompts/{agent}/active")).await.expect(StatusCode::OK).json();
        assert_eq!(active["prompt_text"], kept);
        assert_eq!(active["notes"], "why\nnot");
        assert_eq!(active["created_by"], "Ada; Løve");
        assert_eq!(text_of(&client, &format!("/agents/{agent}/versions/1.1.0/raw")).await, kept);
        // The next form knows the name.
        let request =
            Request::get(format!("/agents/{agent}/edit")).header(header::COOKIE, cookie.split(';').next().unwrap());
        let page = client.send(request.body(axum::body::Body::empty()).unwrap()).await;
        let page = String::from_utf8(page.body).unwrap();
        assert!(page.contains("value=\"Ada; Løve\""), "{page}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_is_refused_comes_back_whole(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    let long = "n".repeat(2_001);
    for (field, value, said) in [
        ("text", " \n ", "The prompt is empty"),
        ("notes", long.as_str(), "longer than 2,000 characters"),
        ("author", "a\u{7}b", "control character"),
        ("text", "x\n<<<<<<< yours\n=======\n>>>>>>> 1.1.0\n", "Line 2 still has the marks"),
    ] {
        let mut fields = vec![
            ("base", "1.0.0"),
            ("seen_active", "1.0.0"),
            ("seen_newest", "1.0.0"),
            ("text", "<b>what I wrote"),
            ("notes", "my & notes"),
            ("author", "me"),
            ("bump", "major"),
            ("intent", "save"),
            // A merge wrote marks of this name.
            ("merged", "1.1.0"),
        ];
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let answer = send(&client, "/agents/writer/edit", &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        let page = String::from_utf8(answer.body).unwrap();
        assert!(page.contains(said), "{field}: {said}");
        for (name, kept) in [("text", "&lt;b>what I wrote"), ("notes", "my &amp; notes"), ("author", "value=\"me\"")] {
            assert!(name == field || page.contains(kept), "{name} is lost when {field} is wrong");
        }
    }
    let versions = client.get("/api/v1/prompts/writer/versions").await.json();
    assert_eq!(versions.as_array().unwrap().len(), 1);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_conflict_shows_both_and_can_be_saved(pool: PgPool) {
    let client = Client::new(&pool);
    let create = async |number: &str, text: &str| {
        let body = serde_json::json!({ "agent_type": "writer", "version": number, "prompt_text": text });
        client.post("/api/v1/prompts/versions", body).await.expect(StatusCode::CREATED);
        let body = serde_json::json!({ "agent_type": "writer", "version": number });
        client.post("/api/v1/prompts/promote", body).await.expect(StatusCode::OK);
    };
    create("1.0.0", "one\ntwo\nthree\nfour\nfive\n").await;
    create("1.1.0", "ONE\ntwo\nthree\nfour\nfive\n").await;
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
async fn a_new_agent_begins_with_a_form(pool: PgPool) {
    let client = Client::new(&pool);
    let fields = [("agent_type", "writer"), ("text", "Write plainly."), ("intent", "save")];
    let answer = send(&client, "/new", &fields).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/agents/writer/versions/1.0.0");
    // Sent twice, by a double click perhaps, it leads to what was saved; another text does not take its place.
    let again = send(&client, "/new", &fields).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(location(&again), "/agents/writer/versions/1.0.0");
    let other = [("agent_type", "writer"), ("text", "Write at length."), ("intent", "save")];
    let answer = send(&client, "/new", &other).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(String::from_utf8(answer.body).unwrap().contains("There is an agent writer already"));
    let answer = send(&client, "/new", &[("agent_type", "Bad Name"), ("text", "x"), ("intent", "save")]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_promotion_leads_back_to_where_it_was_asked_for(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    client.create("writer", "1.1.0").await;
    let promote = async |version: &str, expected: &str, back: &str| {
        let fields = [("version", version), ("expected_active", expected), ("author", "ada"), ("back", back)];
        let answer = send(&client, "/agents/writer/promote", &fields).await.expect(StatusCode::SEE_OTHER);
        location(&answer).to_owned()
    };
    assert_eq!(
        promote("1.1.0", "1.0.0", "/agents/writer?sort=version").await,
        "/agents/writer?sort=version&done=1.1.0"
    );
    for hostile in ["https://evil.example/", "//evil.example", "", "/\\evil.example"] {
        assert_eq!(promote("1.1.0", "1.1.0", hostile).await, "/agents/writer?done=1.1.0");
    }
    assert!(promote("1.0.0", "1.1.0", "/history").await.ends_with("&refused=fix_forward"));
    client.create("writer", "1.2.0").await;
    assert!(promote("1.2.0", "1.0.0", "/history").await.ends_with("&refused=stale_base"));
    let fields = [("version", "1.0.0"), ("expected_active", "1.1.0"), ("notes", "back"), ("back", "/agents/writer")];
    let answer = send(&client, "/agents/writer/reissue", &fields).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/agents/writer?done=1.1.1");
    let active = client.get("/api/v1/prompts/writer/active").await.json();
    assert_eq!((&active["version"], &active["prompt_text"]), (&"1.1.1".into(), &"writer 1.0.0".into()));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn pages_are_whole_without_scripts(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    client.live("writer", "1.1.0").await;
    client.create("writer", "1.2.0").await;
    for (path, texts) in [
        ("/", vec!["writer", "1.1.0", "1 draft"]),
        ("/agents/writer", vec!["3 versions", "Promote", "Fix forward", "What was live when", "1.2.0"]),
        ("/agents/writer?promote=1.2.0", vec!["dialog", "Promote 1.2.0", "1.1.0", "→"]),
        ("/agents/writer?promote=1.0.0", vec!["Fix forward with the text of 1.0.0", "Make it live as 1.1.1"]),
        ("/agents/writer/versions/1.0.0", vec!["writer 1.0.0", "SHA-256", "Fix forward with this text"]),
        ("/agents/writer/compare?base=1.1.0&head=1.2.0", vec!["<del>1</del>", "<ins>2</ins>", "No data yet"]),
        ("/agents/writer/compare?base=1.0.0&head=1.1.0&view=unified", vec!["unified", "<del>0</del>"]),
        ("/agents/writer/edit?from=1.0.0", vec!["name=\"base\" value=\"1.0.0\"", "writer 1.0.0", "1.1.1", "2.0.0"]),
        ("/history?agent=writer&status=draft", vec!["1 version", "1.2.0"]),
        ("/?q=writer", vec!["place", "writer"]),
        ("/new", vec!["New agent", "agent_type"]),
    ] {
        let answer = client.get(path).await.expect(StatusCode::OK);
        let page = String::from_utf8(answer.body).unwrap();
        for text in texts {
            assert!(page.contains(text), "{path} lacks {text}");
        }
        assert!(!page.contains("Something went wrong"), "{path}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_address_of_a_comparison_names_both_versions(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    client.live("writer", "1.1.0").await;
    client.create("writer", "1.2.0").await;
    client.create("other", "1.0.0").await;
    for (asked, named) in [
        ("", "base=1.1.0&head=1.2.0"),
        ("?base=1.0.0", "base=1.0.0&head=1.2.0"),
        ("?head=1.1.0", "base=1.0.0&head=1.1.0"),
        ("?base=&head=+", "base=1.1.0&head=1.2.0"),
        ("?other_base=other%401.0.0", "base=other%401.0.0&head=1.2.0"),
        ("?view=unified&done=1.1.0&ws=ignore", "view=unified&done=1.1.0&ws=ignore&base=1.1.0&head=1.2.0"),
    ] {
        let answer = client.get(&format!("/agents/writer/compare{asked}")).await.expect(StatusCode::SEE_OTHER);
        let found = percent_encoding::percent_decode_str(location(&answer)).decode_utf8().unwrap().into_owned();
        let named = percent_encoding::percent_decode_str(named).decode_utf8().unwrap();
        assert_eq!(found, format!("/agents/writer/compare?{named}"), "{asked}");
        let page = client.get(location(&answer)).await.expect(StatusCode::OK);
        let page = String::from_utf8(page.body).unwrap();
        assert!(page.contains("data-live=\"sides-"), "{asked}");
    }
    for (asked, status) in [("nobody/compare", 404), ("writer/compare?base=9.9.9", 404), ("Bad/compare", 400)] {
        assert_eq!(client.get(&format!("/agents/{asked}")).await.status, status, "{asked}");
    }
}

/// The part of a page that follows what happens under a name.
fn live_part<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, part) = page.split_once(&format!("data-live=\"{name}\"")).unwrap();
    part
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_part_that_follows_is_there_before_there_is_anything_in_it(pool: PgPool) {
    let client = Client::new(&pool);
    assert!(live_part(&text_of(&client, "/").await, "overview").contains("Write the first prompt"));
    client.live("writer", "1.0.0").await;
    assert!(live_part(&text_of(&client, "/").await, "overview").contains("1 live"));
    for (path, found) in [
        ("/agents/writer?status=draft", "No version is like that"),
        ("/agents/writer?page=9", "There is no such page"),
        ("/agents/writer", "1 version"),
        ("/history?agent=nobody", "There is no agent “nobody”"),
        ("/history?q=nothing+like+it", "No version is like that"),
    ] {
        assert!(live_part(&text_of(&client, path).await, "versions").contains(found), "{path}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_history_of_all_is_filtered_by_a_part_of_a_name(pool: PgPool) {
    let client = Client::new(&pool);
    for agent in ["backend_dev", "frontend_dev", "qa_engineer"] {
        client.live(agent, "1.0.0").await;
    }
    for (typed, there, not_there) in [
        ("qa", vec!["1 version", "qa_engineer@1.0.0", "What was live when"], vec!["backend_dev@1.0.0"]),
        ("dev", vec!["There is no agent “dev”", "?agent=backend%5Fdev", "?agent=frontend%5Fdev"], vec!["@1.0.0"]),
        ("qa_enginer", vec!["There is no agent", "?agent=qa%5Fengineer"], vec!["@1.0.0"]),
        ("%3Cb%3E", vec!["none with a name like it", "&lt;b&gt;"], vec!["<b>", "@1.0.0"]),
        ("", vec!["3 versions"], vec![]),
    ] {
        let page = text_of(&client, &format!("/history?agent={typed}")).await;
        let part = live_part(&page, "versions");
        let lacks: Vec<_> = there.into_iter().filter(|text| !part.contains(text)).collect();
        assert_eq!(lacks, Vec::<&str>::new(), "{typed}: {part}");
        assert!(!not_there.into_iter().any(|text| part.contains(text)), "{typed}: {part}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_stands_around_a_page_can_be_had_without_it(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("other", "1.0.0").await;
    client.live("writer", "1.0.0").await;
    client.create("writer", "1.1.0").await;
    let frame = text_of(&client, "/api/pages/frame?at=%2Fagents%2Fwriter%2Fedit&agent=writer").await;
    for rail in ["rail", "rail-fold"] {
        let part = live_part(&frame, rail);
        assert!(
            part.contains("href=\"/agents/writer\" aria-current=\"true\"") && part.contains("drafts wait"),
            "{part}"
        );
        assert!(part.contains("href=\"/agents/other\""), "{part}");
    }
    assert!(live_part(&frame, "agent").contains("1 draft"), "{frame}");
    assert!(!frame.contains("<main") && !frame.contains("<head>"), "{frame}");
    let frame = text_of(&client, "/api/pages/frame?at=%2Fnowhere").await;
    assert!(!frame.contains("data-live=\"agent\"") && !frame.contains("aria-current=\"true\""), "{frame}");
    // Nobody's page at all is as well answered.
    text_of(&client, "/api/pages/frame?agent=%3Cb%3E").await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_is_not_there_is_said_to_be(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    for (path, status) in [
        ("/agents/nobody", StatusCode::NOT_FOUND),
        ("/agents/writer/versions/9.9.9", StatusCode::NOT_FOUND),
        ("/agents/writer/versions/x", StatusCode::BAD_REQUEST),
        ("/agents/Bad", StatusCode::BAD_REQUEST),
        ("/agents/writer/edit?from=9.9.9", StatusCode::NOT_FOUND),
        ("/agents/writer/compare?base=9.9.9&head=1.0.0", StatusCode::NOT_FOUND),
        ("/agents/writer/versions/9.9.9/raw", StatusCode::NOT_FOUND),
        ("/agents/writer/compare.patch?base=x&head=1.0.0", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(client.get(path).await.status, status, "{path}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_patch_and_a_comparison_over_agents_can_be_had(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    client.live("writer", "1.1.0").await;
    client.create("other", "1.0.0").await;
    let patch = text_of(&client, "/agents/writer/compare.patch?base=1.0.0&head=1.1.0").await;
    assert_eq!(
        patch,
        "--- a/writer.md\n+++ b/writer.md\n@@ -1 +1 @@\n-writer 1.0.0\n\\ No newline at end of file\n\
         +writer 1.1.0\n\\ No newline at end of file\n"
    );
    let answer = client.get("/compare?base=other@1.0.0&head=writer@1.1.0").await.expect(StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/agents/writer/compare?base=other%401%2E0%2E0&head=1.1.0");
    client.get(location(&answer)).await.expect(StatusCode::OK);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_draft_is_named_in_an_address_only_by_its_id(pool: PgPool) {
    let client = Client::new(&pool);
    for (agent, draft) in [("one", ""), ("two", "x&promote=two"), ("three", "a\r\nset-cookie: b")] {
        let fields = [("agent_type", agent), ("text", "Write."), ("intent", "save"), ("draft", draft)];
        let answer = send(&client, "/new", &fields).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(location(&answer), format!("/agents/{agent}/versions/1.0.0"));
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn line_ends_alone_are_no_change(pool: PgPool) {
    let client = Client::new(&pool);
    for (agent, base, changed) in
        [("dos", "a\r\nb\r\n", "a\r\nc\r\n"), ("mixed", "a\r\nb\n", "a\nc\n"), ("old", "a\rb\n", "a\nc\n")]
    {
        let body = serde_json::json!({ "agent_type": agent, "version": "1.0.0", "prompt_text": base });
        client.post("/api/v1/prompts/versions", body).await.expect(StatusCode::CREATED);
        let path = format!("/agents/{agent}/edit");
        let notice = "Not all lines of 1.0.0 end in the same way";
        let page = text_of(&client, &path).await;
        assert_eq!(page.contains(notice), agent != "dos", "{agent}: {page}");
        let asked = serde_json::json!({ "agent_type": agent, "base": "1.0.0", "text": "a\nb\n" });
        let answer = client.post("/api/pages/changes", asked).await.expect(StatusCode::OK).json();
        assert_eq!((&answer["added"], &answer["removed"]), (&0.into(), &0.into()), "{agent}");
        for (newest, text, kept, version) in
            [("1.0.0", "a\r\nb\r\n", base, "1.0.1"), ("1.0.1", "a\r\nc\r\n", changed, "1.0.2")]
        {
            let fields = |intent| {
                [("base", "1.0.0"), ("seen_newest", newest), ("text", text), ("bump", "patch"), ("intent", intent)]
            };
            let page = send(&client, &path, &fields("changes")).await.expect(StatusCode::OK);
            let says_so = String::from_utf8(page.body).unwrap().contains("Nothing differs from 1.0.0");
            assert_eq!(says_so, text == "a\r\nb\r\n", "{agent} {version}");
            send(&client, &path, &fields("save")).await.expect(StatusCode::SEE_OTHER);
            assert_eq!(text_of(&client, &format!("/agents/{agent}/versions/{version}/raw")).await, kept, "{agent}");
        }
    }
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
async fn a_form_that_is_too_long_is_answered_with_a_page(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    let send_text = async |text: &str| {
        let fields = [
            ("base", "1.0.0"),
            ("seen_active", "1.0.0"),
            ("seen_newest", "1.0.0"),
            ("text", text),
            ("bump", "patch"),
            ("intent", "save"),
        ];
        send(&client, "/agents/writer/edit", &fields).await
    };
    // Read, and refused for what it is.
    for long in ["\u{1F600}".repeat(360_000), "\r\n".repeat(1024 * 1024 + 1)] {
        let answer = send_text(&long).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(String::from_utf8(answer.body).unwrap().contains("at most 1048576 (1 MiB of UTF-8) are kept"));
    }
    // Not read at all: the page is there, and begins with what is saved.
    let answer = send_text(&"x".repeat(8 * 1024 * 1024)).await.expect(StatusCode::PAYLOAD_TOO_LARGE);
    let page = String::from_utf8(answer.body).unwrap();
    for said in ["Nothing was saved", "<main", "writer 1.0.0", "Save as new version"] {
        assert!(page.contains(said), "{said}");
    }
    let answer = client.post_raw("/agents/writer/edit", "text/plain", "x").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(String::from_utf8(answer.body).unwrap().contains("<main"));
    // The longest prompt there is, in the characters that a form makes longest.
    send_text(&"é".repeat(512 * 1024)).await.expect(StatusCode::SEE_OTHER);
    send_text(&format!("x{}", "\r\n".repeat(1024 * 1024 - 1))).await.expect(StatusCode::CONFLICT);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_agent_that_cannot_be_is_answered_with_a_page(pool: PgPool) {
    let client = Client::new(&pool);
    let fields = [("version", "1.0.0"), ("back", "")];
    for (agent, status) in [("%0d%0aX", StatusCode::BAD_REQUEST), ("Bad", StatusCode::BAD_REQUEST)] {
        for what in ["promote", "reissue", "edit"] {
            let answer = send(&client, &format!("/agents/{agent}/{what}"), &fields).await;
            assert_eq!(answer.status, status, "{agent} {what}");
            assert!(String::from_utf8(answer.body).unwrap().contains("is not an agent type"), "{agent} {what}");
        }
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_the_question_showed_must_still_be_so(pool: PgPool) {
    let client = Client::new(&pool);
    client.create("writer", "1.0.0").await;
    let ask = async |what: &str, version: &str, expected: &str| {
        let fields = [("version", version), ("expected_active", expected), ("back", "/agents/writer")];
        let answer = send(&client, &format!("/agents/writer/{what}"), &fields).await.expect(StatusCode::SEE_OTHER);
        location(&answer).to_owned()
    };
    assert_eq!(ask("promote", "1.0.0", "").await, "/agents/writer?done=1.0.0");
    client.create("writer", "1.1.0").await;
    // Nothing was live, the question said.
    assert!(ask("promote", "1.1.0", "").await.ends_with("&refused=stale_base"));
    assert!(ask("reissue", "1.0.0", "").await.ends_with("&refused=stale_base"));
    assert!(ask("reissue", "1.0.0", "0.9.0").await.ends_with("&refused=stale_base"));
    assert_eq!(ask("reissue", "1.0.0", "1.0.0").await, "/agents/writer?done=1.0.1");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn any_version_can_be_chosen_to_edit_from(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    for patch in 1..=100 {
        client.create("writer", &format!("1.0.{patch}")).await;
    }
    let page = text_of(&client, "/agents/writer/edit?from=1.0.100").await;
    assert!(page.contains(">1.0.100 (draft)</option>") && page.contains(">1.0.1 (draft)</option>"));
    assert!(!page.contains(">1.0.0 (active)</option>"), "it is older than the list");
    assert!(page.contains("Edit from an older version"));
    // The base itself is always in the list.
    assert!(text_of(&client, "/agents/writer/edit").await.contains("selected>1.0.0 (active)</option>"));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn enter_saves_and_a_look_needs_no_name(pool: PgPool) {
    let client = Client::new(&pool);
    let page = text_of(&client, "/new").await;
    let form = page.split("class=\"desk\"").nth(1).unwrap();
    // A browser presses the first button of a form when a field is left with Enter.
    let button = form.split("<button").nth(1).unwrap().split("</button>").next().unwrap();
    assert!(button.contains("value=\"save\"") && button.contains("Save as new version"), "{button}");
    let preview = form.split("<button").find(|button| button.contains("value=\"preview\"")).unwrap();
    assert!(preview.split('>').next().unwrap().contains("formnovalidate"), "{preview}");
    let fields = [("agent_type", "Bad Name"), ("text", "x"), ("intent", "save")];
    let answer = send(&client, "/new", &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let page = String::from_utf8(answer.body).unwrap();
    assert!(page.contains("aria-describedby=\"agent-type-problem agent-type-rule\""));
    assert!(page.contains("id=\"agent-type-problem\""));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_address_with_a_slash_at_its_end_is_the_one_without(pool: PgPool) {
    let client = Client::new(&pool);
    let answer = client.get("/history/?agent=x").await.expect(StatusCode::PERMANENT_REDIRECT);
    assert_eq!(location(&answer), "/history?agent=x");
    // It leads nowhere else: two slashes would name a host.
    let answer = client.get("//example.com/").await;
    assert!(!answer.headers.contains_key(header::LOCATION), "{:?}", answer.headers);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_address_that_only_takes_forms_leads_to_their_page(pool: PgPool) {
    let client = Client::new(&pool);
    for (form, page) in [
        ("/agents/writer/promote", "/agents/writer"),
        ("/agents/writer/reissue", "/agents/writer"),
        ("/lab/sets", "/lab"),
        ("/lab/sets/1/rename", "/lab/sets/1"),
        ("/lab/sets/1/delete", "/lab/sets/1"),
        ("/lab/sets/1/import", "/lab/sets/1"),
        ("/lab/sets/1/cases/2/move", "/lab/sets/1/cases/2"),
        ("/lab/sets/1/cases/2/duplicate", "/lab/sets/1/cases/2"),
        ("/lab/sets/1/cases/2/delete", "/lab/sets/1/cases/2"),
        ("/lab/runs/1/cancel", "/lab/runs/1"),
        ("/lab/runs/1/winner", "/lab/runs/1"),
    ] {
        let answer = client.get(form).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(location(&answer), page);
    }
}

/// The first button of the editor's form: the one that a browser presses when a field is left with Enter.
fn first_button(page: &str) -> &str {
    let form = page.split("class=\"desk\"").nth(1).unwrap();
    form.split("<button").nth(1).unwrap().split("</button>").next().unwrap()
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn enter_in_a_value_of_the_preview_looks_again_and_saves_nothing(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    let look = [("base", "1.0.0"), ("text", "Be {{tone}}."), ("value.tone", "kind"), ("intent", "preview")];
    let answer = send(&client, "/agents/writer/edit", &look).await.expect(StatusCode::OK);
    let page = String::from_utf8(answer.body).unwrap();
    assert!(page.contains("<p>Be kind.</p>"));
    let button = first_button(&page);
    assert!(button.contains("value=\"preview\"") && button.contains("formnovalidate"), "{button}");
    let answer = send(&client, "/agents/writer/edit", &[look[0], look[1], ("intent", "changes")]).await;
    let page = String::from_utf8(answer.body).unwrap();
    let button = first_button(&page);
    assert!(button.contains("value=\"save\"") && !button.contains("formnovalidate"), "{button}");
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
    let create = async |version: &str, text: &str| {
        let body = serde_json::json!({ "agent_type": "writer", "version": version, "prompt_text": text });
        client.post("/api/v1/prompts/versions", body).await.expect(StatusCode::CREATED);
        let body = serde_json::json!({ "agent_type": "writer", "version": version });
        client.post("/api/v1/prompts/promote", body).await.expect(StatusCode::OK);
    };
    create("1.0.0", "a\nb\nc\nd\ne\n").await;
    create("1.1.0", "a\nB\nc\nd\ne\n").await;
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
