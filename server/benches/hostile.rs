//! How long a text that is made to take long keeps the server: the preview as Markdown, against that of a prompt of the same size,
//! and the changes against a base.

use std::time::{Duration, Instant};

use leptos::config::LeptosOptions;
use server::state::AppState;
use sqlx::{PgPool, postgres::PgPoolOptions};
use versioning::{LoadingSettings, MIGRATOR, PromptStore, Services};

use crate::support::{Connection, Goal, median, report, serve};

/// The longest prompt, in bytes.
const LONGEST: usize = 1024 * 1024;

/// How many times as long a preview may take as that of an ordinary prompt of the same size.
const PREVIEW: f64 = 20.0;

/// How long the changes may take: as long as two ordinary texts of this size with many changes.
const CHANGES: Duration = Duration::from_secs(1);

/// What begins something, over and over.
const PIECES: [&str; 46] = [
    ">",
    "> ",
    "- ",
    "1. ",
    "[",
    "![a](",
    "*",
    "*a **b ",
    "_a",
    "<",
    "<a ",
    "<!--",
    "`a``",
    "~~a",
    "|a\n",
    "a|b\n-|-\n",
    "[a]: b\n",
    "&",
    "&amp;",
    "\"",
    "- a\n",
    "> a\nb\n",
    "[a](",
    "![",
    "[[a]",
    "](",
    "*a_ ",
    "<a>",
    "<?",
    "<![CDATA[",
    "`",
    "```\n",
    "||||\n",
    "[a][b]",
    "[^a]",
    "\\",
    "\n",
    "a\n",
    "# a\n",
    "a\n-\n",
    "- [ ] a\n",
    "<div>\n\n",
    "    a\n",
    "* a\n  * b\n",
    "a  \n",
    "{{a}}",
];

pub async fn measure() -> bool {
    let (_folder, postgres) = crate::support::postgres().await;
    let pool = PgPoolOptions::new().max_connections(10).connect_with(postgres.connect_options()).await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    let services = Services::new(PromptStore::new(pool.clone()), LoadingSettings::default());
    let options = LeptosOptions::builder().output_name("verbatim").build();
    let lab = crate::support::lab(&pool, &services);
    let state = AppState::new(services, lab, pool.clone(), options, Duration::from_secs(30));
    let ours = serve(server::router(state)).await;

    let met = previews(&ours).await & changes(&ours, &pool).await;
    pool.close().await;
    postgres.stop().await.unwrap();
    met
}

/// The slowest preview against that of an ordinary prompt.
async fn previews(ours: &str) -> bool {
    let line = "# Role\n\nSay **why** & how to {{person}}, in one short sentence.\n\n";
    let ordinary = preview(ours, &repeated(line, LONGEST)).await;
    let mut slowest = (0.0, String::new());
    for text in hostile() {
        let seconds = preview(ours, &text).await;
        if seconds > slowest.0 {
            slowest = (seconds, text.chars().take(20).collect());
        }
    }
    let figures = format!("{:.0} ms for {:?}… against {:.0} ms", slowest.0 * 1e3, slowest.1, ordinary * 1e3);
    report("a preview of a hostile text against an ordinary one", &figures, slowest.0 / ordinary, Goal::AtMost(PREVIEW))
}

fn hostile() -> impl Iterator<Item = String> {
    // What is written with several times its length is not rendered any more when it is longest.
    let pieces = PIECES.iter().flat_map(|piece| [LONGEST, LONGEST / 3].map(|length| repeated(piece, length)));
    // What stands in many lists or quotes, and what is not indented as they are: empty lines, and lines that go on all the same.
    let stairs = |step: &str, line: &str| (0..200).map(|depth| step.repeat(depth) + line).collect::<String>();
    let begins = [stairs("  ", "- a\n"), stairs("> ", "a\n"), "- ".repeat(1_000), "> - ".repeat(300)];
    let nested = begins.into_iter().flat_map(|begin| {
        ["\n", "a\n", ">\n", "  \n"].map(|line| format!("{begin}a\n{}", repeated(line, LONGEST - begin.len() - 2)))
    });
    pieces.chain(nested)
}

fn repeated(piece: &str, length: usize) -> String {
    piece.repeat(length / piece.len())
}

async fn preview(ours: &str, text: &str) -> f64 {
    time(ours, "/api/pages/preview", &serde_json::json!({ "text": text, "values": {} })).await
}

/// The changes between two texts whose lines have the same words in another order, so that each line is compared with each.
async fn changes(ours: &str, pool: &PgPool) -> bool {
    let lines = |step: usize| {
        let line = |line: usize| {
            (0..798).map(|word| format!("w{:03x} ", (word * step + line * 31) % 797)).collect::<String>() + "\n"
        };
        (0..262).map(line).collect::<String>()
    };
    sqlx::query("insert into agents (agent_type) values ('bench')").execute(pool).await.unwrap();
    sqlx::query("insert into prompts (agent_type, version, prompt_text) values ('bench', '1.0.0', $1)")
        .bind(lines(5))
        .execute(pool)
        .await
        .unwrap();
    let body = serde_json::json!({ "agent_type": "bench", "base": "1.0.0", "text": lines(600) });
    let took = time(ours, "/api/pages/changes", &body).await;
    let figures = format!("{:.0} ms of {} ms", took * 1e3, CHANGES.as_millis());
    report("changes between hostile texts", &figures, took / CHANGES.as_secs_f64(), Goal::AtMost(1.0))
}

/// The median of the seconds of three answers.
async fn time(ours: &str, path: &str, body: &serde_json::Value) -> f64 {
    let body = body.to_string();
    let mut connection = Connection::open(ours).await;
    let mut times = Vec::new();
    for _ in 0..3 {
        let begin = Instant::now();
        let answer = connection.post(path, &body).await;
        times.push(begin.elapsed().as_secs_f64());
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&answer));
    }
    median(times)
}
