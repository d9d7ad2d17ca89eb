//! How soon an agent outside of the server has what was promoted, and what open streams cost everybody else. The servers are processes
//! of their own, over one PostgreSQL.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use client::{ClientSettings, PromptClient};
use futures_util::StreamExt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{JoinHandle, JoinSet},
};
use versioning::{PromptLoader, PromptSource, Version};

use crate::support::{Connection, Goal, find, gate::Gate, load, median, node::Node, report};

const ROUNDS: usize = 5;
const STREAMS: usize = 1_000;
const READERS: usize = 10_000;
const PROMOTIONS: u32 = 500;
/// Connections to each node that read meanwhile.
const READING: usize = 4;
const PATH: &str = "/api/v1/prompts/bench_shared/active";

pub async fn measure() -> bool {
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
    let (_folder, postgres) = crate::support::postgres().await;
    let gate = Gate::before(&postgres.connect_options()).await;
    let mut nodes = [Node::start(&gate.url).await, Node::start(&gate.url).await];
    let mut writer = Connection::open(&nodes[0].address).await;
    let body = r#"{ "agent_type": "bench_shared", "version": "1.0.0", "prompt_text": "first" }"#;
    writer.post("/api/v1/prompts/versions", body).await;
    writer.post("/api/v1/prompts/promote", r#"{ "agent_type": "bench_shared", "version": "1.0.0" }"#).await;
    let met = [
        promotions(&mut writer, &nodes).await,
        streams(&nodes).await,
        readers(&nodes).await,
        back_again(&mut nodes, &gate.url).await,
    ];
    for mut node in nodes {
        node.child.kill().await.unwrap();
    }
    postgres.stop().await.unwrap();
    met.into_iter().all(|met| met)
}

/// Makes a text live; the number that it got.
async fn promote(writer: &mut Connection, text: &str) -> Version {
    let body = serde_json::json!({ "agent_type": "bench_shared", "prompt_text": text });
    let answer = writer.post("/api/v1/prompts/patch", &body.to_string()).await;
    assert!(answer.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&answer));
    version_in(&answer)
}

/// The version that an answer or an event names.
fn version_in(bytes: &[u8]) -> Version {
    const FIELD: &[u8] = b"\"version\":\"";
    let start = find(bytes, FIELD).expect("it names a version") + FIELD.len();
    let length = bytes[start..].iter().position(|&byte| byte == b'"').unwrap();
    std::str::from_utf8(&bytes[start..start + length]).unwrap().parse().unwrap()
}

/// Reads what is live, over and over: never an older version after a newer one.
fn read_along(address: &str, is_over: &Arc<AtomicBool>) -> JoinHandle<u64> {
    let (address, is_over) = (address.to_owned(), is_over.clone());
    tokio::spawn(async move {
        let mut connection = Connection::open(&address).await;
        let (mut last, mut reads) = (None, 0);
        while !is_over.load(Ordering::Relaxed) {
            let version = version_in(&connection.get(PATH).await);
            assert!(last <= Some(version), "{version} after {last:?}");
            last = Some(version);
            reads += 1;
        }
        reads
    })
}

