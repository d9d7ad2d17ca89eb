//! What stands between a client and a server, sees what is asked, and can fail in their stead.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::support::eventually;

/// Something between a client and a server that listens along, can hang, and can cut.
pub struct Proxy {
    pub url: String,
    /// The server behind it.
    target: Arc<Mutex<SocketAddr>>,
    pub seen: Arc<Seen>,
    /// Raised to close every connection that is open.
    cuts: watch::Sender<u32>,
}

#[derive(Default)]
pub struct Seen {
    /// Nothing is passed on any more, and nothing is closed.
    hangs: AtomicBool,
    /// A stream of events is answered with nothing but a head.
    pub ends_streams: AtomicBool,
    /// What was asked for, and when.
    requests: Mutex<Vec<(Instant, String)>>,
    /// How often a server said that everything was told.
    pub settled: AtomicUsize,
    /// Connections of clients.
    pub connections: AtomicUsize,
}

impl Proxy {
    pub async fn before(server: &str) -> Self {
        let target = Arc::new(Mutex::new(address(server)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, cuts) = (Arc::new(Seen::default()), watch::channel(0).0);
        let (sees, behind, cut) = (seen.clone(), target.clone(), cuts.subscribe());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                sees.connections.fetch_add(1, Ordering::SeqCst);
                let target = *behind.lock().unwrap();
                let Ok(server) = TcpStream::connect(target).await else { continue };
                let (seen, mut cut) = (sees.clone(), cut.clone());
                cut.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        () = pass(client, server, &seen) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { url, target, seen, cuts }
    }

    /// From now on it leads to this server.
    pub fn lead_to(&self, server: &str) {
        *self.target.lock().unwrap() = address(server);
    }

    pub fn hang(&self, hangs: bool) {
        self.seen.hangs.store(hangs, Ordering::SeqCst);
    }

    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Requests whose path contains this.
    pub fn asked(&self, path: &str) -> Vec<(Instant, String)> {
        let requests = self.seen.requests.lock().unwrap();
        requests.iter().filter(|(_, request)| request.lines().next().unwrap().contains(path)).cloned().collect()
    }

    pub fn prompts(&self) -> usize {
        self.asked("/active ").len()
    }

    pub fn streams(&self) -> usize {
        self.asked("/events").len()
    }

    /// Waits until a client has heard everything, over so many streams in all.
    pub async fn settled(&self, streams: usize) {
        eventually("everything is told", async || self.seen.settled.load(Ordering::SeqCst) >= streams).await;
    }
}

/// Passes on, both ways, until either side ends.
async fn pass(client: TcpStream, server: TcpStream, seen: &Seen) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async {
        let mut piece = vec![0; 65_536];
        while let Ok(length @ 1..) = from_client.read(&mut piece).await {
            let text = String::from_utf8_lossy(&piece[..length]).into_owned();
            let is_stream = text.contains("/events");
            if text.starts_with("GET ") {
                seen.requests.lock().unwrap().push((Instant::now(), text));
            }
            if is_stream && seen.ends_streams.load(Ordering::SeqCst) {
                return true;
            }
            while_hanging(seen).await;
            if to_server.write_all(&piece[..length]).await.is_err() {
                break;
            }
        }
        false
    };
    let back = async {
        let mut piece = vec![0; 65_536];
        while let Ok(length @ 1..) = from_server.read(&mut piece).await {
            while_hanging(seen).await;
            if to_client.write_all(&piece[..length]).await.is_err() {
                break;
            }
            let settled = String::from_utf8_lossy(&piece[..length]).matches("event: current").count();
            seen.settled.fetch_add(settled, Ordering::SeqCst);
        }
    };
    let is_to_end = tokio::select! {
        is_to_end = there => is_to_end,
        () = back => false,
    };
    if is_to_end {
        const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        let _ = to_client.write_all(HEAD).await;
    }
}

async fn while_hanging(seen: &Seen) {
    while seen.hangs.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().parse().unwrap()
}
