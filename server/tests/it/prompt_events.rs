//! The stream of what is live: on real processes where several nodes or kills matter, else through the router.

use std::{
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::{Body, BodyDataStream};
use futures_util::{FutureExt, StreamExt};
use http::Request;
use leptos::config::LeptosOptions;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use server::state::{AgentSettings, AppState};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
};
use tower::ServiceExt;
use versioning::{Listener, MIGRATOR, PromptNotice, PromptStore, Services, listen};

use crate::{
    outage::load::{
        self,
        gate::{Gate, Passage},
    },
    process::{Node, database, verbatim},
    support::{Client, eventually, patient},
};

/// Makes events of lines.
#[derive(Default)]
struct Parser {
    kind: String,
    id: Option<String>,
}

/// An event: its kind, agent and version, or whether it went on; and its id.
struct Said {
    text: String,
    id: Option<i64>,
}

impl Parser {
    fn line(&mut self, line: &str) -> Option<Said> {
        if let Some(name) = line.strip_prefix("event:") {
            name.trim().clone_into(&mut self.kind);
        } else if let Some(id) = line.strip_prefix("id:") {
            self.id = Some(id.trim().to_owned());
        } else if let Some(data) = line.strip_prefix("data:") {
            let said: Value = serde_json::from_str(data).unwrap();
            let text = match said["agent_type"].as_str() {
                Some(agent) => {
                    let stale = if said["stale"] == true { " stale" } else { "" };
                    format!("{} {agent} {}{stale}", self.kind, said["version"].as_str().unwrap_or("none"))
                }
                None => format!("{} resumed={}", self.kind, said["resumed"]),
            };
            // Fields may come in any order.
            return Some(Said { text, id: None });
        }
        None
    }
}

struct Stream {
    lines: tokio::io::Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Stream {
    fn open(node: &Node, query: &str) -> Self {
        Self::open_after(node, query, "")
    }

    /// Goes on after an id.
    fn open_after(node: &Node, query: &str, id: &str) -> Self {
        let url = format!("{}/api/v1/prompts/events{query}", node.url);
        let mut child = Command::new("curl")
            .args(["-sN", "--max-time", "60", "-H", &format!("Last-Event-ID: {id}"), &url])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { lines: BufReader::new(child.stdout.take().unwrap()).lines(), child }
    }

    async fn said(&mut self) -> Option<Said> {
        let mut parser = Parser::default();
        let mut said: Option<Said> = None;
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if line.is_empty()
                && let Some(said) = said.take()
            {
                return Some(Said { id: parser.id.map(|id| id.parse().unwrap()), ..said });
            }
            said = parser.line(&line).or(said);
        }
        None
    }

    /// The next event as its kind, agent and version; none when the stream ends.
    async fn next(&mut self) -> Option<String> {
        self.said().await.map(|said| said.text)
    }

    /// What is told until everything was, and the id of that.
    async fn beginning(&mut self) -> (Vec<String>, i64) {
        let mut told = Vec::new();
        loop {
            let said = self.said().await.expect("it says how things stand");
            let is_end = said.text.starts_with("current ");
            told.push(said.text);
            if is_end {
                return (told, said.id.expect("it says up to where"));
            }
        }
    }
}

#[sqlx::test(migrations = false)]
async fn a_stream_says_how_things_stand_and_then_what_changes(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let one = Node::start(&url).await;
    let other = Node::start(&url).await;
    let mut all = Stream::open(&one, "");
    let (seen, position) = all.beginning().await;
    assert_eq!(seen.len(), 11);
    assert!(seen.contains(&"active backend_dev 1.1.0".to_owned()), "{seen:?}");
    assert_eq!(seen[10], "current resumed=false");
    let mut few = Stream::open(&one, "?agent_type=workshopper,backend_dev&agent_type=workshopper");
    let (mut told, same) = few.beginning().await;
    told.sort_unstable();
    assert_eq!(told, ["active backend_dev 1.1.0", "active workshopper 1.0.0", "current resumed=false"]);
    assert_eq!(same, position, "it is about all of them, whoever is followed");
    // What others do is not for this one; what the other node does is.
    other.patch("qa_engineer", "Test it.").await.unwrap();
    other.patch("workshopper", "Be kind.").await.unwrap();
    let said = few.said().await.unwrap();
    assert_eq!(said.text, "active workshopper 1.0.1");
    assert!(said.id.unwrap() > position, "it says up to where");
    assert_eq!(all.next().await.unwrap(), "active qa_engineer 1.0.2");
    assert_eq!(other.curl(&["-X", "DELETE"], "/api/v1/prompts/cache/backend_dev").await.unwrap().0, 200);
    assert_eq!(few.next().await.unwrap(), "cleared backend_dev none");
    // A server that stops waits for nobody who follows.
    kill_process(one.pid(), Signal::TERM).unwrap();
    assert_eq!(few.next().await, None);
    assert!(few.child.wait().await.unwrap().success(), "the stream ended as it should");
}

