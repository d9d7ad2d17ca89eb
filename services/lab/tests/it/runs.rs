//! Runs: what is asked, what is recorded, and how they end.

use lab::{LabError, ResultFilter, RunStatus, Side, WinnerRequest, cases::TestCase, checks::Check};
use model_api::{Behaviour, Judge, ModelApi};
use sqlx::PgPool;
use versioning::{CallSource, Promotion};

use crate::support::{MIGRATOR, MODEL, agent, case, cases, registry, request, run_to_end, runner, set, until, version};

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
async fn an_answer_has_a_score_once_every_check_is_decided(pool: PgPool) {
    let judge = Judge::new(|message| match message.contains("MUTE") {
        true => "I would rather not say.".into(),
        false => r#"{"pass": true, "score": 0.5, "reason": "So."}"#.into(),
    });
    let api = ModelApi::start(Behaviour { judge, ..Behaviour::default() });
    let node = registry(&pool, &api, ["answer: GOOD", "answer: GOOD MUTE"]).await;
    let rubric = Check::LlmRubric { value: "Is it right?".into(), threshold: None };
    let checks = vec![Check::Contains { value: "GOOD".into() }, rubric];
    let mut request = request(&set(&node, &[case("Only", "Say it", checks)]).await);
    request.plan.judge = Some(MODEL.parse().unwrap());
    run_to_end(&node, request).await;
    for (number, score) in [("1.0.0", Some((0.75, 1))), ("1.1.0", None)] {
        let figures = node.services.performance.of_version(&agent(), version(number)).await.unwrap();
        assert_eq!((figures[0].calls, figures[0].score), (1, score), "{number}");
    }
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
            "[cut]" | "[malformed]" | "[notutf8]" => assert_eq!(answer.attempts, 1, "{name} is a result"),
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
        case.input = format!("[wait all] {}", case.input);
    }
    let set = set(&node, &cases).await;
    let run = node.lab.start(request(&set)).await.unwrap();
    let runner = runner(&node);
    api.release("all", 9);
    until(&node, run.id, |run| run.done == 9).await;
    let cancelled = node.lab.cancel(run.id).await.unwrap();
    assert_eq!(cancelled.status, RunStatus::Cancelled);
    let before = api.requests().len();
    api.open("all");
    runner.stop(std::time::Duration::from_secs(60)).await;
    let after = api.requests().len() - before;
    // Eight at once, and the five that are claimed ahead.
    assert!(after <= 8 + 5, "{after} calls were made after the run was cancelled");
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
async fn a_budget_limits_answers_that_nothing_else_limits(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let set = set(&node, &cases(1)).await;
    let mut request = request(&set);
    assert_eq!(run_to_end(&node, request.clone()).await.plan.settings.max_tokens, None);
    request.budget_usd = Some(100.0);
    assert_eq!(run_to_end(&node, request).await.plan.settings.max_tokens, Some(4_096), "what calls are reserved at");
    let asked: Vec<_> = api.requests().iter().map(|request| request.body["max_tokens"].as_u64()).collect();
    assert_eq!(asked, [None, None, Some(4_096), Some(4_096)]);
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
    first.stop(std::time::Duration::from_secs(60)).await;
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

#[sqlx::test(migrator = "MIGRATOR")]
async fn attempts_without_an_answer_count_against_the_budget(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    for (what, attempts) in [("[cut]", 1), ("[status 408]", 3)] {
        let before = api.requests().len();
        let mut cases = cases(30);
        for case in &mut cases {
            case.input = format!("{what} {}", case.input);
        }
        let set = set(&node, &cases).await;
        let mut request = request(&set);
        request.plan.settings.max_tokens = Some(20);
        let dry = node.lab.dry_run(request.clone(), 60).await.unwrap();
        let dearest = dry.first.iter().filter_map(|call| call.cost_usd).fold(0.0, f64::max);
        let budget = dearest * 10.0;
        request.budget_usd = Some(budget);
        let run = run_to_end(&node, request).await;
        assert_eq!(run.status, RunStatus::OutOfBudget, "{what}");
        assert!(run.spent_usd <= budget && run.spent_usd > budget / 2.0, "{what}: {} of {budget}", run.spent_usd);
        let asked = api.requests().len() - before;
        // The calls are not all as dear as the dearest.
        assert!((5..=12).contains(&asked), "{what}: {asked} attempts for a budget of 10");
        let most: i32 = sqlx::query_scalar("select max(attempts) from lab_calls where run_id = $1")
            .bind(run.id)
            .fetch_one(&pool)
            .await
            .unwrap();
        assert!(most <= attempts, "{what}: {most} attempts");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_run_that_is_out_of_budget_feeds_the_figures_too(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    // As long as is allowed, so that the calls cost about what they were expected to.
    let long = format!("answer: {}", ["word"; 20].join(" "));
    let node = registry(&pool, &api, [&long, &long.to_uppercase().replace("ANSWER", "answer")]).await;
    let set = set(&node, &cases(20)).await;
    let mut request = request(&set);
    request.plan.settings.max_tokens = Some(20);
    request.budget_usd = Some(node.lab.dry_run(request.clone(), 0).await.unwrap().cost_usd.unwrap() / 10.0);
    let run = run_to_end(&node, request).await;
    assert_eq!(run.status, RunStatus::OutOfBudget);
    assert!(run.done > 0);
    let mut calls = 0;
    for number in ["1.0.0", "1.1.0"] {
        let figures = node.services.performance.of_version(&agent(), version(number)).await.unwrap();
        calls += figures.iter().map(|figures| figures.calls).sum::<u64>();
    }
    assert_eq!(calls, u64::from(run.done));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_judge_that_says_what_the_database_cannot_keep_stops_nothing(pool: PgPool) {
    let judge = Judge::new(|_| r#"{"pass": true, "score": 1, "better": "first", "reason": "a\u0000b"}"#.into());
    let api = ModelApi::start(Behaviour { judge, ..Behaviour::default() });
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let rubric = Check::LlmRubric { value: "Polite".into(), threshold: None };
    let set = set(&node, &[case("One", "Hello", vec![rubric])]).await;
    let mut request = request(&set);
    request.plan.judge = Some(MODEL.parse().unwrap());
    request.plan.question = Some("Which is shorter?".into());
    let run = run_to_end(&node, request).await;
    assert_eq!((run.status, run.done, run.failed), (RunStatus::Finished, 6, 0));
    let reasons: Vec<String> = sqlx::query_scalar("select result ->> 'reason' from lab_calls where kind <> 'answer'")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert!(reasons.len() == 4 && reasons.iter().all(|reason| reason == "a\u{FFFD}b"), "{reasons:?}");
    let judged: Vec<_> =
        api.requests().into_iter().filter(|request| request.body.to_string().contains("judge")).collect();
    assert_eq!(judged.len(), 4);
    assert!(judged.iter().all(|request| request.body.get("temperature").is_none()), "some models refuse it");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_answer_that_the_database_refuses_is_a_failure_and_the_rest_goes_on(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    sqlx::query("alter table lab_calls add constraint refused check (answer <> 'Echo: Question 3')")
        .execute(&pool)
        .await
        .unwrap();
    let set = set(&node, &cases(8)).await;
    let run = run_to_end(&node, request(&set)).await;
    assert_eq!((run.status, run.done, run.failed), (RunStatus::Finished, 16, 2));
    assert_eq!(api.requests().len(), 16, "nothing is asked again");
    let kinds: Vec<(i32, String)> =
        sqlx::query_as("select case_number, error_kind from lab_calls where status = 'failed'")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert!(kinds.iter().all(|(case, kind)| *case == 3 && kind == "internal"), "{kinds:?}");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn of_two_people_who_choose_at_once_one_is_heard_and_the_other_changes_nothing(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let set = set(&node, &cases(3)).await;
    // Below the active version: whoever wins is fixed forward.
    node.services
        .management
        .create_version(versioning::NewVersion {
            agent_type: agent(),
            version: version("2.0.0"),
            prompt_text: versioning::PromptText::parse("Three.".into()).unwrap(),
            created_by: None,
            notes: None,
            base_version: None,
        })
        .await
        .unwrap();
    let promotion =
        Promotion { agent_type: agent(), version: version("2.0.0"), expected_active: None, promoted_by: None };
    node.services.management.promote_to_active(promotion).await.unwrap();
    let run = run_to_end(&node, request(&set)).await;
    let choose = |winner| {
        let request = WinnerRequest { winner, reason: "It is shorter.".into(), chosen_by: None, go_live: true };
        node.lab.choose(run.id, request)
    };
    let chosen = tokio::join!(choose(Side::A), choose(Side::A), choose(Side::B), choose(Side::B));
    let chosen = [chosen.0, chosen.1, chosen.2, chosen.3];
    let heard: Vec<_> = chosen.iter().flatten().collect();
    assert_eq!(heard.len(), 1, "{chosen:?}");
    assert!(
        chosen.iter().flat_map(|chosen| chosen.as_ref().err()).all(|error| error.code() == "winner_already_chosen")
    );
    let active = node.services.management.active(&agent()).await.unwrap().unwrap();
    assert_eq!(active.version.version, version("2.0.1"), "one patch was made");
    assert_eq!(heard[0].live, Some(active.version.version));
    let winner = heard[0].choice.winner;
    assert_eq!(active.prompt_text, if winner == Side::A { "One." } else { "Two." });
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_winner_does_not_go_live_when_the_choice_cannot_be_kept(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let set = set(&node, &cases(3)).await;
    let run = run_to_end(&node, request(&set)).await;
    sqlx::query("alter table lab_choices add constraint refused check (reason <> 'No.')").execute(&pool).await.unwrap();
    let choose = |reason: &str| {
        let request = WinnerRequest { winner: Side::B, reason: reason.into(), chosen_by: None, go_live: true };
        node.lab.choose(run.id, request)
    };
    choose("No.").await.unwrap_err();
    let active = node.services.management.active(&agent()).await.unwrap().unwrap();
    assert_eq!(active.version.version, version("1.0.0"), "what could not be kept changed nothing");
    assert_eq!(choose("Yes.").await.unwrap().live, Some(version("1.1.0")));
}
