//! How long the server works on the pages that have the most to do. Each figure is a share of its limit.

use std::time::{Duration, Instant};

use leptos::config::LeptosOptions;
use server::state::AppState;
use sqlx::{PgPool, postgres::PgPoolOptions};
use versioning::{LoadingSettings, MIGRATOR, PromptStore, Services};

use crate::support::{Connection, Goal, median, report, serve};

/// Two texts of 1 MB with 1,000 scattered changes.
const COMPARISON: (&str, Duration) = ("/agents/bench_long_text/compare?base=1.0.0&head=1.1.0", Duration::from_secs(1));

/// The history of an agent with 10,000 versions, in both orders and far back.
const HISTORIES: [&str; 3] =
    ["/agents/bench_many", "/agents/bench_many?sort=version&dir=asc", "/agents/bench_many?page=150"];
const HISTORY_LIMIT: Duration = Duration::from_millis(100);

pub async fn measure() -> bool {
    let (_folder, postgres) = crate::support::postgres().await;
    let pool = PgPoolOptions::new().max_connections(10).connect_with(postgres.connect_options()).await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    fill(&pool).await;
    let services = Services::new(PromptStore::new(pool.clone()), LoadingSettings::default());
    let options = LeptosOptions::builder().output_name("verbatim").build();
    let lab = crate::support::lab(&pool, &services);
    let ours =
        serve(server::router(AppState::new(services, lab, pool.clone(), options, Duration::from_secs(30)))).await;

    let mut met = page(&ours, COMPARISON.0, COMPARISON.1).await;
    for path in HISTORIES {
        met &= page(&ours, path, HISTORY_LIMIT).await;
    }
    pool.close().await;
    postgres.stop().await.unwrap();
    met
}

/// The median of 15 answers against the limit.
async fn page(ours: &str, path: &str, limit: Duration) -> bool {
    let mut connection = Connection::open(ours).await;
    let mut times = Vec::new();
    for _ in 0..15 {
        let begin = Instant::now();
        let answer = connection.get_and_close(path).await;
        times.push(begin.elapsed().as_secs_f64());
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}");
        connection = Connection::open(ours).await;
    }
    let median = median(times);
    let figures = format!("{:.1} ms of {} ms", median * 1e3, limit.as_millis());
    report(path, &figures, median / limit.as_secs_f64(), Goal::AtMost(1.0))
}

async fn fill(pool: &PgPool) {
    let words = ["answer", "plainly", "never", "guess", "name", "every", "limit", "state", "test", "review"];
    let lines: Vec<String> = (0..18_000_usize)
        .map(|line| {
            (0..9).map(|word| words[(line * 7 + word * 3 + line / 11) % words.len()]).collect::<Vec<_>>().join(" ")
        })
        .collect();
    let changed: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(line, text)| if line % 18 == 5 { text.replacen(' ', " rather ", 1) } else { text.clone() })
        .collect();
    for statement in ["insert into agents (agent_type) values ('bench_long_text'), ('bench_many')"] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    for (version, lines) in [("1.0.0", lines), ("1.1.0", changed)] {
        let text = lines.join("\n");
        assert!((1_000_000..=1_048_576).contains(&text.len()), "{}", text.len());
        sqlx::query("insert into prompts (agent_type, version, prompt_text) values ('bench_long_text', $1, $2)")
            .bind(version)
            .bind(text)
            .execute(pool)
            .await
            .unwrap();
    }
    sqlx::query(
        "insert into prompts (agent_type, version, prompt_text, created_at, created_by, notes)
            select 'bench_many', '1.' || n / 100 || '.' || n % 100, repeat('Write plainly, as ' || n || ' says. ', 100),
                now() + n * interval '1 second', 'ada', 'Notes of ' || n
            from generate_series(0, 9999) n",
    )
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("update prompts set is_active = true where agent_type = 'bench_many' and version = '1.50.0'")
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("analyze").execute(pool).await.unwrap();
}
