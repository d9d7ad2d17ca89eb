//! A database that goes away under load: what stands between, and who asks meanwhile. Shared by the benchmark and the test.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;
use versioning::Version;

use super::{Connection, body_of, find};

/// What readers have seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub fresh: AtomicU64,
    pub stale: AtomicU64,
    /// Microseconds that the slowest answer took.
    slowest: AtomicU64,
}

/// Readers of the seeded agents and a writer of one of them, until they are told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    pub seen: Vec<Arc<Seen>>,
    /// Writes that were acknowledged, so far.
    pub written: Arc<AtomicU64>,
    /// Writes that were refused because the database was away.
    pub refused: Arc<AtomicU64>,
    readers: Vec<JoinHandle<()>>,
    writer: JoinHandle<Vec<Version>>,
}

/// Who is written.
pub const WRITTEN: &str = "workshopper";
const READ: [&str; 4] = ["backend_dev", "frontend_dev", "qa_engineer", WRITTEN];

impl Load {
    /// Begins; each reader has had an answer when this returns, so that every agent is cached.
    pub async fn begin(address: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut seen = Vec::new();
        let mut readers = Vec::new();
        for agent in READ {
            let mut connection = Connection::open(address).await;
            let sees = Arc::new(Seen::default());
            let mut last = None;
            read(&mut connection, agent, &mut last, &sees).await;
            seen.push(sees.clone());
            let stop = stop.clone();
            readers.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    read(&mut connection, agent, &mut last, &sees).await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }));
        }
        let (written, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let writer = tokio::spawn(write(address.to_owned(), stop.clone(), written.clone(), refused.clone()));
        Self { stop, seen, written, refused, readers, writer }
    }

    /// Answers of one kind, by reader.
    pub fn counts(&self, of: impl Fn(&Seen) -> &AtomicU64) -> Vec<u64> {
        self.seen.iter().map(|seen| of(seen).load(Ordering::Relaxed)).collect()
    }

    /// Answers of either kind, by reader.
    pub fn answers(&self) -> Vec<u64> {
        self.counts(|seen| &seen.fresh).iter().zip(self.counts(|seen| &seen.stale)).map(|(a, b)| a + b).collect()
    }

    /// How long the slowest answer took, so far.
    pub fn slowest(&self) -> Duration {
        Duration::from_micros(self.counts(|seen| &seen.slowest).into_iter().max().unwrap_or_default())
    }

    /// Stops, and gives the versions whose creation was acknowledged. Every answer was checked on the way.
    pub async fn end(self) -> Vec<Version> {
        self.stop.store(true, Ordering::Relaxed);
        for reader in self.readers {
            reader.await.unwrap();
        }
        self.writer.await.unwrap()
    }
}

/// Reads what is live: there must be an answer, and never an older version after a newer one.
async fn read(connection: &mut Connection, agent: &str, last: &mut Option<Version>, seen: &Seen) {
    let asked = Instant::now();
    let answer = connection.get(&format!("/api/v1/prompts/{agent}/active")).await;
    seen.slowest.fetch_max(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    let said = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{agent} was not answered: {said}");
    let body: HashMap<String, serde_json::Value> = serde_json::from_slice(&body_of(&answer)).unwrap();
    let version: Version = body["version"].as_str().unwrap().parse().unwrap();
    assert!(*last <= Some(version), "{agent}: {version} after {last:?}");
    *last = Some(version);
    let is_stale = find(&answer, b"verbatim-stale: true").is_some();
    if is_stale { &seen.stale } else { &seen.fresh }.fetch_add(1, Ordering::Relaxed);
}

async fn write(
    address: String,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
) -> Vec<Version> {
    let mut connection = Connection::open(&address).await;
    let mut acknowledged = Vec::new();
    let body = serde_json::json!({ "agent_type": WRITTEN, "prompt_text": "Written while it goes on." }).to_string();
    while !stop.load(Ordering::Relaxed) {
        let answer = connection.post("/api/v1/prompts/patch", &body).await;
        if answer.starts_with(b"HTTP/1.1 201") {
            let body: HashMap<String, serde_json::Value> = serde_json::from_slice(&body_of(&answer)).unwrap();
            acknowledged.push(body["version"].as_str().unwrap().parse().unwrap());
            written.fetch_add(1, Ordering::Relaxed);
        } else {
            let said = String::from_utf8_lossy(&answer);
            // Away, or gone in the middle of the commit: both say so.
            assert!(said.contains("\"database_unavailable\"") || said.contains("\"outcome_unknown\""), "{said}");
            refused.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    acknowledged
}
