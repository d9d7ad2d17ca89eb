//! Whether the largest set there is, of 5,000 cases, and a run with 20,000 results stay quick to open and to filter:
//! each page's time against that of the same page of a small set and a small run, measured in turns.

use std::time::{Duration, Instant};

use leptos::config::LeptosOptions;
use server::state::AppState;
use sqlx::{PgPool, postgres::PgPoolOptions};
use versioning::{LoadingSettings, MIGRATOR, PromptStore, Services};

use crate::support::{Connection, Goal, median, report, serve};

/// A set, and a finished run of it: both sides of every case, twice.
struct Laid {
    set: &'static str,
    run: &'static str,
    cases: u32,
}

const LARGE: Laid =
    Laid { set: "00000000-0000-0000-0000-00000000005e", run: "00000000-0000-0000-0000-00000000004a", cases: 5_000 };

/// Large enough that each of its pages is as full as one of the large ones.
const SMALL: Laid =
    Laid { set: "00000000-0000-0000-0000-00000000005f", run: "00000000-0000-0000-0000-00000000004b", cases: 120 };

/// How many times as long a page of the large ones may take.
const TIMES: f64 = 2.0;

/// What a page of the large ones may take, however slow those of the small ones are.
const LIMIT: Duration = Duration::from_millis(100);

/// What the first look at a finished run may take: its report is computed then, all resampling included, and is kept.
const FIRST_REPORT: Duration = Duration::from_secs(1);

/// What the first look through a filter may take: the checks of all answers are read then, and what came of it is kept.
const FIRST_FILTER: Duration = Duration::from_millis(500);

pub async fn measure() -> bool {
    let (_folder, postgres) = crate::support::postgres().await;
    let pool = PgPoolOptions::new().max_connections(10).connect_with(postgres.connect_options()).await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    lay_down(&pool).await;
    let services = Services::new(PromptStore::new(pool.clone()), LoadingSettings::default());
    let lab = crate::support::lab(&pool, &services);
    let options = LeptosOptions::builder().output_name("verbatim").build();
    let address =
        serve(server::router(AppState::new(services, lab, pool.clone(), options, Duration::from_secs(30)))).await;

    let results = |laid: &Laid, query: &str| format!("/api/v1/lab/runs/{}/results?{query}", laid.run);
    let page = |laid: &Laid, query: &str| format!("/lab/runs/{}{query}", laid.run);
    let set = |laid: &Laid, query: &str| format!("/lab/sets/{}{query}", laid.set);
    let mut met = first(
        &address,
        "the first filter over a run of 20,000 answers",
        &results(&LARGE, "filter=differs"),
        FIRST_FILTER,
    )
    .await;
    met &= first(&address, "the report of a run of 20,000 answers, computed", &page(&LARGE, ""), FIRST_REPORT).await;
    for (what, large, proof, small) in [
        ("a set: its first page", set(&LARGE, ""), "page 1 of 100", set(&SMALL, "")),
        ("a set: a page in its middle", set(&LARGE, "?page=60"), "Case 2951", set(&SMALL, "?page=2")),
        ("a run: its page", page(&LARGE, ""), "page 1 of 250", page(&SMALL, "")),
        ("a run: where A fails", page(&LARGE, "?filter=a_fails"), "page 1 of 84", page(&SMALL, "?filter=a_fails")),
        (
            "a run: what differs, far back",
            page(&LARGE, "?filter=differs&page=80"),
            "page 80 of",
            page(&SMALL, "?filter=differs&page=2"),
        ),
        (
            "a run over REST: what differs",
            results(&LARGE, "filter=differs"),
            "\"total\":2084",
            results(&SMALL, "filter=differs"),
        ),
        ("a run over REST: its last page", results(&LARGE, "page=250"), "\"number\":5000", results(&SMALL, "page=6")),
        (
            "a pair to review",
            format!("/api/v1/lab/runs/{}/review?reviewer=ada", LARGE.run),
            "\"pairs\":10000",
            format!("/api/v1/lab/runs/{}/review?reviewer=ada", SMALL.run),
        ),
    ] {
        met &= against(&address, what, &large, proof, &small).await;
    }
    pool.close().await;
    postgres.stop().await.unwrap();
    met
}

/// Seconds of one look at a page.
async fn look(address: &str, path: &str, proof: &str) -> f64 {
    let mut connection = Connection::open(address).await;
    let begin = Instant::now();
    let answer = connection.get_and_close(path).await;
    let seconds = begin.elapsed().as_secs_f64();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(proof), "{path}: {answer}");
    seconds
}

