//! The lab against an endpoint that takes a tenth of a second: how close a run comes to the time that its calls take at least,
//! whether it measures them rightly, and whether it keeps what it has done with.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::support::{Goal, median, report};
use agents::{Models, ModelsSettings, Prices};
use lab::{Lab, ResultFilter, RunPlan, RunRequest, RunStatus, Runner, RunnerSettings, cases::TestCase};
use model_api::{Behaviour, ModelApi};
use sqlx::postgres::PgPoolOptions;
use versioning::{LoadingSettings, MIGRATOR, NewVersion, PromptStore, PromptText, Services};

const CALLS: u32 = 1_000;
const AT_ONCE: u32 = 50;
const TAKES: Duration = Duration::from_millis(100);

pub async fn measure() -> bool {
    let (_folder, postgres) = crate::support::postgres().await;
    let pool = PgPoolOptions::new().max_connections(20).connect_with(postgres.connect_options()).await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    let services = Services::new(PromptStore::new(pool.clone()), LoadingSettings::default());
    let api = ModelApi::start(Behaviour { delay: TAKES, ..Behaviour::default() });
    let models = Models::new(ModelsSettings { compatible_url: Some(api.url()), ..ModelsSettings::default() });
    let lab = Lab::new(pool, services.clone(), Arc::new(models), Prices::built_in());
    let runner = Runner::spawn(lab.clone(), RunnerSettings::default());

    let mut met = true;
    // The first run opens the connections; what comes after it must not need more memory, run after run.
    run(&lab, &services, &api, "bench_warm").await;
    let before = resident();
    for agent in ["bench_one", "bench_two", "bench_three"] {
        let (wall, errors) = run(&lab, &services, &api, agent).await;
        let ideal = TAKES * (CALLS / AT_ONCE);
        let ratio = wall.as_secs_f64() / ideal.as_secs_f64();
        let figures = format!("{wall:.2?} for {CALLS} calls of {TAKES:?}, {AT_ONCE} at once");
        met &= report(
            "a run in the lab against the time that its calls take at least",
            &figures,
            ratio,
            Goal::AtMost(1.1),
        );
        let off = median(errors.clone());
        let worst = errors.iter().copied().fold(0.0, f64::max);
        let rank = errors.len() * 99 / 100;
        let mut sorted = errors;
        sorted.sort_by(f64::total_cmp);
        let figures = format!("median {off:.2} ms off, p99 {:.2} ms, worst {worst:.2} ms", sorted[rank]);
        met &= report(
            "recorded latency against what the endpoint took, of 3 ms",
            &figures,
            sorted[rank] / 3.0,
            Goal::AtMost(1.0),
        );
    }
    let after = resident();
    let figures = format!("{before} MiB after the first run, {after} MiB after three more");
    met &= report("memory over runs", &figures, f64::from(after) / f64::from(before), Goal::AtMost(1.15));

    runner.stop(Duration::from_secs(5)).await;
    postgres.stop().await.unwrap();
    met
}

/// Runs an experiment; how long it took, and how far the recorded latencies are from the endpoint's own, in milliseconds.
async fn run(lab: &Lab, services: &Services, api: &ModelApi, agent: &str) -> (Duration, Vec<f64>) {
    for number in ["1.0.0", "1.1.0"] {
        services
            .management
            .create_version(NewVersion {
                agent_type: agent.parse().unwrap(),
                version: number.parse().unwrap(),
                prompt_text: PromptText::parse(format!("You are version {number} of {agent}.")).unwrap(),
                created_by: None,
                notes: None,
                base_version: None,
            })
            .await
            .unwrap();
    }
    let cases: Vec<TestCase> = (1..=CALLS / 2)
        .map(|number| TestCase {
            name: number.to_string(),
            input: format!("{agent} is asked question {number}"),
            variables: Default::default(),
            expected: None,
            tags: Vec::new(),
            checks: Vec::new(),
        })
        .collect();
    let set = lab.create_set(&agent.parse().unwrap(), "Bench", &cases).await.unwrap();
    let request = RunRequest {
        agent_type: agent.parse().unwrap(),
        version_a: "1.0.0".parse().unwrap(),
        version_b: "1.1.0".parse().unwrap(),
        set_id: set.summary.id,
        plan: RunPlan::new("compatible::test-model".parse().ok(), 1),
        concurrency: AT_ONCE,
        budget_usd: None,
        created_by: None,
    };
    let begin = Instant::now();
    let id = lab.start(request).await.unwrap().id;
    let run = loop {
        let run = lab.run(id).await.unwrap();
        if run.status != RunStatus::Running {
            break run;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let wall = begin.elapsed();
    assert_eq!((run.status, run.done, run.failed), (RunStatus::Finished, CALLS, 0));

    // The endpoint knows a call by what it was asked.
    let key = |system: &str, user: &str| format!("{system}\n{user}");
    let mut took = std::collections::HashMap::new();
    for request in api.take_requests() {
        let said = |role: &str| {
            let messages = request.body["messages"].as_array().unwrap();
            messages.iter().find(|message| message["role"] == role).unwrap()["content"].as_str().unwrap().to_owned()
        };
        took.insert(key(&said("system"), &said("user")), request.took.unwrap());
    }
    let results = lab.results(id, ResultFilter::All, 1, CALLS).await.unwrap();
    let mut errors = Vec::new();
    for case in results.cases {
        let repeat = &case.repeats[0];
        for (answer, number) in [(&repeat.a, "1.0.0"), (&repeat.b, "1.1.0")] {
            let latency = answer.as_ref().unwrap().latency_ms.unwrap();
            let system = format!("You are version {number} of {agent}.");
            let real = took[&key(&system, &case.test_case.input)].as_secs_f64() * 1_000.0;
            errors.push((latency - real).abs());
        }
    }
    (wall, errors)
}

/// The memory of this process, in MiB.
fn resident() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u32 = line.split_whitespace().next().unwrap().parse().unwrap();
    kib / 1024
}
