//! The whole program, as processes: several nodes, kills, stops, and the command line.

use std::{
    collections::BTreeSet,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};
use versioning::MIGRATOR;

use crate::{support::eventually, waiting::somebody_waits_for};

/// A `verbatim serve` on a port that the system chose.
pub struct Node {
    child: Child,
    /// Its log, line by line. It is read to the end, or the node would wait for somebody to read.
    log: UnboundedReceiver<String>,
    pub url: String,
}

/// The binary, without the settings of whoever runs the tests.
pub fn verbatim() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verbatim"));
    let ours = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        let ours = ["VERBATIM_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "OLLAMA_"];
        name == "DATABASE_URL"
            || name == "DATABASE_READ_URL"
            || ours.iter().any(|ours| name.starts_with(ours)) && name != "VERBATIM_POSTGRES_BIN"
    });
    for name in ours.collect::<Vec<_>>() {
        command.env_remove(name);
    }
    command.env("VERBATIM_LOG_FORMAT", "json").stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl Node {
    pub async fn start(database_url: &str) -> Self {
        Self::start_with(database_url, &[]).await
    }

    pub async fn start_with(database_url: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = verbatim();
        command.args(["serve", "--addr", "127.0.0.1:0", "--database-url", database_url]);
        let mut child = command.envs(settings.iter().copied()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (line, mut log) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(text)) = lines.next_line().await {
                let _ = line.send(text);
            }
        });
        let mut seen = Vec::new();
        let url = loop {
            let line = log.recv().await.unwrap_or_else(|| panic!("it ended: {seen:#?}"));
            let message = serde_json::from_str::<Value>(&line).unwrap_or_default()["message"].clone();
            if let Some(url) = message.as_str().and_then(|message| message.strip_prefix("serving on ")) {
                break url.to_owned();
            }
            seen.push(line);
        };
        Self { child, log, url }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap()
    }

    /// As a machine that loses its power does.
    pub async fn kill(mut self) {
        kill_process(self.pid(), Signal::KILL).unwrap();
        self.child.wait().await.unwrap();
    }

    /// The status and the body.
    pub async fn curl(&self, arguments: &[&str], path: &str) -> Option<(u16, String)> {
        curl(arguments, &format!("{}{path}", self.url)).await
    }

    pub async fn active(&self, agent_type: &str) -> String {
        let (status, body) = self.curl(&[], &format!("/api/v1/prompts/{agent_type}/active")).await.unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["version"].as_str().unwrap().to_owned()
    }

    pub async fn patch(&self, agent_type: &str, text: &str) -> Option<(u16, String)> {
        patch(self.url.clone(), agent_type, text).await
    }
}

/// Sends a patch to the server at `url`.
async fn patch(url: String, agent_type: &str, text: &str) -> Option<(u16, String)> {
    let body = json!({ "agent_type": agent_type, "prompt_text": text }).to_string();
    curl(&["-H", "content-type: application/json", "-d", &body], &format!("{url}/api/v1/prompts/patch")).await
}

async fn curl(arguments: &[&str], url: &str) -> Option<(u16, String)> {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "60", "-w", "\n%{http_code}"])
        .args(arguments)
        .arg(url)
        .output()
        .await
        .unwrap();
    output.status.success().then_some(())?;
    let said = String::from_utf8(output.stdout).unwrap();
    let (body, status) = said.rsplit_once('\n').unwrap();
    Some((status.parse().unwrap(), body.to_owned()))
}

/// An empty database of the test's own server, and its address.
pub async fn database(options: &PgConnectOptions) -> String {
    use sqlx::ConnectOptions;
    options.to_url_lossy().to_string()
}

