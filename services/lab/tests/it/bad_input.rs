//! What is refused before anything is called.

use lab::{Metric, RunRequest, checks::Check};
use model_api::{Behaviour, ModelApi};
use sqlx::PgPool;

use crate::support::{MIGRATOR, Node, case, cases, registry, request, set, version};

async fn refusal(node: &Node, request: RunRequest) -> (&'static str, String) {
    let dry = node.lab.dry_run(request.clone(), 1).await.unwrap_err();
    let refused = node.lab.start(request).await.unwrap_err();
    assert_eq!(dry.code(), refused.code(), "the dry run refuses the same");
    (refused.code(), refused.to_string())
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_run_that_cannot_be_made_is_refused_with_the_way_forward(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["For {{reader}}.", "For {{reader}}."]).await;
    let empty = set(&node, &[]).await;
    let (code, text) = refusal(&node, request(&empty)).await;
    assert_eq!(code, "empty_set", "{text}");

    let plain = set(&node, &cases(2)).await;
    let (code, text) = refusal(&node, request(&plain)).await;
    assert_eq!(code, "missing_variables");
    assert!(text.contains("{{reader}}") && text.contains("Case 1"), "{text}");

    let mut known = cases(2);
    for case in &mut known {
        case.variables.insert("reader".into(), "all".into());
    }
    let set = set(&node, &known).await;
    let change = |change: fn(&mut RunRequest)| {
        let mut request = request(&set);
        change(&mut request);
        request
    };
    let table: [(&str, RunRequest); 13] = [
        ("unknown_version", change(|request| request.version_b = version("9.9.9"))),
        ("same_version", change(|request| request.version_b = request.version_a)),
        ("unknown_set", change(|request| request.set_id = uuid::Uuid::nil())),
        ("set_of_another_agent", change(|request| request.agent_type = "other".parse().unwrap())),
        ("invalid_repeats", change(|request| request.plan.repeats = 0)),
        ("invalid_concurrency", change(|request| request.concurrency = 201)),
        ("invalid_budget", change(|request| request.budget_usd = Some(f64::NAN))),
        ("invalid_margin", change(|request| request.plan.margin = Some(-1.0))),
        ("no_checks", change(|request| request.plan.margin = Some(0.1))),
        ("invalid_setting", change(|request| request.plan.settings.temperature = Some(3.0))),
        ("judge_missing", change(|request| request.plan.question = Some("Which is shorter?".into()))),
        (
            "invalid_question",
            change(|request| {
                request.plan.judge = request.plan.model.clone();
                request.plan.question = Some("Which is\0shorter?".into());
            }),
        ),
        ("question_missing", change(|request| request.plan.primary = Metric::Preference)),
    ];
    for (expected, request) in table {
        let (code, text) = refusal(&node, request).await;
        assert_eq!(code, expected, "{text}");
        assert!(text.len() > 20, "{code} says the way forward: {text}");
    }
    let mut unpriced = request(&set);
    unpriced.plan.model = "compatible::unpriced".parse().ok();
    unpriced.budget_usd = Some(1.0);
    assert_eq!(node.lab.start(unpriced).await.unwrap_err().code(), "price_unknown");
    let mut nameless = request(&set);
    nameless.plan.model = None;
    let dry = node.lab.dry_run(nameless.clone(), 1).await.unwrap();
    assert!(dry.input_tokens > 0 && dry.cost_usd.is_none() && dry.unpriced.is_empty(), "{dry:?}");
    assert_eq!((dry.first.len(), dry.first[0].cost_usd), (1, None));
    let refused = node.lab.start(nameless).await.unwrap_err();
    assert_eq!((refused.code(), refused.field()), ("model_missing", Some("model")));
    assert!(api.requests().is_empty(), "nothing was called");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_broken_check_is_named_when_the_case_is_saved(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let set = set(&node, &[]).await;
    for check in [
        Check::Regex { value: "(".into() },
        Check::JsonSchema { value: serde_json::json!({"type": 7}) },
        Check::Similar { value: None, threshold: 0.5 },
        Check::Similar { value: Some("x".into()), threshold: 7.0 },
    ] {
        let refused =
            node.lab.add_cases(set.summary.id, vec![case("One", "x", vec![check.clone()])]).await.unwrap_err();
        assert_eq!((refused.code(), refused.field()), ("invalid_case", Some("checks")), "{check:?}: {refused}");
    }
    assert!(node.lab.set(set.summary.id).await.unwrap().test_cases.is_empty());
    let judged = vec![case("One", "x", vec![Check::LlmRubric { value: "Polite".into(), threshold: None }])];
    node.lab.add_cases(set.summary.id, judged).await.unwrap();
    assert_eq!(node.lab.start(request(&set)).await.unwrap_err().code(), "judge_missing");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn outputs_of_ones_own_need_no_model_but_a_budget_needs_the_price_of_the_judge(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let set = set(&node, &cases(1)).await;
    let outputs = "{\"case\": \"Case 1\", \"side\": \"a\", \"output\": \"x\"}\n\
                   {\"case\": \"Case 1\", \"side\": \"b\", \"output\": \"y\"}\n";
    let mut request = request(&set);
    request.plan.model = None;
    request.budget_usd = Some(1.0);
    let run = node.lab.import_outputs(request.clone(), outputs).await.unwrap();
    assert!(run.is_imported && run.plan.model.is_none());
    request.plan.question = Some("Which is shorter?".into());
    request.plan.judge = "compatible::unpriced".parse().ok();
    let refused = node.lab.import_outputs(request.clone(), outputs).await.unwrap_err();
    assert_eq!(refused.code(), "price_unknown", "{refused}");
    assert!(refused.to_string().contains("compatible::unpriced"), "{refused}");
    request.plan.judge = crate::support::MODEL.parse().ok();
    node.lab.import_outputs(request, outputs).await.unwrap();
}
