//! Pages of results, blind reviews, reports and exports: what is shown, and that nothing is read or computed for nothing.

use lab::{
    CaseResult, Lab, Metric, Place, ResultFilter, ResultFormat, Run, RunStatus, Vote, cases::TestCase, checks::Check,
};
use model_api::{Behaviour, Judge, ModelApi};
use serde_json::json;
use sqlx::PgPool;

use crate::support::{MIGRATOR, MODEL, Node, author, case, cases, registry, request, run_to_end, runner, set, until};

/// A run of answers that were brought along: `say` gives that of a case, repeat and side.
async fn brought(
    node: &Node,
    cases: &[TestCase],
    repeats: u32,
    say: impl Fn(usize, u32, &str) -> String,
    change: impl FnOnce(&mut lab::RunRequest),
) -> Run {
    let mut lines = String::new();
    for (place, case) in cases.iter().enumerate() {
        for repeat in 1..=repeats {
            for side in ["a", "b"] {
                let output = say(place + 1, repeat, side);
                let line =
                    json!({"case": case.name, "side": side, "repeat": repeat, "output": output, "latency_ms": 5});
                lines.push_str(&format!("{line}\n"));
            }
        }
    }
    let mut request = request(&set(node, cases).await);
    change(&mut request);
    node.lab.import_outputs(request, &lines).await.unwrap()
}

/// Whether a filter lets a case through, by its answers as they are shown.
fn is_meant(filter: ResultFilter, case: &CaseResult) -> bool {
    let fails = |answer: &Option<lab::AnswerRecord>| answer.as_ref().is_some_and(|answer| answer.passed == Some(false));
    case.repeats.iter().any(|repeat| match filter {
        ResultFilter::All => true,
        ResultFilter::AFails => fails(&repeat.a),
        ResultFilter::BFails => fails(&repeat.b),
        ResultFilter::Flipped => repeat.pair.as_ref().is_some_and(|pair| pair.flipped),
        ResultFilter::Differs => {
            let said = [&repeat.a, &repeat.b].map(|answer| {
                let answer = answer.as_ref().unwrap();
                let scores: Option<Vec<f64>> =
                    answer.checks.iter().map(|check| check.as_ref().map(|check| check.score)).collect();
                (answer.status.clone(), answer.passed, scores.filter(|_| answer.status == "answered"))
            });
            said[0] != said[1]
        }
    })
}