fn succeeds(output: &std::process::Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[sqlx::test(migrations = false)]
async fn a_promotion_on_one_node_is_served_by_the_other(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let one = Node::start(&url).await;
    let other = Node::start(&url).await;
    assert_eq!(other.active("frontend_dev").await, "1.0.0");
    for round in 1..=20 {
        let (status, body) = one.patch("frontend_dev", &format!("round {round}")).await.unwrap();
        assert_eq!(status, 201, "{body}");
        let expected = format!("1.0.{round}");
        assert_eq!(one.active("frontend_dev").await, expected, "who promotes sees it in the next answer");
        // Long before the entry's time is over. How long it takes is a benchmark's business.
        eventually("the other node serves it", async || other.active("frontend_dev").await == expected).await;
    }
}

#[sqlx::test(migrations = false)]
async fn a_killed_server_loses_no_acknowledged_write(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let mut acknowledged = BTreeSet::new();
    let so_far = Arc::new(AtomicUsize::new(0));
    for round in 0..4 {
        let node = Node::start(&url).await;
        let before = so_far.load(Ordering::SeqCst);
        let writers = (0..4).map(|writer| {
            let (url, so_far) = (node.url.clone(), so_far.clone());
            tokio::spawn(async move {
                let mut written = Vec::new();
                loop {
                    let text = format!("text {round} {writer} {}", written.len());
                    match patch(url.clone(), "workshopper", &text).await {
                        Some((201, body)) => {
                            let version: Value = serde_json::from_str(&body).unwrap();
                            written.push((version["version"].as_str().unwrap().to_owned(), text));
                            so_far.fetch_add(1, Ordering::SeqCst);
                        }
                        Some(_) => {}
                        None => return written,
                    }
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        // In the middle of whatever it does.
        eventually("writes are acknowledged", async || so_far.load(Ordering::SeqCst) >= before + 2 + round).await;
        node.kill().await;
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
    }
    assert!(acknowledged.len() >= 8, "only {} writes were made", acknowledged.len());
    let pool = PgPool::connect(&url).await.unwrap();
    for (version, text) in &acknowledged {
        let stored: Option<String> =
            sqlx::query_scalar("select prompt_text from prompts where agent_type = 'workshopper' and version = $1")
                .bind(version)
                .fetch_optional(&pool)
                .await
                .unwrap();
        assert_eq!(stored.as_ref(), Some(text), "{version} was acknowledged");
    }
    // Nothing is half done: every version has its event, went live, and the last one is active.
    let odd: Vec<String> = sqlx::query_scalar(
        "select version from prompts where agent_type = 'workshopper' and (
            activated_at is null
            or (select count(*) from prompt_events e where (e.agent_type, e.version) = (prompts.agent_type, prompts.version)) <> 2
            or is_active <> (patch = (select max(patch) from prompts where agent_type = 'workshopper')))",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(odd, Vec::<String>::new());
    let node = Node::start(&url).await;
    let newest: i64 = sqlx::query_scalar("select max(patch) from prompts where agent_type = 'workshopper'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(node.active("workshopper").await, format!("1.0.{newest}"));
}

#[tokio::test]
async fn a_private_database_survives_kills_of_both() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    let settings = [("VERBATIM_DATA_DIR", data.to_str().unwrap())];
    let node = Node::start_with("", &settings).await;
    assert_eq!(node.patch("judge", "x").await.unwrap().0, 404);
    assert_eq!(node.patch("workshopper", "kept").await.unwrap().0, 201);
    let postmaster = || {
        let pid = std::fs::read_to_string(data.join("cluster/postmaster.pid")).ok()?;
        Pid::from_raw(pid.lines().next()?.trim().parse().ok()?)
    };

    // PostgreSQL is killed under the server: what is cached is served throughout, and it heals by itself.
    assert_eq!(node.active("workshopper").await, "1.0.1");
    kill_process(postmaster().unwrap(), Signal::KILL).unwrap();
    for _ in 0..20 {
        assert_eq!(node.active("workshopper").await, "1.0.1");
    }
    eventually("it takes writes again", async || matches!(node.patch("workshopper", "again").await, Some((201, _))))
        .await;
    assert_eq!(node.active("workshopper").await, "1.0.2");

    // The server is killed: the next one finds its PostgreSQL still running.
    node.kill().await;
    assert!(postmaster().is_some());
    let mut node = Node::start_with("", &settings).await;
    assert_eq!(node.active("workshopper").await, "1.0.2");

    // And told to stop, it leaves nothing behind.
    kill_process(node.pid(), Signal::TERM).unwrap();
    assert!(node.child.wait().await.unwrap().success());
    assert!(postmaster().is_none(), "PostgreSQL was stopped cleanly");
}

#[sqlx::test(migrations = false)]
async fn a_server_that_is_told_to_stop_ends_what_it_began(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let mut node = Node::start(&url).await;
    let pool = PgPool::connect(&url).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("select 1 from agents for no key update").execute(&mut *holder).await.unwrap();
    let slow = tokio::spawn(patch(node.url.clone(), "workshopper", "slow"));
    somebody_waits_for(&mut holder).await;
    kill_process(node.pid(), Signal::TERM).unwrap();
    while let Some(line) = node.log.recv().await {
        if line.contains("told to stop") {
            break;
        }
    }
    eventually("no new connection is taken", async || node.curl(&[], "/healthz").await.is_none()).await;
    holder.rollback().await.unwrap();
    let (status, body) = slow.await.unwrap().unwrap();
    assert_eq!(status, 201, "{body}");
    assert!(node.child.wait().await.unwrap().success());
}

#[sqlx::test(migrations = false)]
async fn a_client_that_holds_its_request_does_not_keep_the_server(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    // Nothing else lets go of them: a statement may take a minute.
    let settings = [("VERBATIM_DRAIN_TIMEOUT", "1"), ("VERBATIM_REQUEST_TIMEOUT", "3600")];
    let mut node = Node::start_with(&url, &settings).await;
    // One never ends its body; another one waits for a lock that nobody lets go of.
    let address = node.url.strip_prefix("http://").unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    let head = "POST /api/v1/prompts/patch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    half.write_all(format!("{head}content-length: 100\r\n\r\n{{").as_bytes()).await.unwrap();
    let pool = PgPool::connect(&url).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("select 1 from agents for no key update").execute(&mut *holder).await.unwrap();
    let waiting = tokio::spawn(patch(node.url.clone(), "workshopper", "late"));
    somebody_waits_for(&mut holder).await;
    kill_process(node.pid(), Signal::TERM).unwrap();
    let begin = Instant::now();
    assert!(node.child.wait().await.unwrap().success());
    assert!(begin.elapsed() < Duration::from_secs(40), "it took {:?}", begin.elapsed());
    assert_eq!(waiting.await.unwrap(), None, "it was cut off");
    holder.rollback().await.unwrap();
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_start_that_waits_can_be_stopped(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = pool.connect_with(options.clone()).await.unwrap();
    let url = database(&options).await;
    for command in ["serve", "seed"] {
        let mut holder = pool.begin().await.unwrap();
        sqlx::query("lock table _sqlx_migrations").execute(&mut *holder).await.unwrap();
        let address: &[&str] = if command == "serve" { &["--addr", "127.0.0.1:0"] } else { &[] };
        let mut child = verbatim().args([command, "--database-url", &url]).args(address).spawn().unwrap();
        somebody_waits_for(&mut holder).await;
        kill_process(Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap(), Signal::TERM).unwrap();
        let ended = child.wait().await.unwrap();
        // It ended by itself: nothing was left running, whatever it says of its work.
        assert_eq!(ended.code(), Some(i32::from(command != "serve")), "{command}");
        holder.rollback().await.unwrap();
    }
}

#[sqlx::test(migrations = false)]
async fn an_export_can_be_carried_to_another_database(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    succeeds(&verbatim().args(["seed", "--database-url", &url]).output().await.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry.jsonl");
    let export = async |url: &str| {
        let output = verbatim().args(["export", "--database-url", url]).output().await.unwrap();
        succeeds(&output);
        String::from_utf8(output.stdout).unwrap()
    };
    let exported = export(&url).await;
    assert_eq!(exported.lines().filter(|line| line.contains("\"record\":\"version\"")).count(), 14);
    let output = verbatim().args(["export", "--database-url", &url, "-o"]).arg(&file).output().await.unwrap();
    succeeds(&output);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), exported);
    // What is no file is written to, and neither that nor a link is ever replaced by a file.
    let to_stdout = folder.path().join("to_stdout");
    std::os::unix::fs::symlink("/dev/stdout", &to_stdout).unwrap();
    let to_file = folder.path().join("to_file");
    std::os::unix::fs::symlink(&file, &to_file).unwrap();
    std::fs::write(&file, "an older one").unwrap();
    for (link, said) in [(&to_stdout, exported.as_str()), (&to_file, "")] {
        let output = verbatim().args(["export", "--database-url", &url, "-o"]).arg(link).output().await.unwrap();
        succeeds(&output);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), said);
        assert!(link.is_symlink(), "{}", link.display());
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), exported);

    let refused = verbatim().args(["import", "--database-url", &url]).arg(&file).output().await.unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("backend_dev") && said.contains("Nothing was imported"), "{said}");

    let data = folder.path().join("data");
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let imported = verbatim().arg("import").arg(&file).arg("--data-dir").arg(&data).output().await.unwrap();
    succeeds(&imported);
    let output = verbatim().arg("export").arg("--data-dir").arg(&data).output().await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), exported);
}

#[sqlx::test(migrations = false)]
async fn what_happens_is_logged_with_agent_and_version(_: PgPoolOptions, options: PgConnectOptions) {
    let settings = [("VERBATIM_LOG", "debug")];
    let mut node = Node::start_with(&database(&options).await, &settings).await;
    let write = |path: &'static str, body: Value| {
        let url = format!("{}/api/v1/prompts/{path}", node.url);
        async move {
            let body = body.to_string();
            let given = ["-H", "content-type: application/json", "-H", "x-request-id: the-one", "-d", body.as_str()];
            curl(&given, &url).await.unwrap().0
        }
    };
    let first = json!({ "agent_type": "writer", "version": "1.0.0", "prompt_text": "x" });
    assert_eq!(write("versions", first.clone()).await, 201);
    assert_eq!(write("promote", json!({ "agent_type": "writer", "version": "1.0.0" })).await, 200);
    assert_eq!(write("versions", first).await, 400);
    let no_version = json!({ "agent_type": "writer", "version": "01.0.0", "prompt_text": "x" });
    assert_eq!(write("versions", no_version).await, 400);
    node.curl(&["-H", "x-request-id: the-one"], "/api/v1/prompts/writer/1.0").await.unwrap();
    node.active("writer").await;
    node.active("writer").await;
    for (message, version, request) in [
        ("version created", "1.0.0", Some("the-one")),
        ("version promoted", "1.0.0", Some("the-one")),
        ("refused", "1.0.0", Some("the-one")),
        ("refused", "01.0.0", Some("the-one")),
        ("refused", "1.0", Some("the-one")),
        ("cache miss", "1.0.0", None),
        ("cache hit", "1.0.0", None),
    ] {
        loop {
            let line = node.log.recv().await.expect("the line comes");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] != message {
                continue;
            }
            assert_eq!((&line["agent_type"], &line["version"]), (&json!("writer"), &json!(version)), "{line}");
            let id = if message == "refused" { &line["id"] } else { &line["span"]["id"] };
            if let Some(request) = request {
                assert_eq!(id, request, "{line}");
            }
            break;
        }
    }
}

