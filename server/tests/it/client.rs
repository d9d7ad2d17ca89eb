//! The client crate against real servers: what an agent outside gets, whatever fails.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use client::{ClientSettings, PromptClient};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use versioning::{AgentType, LoadErrorKind, PromptLoader, PromptSource};

use crate::{
    process::{Node, database},
    support::eventually,
};

fn agent(name: &str) -> AgentType {
    name.parse().unwrap()
}

fn settings(url: &str) -> ClientSettings {
    ClientSettings {
        request_timeout: Duration::from_secs(2),
        retry_after_failure: Duration::from_millis(50),
        ..ClientSettings::new(url)
    }
}

/// Something between a client and a server that counts requests and can hang.
struct Proxy {
    url: String,
    /// The server behind it.
    target: Arc<Mutex<SocketAddr>>,
    /// Nothing is passed on any more, and nothing is closed.
    hangs: Arc<AtomicBool>,
    /// Requests for prompts that were passed on.
    requests: Arc<AtomicUsize>,
}

impl Proxy {
    async fn before(server: &str) -> Self {
        let target = Arc::new(Mutex::new(address(server)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (hangs, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (hanging, counted, behind) = (hangs.clone(), requests.clone(), target.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let target = *behind.lock().unwrap();
                let Ok(server) = TcpStream::connect(target).await else { continue };
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let (hangs, counted) = (hanging.clone(), counted.clone());
                tokio::spawn(async move {
                    let mut piece = vec![0; 65_536];
                    while let Ok(length @ 1..) = from_client.read(&mut piece).await {
                        counted.fetch_add(
                            String::from_utf8_lossy(&piece[..length]).matches("/active ").count(),
                            Ordering::SeqCst,
                        );
                        pass(&hangs).await;
                        if to_server.write_all(&piece[..length]).await.is_err() {
                            break;
                        }
                    }
                });
                let hangs = hanging.clone();
                tokio::spawn(async move {
                    let mut piece = vec![0; 65_536];
                    while let Ok(length @ 1..) = from_server.read(&mut piece).await {
                        pass(&hangs).await;
                        if to_client.write_all(&piece[..length]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { url, target, hangs, requests }
    }
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

async fn pass(hangs: &AtomicBool) {
    while hangs.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
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
    let asked = proxy.requests.load(Ordering::SeqCst);
    for _ in 0..100 {
        assert_eq!(prompts.load(&writer).await.unwrap().source, PromptSource::Cache);
    }
    assert_eq!(proxy.requests.load(Ordering::SeqCst), asked, "what is known is not asked for");
    // On the other node; nobody asks meanwhile.
    other.patch("workshopper", "Be kind.").await.unwrap();
    eventually("the client has asked by itself", async || proxy.requests.load(Ordering::SeqCst) > asked).await;
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
    assert_eq!(proxy.requests.load(Ordering::SeqCst), 1);
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
    *proxy.target.lock().unwrap() = address(&again.url);
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
        silence: Duration::from_millis(500),
        ..settings(&proxy.url)
    };
    let prompts = PromptClient::new(patient).unwrap();
    let writer = agent("workshopper");
    prompts.load(&writer).await.unwrap();
    proxy.hangs.store(true, Ordering::SeqCst);
    let mut stale = 0;
    while stale < 200 {
        let load = tokio::time::timeout(Duration::from_secs(60), prompts.load(&writer));
        let prompt = load.await.expect("the answer does not wait for the network").unwrap();
        stale += usize::from(prompt.source == PromptSource::Stale);
        tokio::task::yield_now().await;
    }
    node.patch("workshopper", "Behind the wall.").await.unwrap();
    proxy.hangs.store(false, Ordering::SeqCst);
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
