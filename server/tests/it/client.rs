//! The client crate against real servers: what an agent outside gets, whatever fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use client::{ClientSettings, PromptClient};
use futures_util::FutureExt;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::task::JoinHandle;
use versioning::{AgentType, LoadErrorKind, PromptLoader, PromptSource};

use crate::{
    outage::load::{
        self,
        gate::{Gate, Passage},
    },
    process::{Node, database},
    proxy::Proxy,
    support::eventually,
};

fn agent(name: &str) -> AgentType {
    name.parse().unwrap()
}

fn settings(url: &str) -> ClientSettings {
    ClientSettings {
        request_timeout: Duration::from_secs(60),
        retry_after_failure: Duration::from_millis(50),
        ..ClientSettings::new(url)
    }
}

/// Loads one prompt over and over: every answer must be one.
struct Reading {
    is_over: Arc<AtomicBool>,
    task: JoinHandle<usize>,
}

impl Reading {
    fn begin(prompts: &Arc<PromptClient>, agent: AgentType) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (prompts, over) = (prompts.clone(), is_over.clone());
        let task = tokio::spawn(async move {
            let (mut answers, mut last) = (0, None);
            while !over.load(Ordering::SeqCst) {
                // Whoever waits for anything is not answered at the first look.
                let prompt = prompts.load(&agent).now_or_never().expect("the answer waits").unwrap();
                assert!(last <= Some(prompt.version), "{} after {last:?}", prompt.version);
                last = Some(prompt.version);
                answers += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            answers
        });
        Self { is_over, task }
    }

