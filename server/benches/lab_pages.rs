//! How long the lab's pages take with the largest set there is, 5,000 cases, and a run of 20,000 answers. Each figure is a share of
//! its limit.
//!
//! `cargo bench -p server --bench lab_pages`
#![expect(clippy::unwrap_used, reason = "a benchmark that meets an error has no result")]

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use leptos::config::LeptosOptions;
use server::{postgres::PrivatePostgres, state::AppState};
use sqlx::{PgPool, postgres::PgPoolOptions};
use versioning::{LoadingSettings, MIGRATOR, PromptStore, Services};

#[expect(dead_code, reason = "each benchmark uses what it needs of it")]
mod support;

use support::{Connection, Goal, median, report, serve};

const SET: &str = "00000000-0000-0000-0000-00000000005e";
const RUN: &str = "00000000-0000-0000-0000-00000000004a";

/// What a page may take.
const LIMIT: Duration = Duration::from_millis(100);
/// What the first look at a finished run may take: its report is computed then, all resampling included.
const FIRST_LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if runtime.block_on(measure()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure() -> bool {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let postgres = PrivatePostgres::start(&folder.path().join("data")).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(10).connect_with(postgres.connect_options()).await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    lay_down(&pool).await;
    let services = Services::new(PromptStore::new(pool.clone()), LoadingSettings::default());
    let lab = support::lab(&pool, &services);
    let options = LeptosOptions::builder().output_name("verbatim").build();
    let address =
        serve(server::router(AppState::new(services, lab, pool.clone(), options, Duration::from_secs(30)))).await;

    let run = format!("/lab/runs/{RUN}");
    let results = format!("/api/v1/lab/runs/{RUN}/results");
    let set = format!("/lab/sets/{SET}");
    let mut met =
        page(&address, "the report of a run of 20,000 answers, computed", &run, "Answers", 1, FIRST_LIMIT).await;
    for (what, path, proof) in [
        ("a set of 5,000 cases: its first page", set.clone(), "page 1 of"),
        ("a set of 5,000 cases: a page in its middle", format!("{set}?page=60"), "Case 2951"),
        ("a run of 20,000 answers: its page", run.clone(), "Answers"),
        ("a run of 20,000 answers: where A fails", format!("{run}?filter=a_fails"), "Answers"),
        ("a run of 20,000 answers: what differs, page 20", format!("{run}?filter=differs&page=20"), "page 20 of"),
        ("a run of 20,000 answers over REST: what differs", format!("{results}?filter=differs"), "\"total\""),
        ("a run of 20,000 answers over REST: the last page", format!("{results}?page=250"), "\"number\":5000"),
        ("a pair to review, of 10,000", format!("/api/v1/lab/runs/{RUN}/review?reviewer=ada"), "\"pairs\""),
    ] {
        met &= page(&address, what, &path, proof, 15, LIMIT).await;
    }
    pool.close().await;
    postgres.stop().await.unwrap();
    met
}

/// The median of some answers against the limit.
async fn page(address: &str, what: &str, path: &str, proof: &str, reads: usize, limit: Duration) -> bool {
    let mut times = Vec::with_capacity(reads);
    for _ in 0..reads {
        let mut connection = Connection::open(address).await;
        let begin = Instant::now();
        let answer = connection.get_and_close(path).await;
        times.push(begin.elapsed().as_secs_f64());
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(proof), "{path}: {answer}");
    }
    let slowest = times.iter().copied().fold(0.0, f64::max);
    let median = median(times);
    let figures = format!("{:.1} ms of {} ms; slowest {:.1} ms", median * 1e3, limit.as_millis(), slowest * 1e3);
    report(what, &figures, median / limit.as_secs_f64(), Goal::AtMost(1.0))
}

/// A set, and a finished run of it: two sides, two repeats. A fails in a third of the cases, B in a quarter.
async fn lay_down(pool: &PgPool) {
    for statement in [
        "insert into agents (agent_type) values ('bench_lab')".to_owned(),
        "insert into prompts (agent_type, version, prompt_text) values ('bench_lab', '1.0.0', 'One.'), ('bench_lab', '1.1.0', 'Two.')"
            .to_owned(),
        format!("insert into lab_sets (id, agent_type, name) values ('{SET}', 'bench_lab', 'Large')"),
        format!(
            r#"insert into lab_cases (set_id, position, name, input, tags, checks)
                select '{SET}', n - 1, 'Case ' || n, repeat('What about question ' || n || '? ', 10), array['bench'],
                    '[{{"type": "contains", "value": "GOOD"}}, {{"type": "max-length", "threshold": 2000}}]'
                from generate_series(1, 5000) n"#
        ),
        format!(
            r#"insert into lab_runs (id, agent_type, version_a, version_b, set_id, set_name, plan, status, concurrency, calls, done,
                    finished_at)
                values ('{RUN}', 'bench_lab', '1.0.0', '1.1.0', '{SET}', 'Large',
                    '{{"model": "compatible::bench", "repeats": 2, "primary": "pass_rate", "confidence": 0.95, "seed": 7}}',
                    'finished', 50, 20000, 20000, now())"#
        ),
        format!(
            "insert into lab_run_cases (run_id, number, test_case)
                select '{RUN}', position + 1, jsonb_build_object('name', name, 'input', input, 'tags', tags, 'checks', checks)
                from lab_cases"
        ),
        format!(
            r#"insert into lab_calls (run_id, number, kind, case_number, repeat, side, status, attempts, answer, stop, latency_ms,
                    first_token_ms, input_tokens, output_tokens, cost_usd, result, finished_at)
                select '{RUN}', row_number() over (), 'answer', n, repeat, side, 'answered', 1,
                    repeat(side || ' answers question ' || n || ' as it is. ', 30), 'finished',
                    200 + (n * 37 + repeat * 11 + ascii(side)) % 400, 90, 300, 100 + (n * 13 + ascii(side)) % 200, 0.0002,
                    jsonb_build_array(
                        jsonb_build_object('check', 'contains', 'passed', n % failing > 0, 'score', (n % failing > 0)::int,
                            'reason', 'It was looked for the word.'),
                        jsonb_build_object('check', 'max-length', 'passed', true, 'score', 1, 'reason', 'It is short enough.')),
                    now()
                from generate_series(1, 5000) n, generate_series(1, 2) repeat, (values ('a', 3), ('b', 4)) sides (side, failing)"#
        ),
        "analyze".to_owned(),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(pool).await.unwrap();
    }
}