/// Agents whose versions went live long ago, and one without any.
async fn old_agents(pool: &PgPool) {
    for (number, agent) in ["anton", "berta", "clara"].iter().enumerate() {
        sqlx::query("insert into agents (agent_type) values ($1)").bind(agent).execute(pool).await.unwrap();
        sqlx::query(
            "insert into prompts (agent_type, version, prompt_text, is_active, activated_at)
                values ($1, '1.0.0', 'old', true, now() - make_interval(hours => 10 - $2))",
        )
        .bind(agent)
        .bind(i32::try_from(number).unwrap())
        .execute(pool)
        .await
        .unwrap();
    }
}

#[sqlx::test(migrations = false)]
async fn a_reader_that_comes_back_is_told_what_changed(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = pool.connect_with(options.clone()).await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    old_agents(&pool).await;
    let url = database(&options).await;
    let one = Node::start(&url).await;
    let other = Node::start(&url).await;
    let (told, position) = Stream::open(&one, "").beginning().await;
    let all =
        ["active anton 1.0.0", "active berta 1.0.0", "active clara 1.0.0", "current resumed=false"].map(str::to_owned);
    assert_eq!(told, all, "in the order in which they went live");
    // Nothing happened since. What went live at the very position is told again.
    let back = async |node: &Node, query: &str, id: &str| Stream::open_after(node, query, id).beginning().await;
    let (told, same) = back(&other, "", &position.to_string()).await;
    assert_eq!((told, same), (["active clara 1.0.0", "current resumed=true"].map(str::to_owned).to_vec(), position));
    let (told, _) = back(&other, "?agent_type=anton,berta", &position.to_string()).await;
    assert_eq!(told, ["current resumed=true"]);
    // While it was away.
    other.patch("anton", "new").await.unwrap();
    let (told, later) = back(&one, "?agent_type=anton,berta", &position.to_string()).await;
    assert_eq!(told, ["active anton 1.0.1", "current resumed=true"]);
    assert!(later > position);
    let (told, _) = back(&one, "", &later.to_string()).await;
    assert_eq!(told, ["active anton 1.0.1", "current resumed=true"]);
    // What was committed late is told as well: a little more than was asked for.
    let (told, _) = back(&one, "", &(later + 1 - 60_000_000).to_string()).await;
    assert_eq!(told, ["active anton 1.0.1", "current resumed=true"]);
    // What is no position is ignored, and so is one that was never told here.
    for id in ["", "x", "-", "1.5", "99999999999999999999999", &(later + 1).to_string()] {
        let (told, _) = back(&one, "", id).await;
        assert_eq!(told.len(), 4, "{id:?}: {told:?}");
        assert_eq!(told[3], "current resumed=false");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn nobody_follows_who_does_not_exist(pool: PgPool) {
    let client = Client::new(&pool);
    client.create("writer", "1.0.0").await;
    let get = async |query: &str| client.get(&format!("/api/v1/prompts/events?{query}")).await;
    get("agent_type=nobody").await.problem(404, "unknown_agent");
    get("agent_type=writer,Bad%20Name").await.problem(400, "invalid_agent_type");
    get("agent_type=").await.problem(400, "invalid_agent_type");
    get("agent_type=,,").await.problem(400, "invalid_agent_type");
    let many: Vec<String> = (0..101).map(|number| format!("agent_{number}")).collect();
    get(&format!("agent_type={}", many.join(","))).await.problem(400, "too_many_agents");
    // Whoever mistypes the name of the parameter is not to follow everybody.
    assert_eq!(get("agent=writer").await.problem(400, "unknown_parameter").as_deref(), Some("agent"));
    assert_eq!(get("agent_type=writer&x").await.problem(400, "unknown_parameter").as_deref(), Some("x"));
}

/// A server in this process that listens to the database.
struct Here {
    services: Services,
    state: AppState,
    _listening: Listener,
}

impl Here {
    async fn start(pool: &PgPool, heartbeat: Duration) -> Self {
        let services = Services::new(PromptStore::new(pool.clone()), patient());
        let listening = listen(&services).await;
        // It returns deaf when a connection takes too long.
        eventually("promotions are heard of", async || services.loading.is_listening()).await;
        let models = Arc::new(agents::Models::new(agents::ModelsSettings::default()));
        let lab = lab::Lab::new(pool.clone(), services.clone(), models, agents::Prices::built_in());
        let options = LeptosOptions::builder().output_name("verbatim").build();
        let settings = AgentSettings { heartbeat, ..AgentSettings::default() };
        let limit = Duration::from_secs(30);
        let state = AppState::with_agents(services.clone(), lab, pool.clone(), options, limit, settings);
        Self { services, state, _listening: listening }
    }

    async fn follow(&self, after: Option<i64>) -> BodyDataStream {
        let id = after.map(|id| id.to_string()).unwrap_or_default();
        let request = Request::get("/api/v1/prompts/events").header("last-event-id", id).body(Body::empty()).unwrap();
        let response = server::router(self.state.clone()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let told: f64 = response.headers()["verbatim-heartbeat"].to_str().unwrap().parse().unwrap();
        assert_eq!(Duration::from_secs_f64(told), self.state.heartbeat);
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        response.into_body().into_data_stream()
    }
}

async fn piece(stream: &mut BodyDataStream) -> Option<String> {
    let piece = tokio::time::timeout(Duration::from_secs(60), stream.next()).await.expect("something comes");
    piece.map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap())
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_silent_stream_says_that_it_is_there(pool: PgPool) {
    Client::new(&pool).live("writer", "1.0.0").await;
    let here = Here::start(&pool, Duration::from_millis(20)).await;
    let mut stream = here.follow(None).await;
    assert!(piece(&mut stream).await.unwrap().contains("event: active"));
    assert!(piece(&mut stream).await.unwrap().contains("event: current"));
    for _ in 0..3 {
        let heartbeat = piece(&mut stream).await.unwrap();
        assert!(heartbeat.starts_with(':') && heartbeat.trim_end().len() == 1, "{heartbeat:?}");
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_reader_that_is_too_slow_is_disconnected_and_goes_on(pool: PgPool) {
    let client = Client::new(&pool);
    client.live("writer", "1.0.0").await;
    let here = Here::start(&pool, Duration::from_secs(60)).await;
    let (mut slow, mut fast) = (here.follow(None).await, here.follow(None).await);
    let mut notices = here.services.notices.subscribe();
    assert!(piece(&mut slow).await.unwrap().contains("event: active"));
    let current = piece(&mut slow).await.unwrap();
    let id = current.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().parse().unwrap();
    // More than is kept for anybody, while it reads nothing. Each payload is another, or the database would say it once.
    for number in 0..3_000 {
        let said = serde_json::json!({ "agent_type": "writer", "version": "1.0.0", "number": number }).to_string();
        sqlx::query("select pg_notify('verbatim_prompts', $1)").bind(said).execute(&pool).await.unwrap();
        // Whoever reads along is not disturbed.
        assert!(matches!(notices.recv().await.unwrap(), PromptNotice::Promoted { .. }));
        while let Some(piece) = fast.next().now_or_never() {
            assert!(piece.unwrap().is_ok());
        }
    }
    assert_eq!(piece(&mut slow).await, None, "it is disconnected");
    let mut back = here.follow(Some(id)).await;
    let mut said = String::new();
    while !said.contains("current") {
        said.push_str(&piece(&mut back).await.unwrap());
    }
    assert!(said.contains("\"resumed\":true"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_database_a_stream_says_what_was_known() {
    let (_folder, postgres) = load::postgres().await;
    let mut gate = Gate::before(&postgres.connect_options()).await;
    let node = Node::start(&gate.url).await;
    assert_eq!(node.active("workshopper").await, "1.0.0");
    gate.set(Passage::Shut).await;
    eventually("the database is missed", async || {
        node.curl(&[], "/readyz").await.is_some_and(|(status, _)| status == 503)
    })
    .await;
    // The one that was never asked for here is left out, and told of later.
    let mut stream = Stream::open(&node, "?agent_type=workshopper,backend_dev");
    let said = stream.said().await.unwrap();
    assert_eq!((said.text.as_str(), said.id), ("active workshopper 1.0.0 stale", None));
    let answer = node.curl(&[], "/api/v1/prompts/events?agent_type=qa_engineer").await.unwrap();
    assert_eq!(answer.0, 503, "{}", answer.1);
    // Nobody waits for a database that has gone mute until it was the turn of all others.
    gate.set(Passage::Mute).await;
    let begun = Instant::now();
    let crowd: Vec<_> = (0..20).map(|_| Stream::open(&node, "?agent_type=workshopper")).collect();
    for mut stream in crowd {
        assert_eq!(stream.next().await.as_deref(), Some("active workshopper 1.0.0 stale"));
    }
    // One after the other they would take more than half a minute, at two seconds each.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    gate.set(Passage::Open).await;
    let (mut told, _) = stream.beginning().await;
    told.sort_unstable();
    assert_eq!(told, ["active backend_dev 1.1.0", "active workshopper 1.0.0", "current resumed=false"]);
    drop(node);
    postgres.stop().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn a_server_takes_as_many_connections_as_the_system_allows(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let program = verbatim();
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "ulimit -Sn 256 && ulimit -Hn 4096 && exec \"$0\" serve --addr 127.0.0.1:0 --database-url \"$1\"",
    ]);
    shell.arg(program.as_std().get_program()).arg(&url);
    for (name, value) in program.as_std().get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut child = shell.stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut is_told = false;
    loop {
        let line = log.next_line().await.unwrap().expect("it starts");
        is_told |= line.contains("hard limit of open files") && line.contains("4096");
        if line.contains("serving on") {
            break;
        }
    }
    assert!(is_told, "that it is less than many readers need is logged");
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pid.as_raw_nonzero())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["4096", "4096"]);
}