/// The first look at what is computed once.
async fn first(address: &str, what: &str, path: &str, limit: Duration) -> bool {
    let seconds = look(address, path, "").await;
    let figures = format!("{:.0} ms of {} ms", seconds * 1e3, limit.as_millis());
    report(what, &figures, seconds / limit.as_secs_f64(), Goal::AtMost(1.0))
}

/// The median of some looks at a page of the large ones, against that of the small ones and against the limit.
async fn against(address: &str, what: &str, large: &str, proof: &str, small: &str) -> bool {
    // What is computed once is there.
    look(address, small, "").await;
    let (mut of_large, mut of_small) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        of_small.push(look(address, small, "").await);
        of_large.push(look(address, large, proof).await);
    }
    let slowest = of_large.iter().copied().fold(0.0, f64::max);
    let (large, small) = (median(of_large), median(of_small));
    let figures =
        format!("{:.1} ms, the small one {:.1} ms; slowest {:.1} ms", large * 1e3, small * 1e3, slowest * 1e3);
    let is_alike = report(&format!("{what}, against a small one"), &figures, large / small, Goal::AtMost(TIMES));
    let figures = format!("{:.1} ms of {} ms", large * 1e3, LIMIT.as_millis());
    report(what, &figures, large / LIMIT.as_secs_f64(), Goal::AtMost(1.0)) && is_alike
}

/// Both sets and their runs. A fails in a third of the cases, B in a quarter.
async fn lay_down(pool: &PgPool) {
    let agent = "insert into agents (agent_type) values ('bench_lab');
        insert into prompts (agent_type, version, prompt_text)
            values ('bench_lab', '1.0.0', 'One.'), ('bench_lab', '1.1.0', 'Two.')";
    sqlx::raw_sql(agent).execute(pool).await.unwrap();
    for Laid { set, run, cases } in [LARGE, SMALL] {
        let answers = cases * 4;
        let statements = format!(
            r#"insert into lab_sets (id, agent_type, name) values ('{set}', 'bench_lab', 'Of {cases}');
            insert into lab_cases (set_id, position, name, input, tags, checks)
                select '{set}', n - 1, 'Case ' || n, repeat('What about question ' || n || '? ', 10), array['bench'],
                    '[{{"type": "contains", "value": "GOOD"}}, {{"type": "max-length", "threshold": 2000}}]'
                from generate_series(1, {cases}) n;
            insert into lab_runs (id, agent_type, version_a, version_b, set_id, set_name, plan, status, concurrency,
                    calls, done, finished_at)
                values ('{run}', 'bench_lab', '1.0.0', '1.1.0', '{set}', 'Of {cases}',
                    '{{"model": "compatible::bench", "repeats": 2, "primary": "pass_rate", "confidence": 0.95,
                        "seed": 7}}',
                    'finished', 50, {answers}, {answers}, now());
            insert into lab_run_cases (run_id, number, test_case)
                select '{run}', position + 1,
                    jsonb_build_object('name', name, 'input', input, 'tags', tags, 'checks', checks)
                from lab_cases where set_id = '{set}';
            insert into lab_calls (run_id, number, kind, case_number, repeat, side, status, attempts, answer, stop,
                    latency_ms, first_token_ms, input_tokens, output_tokens, cost_usd, result, finished_at)
                select '{run}', row_number() over (), 'answer', n, repeat, side, 'answered', 1,
                    repeat(side || ' answers question ' || n || ' as it is. ', 30), 'finished',
                    200 + (n * 37 + repeat * 11 + ascii(side)) % 400, 90, 300, 100 + (n * 13 + ascii(side)) % 200,
                    0.0002,
                    jsonb_build_array(
                        jsonb_build_object('check', 'contains', 'passed', n % failing > 0,
                            'score', (n % failing > 0)::int, 'reason', 'It was looked for the word.'),
                        jsonb_build_object('check', 'max-length', 'passed', true, 'score', 1,
                            'reason', 'It is short enough.')),
                    now()
                from generate_series(1, {cases}) n, generate_series(1, 2) repeat,
                    (values ('a', 3), ('b', 4)) sides (side, failing)"#
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(pool).await.unwrap();
    }
    sqlx::raw_sql("analyze").execute(pool).await.unwrap();
}