/// From the answer to a promotion on one node until it is served by the other, and until it is in the memory of a client of the
/// other; both nodes are read from meanwhile.
async fn promotions(writer: &mut Connection, nodes: &[Node; 2]) -> bool {
    const LIMIT: Duration = Duration::from_millis(50);
    let other = &nodes[1].address;
    let prompts = PromptClient::new(ClientSettings::new(format!("http://{other}"))).unwrap();
    let agent = "bench_shared".parse().unwrap();
    let mut last = prompts.load(&agent).await.unwrap().version;
    let mut asking = Connection::open(other).await;
    let mut served_last = last;
    let is_over = Arc::new(AtomicBool::new(false));
    let reading: Vec<_> =
        nodes.iter().flat_map(|node| (0..READING).map(|_| read_along(&node.address, &is_over))).collect();
    let begin = Instant::now();
    let (mut at_client, mut at_node) = (Vec::new(), Vec::new());
    for round in 1..=PROMOTIONS {
        let version = promote(writer, &format!("round {round}")).await;
        let promoted = Instant::now();
        let by_client = async {
            loop {
                let prompt = prompts.load(&agent).await.unwrap();
                assert!(last <= prompt.version, "an older version after a newer one");
                last = prompt.version;
                if last >= version {
                    return promoted.elapsed();
                }
                assert!(promoted.elapsed() < Duration::from_secs(5), "round {round} never arrived");
                tokio::task::yield_now().await;
            }
        };
        let by_node = async {
            loop {
                let served = version_in(&asking.get(PATH).await);
                assert!(served_last <= served, "an older version after a newer one");
                served_last = served;
                if served >= version {
                    return promoted.elapsed();
                }
            }
        };
        let (client, node) = tokio::join!(by_client, by_node);
        at_client.push(client.as_secs_f64());
        at_node.push(node.as_secs_f64());
    }
    is_over.store(true, Ordering::Relaxed);
    let mut reads = 0;
    for reading in reading {
        reads += reading.await.unwrap();
    }
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 reads")]
    let load = reads as f64 / begin.elapsed().as_secs_f64();
    let told = |what: &str, mut waits: Vec<f64>| {
        waits.sort_by(f64::total_cmp);
        let p99 = waits[waits.len() * 99 / 100];
        report(
            &format!("promotion on one node to {what} of the other, {PROMOTIONS} promotions: p99"),
            &format!(
                "{:.2} ms of {} ms; median {:.2} ms; {load:.0} reads/s meanwhile, none older than the one before",
                p99 * 1e3,
                LIMIT.as_millis(),
                waits[waits.len() / 2] * 1e3
            ),
            p99 / LIMIT.as_secs_f64(),
            Goal::AtMost(1.0),
        )
    };
    told("the answers", at_node) & told("the memory of a client", at_client)
}

/// An open stream that was told everything.
async fn follow(address: String, query: &str, id: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /api/v1/prompts/events{query} HTTP/1.1\r\nhost: localhost\r\nlast-event-id: {id}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut told = Vec::new();
    loop {
        assert_ne!(stream.read_buf(&mut told).await.unwrap(), 0);
        let current = find(&told, b"event: current");
        if let Some(current) = current.filter(|current| find(&told[*current..], b"\n\n").is_some()) {
            let event = String::from_utf8_lossy(&told[current..]).into_owned();
            let id = event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
            return (stream, id);
        }
    }
}

/// Many of them, some at a time.
async fn follow_all(addresses: &[&str], count: usize, query: &'static str, id: &str) -> Vec<(TcpStream, String)> {
    let opening = (0..count).map(|number| {
        let (address, id) = (addresses[number % addresses.len()].to_owned(), id.to_owned());
        tokio::spawn(async move { follow(address, query, &id).await })
    });
    futures_util::stream::iter(opening).buffer_unordered(200).map(Result::unwrap).collect().await
}

/// `GET …/active` of both nodes with 1,000 open streams against without, in turn.
async fn streams(nodes: &[Node; 2]) -> bool {
    let addresses = [nodes[0].address.as_str(), nodes[1].address.as_str()];
    let both = async |duration: Duration| {
        let (one, other) = tokio::join!(load(addresses[0], PATH, duration), load(addresses[1], PATH, duration));
        one.0 + other.0
    };
    let mut rates = [Vec::new(), Vec::new()];
    both(Duration::from_millis(500)).await;
    for _ in 0..ROUNDS {
        rates[0].push(both(Duration::from_secs(2)).await);
        let open = follow_all(&addresses, STREAMS, "", "").await;
        rates[1].push(both(Duration::from_secs(2)).await);
        drop(open);
    }
    let [without, with] = rates.map(median);
    report(
        "GET active of two nodes with 1,000 open streams of events: throughput",
        &format!("{with:.0}/s against {without:.0}/s without them"),
        with / without,
        Goal::AtLeast(0.8),
    )
}

