//! A limit for those who do not read what they asked for.
//!
//! What is sent to them waits in the system's buffers, then in ours, and a stream that says something now and then
//! would be held for days until those are full. So a connection ends when nothing at all could be sent on it for a
//! while. Whoever reads slowly is not meant: each byte that is taken counts.

use std::{
    io::{self, Write},
    os::fd::AsFd,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// A connection that fails when its other side takes nothing.
#[derive(Debug)]
pub struct WriteLimit {
    stream: TcpStream,
    limit: Duration,
    /// Set while something waits to be sent.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl WriteLimit {
    /// What waits to be sent waits at most so long for the first byte to be taken.
    pub fn new(stream: TcpStream, limit: Duration) -> Self {
        Self { stream, limit, waiting: None }
    }

    /// What an attempt to send came to, unless it has been in vain for too long. Before that is said, `send` tries once
    /// more: by itself the system tells only that a third of its buffer is free, which may be a megabyte, and whoever
    /// reads slowly takes longer for that than the limit.
    fn judge(
        &mut self,
        attempt: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
        send: impl FnOnce(&mut std::net::TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if attempt.is_ready() {
            self.waiting = None;
            return attempt;
        }
        let limit = self.limit;
        ready!(self.waiting.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(context));
        self.waiting = None;
        // The same connection, asked directly: tokio does not try before the system tells.
        let sent = self.stream.as_fd().try_clone_to_owned().and_then(|same| send(&mut same.into()));
        Poll::Ready(sent.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "the other side takes nothing"),
            _ => error,
        }))
    }
}

impl AsyncRead for WriteLimit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for WriteLimit {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(attempt, context, |stream| stream.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.judge(attempt, context, |stream| stream.write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::{Instant, interval},
    };

    use super::*;

    static PIECE: [u8; 32 * 1024] = [b'x'; 32 * 1024];

    async fn connected(limit: Duration) -> (WriteLimit, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (ours, _) = listener.accept().await.unwrap();
        (WriteLimit::new(ours, limit), theirs)
    }

    /// Sends until that fails.
    async fn send_for_ever(mut ours: WriteLimit) -> io::Error {
        loop {
            if let Err(error) = ours.write_all(&PIECE).await {
                return error;
            }
        }
    }

    #[tokio::test]
    async fn who_takes_nothing_is_given_up() {
        let (ours, _theirs) = connected(Duration::from_millis(50)).await;
        assert_eq!(send_for_ever(ours).await.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_takes_little_at_a_time_is_not_given_up() {
        const LIMIT: Duration = Duration::from_millis(250);
        let (ours, mut theirs) = connected(LIMIT).await;
        let sending = tokio::spawn(send_for_ever(ours));
        // A third of the system's buffer takes such a reader longer than the limit.
        let mut pace = interval(Duration::from_millis(25));
        let begun = Instant::now();
        while begun.elapsed() < 8 * LIMIT {
            pace.tick().await;
            theirs.read_exact(&mut [0; 16 * 1024]).await.unwrap();
            assert!(!sending.is_finished(), "given up after {:?}", begun.elapsed());
        }
        drop(theirs);
        assert_ne!(sending.await.unwrap().kind(), io::ErrorKind::TimedOut);
    }
}
