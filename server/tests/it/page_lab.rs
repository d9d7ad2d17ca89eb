//! The lab's pages, as far as they have pages: sets with many cases, and lists with many runs.

use http::{StatusCode, header};
use serde_json::json;
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::{
    api_lab::{Bench, good},
    support::{Answer, Client},
};

async fn text_of(client: &Client, path: &str) -> String {
    String::from_utf8(client.get(path).await.expect(StatusCode::OK).body).unwrap()
}

async fn send(client: &Client, path: &str, body: &str) -> String {
    let answer: Answer = client.post_raw(path, "application/x-www-form-urlencoded", body.to_owned()).await;
    answer.expect(StatusCode::SEE_OTHER).headers[header::LOCATION].to_str().unwrap().to_owned()
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_set_is_shown_page_by_page_and_changed_where_it_is_shown(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(120)).await;
    let client = &bench.client;
    let here = format!("/lab/sets/{}", bench.set);
    let first = text_of(client, &here).await;
    assert!(first.contains(">Case 1<") && first.contains(">Case 50<") && !first.contains(">Case 51<"));
    assert!(first.contains("page 1 of 3") && first.contains(&format!("{here}?page=2")));
    let last = text_of(client, &format!("{here}?page=3")).await;
    assert!(last.contains(">Case 120<") && !last.contains(">Case 100<") && last.contains("start=\"101\""));
    assert!(
        text_of(client, &format!("{here}?page=99")).await.contains("page 3 of 3"),
        "beyond the end is the last page"
    );

    let cases = client.get(&format!("/api/v1/lab/sets/{}?limit=200", bench.set)).await.json()["test_cases"].clone();
    let id = |place: usize| cases[place]["id"].as_str().unwrap().to_owned();
    // The first of the second page goes up, over the border, and is followed there.
    let second = text_of(client, &format!("{here}?page=2")).await;
    assert!(second.contains(&format!("{here}/cases/{}/move", id(50))));
    let moved = send(client, &format!("{here}/cases/{}/move", id(50)), "page=2&to=49").await;
    assert_eq!(moved, format!("{here}#case-{}", id(50)));
    let first = text_of(client, &here).await;
    assert!(first.contains(">Case 51<") && !first.contains(">Case 50<"));
    // And down again.
    let moved = send(client, &format!("{here}/cases/{}/move", id(50)), "page=1&to=50").await;
    assert_eq!(moved, format!("{here}?page=2#case-{}", id(50)));

    let asked = text_of(client, &format!("{here}?page=3&delete={}", id(110))).await;
    assert!(asked.contains("Delete the case") && asked.contains("“Case 111” is deleted"));
    let deleted = send(client, &format!("{here}/cases/{}/delete", id(110)), "page=3").await;
    assert_eq!(deleted, format!("{here}?page=3"));
    let copied = send(client, &format!("{here}/cases/{}/duplicate", id(60)), "page=2").await;
    assert!(copied.starts_with(&format!("{here}?page=2#case-")), "{copied}");
    let renamed = send(client, &format!("{here}/rename"), "page=2&name=Other").await;
    assert_eq!(renamed, format!("{here}?page=2"));
    let csv = "name%2Cinput%0D%0AAdded%2CHello%0D%0A";
    assert_eq!(
        send(client, &format!("{here}/import"), &format!("page=1&text={csv}&format=csv")).await,
        format!("{here}?page=3")
    );

    let case = text_of(client, &format!("{here}/cases/{}", id(100))).await;
    assert!(
        case.contains("Question 101") && case.contains(&format!("{here}?page=3#case-{}", id(100))),
        "back to its page"
    );
    let nobody = format!("{here}/cases/00000000-0000-0000-0000-000000000001");
    client.get(&nobody).await.expect(StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn every_run_can_be_reached(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    let client = &bench.client;
    let run = client.post("/api/v1/lab/runs", bench.request()).await.expect(StatusCode::CREATED).json();
    bench.finished(run["id"].as_str().unwrap()).await;
    sqlx::query(
        "insert into lab_runs (id, agent_type, version_a, version_b, set_name, plan, status, concurrency, calls, done,
                created_at, finished_at)
            select gen_random_uuid(), agent_type, version_a, version_b, 'Old ' || n, plan, 'finished', 1, 1, 1,
                created_at - n * interval '1 hour', now()
            from lab_runs, generate_series(1, 64) n",
    )
    .execute(&pool)
    .await
    .unwrap();
    for (first, agent) in [("/lab", ""), ("/lab?agent=writer", "agent=writer&amp;")] {
        let (mut path, mut pages) = (first.to_owned(), 0);
        let mut seen = String::new();
        loop {
            let page = text_of(client, &path).await;
            pages += 1;
            let next =
                page.split(&format!("href=\"/lab?{agent}before=")).nth(1).map(|rest| rest.split('"').next().unwrap());
            let next = next.map(|cursor| format!("/lab?{}before={cursor}", agent.replace("&amp;", "&")));
            seen.push_str(&page);
            let Some(next) = next else { break };
            path = next;
        }
        assert_eq!(pages, 3, "65 runs");
        for number in 1..=64 {
            assert_eq!(seen.matches(&format!(">Old {number}<")).count(), 1, "Old {number}");
        }
    }
    let (mut path, mut listed) = ("/api/v1/lab/runs?limit=40".to_owned(), 0);
    loop {
        let page = client.get(&path).await.expect(StatusCode::OK);
        listed += page.json().as_array().unwrap().len();
        let Some(link) = page.headers.get("link") else { break };
        path = link.to_str().unwrap().trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!(listed, 65);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_lab_of_an_agent_that_cannot_be_says_so(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], json!([])).await;
    for (query, status, said) in [
        ("agent=nobody", StatusCode::NOT_FOUND, "There is no agent nobody."),
        ("agent=No%20Agent", StatusCode::BAD_REQUEST, "is not an agent type"),
        ("before=x", StatusCode::BAD_REQUEST, "begin with the latest run"),
    ] {
        let answer = bench.client.get(&format!("/lab?{query}")).await.expect(status);
        let page = String::from_utf8(answer.body).unwrap();
        assert!(page.contains("role=\"alert\"") && page.contains(said), "{query}");
    }
}
