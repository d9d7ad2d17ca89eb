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
        ];
        let answer = send(&client, &format!("/agents/{agent}/edit"), &fields).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(location(&answer), format!("/agents/{agent}/versions/1.1.0?saved={agent}"));
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
        assert!(String::from_utf8(page.body).unwrap().contains("value=\"Ada; Løve\""));
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
    assert_eq!(location(&answer), "/agents/writer/versions/1.1.1?saved=writer");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_new_agent_begins_with_a_form(pool: PgPool) {
    let client = Client::new(&pool);
    let fields = [("agent_type", "writer"), ("text", "Write plainly."), ("intent", "save")];
    let answer = send(&client, "/new", &fields).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(location(&answer), "/agents/writer/versions/1.0.0?saved=");
    let answer = send(&client, "/new", &fields).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
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
        ("/agents/writer/compare", vec!["<del>1</del>", "<ins>2</ins>", "No data yet"]),
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
