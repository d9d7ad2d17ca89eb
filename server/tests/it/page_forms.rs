//! The pages' forms through the real router, as a browser without scripts sends them.

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

pub async fn send(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    client.post_raw(path, "application/x-www-form-urlencoded", encoded(fields)).await
}

pub fn location(answer: &Answer) -> &str {
    answer.headers[header::LOCATION].to_str().unwrap()
}

pub async fn text_of(client: &Client, path: &str) -> String {
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
async fn a_draft_is_named_in_an_address_only_by_its_id(pool: PgPool) {
    let client = Client::new(&pool);
    for (agent, draft) in [("one", ""), ("two", "x&promote=two"), ("three", "a\r\nset-cookie: b")] {
        let fields = [("agent_type", agent), ("text", "Write."), ("intent", "save"), ("draft", draft)];
        let answer = send(&client, "/new", &fields).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(location(&answer), format!("/agents/{agent}/versions/1.0.0"));
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_page_that_the_server_does_not_understand_is_refused(pool: PgPool) {
    let client = Client::new(&pool);
    for path in ["changes", "preview", "try"] {
        for body in ["", "{", "[]", "{\"text\": 5}"] {
            let path = format!("/api/pages/{path}");
            let answer = client.post_raw(&path, "application/json", body).await.expect(StatusCode::BAD_REQUEST);
            assert_eq!(answer.json()["code"], "outdated_page", "{path} {body}");
        }
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_longest_text_is_previewed_however_its_characters_are_escaped(pool: PgPool) {
    let client = Client::new(&pool);
    let preview = async |text: String| {
        let body = serde_json::json!({ "text": text, "values": {} }).to_string();
        client.post_raw("/api/pages/preview", "application/json", body).await
    };
    for escaped in ["\"", "\u{1}"] {
        let answer = preview(escaped.repeat(1024 * 1024)).await.expect(StatusCode::OK);
        assert!(answer.json()["html"].as_str().unwrap().len() > 1024 * 1024);
    }
    let answer = preview("a".repeat(8 * 1024 * 1024)).await.expect(StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["code"], "too_much", "{:?}", answer.json());
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