    /// How many answers there were.
    async fn end(self) -> usize {
        self.is_over.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

#[sqlx::test(migrations = false)]
async fn a_promotion_reaches_a_remote_memory_by_itself(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let one = Node::start(&url).await;
    let other = Node::start(&url).await;
    let proxy = Proxy::before(&one.url).await;
    let prompts = PromptClient::new(settings(&proxy.url)).unwrap();
    let writer = agent("workshopper");
    let first = prompts.load(&writer).await.unwrap();
    assert_eq!((first.version.to_string().as_str(), first.source), ("1.0.0", PromptSource::Fresh));
    let asked = proxy.prompts();
    for _ in 0..100 {
        assert_eq!(prompts.load(&writer).await.unwrap().source, PromptSource::Cache);
    }
    assert_eq!(proxy.prompts(), asked, "what is known is not asked for");
    // On the other node; nobody asks meanwhile.
    other.patch("workshopper", "Be kind.").await.unwrap();
    eventually("the client has asked by itself", async || proxy.prompts() > asked).await;
    eventually("the new prompt is in memory", async || {
        let prompt = prompts.load(&writer).await.unwrap();
        prompt.source == PromptSource::Cache && &*prompt.text == "Be kind."
    })
    .await;
    let error = prompts.load(&agent("nobody_here")).await.unwrap_err();
    assert_eq!(error.kind, LoadErrorKind::NothingActive);
    assert!(error.message.contains("nobody_here"), "{error}");
}

#[sqlx::test(migrations = false)]
async fn a_hundred_who_ask_at_once_cost_one_request(_: PgPoolOptions, options: PgConnectOptions) {
    let node = Node::start(&database(&options).await).await;
    let proxy = Proxy::before(&node.url).await;
    let prompts = Arc::new(PromptClient::new(settings(&proxy.url)).unwrap());
    let loads = (0..100).map(|_| {
        let prompts = prompts.clone();
        tokio::spawn(async move { prompts.load(&agent("workshopper")).await.unwrap().version.to_string() })
    });
    for load in loads.collect::<Vec<_>>() {
        assert_eq!(load.await.unwrap(), "1.0.0");
    }
    assert_eq!(proxy.prompts(), 1);
}

#[sqlx::test(migrations = false)]
async fn without_the_registry_agents_go_on_and_come_back_by_themselves(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let node = Node::start(&url).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompts.json");
    let writer = agent("workshopper");
    let proxy = Proxy::before(&node.url).await;
    let short = ClientSettings {
        time_to_live: Duration::from_millis(1),
        fallback_file: Some(file.clone()),
        ..settings(&proxy.url)
    };
    let prompts = PromptClient::new(short.clone()).unwrap();
    let text = prompts.load(&writer).await.unwrap().text;
    eventually("the file is written", async || file.exists()).await;
    node.kill().await;
    // Every answer is there at once, and says what it is.
    eventually("answers are stale", async || prompts.load(&writer).await.unwrap().source == PromptSource::Stale).await;
    for _ in 0..100 {
        let prompt = prompts.load(&writer).await.unwrap();
        assert_eq!((&prompt.text, prompt.source), (&text, PromptSource::Stale));
    }
    // A start without it.
    let cold = PromptClient::new(short.clone()).unwrap();
    let prompt = cold.load(&writer).await.unwrap();
    assert_eq!((&prompt.text, prompt.source), (&text, PromptSource::File));
    let unknown = cold.load(&agent("backend_dev")).await.unwrap_err();
    assert_eq!(unknown.kind, LoadErrorKind::Unavailable);
    // Whoever allows less staleness is told, and gets what was known.
    let strict = PromptClient::new(ClientSettings { max_staleness: Duration::ZERO, ..short.clone() }).unwrap();
    let error = strict.load(&writer).await.unwrap_err();
    assert_eq!(error.kind, LoadErrorKind::TooStale);
    assert_eq!(error.last_known.unwrap().text, text);
    // It comes back, with something new.
    let again = Node::start(&url).await;
    proxy.lead_to(&again.url);
    again.patch("workshopper", "After the storm.").await.unwrap();
    for client in [&prompts, &cold] {
        eventually("the new prompt is there", async || {
            client.load(&writer).await.is_ok_and(|prompt| &*prompt.text == "After the storm.")
        })
        .await;
    }
}

#[sqlx::test(migrations = false)]
async fn a_network_that_hangs_delays_no_answer(_: PgPoolOptions, options: PgConnectOptions) {
    let node = Node::start(&database(&options).await).await;
    let proxy = Proxy::before(&node.url).await;
    let patient = ClientSettings {
        time_to_live: Duration::from_millis(1),
        // Whoever waited for the network would wait for this.
        request_timeout: Duration::from_secs(3600),
        silence: Some(Duration::from_millis(500)),
        ..settings(&proxy.url)
    };
    let prompts = PromptClient::new(patient).unwrap();
    let writer = agent("workshopper");
    prompts.load(&writer).await.unwrap();
    proxy.hang(true);
    let mut stale = 0;
    while stale < 200 {
        let load = tokio::time::timeout(Duration::from_secs(60), prompts.load(&writer));
        let prompt = load.await.expect("the answer does not wait for the network").unwrap();
        stale += usize::from(prompt.source == PromptSource::Stale);
        tokio::task::yield_now().await;
    }
    node.patch("workshopper", "Behind the wall.").await.unwrap();
    proxy.hang(false);
    eventually("what happened meanwhile is heard of", async || {
        &*prompts.load(&writer).await.unwrap().text == "Behind the wall."
    })
    .await;
}

#[sqlx::test(migrations = false)]
async fn an_older_version_never_follows_a_newer_one(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let nodes = [Node::start(&url).await, Node::start(&url).await];
    let prompts = Arc::new(PromptClient::new(settings(&nodes[0].url)).unwrap());
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = {
        let (prompts, is_over) = (prompts.clone(), is_over.clone());
        tokio::spawn(async move {
            let mut last = prompts.load(&agent("workshopper")).await.unwrap().version;
            while !is_over.load(Ordering::SeqCst) {
                let version = prompts.load(&agent("workshopper")).await.unwrap().version;
                assert!(version >= last, "{version} after {last}");
                last = version;
                tokio::task::yield_now().await;
            }
        })
    };
    for round in 0..30 {
        nodes[round % 2].patch("workshopper", &format!("Round {round}.")).await.unwrap();
    }
    eventually("the last one is there", async || {
        prompts.load(&agent("workshopper")).await.unwrap().version.to_string() == "1.0.30"
    })
    .await;
    is_over.store(true, Ordering::SeqCst);
    reader.await.unwrap();
}

/// A client that follows `workshopper`, and who loads it over and over. Nothing is set: five minutes to live, an hour
/// of staleness, and as long to be silent as the registry says.
async fn at_work(proxy: &Proxy) -> (Arc<PromptClient>, Reading) {
    let prompts = Arc::new(PromptClient::new(ClientSettings::new(&proxy.url)).unwrap());
    prompts.load(&agent("workshopper")).await.unwrap();
    proxy.settled(1).await;
    let reading = Reading::begin(&prompts, agent("workshopper"));
    (prompts, reading)
}

/// Waits until answers are sure and promotions are heard of. How long the pauses between two attempts are is tested in the
/// client.
async fn is_whole(prompts: &PromptClient, node: &Node, text: &str) {
    let writer = agent("workshopper");
    eventually("the answer is sure", async || prompts.load(&writer).await.unwrap().source == PromptSource::Cache).await;
    node.patch("workshopper", text).await.unwrap();
    eventually("a promotion is there", async || {
        let prompt = prompts.load(&writer).await.unwrap();
        &*prompt.text == text && prompt.source == PromptSource::Cache
    })
    .await;
}

#[sqlx::test(migrations = false)]
async fn a_registry_that_is_killed_is_told_of_and_missed_no_longer_than_it_is_away(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let url = database(&options).await;
    let node = Node::start(&url).await;
    let proxy = Proxy::before(&node.url).await;
    let (prompts, reading) = at_work(&proxy).await;
    let writer = agent("workshopper");
    eventually("answers are sure", async || prompts.load(&writer).await.unwrap().source == PromptSource::Cache).await;
    node.kill().await;
    eventually("answers are stale", async || prompts.load(&writer).await.unwrap().source == PromptSource::Stale).await;
    // It stays so, while it is tried again and again.
    let tried = proxy.seen.connections.load(Ordering::SeqCst);
    eventually("it is tried until the pauses are long", async || {
        assert_eq!(prompts.load(&writer).await.unwrap().source, PromptSource::Stale);
        proxy.seen.connections.load(Ordering::SeqCst) >= tried + 10
    })
    .await;
    let again = Node::start(&url).await;
    proxy.lead_to(&again.url);
    is_whole(&prompts, &again, "After the storm.").await;
    assert!(reading.end().await > 200);
}

#[sqlx::test(migrations = false)]
async fn a_proxy_that_hangs_is_told_of_and_costs_no_answer(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let node = Node::start_with(&url, &[("VERBATIM_HEARTBEAT", "1")]).await;
    let proxy = Proxy::before(&node.url).await;
    let (prompts, reading) = at_work(&proxy).await;
    let writer = agent("workshopper");
    let settled = proxy.seen.settled.load(Ordering::SeqCst);
    proxy.hang(true);
    let hung = Instant::now();
    eventually("answers are stale", async || prompts.load(&writer).await.unwrap().source == PromptSource::Stale).await;
    // Who is not told of heartbeats waits for 40 seconds.
    assert!(hung.elapsed() < Duration::from_secs(30), "two to three heartbeats are enough: {:?}", hung.elapsed());
    assert_eq!(proxy.seen.settled.load(Ordering::SeqCst), settled, "it was silent for no other reason");
    for _ in 0..200 {
        assert_eq!(prompts.load(&writer).await.unwrap().source, PromptSource::Stale);
    }
    proxy.hang(false);
    is_whole(&prompts, &node, "Behind the wall.").await;
    assert!(reading.end().await > 200);
}

#[sqlx::test(migrations = false)]
async fn a_proxy_that_ends_every_stream_is_not_asked_all_the_time(_: PgPoolOptions, options: PgConnectOptions) {
    let node = Node::start(&database(&options).await).await;
    let proxy = Proxy::before(&node.url).await;
    proxy.seen.ends_streams.store(true, Ordering::SeqCst);
    let prompts = PromptClient::new(ClientSettings::new(&proxy.url)).unwrap();
    let writer = agent("workshopper");
    prompts.load(&writer).await.unwrap();
    eventually("it is tried again", async || proxy.streams() >= 6).await;
    let attempts = proxy.asked("/events");
    let took = attempts[5].0 - attempts[1].0;
    assert!(took > Duration::from_millis(1_500), "four pauses took {took:?}");
    // Promotions are not heard of, so it is asked.
    node.patch("workshopper", "Without a stream.").await.unwrap();
    eventually("the new prompt is there", async || &*prompts.load(&writer).await.unwrap().text == "Without a stream.")
        .await;
}

#[sqlx::test(migrations = false)]
async fn a_stream_that_is_cut_goes_on_where_it_ended(_: PgPoolOptions, options: PgConnectOptions) {
    let node = Node::start(&database(&options).await).await;
    let proxy = Proxy::before(&node.url).await;
    let prompts = PromptClient::new(settings(&proxy.url)).unwrap();
    for name in ["workshopper", "backend_dev"] {
        prompts.load(&agent(name)).await.unwrap();
    }
    // One or two, as the second agent was known in time or not.
    eventually("both are followed", async || {
        let streams = proxy.asked("/events");
        streams.last().is_some_and(|(_, asked)| asked.contains("backend_dev,workshopper"))
            && proxy.seen.settled.load(Ordering::SeqCst) == streams.len()
    })
    .await;
    let streams = proxy.streams();
    let asked = proxy.asked("/workshopper/active ").len();
    proxy.cut();
    proxy.settled(streams + 1).await;
    let (_, request) = proxy.asked("/events").pop().unwrap();
    let id = request.lines().find_map(|line| line.strip_prefix("last-event-id: ")).expect("it says where it was");
    assert!(id.parse::<i64>().is_ok(), "{id}");
    // What comes after it is heard of, so everything before was.
    node.patch("backend_dev", "After the cut.").await.unwrap();
    eventually("the new prompt is there", async || {
        &*prompts.load(&agent("backend_dev")).await.unwrap().text == "After the cut."
    })
    .await;
    assert_eq!(prompts.load(&agent("workshopper")).await.unwrap().source, PromptSource::Cache);
    assert_eq!(proxy.asked("/workshopper/active ").len(), asked, "nothing had to be asked for");
}

#[sqlx::test(migrations = false)]
async fn only_agents_that_are_used_are_followed(_: PgPoolOptions, options: PgConnectOptions) {
    let node = Node::start(&database(&options).await).await;
    let proxy = Proxy::before(&node.url).await;
    let prompts = PromptClient::new(settings(&proxy.url)).unwrap();
    prompts.load(&agent("workshopper")).await.unwrap();
    proxy.settled(1).await;
    assert!(proxy.asked("/events")[0].1.starts_with("GET /api/v1/prompts/events?agent_type=workshopper HTTP"));
    // One more, and one that there is not.
    prompts.load(&agent("qa_engineer")).await.unwrap();
    prompts.load(&agent("nobody_here")).await.unwrap_err();
    proxy.settled(2).await;
    let (_, second) = proxy.asked("/events").pop().unwrap();
    assert!(second.starts_with("GET /api/v1/prompts/events?agent_type=qa_engineer,workshopper HTTP"), "{second}");
    assert!(second.contains("last-event-id: "), "{second}");
    assert_eq!(prompts.load(&agent("workshopper")).await.unwrap().source, PromptSource::Cache, "without any doubt");
    for name in ["workshopper", "qa_engineer"] {
        let asked = proxy.asked(&format!("/{name}/active ")).len();
        assert_eq!(asked, 1);
        node.patch(name, "Heard of.").await.unwrap();
        eventually("it is asked by itself", async || proxy.asked(&format!("/{name}/active ")).len() > asked).await;
    }
}

#[sqlx::test(migrations = false)]
async fn no_answer_is_older_than_is_allowed(_: PgPoolOptions, options: PgConnectOptions) {
    let node = Node::start(&database(&options).await).await;
    let proxy = Proxy::before(&node.url).await;
    let writer = agent("workshopper");
    // Far less than the time to live.
    let short = ClientSettings { max_staleness: Duration::from_millis(200), ..settings(&proxy.url) };
    let prompts = PromptClient::new(short).unwrap();
    prompts.load(&writer).await.unwrap();
    proxy.settled(1).await;
    let asked = proxy.prompts();
    eventually("it is asked for again and again", async || {
        let prompt = prompts.load(&writer).await.unwrap();
        assert!(matches!(prompt.source, PromptSource::Cache | PromptSource::Fresh), "{prompt:?}");
        proxy.prompts() >= asked + 3
    })
    .await;
    // Nobody but the registry itself is good enough.
    let strict = PromptClient::new(ClientSettings { max_staleness: Duration::ZERO, ..settings(&proxy.url) }).unwrap();
    for _ in 0..3 {
        assert_eq!(strict.load(&writer).await.unwrap().source, PromptSource::Fresh);
    }
    node.kill().await;
    eventually("it is told", async || {
        strict.load(&writer).await.is_err_and(|error| error.kind == LoadErrorKind::TooStale)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_without_its_database_says_how_old_its_answer_is() {
    let (_folder, postgres) = load::postgres().await;
    let mut gate = Gate::before(&postgres.connect_options()).await;
    let node = Node::start(&gate.url).await;
    let writer = agent("workshopper");
    node.active("workshopper").await;
    gate.set(Passage::Shut).await;
    eventually("its answer is seconds old", async || {
        let (_, answer) = node.curl(&["-i"], "/api/v1/prompts/workshopper/active").await.unwrap();
        let age = answer.lines().find_map(|line| line.strip_prefix("age: ")?.trim().parse::<u32>().ok());
        age.is_some_and(|age| age >= 2)
    })
    .await;
    let cold = PromptClient::new(settings(&node.url)).unwrap();
    let prompt = cold.load(&writer).await.unwrap();
    assert_eq!(prompt.source, PromptSource::Stale);
    assert!(prompt.age() > Duration::from_secs(2), "{prompt:?}");
    let strict = ClientSettings { max_staleness: Duration::from_secs(1), ..settings(&node.url) };
    let error = PromptClient::new(strict).unwrap().load(&writer).await.unwrap_err();
    assert_eq!((error.kind, error.last_known.unwrap().text), (LoadErrorKind::TooStale, prompt.text));
    gate.set(Passage::Open).await;
    eventually("it is sure again", async || cold.load(&writer).await.unwrap().source == PromptSource::Cache).await;
    drop(node);
    postgres.stop().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn a_file_that_cannot_be_written_is_written_later(_: PgPoolOptions, options: PgConnectOptions) {
    let node = Node::start(&database(&options).await).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not there yet").join("prompts.json");
    let with_file = ClientSettings { fallback_file: Some(file.clone()), ..settings(&node.url) };
    let prompts = PromptClient::new(with_file).unwrap();
    prompts.load(&agent("workshopper")).await.unwrap();
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    eventually("it is written", async || file.exists()).await;
}
