//! Accepting connections, and letting them end.
//!
//! axum's own `serve` waits for a request's head as long as the client likes; a client that never ends one would hold
//! its connection for ever, and the drain to its limit.

use std::{convert::Infallible, pin::pin, time::Duration};

use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tower::Service;

use crate::write_limit::WriteLimit;

/// How long to wait when no connection can be accepted, because no file descriptor is left.
const PAUSE: Duration = Duration::from_millis(500);

/// Serves until `stopped`, then lets requests under way end. A connection that brings no whole request head within
/// `head_timeout` is closed, and so is one that takes nothing of what it is sent for `write_timeout`. Who drops this
/// cuts off what has not ended.
pub async fn serve<S>(
    listener: TcpListener,
    service: S,
    head_timeout: Duration,
    write_timeout: Duration,
    stopped: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    // Without HTTP/2, which browsers speak over TLS only: to find out which of the two it is, a connection that says
    // nothing, or the beginning of its greeting, would be waited for without a limit.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout);
    let connections = GracefulShutdown::new();
    // They end with it: a client that holds its request does not keep the process.
    let mut tasks = JoinSet::new();
    let mut stopped = pin!(stopped);
    loop {
        let stream = tokio::select! {
            stream = accept(&listener) => stream,
            Some(_) = tasks.join_next() => continue,
            () = &mut stopped => break,
        };
        let service = TowerToHyperService::new(service.clone());
        let stream = TokioIo::new(WriteLimit::new(stream, write_timeout));
        let connection = builder.serve_connection(stream, service).into_owned();
        let connection = connections.watch(connection);
        tasks.spawn(async move {
            // It fails when the client goes away, or never says what it wants.
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection ended early");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers are not to wait for more to send.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            // The client was gone before it was its turn.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{Router, body::Body, routing::get};
    use bytes::Bytes;
    use futures_util::stream;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
    };

    use super::*;

    /// Tells when the answer that holds it is dropped.
    struct Held(Arc<Notify>);

    impl Drop for Held {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_is_dropped() {
        const PIECE: Bytes = Bytes::from_static(&[b'x'; 16 * 1024]);
        let dropped = Arc::new(Notify::new());
        let tells = dropped.clone();
        // It never ends by itself.
        let endless = move || {
            let held = Held(tells.clone());
            async move {
                Body::from_stream(stream::repeat_with(move || {
                    let _ = &held;
                    Ok::<_, Infallible>(PIECE)
                }))
            }
        };
        let router = Router::new().route("/", get(endless));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limit = Duration::from_millis(200);
        let server = tokio::spawn(serve(listener, router, limit, limit, std::future::pending()));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        client.read_u8().await.unwrap();
        tokio::time::timeout(Duration::from_secs(30), dropped.notified()).await.expect("it is dropped");
        server.abort();
    }

    #[tokio::test]
    async fn who_never_says_what_it_wants_is_disconnected() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limit = Duration::from_millis(200);
        let server = tokio::spawn(serve(listener, Router::new(), limit, limit, std::future::pending()));
        // The last three begin as HTTP/2 does.
        for said in ["", "GET / HT", "P", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(said.as_bytes()).await.unwrap();
            let ended = tokio::time::timeout(Duration::from_secs(30), client.read_to_end(&mut Vec::new())).await;
            assert!(ended.is_ok(), "{said:?} is waited for");
        }
        server.abort();
    }
}
