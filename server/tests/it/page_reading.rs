//! What pages show, and the texts that they link to, through the real router, as a browser without scripts reads them.

use http::{StatusCode, header};
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::{
    page_forms::{location, text_of},
    support::Client,
};

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
    assert_eq!(location(&answer), "/agents/writer/compare?base=other%401.0.0&head=1.1.0");
    client.get(location(&answer)).await.expect(StatusCode::OK);
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
        ("/lab/runs/1/review/end", "/lab/runs/1/review"),
    ] {
        let answer = client.get(form).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(location(&answer), page);
    }
}
