//! What stands between a node and its PostgreSQL, and can be shut. Shared with the tests and the benchmarks of the server.

use std::{
    io::ErrorKind,
    path::PathBuf,
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// They are passed on.
    Open,
    /// Those there are are closed, and so is each new one.
    Shut,
    /// Those there are are closed, and new ones refused: nobody is at the port.
    Refused,
    /// Nothing is passed on any more, and nothing is closed, as when a cable is pulled.
    Mute,
}

/// Passes connections on, as long as it is open.
pub struct Gate {
    /// How a node connects.
    pub options: PgConnectOptions,
    /// The same as an address.
    pub url: String,
    port: u16,
    socket: PathBuf,
    passage: watch::Sender<Passage>,
    accepting: JoinHandle<()>,
    /// Keeps the port, so that nobody else is given it, and does not listen: whoever connects is refused.
    refusing: Option<TcpSocket>,
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
            .database(database.get_database().unwrap())
            .ssl_mode(PgSslMode::Disable);
        let url = options.to_url_lossy().to_string();
        let passage = watch::channel(Passage::Open).0;
        let accepting = tokio::spawn(accept(listener, socket.clone(), passage.clone()));
        Self { options, url, port, socket, passage, accepting, refusing: None }
    }

    pub async fn set(&mut self, passage: Passage) {
        if passage == Passage::Refused && self.refusing.is_none() {
            self.accepting.abort();
            // Until it is gone, so that the port is.
            let _ = (&mut self.accepting).await;
            self.refusing = Some(bind(self.port).await);
        }
        self.passage.send_replace(passage);
        if passage != Passage::Refused
            && let Some(bound) = self.refusing.take()
        {
            let listener = bound.listen(1024).unwrap();
            self.accepting = tokio::spawn(accept(listener, self.socket.clone(), self.passage.clone()));
        }
    }
}

/// A socket at a port whose listener is gone. For a moment a program that the tests are just starting may still hold that.
async fn bind(port: u16) -> TcpSocket {
    let begin = Instant::now();
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        match socket.bind(([127, 0, 0, 1], port).into()) {
            Ok(()) => return socket,
            Err(error) if error.kind() == ErrorKind::AddrInUse && begin.elapsed() < Duration::from_secs(60) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => panic!("port {port}: {error}"),
        }
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, passage: watch::Sender<Passage>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(pass(stream, socket.clone(), passage.subscribe()));
    }
}

async fn pass(mut stream: TcpStream, socket: PathBuf, mut passage: watch::Receiver<Passage>) {
    // A PostgreSQL that was killed has no socket.
    if *passage.borrow_and_update() == Passage::Open
        && let Ok(mut database) = UnixStream::connect(&socket).await
    {
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut stream, &mut database) => return,
            _ = passage.changed() => {}
        }
    }
    // What was mute is closed when that is over.
    while *passage.borrow_and_update() == Passage::Mute && passage.changed().await.is_ok() {}
}
