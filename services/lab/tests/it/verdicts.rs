//! From answers to a verdict, to a winner that is served.

use lab::{LabError, Metric, ResultFilter, RunStatus, Side, Vote, WinnerRequest, cases::TestCase, checks::Check};
use model_api::{Behaviour, ModelApi};
use sqlx::PgPool;

use crate::support::{
    MIGRATOR, MODEL, Node, agent, author, cases, registry, request, run_to_end, runner, set, until, version,
};

/// Cases that only an answer with the word GOOD passes.
fn good(count: usize) -> Vec<TestCase> {
    let mut cases = cases(count);
    for case in &mut cases {
        case.checks = vec![Check::Contains { value: "GOOD".into() }];
    }
    cases
}

fn choice(winner: Side, go_live: bool) -> WinnerRequest {
    WinnerRequest { winner, reason: "It passes.".into(), chosen_by: Some(author("ada")), go_live }
}

async fn active(node: &Node) -> (String, String) {
    let active = node.services.management.active(&agent()).await.unwrap().unwrap();
    (active.version.version.to_string(), active.prompt_text)
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_better_version_wins_and_is_served(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "answer: GOOD"]).await;
    let set = set(&node, &good(20)).await;
    let run = run_to_end(&node, request(&set)).await;
    let report = node.lab.report(run.id).await.unwrap();
    assert_eq!(report.outcome, "b_is_better", "{}", report.evidence);
    assert!(report.headline.contains("1.1.0") && report.evidence.contains("20 cases"), "{}", report.evidence);
    let primary = report.metrics.iter().find(|metric| metric.is_primary).unwrap();
    assert_eq!((primary.metric, primary.left_out), (Metric::PassRate, 0));
    assert_eq!(primary.a.as_ref().unwrap().mean, 0.0);
    assert_eq!(primary.b.as_ref().unwrap().mean, 1.0);
    // 20 discordant pairs, all for B: 2 times 0.5 to the 20th.
    assert!((primary.evidence.p_value - 2.0 * 0.5_f64.powi(20)).abs() < 1e-15);
    assert_eq!(node.lab.results(run.id, ResultFilter::Differs, 1, 5).await.unwrap().total, 20);

    let empty = node.lab.choose(run.id, WinnerRequest { reason: "  ".into(), ..choice(Side::B, true) }).await;
    assert_eq!(empty.unwrap_err().code(), "invalid_reason");
    let chosen = node.lab.choose(run.id, choice(Side::B, true)).await.unwrap();
    assert_eq!(chosen.live, Some(version("1.1.0")));
    assert_eq!(active(&node).await, ("1.1.0".into(), "answer: GOOD".into()));
    assert!(matches!(node.lab.choose(run.id, choice(Side::A, false)).await, Err(LabError::AlreadyChosen)));

    let events = node.services.management.events_of(&agent()).await.unwrap();
    let event = events.iter().find(|event| event.kind == versioning::EventKind::WinnerChosen).unwrap();
    let details = event.details.as_ref().unwrap();
    assert_eq!(details["run"], run.id.to_string());
    assert_eq!(details["figures"]["outcome"], "b_is_better");
    assert_eq!((event.version, event.actor.as_deref()), (Some(version("1.1.0")), Some("ada")));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_winner_below_the_active_version_is_fixed_forward(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["answer: GOOD", "One."]).await;
    let promotion = versioning::Promotion {
        agent_type: agent(),
        version: version("1.1.0"),
        expected_active: None,
        promoted_by: None,
    };
    node.services.management.promote_to_active(promotion).await.unwrap();
    let set = set(&node, &good(12)).await;
    let run = run_to_end(&node, request(&set)).await;
    assert_eq!(node.lab.report(run.id).await.unwrap().outcome, "a_is_better");
    let chosen = node.lab.choose(run.id, choice(Side::A, true)).await.unwrap();
    assert_eq!(chosen.live, Some(version("1.1.1")));
    assert_eq!(active(&node).await, ("1.1.1".into(), "answer: GOOD".into()));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn few_cases_are_no_evidence(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "answer: GOOD"]).await;
    let set = set(&node, &good(4)).await;
    let run = run_to_end(&node, request(&set)).await;
    let report = node.lab.report(run.id).await.unwrap();
    assert_eq!(report.outcome, "cannot_tell", "4 of 4 may well be chance: {}", report.evidence);
    assert_eq!(report.cases_needed, Some(6), "{}", report.evidence);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn equal_versions_are_equivalent_within_a_margin(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["answer: GOOD", "answer: GOOD."]).await;
    let set = set(&node, &good(100)).await;
    let mut request = request(&set);
    request.plan.margin = Some(0.1);
    request.concurrency = 50;
    let run = run_to_end(&node, request).await;
    let report = node.lab.report(run.id).await.unwrap();
    assert_eq!(report.outcome, "equivalent", "{}", report.evidence);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_judge_decides_rubrics_and_pairs_in_both_orders(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "answer: GOOD"]).await;
    let mut cases = cases(10);
    for case in &mut cases {
        case.checks = vec![Check::LlmRubric { value: "Has the word".into(), threshold: None }];
    }
    let set = set(&node, &cases).await;
    let mut request = request(&set);
    request.plan.judge = Some(MODEL.parse().unwrap());
    request.plan.question = Some("Which has the word?".into());
    request.plan.primary = Metric::Preference;
    let run = run_to_end(&node, request).await;
    assert_eq!((run.status, run.calls, run.failed), (RunStatus::Finished, 60, 0));
    let report = node.lab.report(run.id).await.unwrap();
    assert_eq!((report.outcome.as_str(), report.compared), ("b_is_better", (10, 0)), "{}", report.evidence);
    let results = node.lab.results(run.id, ResultFilter::All, 1, 20).await.unwrap();
    let repeat = &results.cases[0].repeats[0];
    assert_eq!(repeat.pair.as_ref().unwrap().preference, Vote::B);
    assert_eq!(repeat.a.as_ref().unwrap().passed, Some(false));
    assert_eq!(repeat.b.as_ref().unwrap().passed, Some(true));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_judge_that_flips_with_the_order_prefers_nobody(pool: PgPool) {
    let first = model_api::Judge::new(|_| r#"{"better": "first", "reason": "It comes first."}"#.into());
    let api = ModelApi::start(Behaviour { judge: first, ..Behaviour::default() });
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let set = set(&node, &cases(10)).await;
    let mut request = request(&set);
    request.plan.judge = Some(MODEL.parse().unwrap());
    request.plan.question = Some("Which is better?".into());
    request.plan.primary = Metric::Preference;
    let run = run_to_end(&node, request).await;
    let report = node.lab.report(run.id).await.unwrap();
    assert_eq!((report.outcome.as_str(), report.compared), ("cannot_tell", (10, 10)), "{}", report.evidence);
    assert_eq!(node.lab.results(run.id, ResultFilter::Flipped, 1, 5).await.unwrap().total, 10);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_version_is_not_quicker_by_failing_where_it_is_slow(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let cases = good(20);
    let set = set(&node, &cases).await;
    let lines = |of_b: usize| -> String {
        let line = |name: &str, side: &str, latency: Option<f64>| {
            format!("{}\n", serde_json::json!({"case": name, "side": side, "output": "GOOD", "latency_ms": latency}))
        };
        let sides = |(place, case): (usize, &TestCase)| {
            let latency = 100.0 + f64::from(u32::try_from(place).unwrap());
            line(&case.name, "a", Some(latency)) + &line(&case.name, "b", (place < of_b).then_some(latency / 2.0))
        };
        cases.iter().enumerate().map(sides).collect()
    };
    for (of_b, outcome) in [(20, "b_is_better"), (19, "b_is_better"), (10, "cannot_tell")] {
        let mut request = request(&set);
        request.plan.primary = Metric::Latency;
        let run = node.lab.import_outputs(request, &lines(of_b)).await.unwrap();
        let report = node.lab.report(run.id).await.unwrap();
        assert_eq!(report.outcome, outcome, "{}", report.evidence);
        let left_out = 20 - of_b;
        let says = format!("{left_out} of 20 cases were left out: {left_out} because B has no result.");
        assert_eq!(report.evidence.contains(&says), left_out > 0, "{}", report.evidence);
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn versions_that_no_model_answered_are_not_equivalent(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["answer: GOOD", "answer: GOOD"]).await;
    let set = set(&node, &good(60)).await;
    for (model, outcome) in [(MODEL, "equivalent"), ("compatible::missing-model", "cannot_tell")] {
        let mut request = request(&set);
        request.plan.model = model.parse().ok();
        request.plan.margin = Some(0.1);
        let run = run_to_end(&node, request).await;
        let report = node.lab.report(run.id).await.unwrap();
        assert_eq!(report.outcome, outcome, "{}", report.evidence);
        let says = report.evidence.contains("Neither version answered 60 of them");
        assert_eq!(says, run.failed == 120, "{}", report.evidence);
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_difference_inside_the_noise_is_not_called_one(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "answer: GOOD"]).await;
    let active = versioning::NewVersion {
        agent_type: agent(),
        version: version("1.2.0"),
        prompt_text: versioning::PromptText::parse("answer: GOOD.".into()).unwrap(),
        created_by: None,
        notes: None,
        base_version: None,
    };
    node.services.management.create_version(active).await.unwrap();
    let promotion = versioning::Promotion {
        agent_type: agent(),
        version: version("1.2.0"),
        expected_active: None,
        promoted_by: None,
    };
    node.services.management.promote_to_active(promotion).await.unwrap();
    // Each version is refused once on most cases: A and B, which are asked once, fail on all of those alike. The active version
    // is asked twice and passes once: as often the one time as the other, or not.
    for (noise, outcome) in [(false, "b_is_better"), (true, "cannot_tell")] {
        let mut cases = good(30);
        for case in &mut cases[6..] {
            case.input.push_str(&format!(" noise: {noise} [status 400 times 1]"));
        }
        let set = set(&node, &cases).await;
        let mut request = request(&set);
        request.plan.noise = noise;
        let run = run_to_end(&node, request).await;
        let report = node.lab.report(run.id).await.unwrap();
        let primary = report.metrics.iter().find(|metric| metric.is_primary).unwrap();
        assert_eq!(primary.evidence.noise_floor.is_some(), noise);
        assert_eq!(report.outcome, outcome, "{}", report.evidence);
        assert_eq!(report.evidence.contains("one and the same version"), noise, "{}", report.evidence);
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_version_is_compared_with_itself(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let set = set(&node, &good(8)).await;
    let mut request = request(&set);
    request.version_b = request.version_a;
    request.plan.noise = true;
    let run = run_to_end(&node, request).await;
    assert_eq!(run.calls, 16);
    let report = node.lab.report(run.id).await.unwrap();
    assert_eq!(report.outcome, "same_version", "{}", report.evidence);
    let refused = node.lab.choose(run.id, choice(Side::B, false)).await.unwrap_err();
    assert_eq!((refused.code(), refused.field()), ("same_version", Some("winner")), "{refused}");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn answers_from_elsewhere_are_judged_alike(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let cases = good(10);
    let set = set(&node, &cases).await;
    let mut lines = String::new();
    for case in &cases {
        for (side, output) in [("a", "BAD"), ("b", "GOOD")] {
            let line = serde_json::json!({"case": case.name, "side": side, "output": output, "latency_ms": 12.5});
            lines.push_str(&format!("{line}\n"));
        }
    }
    let refused = node.lab.import_outputs(request(&set), &lines.replace("Case 3", "Case 33")).await.unwrap_err();
    assert_eq!(refused.code(), "malformed_import", "{refused}");
    let run = node.lab.import_outputs(request(&set), &lines).await.unwrap();
    assert_eq!((run.status, run.is_imported, run.done), (RunStatus::Finished, true, 20));
    let report = node.lab.report(run.id).await.unwrap();
    assert_eq!(report.outcome, "b_is_better", "{}", report.evidence);
    assert!(api.requests().is_empty(), "no model was asked");
    let csv = node.lab.export_results(run.id, lab::ResultFormat::Csv).await.unwrap();
    assert_eq!(csv.lines().count(), 21);
    let jsonl = node.lab.export_results(run.id, lab::ResultFormat::JsonLines).await.unwrap();
    assert!(jsonl.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_the_budget_kept_from_a_judge_counts_for_neither_version(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "answer: GOOD"]).await;
    let mut cases = cases(30);
    for case in &mut cases {
        case.checks = vec![Check::LlmRubric { value: "Has the word".into(), threshold: None }];
    }
    let mut judged = request(&set(&node, &cases).await);
    judged.plan.judge = Some(MODEL.parse().unwrap());
    judged.plan.settings.max_tokens = Some(20);
    // One call at a time, and alike: what they cost is known from one that has no limit.
    judged.concurrency = 1;
    let lines: String = cases
        .iter()
        .flat_map(|case| [("a", "BAD"), ("b", "GOOD")].map(|(side, output)| (&case.name, side, output)))
        .map(|(name, side, output)| format!("{}\n", serde_json::json!({"case": name, "side": side, "output": output})))
        .collect();
    let judge = async |request| {
        let run = node.lab.import_outputs(request, &lines).await.unwrap();
        let runner = runner(&node);
        let run = until(&node, run.id, |run| run.status != RunStatus::Running).await;
        runner.stop(std::time::Duration::from_secs(5)).await;
        run
    };
    let each = judge(judged.clone()).await.spent_usd / 60.0;
    let dearest: f64 = sqlx::query_scalar("select max(estimate_usd) from lab_calls where kind = 'rubric'")
        .fetch_one(&pool)
        .await
        .unwrap();
    judged.budget_usd = Some(dearest + 30.0 * each);
    let run = judge(judged).await;
    assert_eq!(run.status, RunStatus::OutOfBudget);

    let results = node.lab.results(run.id, ResultFilter::All, 1, 30).await.unwrap().cases;
    let has = |answer: &Option<lab::AnswerRecord>| answer.as_ref().unwrap().passed.is_some();
    let whole = results.iter().filter(|case| has(&case.repeats[0].a) && has(&case.repeats[0].b)).count();
    let whole = u32::try_from(whole).unwrap();
    assert!((6..30).contains(&whole), "{whole} cases were judged on both sides");
    let report = node.lab.report(run.id).await.unwrap();
    let primary = report.metrics.iter().find(|metric| metric.is_primary).unwrap();
    assert_eq!((primary.left_out, primary.not_asked), (0, 30 - whole));
    assert_eq!(primary.evidence.cases, u64::from(whole));
    assert_eq!(report.outcome, "b_is_better", "{}", report.evidence);
    let says = format!("before {} of 30 cases were asked in full", 30 - whole);
    assert!(report.evidence.contains(&says) && !report.evidence.contains("left out"), "{}", report.evidence);
}