/// 10,000 readers of one node: what they cost, how soon all have a promotion, and how soon all are back when they were cut off.
async fn readers([other, node]: &[Node; 2]) -> bool {
    const LIMIT: Duration = Duration::from_secs(1);
    const BACK: Duration = Duration::from_secs(5);
    const MEMORY: usize = 64 * 1024;
    const QUERY: &str = "?agent_type=bench_shared";
    // The one from before was idle for long, and was closed.
    let mut writer = Connection::open(&other.address).await;
    let mut live = promote(&mut writer, "for many").await;
    let before = node.memory();
    let mut open = follow_all(&[&node.address], READERS, QUERY, "").await;
    let each = (node.memory() - before) / READERS;
    let mut waits = Vec::new();
    for round in 0..ROUNDS {
        let mut reading = JoinSet::new();
        // All of them wait for one that is yet to come.
        for (mut stream, id) in open.drain(..) {
            reading.spawn(async move {
                let mut told = Vec::new();
                loop {
                    assert_ne!(stream.read_buf(&mut told).await.unwrap(), 0, "it was cut off");
                    let last = told.windows(2).rposition(|pair| pair == b"\n\n");
                    let is_there = last.is_some_and(|last| {
                        let events = String::from_utf8_lossy(&told[..last]).into_owned();
                        events
                            .rsplit("\n\n")
                            .any(|event| event.contains("data:") && version_in(event.as_bytes()) > live)
                    });
                    if is_there {
                        return (stream, id, Instant::now());
                    }
                }
            });
        }
        live = promote(&mut writer, &format!("round {round}")).await;
        let promoted = Instant::now();
        let mut last = promoted;
        for (stream, id, at) in reading.join_all().await {
            last = last.max(at);
            open.push((stream, id));
        }
        waits.push((last - promoted).as_secs_f64());
    }
    let id = open[0].1.clone();
    drop(open);
    let cut = Instant::now();
    let back = follow_all(&[&node.address], READERS, QUERY, &id).await;
    let returned = cut.elapsed();
    assert_eq!(back.len(), READERS);
    let wait = median(waits);
    let (kib, limit) = (each / 1024, MEMORY / 1024);
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 bytes")]
    let memory = each as f64 / MEMORY as f64;
    report(
        "10,000 readers of one node: a promotion on the other until the last one has it",
        &format!("{:.0} ms of {} ms, the median of {ROUNDS}", wait * 1e3, LIMIT.as_millis()),
        wait / LIMIT.as_secs_f64(),
        Goal::AtMost(1.0),
    ) & report(
        "10,000 readers of one node: memory of each",
        &format!("{kib} KiB of {limit} KiB"),
        memory,
        Goal::AtMost(1.0),
    ) & report(
        "10,000 readers of one node: from the cut of all connections until all are back",
        &format!("{:.2} s of {} s", returned.as_secs_f64(), BACK.as_secs()),
        returned.as_secs_f64() / BACK.as_secs_f64(),
        Goal::AtMost(1.0),
    )
}

/// A client whose registry is killed, is away until its attempts have become rare, and comes back: how soon its answers are
/// sure again, and have what was promoted meanwhile.
async fn back_again([other, node]: &mut [Node; 2], database_url: &str) -> bool {
    const LIMIT: Duration = Duration::from_secs(2);
    let agent = "bench_shared".parse().unwrap();
    let mut waits = Vec::new();
    for round in 0..ROUNDS {
        let prompts = PromptClient::new(ClientSettings::new(format!("http://{}", node.address))).unwrap();
        prompts.load(&agent).await.unwrap();
        node.child.kill().await.unwrap();
        while prompts.load(&agent).await.unwrap().source != PromptSource::Stale {
            tokio::task::yield_now().await;
        }
        // Its pauses have grown to their longest, a second.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let version = promote(&mut Connection::open(&other.address).await, &format!("away {round}")).await;
        *node = Node::start_at(&node.address, database_url).await;
        let back = Instant::now();
        loop {
            let prompt = prompts.load(&agent).await.unwrap();
            if prompt.version == version && prompt.source != PromptSource::Stale {
                break;
            }
            assert!(back.elapsed() < Duration::from_secs(60), "round {round}: {prompt:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waits.push(back.elapsed().as_secs_f64());
    }
    let slowest = waits.into_iter().fold(0.0, f64::max);
    report(
        "a client whose registry was killed: from its return until answers are sure and new again",
        &format!("{slowest:.2} s of {} s, the slowest of {ROUNDS}", LIMIT.as_secs()),
        slowest / LIMIT.as_secs_f64(),
        Goal::AtMost(1.0),
    )
}