#[sqlx::test(migrations = false)]
async fn a_refused_form_is_logged_as_a_refused_call_is(_: PgPoolOptions, options: PgConnectOptions) {
    let mut node = Node::start(&database(&options).await).await;
    let long_name = format!("version=1.0.0&author={}", "a".repeat(101));
    for (path, form, agent_type, version, code) in [
        ("/agents/workshopper/promote", "version=9.9.9", "workshopper", json!("9.9.9"), "unknown_version"),
        ("/agents/workshopper/promote", "version=one", "workshopper", json!("one"), "invalid_version"),
        ("/agents/workshopper/promote", long_name.as_str(), "workshopper", json!("1.0.0"), "author_too_long"),
        ("/agents/workshopper/reissue", "version=8.8.8", "workshopper", json!("8.8.8"), "unknown_version"),
        (
            "/agents/workshopper/edit",
            "base=7.7.7&text=x&intent=save",
            "workshopper",
            json!("7.7.7"),
            "unknown_base_version",
        ),
        ("/new", "agent_type=workshopper&text=x&intent=save", "workshopper", Value::Null, "agent_exists"),
        ("/new", "agent_type=No+Name&text=x&intent=save", "No Name", Value::Null, "invalid_agent_type"),
    ] {
        let id = format!("x-request-id: {code}");
        node.curl(&["-H", &id, "-d", form], path).await.unwrap();
        loop {
            let line = node.log.recv().await.expect("the line comes");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "refused" && line["id"] == code {
                assert_eq!((&line["agent_type"], &line["version"]), (&json!(agent_type), &version), "{line}");
                assert_eq!(line["code"], code, "{line}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_work_is_said_before_anything_is_started() {
    for (arguments, said) in [
        (&["serve", "--addr", "0.0.0.0:0"][..], "VERBATIM_ALLOW_REMOTE"),
        (&["serve", "--addr", "nowhere"][..], "nowhere"),
        (&["migrate", "--database-url", "mysql://x"][..], "DATABASE_URL"),
        (&["migrate", "--database-url", "postgres://verbatim:secret@127.0.0.1:9/x"][..], "127.0.0.1"),
        (&["serve", "--log", "loud=very"][..], "VERBATIM_LOG"),
        (&["serve", "--request-timeout", "0"][..], "seconds"),
    ] {
        let output = verbatim().args(arguments).output().await.unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(said) && !text.contains("secret"), "{arguments:?}: {text}");
    }
}
