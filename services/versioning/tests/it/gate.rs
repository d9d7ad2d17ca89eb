//! What stands between a node and its PostgreSQL, and can be shut.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;
use tokio::{
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    Open,
    /// Nothing is passed on any more, and nothing is closed.
    Mute,
    /// Those there are are closed.
    Cut,
}

/// Passes connections on, as long as it is open.
pub struct Gate {
    /// How a node connects.
    pub options: PgConnectOptions,
    port: u16,
    socket: PathBuf,
    passage: watch::Sender<Passage>,
    accepting: JoinHandle<()>,
}

impl Gate {
    pub async fn before(database: &PgConnectOptions) -> Self {
        let socket = database.get_socket().expect("the private PostgreSQL has a socket");
        let socket = socket.join(format!(".s.PGSQL.{}", database.get_port()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .username(database.get_username())
            .database(database.get_database().unwrap());
        let passage = watch::channel(Passage::Open).0;
        let accepting = tokio::spawn(accept(listener, socket.clone(), passage.clone()));
        Self { options, port, socket, passage, accepting }
    }

    /// As after a death: connections are closed, and new ones refused.
    pub async fn refuse(&mut self) {
        self.accepting.abort();
        // Until it is gone, so that the port is.
        let _ = (&mut self.accepting).await;
        self.passage.send_replace(Passage::Cut);
    }

    /// As when a cable is pulled: nothing is passed on, and nothing is closed.
    pub fn mute(&self) {
        self.passage.send_replace(Passage::Mute);
    }

    pub async fn open(&mut self) {
        self.passage.send_replace(Passage::Open);
        if self.accepting.is_finished() {
            let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
            self.accepting = tokio::spawn(accept(listener, self.socket.clone(), self.passage.clone()));
        }
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, passage: watch::Sender<Passage>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(pass(stream, socket.clone(), passage.subscribe()));
    }
}

async fn pass(mut stream: TcpStream, socket: PathBuf, mut passage: watch::Receiver<Passage>) {
    if *passage.borrow_and_update() == Passage::Open {
        let mut database = UnixStream::connect(&socket).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut stream, &mut database) => return,
            _ = passage.changed() => {}
        }
    }
    while *passage.borrow_and_update() == Passage::Mute && passage.changed().await.is_ok() {}
}
