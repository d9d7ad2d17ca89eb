//! The lab's pages: sets with many cases, lists with many runs and sets, how a run is started, followed and reviewed.

use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::json;
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::{
    api_lab::{Bench, good},
    support::{Answer, Client, eventually},
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
            let next = page
                .split(&format!("href=\"/lab?{agent}before="))
                .nth(1)
                .map(|rest| rest.split(['"', '#']).next().unwrap());
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
async fn every_set_can_be_reached(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    let client = &bench.client;
    sqlx::query(
        "insert into lab_sets (agent_type, name)
            select 'writer', 'Set ' || lpad(n::text, 3, '0') from generate_series(1, 219) n",
    )
    .execute(&pool)
    .await
    .unwrap();
    for (first, agent) in [("/lab", ""), ("/lab?agent=writer", "agent=writer&amp;")] {
        let (mut path, mut pages, mut seen) = (first.to_owned(), 0, String::new());
        loop {
            let page = text_of(client, &path).await;
            pages += 1;
            let next = page.split(&format!("href=\"/lab?{agent}after=")).nth(1);
            let next = next.map(|rest| rest.split(['"', '#']).next().unwrap());
            let next = next.map(|cursor| format!("/lab?{}after={cursor}", agent.replace("&amp;", "&")));
            seen.push_str(&page);
            let Some(next) = next else { break };
            path = next;
        }
        assert_eq!(pages, 5, "220 sets");
        for number in 1..=219 {
            assert!(seen.contains(&format!("Set {number:03}")), "Set {number}");
        }
    }
    let (mut path, mut listed) = ("/api/v1/lab/sets?agent_type=writer&limit=100".to_owned(), Vec::new());
    loop {
        let page = client.get(&path).await.expect(StatusCode::OK);
        listed.extend(page.json().as_array().unwrap().iter().map(|set| set["name"].as_str().unwrap().to_owned()));
        let Some(link) = page.headers.get("link") else { break };
        path = link.to_str().unwrap().trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!((listed.len(), &listed[0], &listed[219]), (220, &"Basics".to_owned(), &"Set 219".to_owned()));
    client.get("/api/v1/lab/sets?cursor=x").await.problem(400, "invalid_cursor");
    client.get("/api/v1/lab/sets?limit=201").await.expect(StatusCode::BAD_REQUEST);

    // A run is set up with any of them, though the form does not offer all.
    let form = text_of(client, "/lab/new?agent=writer").await;
    assert!(form.contains("Set 199 (0)") && !form.contains("Set 219 (0)") && form.contains("the first sets"));
    let last: uuid::Uuid =
        sqlx::query_scalar("select id from lab_sets where name = 'Set 219'").fetch_one(&pool).await.unwrap();
    let form = text_of(client, &format!("/lab/new?agent=writer&set={last}")).await;
    assert!(form.contains(&format!("<option value=\"{last}\" selected")), "{form}");
}

/// The fields that a run cannot do without: 1.0.0 against another version.
fn needed_of_a_run(bench: &Bench, version_b: &str) -> String {
    format!(
        "agent_type=writer&version_a=1.0.0&version_b={version_b}&set_id={}&model=compatible%3A%3Atest-model\
         &primary=pass_rate",
        bench.set
    )
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_run_is_started_with_nothing_filled_in_that_may_be_left_out(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    let needed = needed_of_a_run(&bench, "1.1.0");
    // As a browser sends what was left empty; and without those fields.
    let optional = [
        "repeats",
        "concurrency",
        "budget_usd",
        "temperature",
        "top_p",
        "max_tokens",
        "seed",
        "margin",
        "confidence",
        "judge",
        "question",
        "created_by",
        "outputs",
    ];
    let empty: String = optional.iter().map(|name| format!("&{name}=")).collect();
    for form in [format!("{needed}{empty}&intent=start"), needed] {
        let page = send(&bench.client, "/lab/new", &form).await;
        let run = bench.finished(page.strip_prefix("/lab/runs/").unwrap()).await;
        assert_eq!((&run["status"], &run["done"], &run["failed"]), (&json!("finished"), &json!(2), &json!(0)));
        assert_eq!(
            (&run["concurrency"], &run["budget_usd"], &run["created_by"]),
            (&json!(4), &json!(null), &json!(null))
        );
        let plan = &run["plan"];
        assert_eq!((&plan["repeats"], &plan["confidence"], &plan["margin"]), (&json!(1), &json!(0.95), &json!(null)));
        assert_eq!((&plan["judge"], &plan["question"], &plan["deciding"]), (&json!(null), &json!(null), &json!([])));
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_version_against_itself_is_offered_as_an_aa_run(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    let form = needed_of_a_run(&bench, "1.0.0");
    let kind = "application/x-www-form-urlencoded";
    let refused = bench.client.post_raw("/lab/new", kind, form.clone()).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let page = String::from_utf8(refused.body).unwrap();
    assert!(page.contains("A and B are both 1.0.0."), "{page}");
    let offer = page.split("<button").find(|button| button.contains("Run 1.0.0 against itself")).unwrap();
    assert!(offer.contains("name=\"noise\" value=\"true\""), "{offer}");
    let started = send(&bench.client, "/lab/new", &format!("{form}&noise=true")).await;
    let run = bench.finished(started.strip_prefix("/lab/runs/").unwrap()).await;
    assert_eq!(
        (&run["status"], &run["version_a"], &run["version_b"]),
        (&json!("finished"), &json!("1.0.0"), &json!("1.0.0"))
    );
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_page_that_is_opened_late_is_told_how_far_the_run_is(pool: PgPool) {
    let cases = (1..=12)
        .map(|number| json!({ "name": format!("Case {number}"), "input": format!("[wait all] Question {number}") }))
        .collect();
    let bench = Bench::new(&pool, ["One.", "Two."], cases).await;
    let mut request = bench.request();
    request["concurrency"] = json!(2);
    let run = bench.client.post("/api/v1/lab/runs", request).await.expect(StatusCode::CREATED).json();
    let id = run["id"].as_str().unwrap();
    let path = format!("/api/v1/lab/runs/{id}");
    bench.api.release("all", 2);
    eventually("two calls are over", async || bench.client.get(&path).await.json()["done"] == 2).await;
    // It is read to its end: the stream ends with the run, which goes on when the first event was read.
    let told = async || {
        let request = Request::get(format!("/lab/runs/{id}/progress")).body(Body::empty()).unwrap();
        let answer = bench.client.begin(request).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        let mut body = answer.into_body();
        let mut text = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
        bench.api.open("all");
        text.extend(body.collect().await.unwrap().to_bytes());
        let text = String::from_utf8(text).unwrap();
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        events.map(|event| event.splitn(3, ' ').map(str::to_owned).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let events = told().await;
    let counts: Vec<u64> = events.iter().map(|event| event[0].parse().unwrap()).collect();
    assert_eq!(counts[0], 2, "{events:?}");
    assert!(counts.is_sorted(), "{events:?}");
    assert!(events[0][2].contains("2 of 24 calls"), "{events:?}");
    assert!(events[0][2].contains(" a second, about ") && events[0][2].contains("so far"), "{events:?}");
    let over = vec!["24".to_owned(), "24".to_owned(), "over".to_owned()];
    assert_eq!(events.last(), Some(&over));
    assert_eq!(told().await, [over], "whoever comes after the end hears of nothing else");
    let nobody = "/lab/runs/00000000-0000-0000-0000-000000000001/progress";
    bench.client.get(nobody).await.expect(StatusCode::NOT_FOUND);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_run_that_was_stopped_shows_no_figure_that_something_could_be_concluded_from(pool: PgPool) {
    let cases = (1..=40)
        .map(|number| json!({ "name": format!("Case {number}"), "input": format!("[wait all] Question {number}") }))
        .collect();
    let bench = Bench::new(&pool, ["One.", "Two."], cases).await;
    let run = bench.client.post("/api/v1/lab/runs", bench.request()).await.expect(StatusCode::CREATED).json();
    let path = format!("/api/v1/lab/runs/{}", run["id"].as_str().unwrap());
    bench.api.release("all", 16);
    eventually("some calls are over", async || bench.client.get(&path).await.json()["done"] == 16).await;
    bench.client.post(&format!("{path}/cancel"), json!({})).await.expect(StatusCode::OK);
    let page = text_of(&bench.client, path.strip_prefix("/api/v1").unwrap()).await;
    assert!(page.contains("stopped by a person") && page.contains("data-label=\"p\""), "{page}");
    let p_values: Vec<&str> =
        page.split("data-label=\"p\">").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert!(p_values.iter().all(|shown| *shown == "–"), "{p_values:?}");
    assert!(page.contains(" not asked"), "it says how many cases nobody was asked about");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_review_is_ended_on_its_page(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "answer: GOOD"], good(2)).await;
    let client = &bench.client;
    let run = client.post("/api/v1/lab/runs", bench.request()).await.expect(StatusCode::CREATED).json();
    let id = run["id"].as_str().unwrap();
    bench.finished(id).await;
    let review = format!("/lab/runs/{id}/review?reviewer=ada");
    let end = format!("/lab/runs/{id}/review/end");
    for better in ["", "&better=", "&better=both"] {
        let vote = format!("reviewer=ada&case_number=1&repeat=1{better}");
        let none = client.post_raw(&format!("/lab/runs/{id}/review"), "application/x-www-form-urlencoded", vote).await;
        let none = String::from_utf8(none.expect(StatusCode::UNPROCESSABLE_ENTITY).body).unwrap();
        assert!(none.contains("Say which is better") && none.contains("Pair 1 of 2"), "{none}");
    }
    let early = client.post_raw(&end, "application/x-www-form-urlencoded", "reviewer=ada").await;
    let early = String::from_utf8(early.expect(StatusCode::CONFLICT).body).unwrap();
    assert!(early.contains("2 of 2 pairs have no vote yet"), "{early}");
    for number in 1..=2 {
        let vote = format!("reviewer=ada&case_number={number}&repeat=1&better=tie");
        assert_eq!(send(client, &format!("/lab/runs/{id}/review"), &vote).await, review);
    }
    let through = text_of(client, &review).await;
    assert!(through.contains("End the review for everybody") && !through.contains("for neither"), "{through}");
    let run_page = text_of(client, &format!("/lab/runs/{id}")).await;
    assert!(run_page.contains("2 of 2 pairs have a vote") && !run_page.contains("for neither"), "{run_page}");
    assert_eq!(send(client, &end, "reviewer=ada").await, review);
    let over = text_of(client, &review).await;
    assert!(over.contains("2 for neither") && over.contains("1.1.0"), "{over}");
    // Each address is written out: an id of hexadecimal digits may well contain "ada".
    let of_grace = format!("/lab/runs/{id}/review?reviewer=grace");
    assert_eq!(send(client, &end, "reviewer=grace").await, of_grace, "it has ended already");
    let vote = "reviewer=grace&case_number=1&repeat=1&better=left";
    let late = client.post_raw(&format!("/lab/runs/{id}/review"), "application/x-www-form-urlencoded", vote).await;
    let late = String::from_utf8(late.expect(StatusCode::CONFLICT).body).unwrap();
    assert!(late.contains("The review of this run has ended"), "{late}");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_lab_of_an_agent_that_cannot_be_says_so(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], json!([])).await;
    for (query, status, said) in [
        ("agent=nobody", StatusCode::NOT_FOUND, "There is no agent nobody."),
        ("agent=No%20Agent", StatusCode::BAD_REQUEST, "is not an agent type"),
        ("before=x", StatusCode::BAD_REQUEST, "begin with the latest run"),
        ("after=x", StatusCode::BAD_REQUEST, "begin with the first set"),
    ] {
        let answer = bench.client.get(&format!("/lab?{query}")).await.expect(status);
        let page = String::from_utf8(answer.body).unwrap();
        assert!(page.contains("role=\"alert\"") && page.contains(said), "{query}");
    }
}