async fn numbers(lab: &Lab, run: &Run, filter: ResultFilter) -> Vec<u32> {
    let results = lab.results(run.id, filter, 1, 1_000).await.unwrap();
    results.cases.iter().map(|case| case.number).collect()
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn filters_let_through_what_the_shown_answers_say(pool: PgPool) {
    // It prefers what comes first, passes what has GOOD, and says nothing of use about what has MUTE.
    let judge = Judge::new(|message| match (message.contains("MUTE"), message.contains("GOOD")) {
        (true, _) => "I would rather not say.".into(),
        (_, good) => {
            json!({"pass": good, "score": f64::from(u8::from(good)), "better": "first", "reason": "So."}).to_string()
        }
    });
    let api = ModelApi::start(Behaviour { judge, ..Behaviour::default() });
    let node = registry(&pool, &api, ["One.", "answer: GOOD"]).await;
    let contains = |value: &str| Check::Contains { value: value.into() };
    let rubric = || Check::LlmRubric { value: "Is it right?".into(), threshold: None };
    let kinds: [(&str, Vec<Check>); 8] = [
        ("plain", Vec::new()),
        ("A fails", vec![contains("GOOD")]),
        ("both fail", vec![contains("nowhere")]),
        ("judged", vec![rubric()]),
        ("judged, and fails besides", vec![contains("nowhere"), rubric()]),
        ("the judge is mute MUTE", vec![rubric(), contains("e")]),
        ("[status 401]", vec![contains("GOOD")]),
        ("one check each", vec![contains("GOOD"), Check::NotContains { value: "GOOD".into() }]),
    ];
    let cases: Vec<TestCase> = kinds.iter().map(|(what, checks)| case(what, what, checks.clone())).collect();
    let mut request = request(&set(&node, &cases).await);
    request.plan.repeats = 2;
    request.plan.judge = Some(MODEL.parse().unwrap());
    request.plan.question = Some("Which is right?".into());
    let run = node.lab.start(request).await.unwrap();
    // Of what has not begun nothing fails; and what is looked at early is not taken for what is so at the end.
    assert!(numbers(&node.lab, &run, ResultFilter::AFails).await.is_empty());
    let runner = runner(&node);
    let run = until(&node, run.id, |run| run.status != RunStatus::Running).await;
    runner.stop(std::time::Duration::from_secs(5)).await;

    let all = node.lab.results(run.id, ResultFilter::All, 1, 1_000).await.unwrap().cases;
    assert_eq!(all.len(), cases.len());
    for filter in ResultFilter::EVERY {
        let meant: Vec<u32> = all.iter().filter(|case| is_meant(filter, case)).map(|case| case.number).collect();
        assert!(!meant.is_empty(), "{filter:?} is tried");
        assert_eq!(numbers(&node.lab, &run, filter).await, meant, "{filter:?}");
    }
    assert!(!numbers(&node.lab, &run, ResultFilter::BFails).await.contains(&2), "B passes the second case");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_page_has_its_cases_with_all_that_belongs_to_them(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let mut cases = cases(60);
    for case in &mut cases {
        case.checks = vec![Check::Contains { value: "GOOD".into() }];
    }
    let say = |case: usize, repeat: u32, side: &str| {
        let word = if side == "a" && [1, 60].contains(&case) { "BAD" } else { "GOOD" };
        format!("{word} {case} {repeat} {side}")
    };
    let run = brought(&node, &cases, 2, say, |_| {}).await;
    assert_eq!((run.status, run.done, run.calls), (RunStatus::Finished, 240, 240));
    let failing = node.lab.results(run.id, ResultFilter::AFails, 1, 20).await.unwrap();
    assert_eq!((failing.total, failing.pages), (2, 1));
    assert_eq!(failing.cases.iter().map(|case| case.number).collect::<Vec<_>>(), [1, 60], "first and last on one page");
    let repeat = &failing.cases[1].repeats[1];
    assert_eq!(repeat.a.as_ref().unwrap().answer.as_deref(), Some("BAD 60 2 a"));
    assert_eq!(repeat.b.as_ref().unwrap().answer.as_deref(), Some("GOOD 60 2 b"));
    let last = node.lab.results(run.id, ResultFilter::All, 99, 25).await.unwrap();
    assert_eq!(
        (last.page, last.pages, last.cases.len(), last.cases[0].number),
        (3, 3, 10, 51),
        "beyond the end is the last page"
    );
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn answers_from_elsewhere_are_handed_to_the_judges(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let mut cases = cases(6);
    for case in &mut cases {
        case.checks = vec![Check::LlmRubric { value: "Has it the word GOOD?".into(), threshold: None }];
    }
    let judged = |request: &mut lab::RunRequest| {
        request.plan.judge = Some(MODEL.parse().unwrap());
        request.plan.question = Some("Which has the word GOOD?".into());
        request.plan.primary = Metric::Preference;
    };
    let say = |_: usize, _: u32, side: &str| if side == "b" { "GOOD" } else { "BAD" }.to_owned();
    let run = brought(&node, &cases, 1, say, judged).await;
    assert_eq!((run.status, run.done, run.calls), (RunStatus::Running, 12, 36));
    let runner = runner(&node);
    let run = until(&node, run.id, |run| run.status != RunStatus::Running).await;
    runner.stop(std::time::Duration::from_secs(5)).await;
    assert_eq!((run.status, run.done, run.failed), (RunStatus::Finished, 36, 0));
    assert_eq!(api.requests().len(), 24, "judges were asked, and nobody else");
    assert_eq!(node.lab.report(run.id).await.unwrap().outcome, "b_is_better");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn nobody_is_asked_to_choose_between_identical_answers(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let say = |case: usize, _: u32, side: &str| if case < 3 { "same".to_owned() } else { format!("of {side}") };
    let run = brought(&node, &cases(5), 1, say, |_| {}).await;
    let ada = author("ada");
    let mut seen = Vec::new();
    while let Some(pair) = node.lab.next_pair(run.id, &ada).await.unwrap() {
        assert_eq!(pair.pairs, 3);
        assert_ne!(pair.left, pair.right);
        seen.push(pair.case_number);
        node.lab.vote(run.id, &ada, (pair.case_number, 1), Place::Tie).await.unwrap();
    }
    seen.sort_unstable();
    assert_eq!(seen, [3, 4, 5]);
    let refused = node.lab.vote(run.id, &ada, (1, 1), Place::Tie).await.unwrap_err();
    assert_eq!(refused.code(), "unknown_pair");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_report_is_computed_once_for_what_it_follows_from(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "answer: GOOD"]).await;
    let started = node.lab.start(request(&set(&node, &cases(8)).await)).await.unwrap();
    let early = node.lab.report(started.id).await.unwrap();
    assert_eq!((early.headline.as_str(), early.metrics.len()), ("Not finished yet", 0), "nothing is computed early");
    let runner = runner(&node);
    let run = until(&node, started.id, |run| run.status != RunStatus::Running).await;
    runner.stop(std::time::Duration::from_secs(5)).await;
    let first = node.lab.report(run.id).await.unwrap();
    assert_ne!(first.headline, "Not finished yet");
    let ada = author("ada");
    let pair = node.lab.next_pair(run.id, &ada).await.unwrap().unwrap();
    node.lab.vote(run.id, &ada, (pair.case_number, pair.repeat), Place::Tie).await.unwrap();
    let voted = node.lab.report(run.id).await.unwrap();
    assert_eq!((voted.votes, voted.review), (None, (8, 7)), "it says how far the review is, and not how it stands");
    node.lab.end_review(run.id).await.unwrap();
    assert_eq!(node.lab.report(run.id).await.unwrap().votes, Some((0, 0, 1)));
    let before = node.lab.report(run.id).await.unwrap();
    // Without its cases nothing could be computed.
    sqlx::query("alter table lab_run_cases rename to lab_run_cases_away").execute(&pool).await.unwrap();
    assert_eq!(node.lab.report(run.id).await.unwrap(), before);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_export_has_checks_judgements_and_votes(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "answer: GOOD"]).await;
    let checks = vec![
        Check::Contains { value: "GOOD".into() },
        Check::LlmRubric { value: "Has it the word?".into(), threshold: None },
    ];
    let mut request = request(&set(&node, &[case("Only", "Say it", checks)]).await);
    request.plan.judge = Some(MODEL.parse().unwrap());
    request.plan.question = Some("Which has the word?".into());
    let run = run_to_end(&node, request).await;
    let ada = author("ada");
    let pair = node.lab.next_pair(run.id, &ada).await.unwrap().unwrap();
    let place = if pair.left == "GOOD" { Place::Left } else { Place::Right };
    node.lab.vote(run.id, &ada, (1, 1), place).await.unwrap();
    let blind = node.lab.export_results(run.id, ResultFormat::JsonLines).await.unwrap();
    assert!(!blind.contains("votes"), "nobody sees what was voted before the review has ended: {blind}");
    node.lab.end_review(run.id).await.unwrap();

    let table = node.lab.export_results(run.id, ResultFormat::Csv).await.unwrap();
    for said in ["contains failed (0): ", "contains passed (1): ", "llm-rubric passed (1): It was looked for GOOD."] {
        assert!(table.contains(said), "{said}: {table}");
    }
    let header = table.lines().next().unwrap();
    assert!(
        header.contains(",checks,preference,preference_flipped,preference_reasons,votes_a,votes_b,votes_tie,"),
        "{header}"
    );
    assert!(table.contains(",b,false,") && table.contains(",0,1,0,Say it,GOOD"), "{table}");

    let lines = node.lab.export_results(run.id, ResultFormat::JsonLines).await.unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!((&line["pair"]["preference"], &line["pair"]["flipped"]), (&json!("b"), &json!(false)));
        assert_eq!(line["votes"], json!([{"reviewer": "ada", "vote": Vote::B}]));
        assert_eq!(line["checks"].as_array().unwrap().len(), 2);
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_dry_run_counts_what_judges_are_sent(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let mut request = request(&set(&node, &cases(3)).await);
    request.plan.settings.max_tokens = Some(100);
    let alone = node.lab.dry_run(request.clone(), 1).await.unwrap();
    request.plan.judge = Some(MODEL.parse().unwrap());
    request.plan.question = Some("Which is better?".into());
    let judged = node.lab.dry_run(request, 1).await.unwrap();
    assert_eq!((alone.calls, judged.calls, judged.first.len()), (6, 12, 1));
    // Six judgements of two answers that may have 100 tokens each.
    assert!(judged.input_tokens > alone.input_tokens + 6 * 200, "{} and {}", alone.input_tokens, judged.input_tokens);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn every_run_is_on_a_page(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let one = set(&node, &cases(1)).await;
    let mut started = Vec::new();
    for _ in 0..7 {
        started.push(node.lab.start(request(&one)).await.unwrap().id);
    }
    // Runs that began in the same moment are told apart, too.
    sqlx::query("update lab_runs set created_at = date_trunc('day', now())").execute(&pool).await.unwrap();
    started.sort_unstable();
    started.reverse();
    let agent = crate::support::agent();
    for agent in [None, Some(&agent)] {
        let (mut listed, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = node.lab.runs(agent, cursor, 3).await.unwrap();
            assert!(page.runs.len() <= 3);
            listed.extend(page.runs.into_iter().map(|run| run.id));
            pages += 1;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!((listed, pages), (started.clone(), 3));
    }
    let nobody = "nobody".parse().unwrap();
    assert!(node.lab.runs(Some(&nobody), None, 3).await.unwrap().runs.is_empty());
}
