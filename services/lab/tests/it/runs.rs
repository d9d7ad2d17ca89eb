//! Runs: what is asked, what is recorded, and how they end.

use lab::{LabError, ResultFilter, RunStatus, Side, cases::TestCase, checks::Check};
use model_api::{Behaviour, ModelApi};
use sqlx::PgPool;
use versioning::CallSource;

use crate::support::{MIGRATOR, agent, case, cases, registry, request, run_to_end, runner, set, until, version};

#[sqlx::test(migrator = "MIGRATOR")]
async fn both_versions_are_asked_every_case_word_for_word(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["You write for {{reader}}.", "You write briefly for {{reader}}."]).await;
    let mut cases = cases(3);
    for case in &mut cases {
        case.variables.insert("reader".into(), "children".into());
    }
    let set = set(&node, &cases).await;
    let mut request = request(&set);
    request.plan.repeats = 2;
    request.plan.settings.temperature = Some(0.5);
    request.plan.settings.max_tokens = Some(50);
    let dry = node.lab.dry_run(request.clone(), 100).await.unwrap();
    let run = run_to_end(&node, request).await;
    assert_eq!((run.status, run.calls, run.done, run.failed), (RunStatus::Finished, 12, 12, 0));
    assert!(run.spent_usd > 0.0 && run.finished_at.is_some());

    let asked = api.requests();
    assert_eq!((asked.len(), dry.calls, dry.first.len()), (12, 12, 12));
    for request in &asked {
        assert_eq!((&request.body["temperature"], &request.body["max_tokens"]), (&0.5.into(), &50.into()));
    }
    let mut sent: Vec<(String, String)> = asked
        .iter()
        .map(|request| {
            let text = |role: &str| {
                let messages = request.body["messages"].as_array().unwrap();
                let message = messages.iter().find(|message| message["role"] == role).unwrap();
                message["content"].as_str().unwrap().to_owned()
            };
            (text("system"), text("user"))
        })
        .collect();
    let mut planned: Vec<(String, String)> =
        dry.first.into_iter().map(|call| (call.messages.system, call.messages.user)).collect();
    sent.sort();
    planned.sort();
    assert_eq!(sent, planned, "the dry run shows exactly what is sent");
    assert!(sent.iter().any(|(system, _)| system == "You write briefly for children."));

    let results = node.lab.results(run.id, ResultFilter::All, 1, 20).await.unwrap();
    assert_eq!((results.total, results.pages, results.cases.len()), (3, 1, 3));
    let answer = results.cases[0].repeats[1].a.as_ref().unwrap();
    assert_eq!((answer.side, answer.repeat, answer.status.as_str()), (Side::A, 2, "answered"));
    assert!(answer.answer.as_ref().unwrap().contains("Question"), "{answer:?}");
    assert!(answer.latency_ms.unwrap() > 0.0 && answer.output_tokens.unwrap() > 0);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_run_feeds_the_figures_of_its_versions_once(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "answer: GOOD"]).await;
    let set = set(&node, &[case("Only", "Say it", vec![Check::Contains { value: "GOOD".into() }])]).await;
    run_to_end(&node, request(&set)).await;
    let figures = node.services.performance.of_version(&agent(), version("1.1.0")).await.unwrap();
    assert_eq!(figures.len(), 1);
    assert_eq!((figures[0].source, figures[0].calls), (CallSource::LabRun, 1));
    assert_eq!(figures[0].score, Some((1.0, 1)));
    let other = node.services.performance.of_version(&agent(), version("1.0.0")).await.unwrap();
    assert_eq!(other[0].score, Some((0.0, 1)));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn whatever_a_model_does_is_a_result_and_the_rest_goes_on(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let broken = ["[status 500]", "[status 401]", "[cut]", "[malformed]", "[notutf8]"];
    let odd = ["[empty]", "[long 1MB]", "fine"];
    let mut cases: Vec<TestCase> = broken.iter().chain(&odd).map(|what| case(what, what, Vec::new())).collect();
    cases.push(case("busy", "[status 429 retry-after 0 times 1] hello", Vec::new()));
    let set = set(&node, &cases).await;
    let run = run_to_end(&node, request(&set)).await;
    assert_eq!((run.status, run.done, run.calls), (RunStatus::Finished, 18, 18));
    assert_eq!(run.failed, 10, "two sides of each broken case");
    let results = node.lab.results(run.id, ResultFilter::All, 1, 50).await.unwrap();
    for case in &results.cases {
        let answer = case.repeats[0].a.as_ref().unwrap();
        let name = case.test_case.name.as_str();
        if broken.contains(&name) {
            assert_eq!(answer.status, "failed", "{name}");
            assert!(answer.error.as_ref().is_some_and(|error| !error.is_empty()), "{name}");
            assert_eq!(answer.passed, Some(false), "{name}");
        } else {
            assert_eq!(answer.status, "answered", "{name}: {answer:?}");
        }
        match name {
            "[status 401]" => assert_eq!(answer.attempts, 1, "a wrong key is not tried again"),
            "[status 500]" => assert_eq!(answer.attempts, 3),
            "[long 1MB]" => assert!(answer.answer.as_ref().unwrap().len() >= 1_000_000),
            "[empty]" => assert_eq!(answer.answer.as_deref(), Some("")),
            _ => {}
        }
    }
    let failing = node.lab.results(run.id, ResultFilter::AFails, 1, 2).await.unwrap();
    assert_eq!((failing.total, failing.pages, failing.cases.len()), (5, 3, 2));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_run_that_is_cancelled_stops_and_says_so(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let mut cases = cases(200);
    for case in &mut cases {
        case.input = format!("[delay 50ms] {}", case.input);
    }
    let set = set(&node, &cases).await;
    let run = node.lab.start(request(&set)).await.unwrap();
    let runner = runner(&node);
    until(&node, run.id, |run| run.done > 8).await;
    let cancelled = node.lab.cancel(run.id).await.unwrap();
    assert_eq!(cancelled.status, RunStatus::Cancelled);
    runner.stop(std::time::Duration::from_secs(5)).await;
    let calls = api.requests().len();
    assert!(calls < 100, "{calls} calls were made");
    assert!(matches!(node.lab.cancel(run.id).await, Err(LabError::RunIsOver)));
    let report = node.lab.report(run.id).await.unwrap();
    assert_eq!(report.outcome, "no_verdict");
    assert!(report.evidence.contains("stopped by a person"), "{}", report.evidence);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_budget_is_never_exceeded(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let set = set(&node, &cases(50)).await;
    let mut request = request(&set);
    request.plan.settings.max_tokens = Some(20);
    let whole = node.lab.dry_run(request.clone(), 0).await.unwrap().cost_usd.unwrap();
    request.budget_usd = Some(whole / 10.0);
    let run = run_to_end(&node, request).await;
    assert_eq!(run.status, RunStatus::OutOfBudget);
    assert!(run.spent_usd <= whole / 10.0, "{} of {}", run.spent_usd, whole / 10.0);
    assert!(run.done > 0 && run.done < run.calls, "{} of {}", run.done, run.calls);
    assert_eq!(u32::try_from(api.requests().len()).unwrap(), run.done);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_node_that_stops_gives_its_calls_back(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let mut cases = cases(40);
    for case in &mut cases {
        case.input = format!("[delay 40ms] {}", case.input);
    }
    let set = set(&node, &cases).await;
    let run = node.lab.start(request(&set)).await.unwrap();
    let first = runner(&node);
    until(&node, run.id, |run| run.done > 0).await;
    first.stop(std::time::Duration::from_secs(10)).await;
    let claimed: i64 =
        sqlx::query_scalar("select count(*) from lab_calls where status = 'claimed'").fetch_one(&pool).await.unwrap();
    assert_eq!(claimed, 0, "nothing waits for a lease to end");
    let calls = u32::try_from(api.requests().len()).unwrap();
    assert_eq!(node.lab.run(run.id).await.unwrap().done, calls, "every call that was made is recorded");
    let second = runner(&node);
    until(&node, run.id, |run| run.status == RunStatus::Finished).await;
    second.stop(std::time::Duration::from_secs(5)).await;
    assert_eq!(api.requests().len(), 80, "and none is made twice");
}
