//! The thread on which whole answers are read.

use std::{
    future::{Future, poll_fn},
    panic,
    pin::pin,
    sync::{OnceLock, mpsc},
    task::Poll,
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::Semaphore,
    task::{JoinHandle, yield_now},
};
use tracing::Instrument;

/// Makes what is to run [`apart`]. What it asks [`is_apart`] is told so.
pub(crate) fn prepared<T>(make: impl FnOnce() -> T) -> T {
    let _entered = reader().map(Handle::enter);
    make()
}

/// Whether what is made here runs on the thread of answers. A connection is driven by the threads that opened it, so those of
/// the threads that serve are not for that one.
pub(crate) fn is_apart() -> bool {
    reader().is_some_and(|reader| Handle::try_current().is_ok_and(|here| here.id() == reader.id()))
}

/// Runs a call to its end on a thread that does nothing else, so that what this process does meanwhile, such as writing down
/// other answers, is not counted as the model's time. A call that is dropped ends.
pub(crate) async fn apart<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> T {
    let Some(reader) = reader() else { return call.await };
    let mut task = EndsWithItsCaller(reader.spawn(call.in_current_span()));
    match (&mut task.0).await {
        Ok(made) => made,
        Err(error) => match error.try_into_panic() {
            Ok(cause) => panic::resume_unwind(cause),
            // Who waits here ends it only by going away.
            Err(error) => panic::resume_unwind(Box::new(error.to_string())),
        },
    }
}

/// Begins requests one after the other: where a connection is open, each is on its way before the next one is put together. Many that begin at once would
/// wait for each other else, and that would be counted as the model's time.
pub(crate) async fn in_turn<T>(begin: impl Future<Output = T>) -> T {
    static TURN: Semaphore = Semaphore::const_new(1);
    // It is never closed.
    let turn = TURN.acquire().await.ok();
    let mut begun = pin!(begin);
    let at_once = poll_fn(|context| Poll::Ready(begun.as_mut().poll(context))).await;
    // The task of the connection writes the request.
    yield_now().await;
    drop(turn);
    match at_once {
        Poll::Ready(done) => done,
        Poll::Pending => begun.await,
    }
}

/// It lives as long as the process. Where it cannot be had, a call is merely measured less exactly.
fn reader() -> Option<&'static Handle> {
    static READER: OnceLock<Option<Handle>> = OnceLock::new();
    let begin = || {
        let (tell, told) = mpsc::channel();
        let read = move || {
            if let Ok(runtime) = Builder::new_current_thread().enable_all().build()
                && tell.send(runtime.handle().clone()).is_ok()
            {
                runtime.block_on(std::future::pending::<()>());
            }
        };
        let begun = thread::Builder::new().name("answers".into()).spawn(read);
        let reader = begun.ok().and_then(|_| told.recv().ok());
        if reader.is_none() {
            tracing::warn!("answers of models are read on the threads that serve");
        }
        reader
    };
    READER.get_or_init(begin).as_ref()
}

struct EndsWithItsCaller<T>(JoinHandle<T>);

impl<T> Drop for EndsWithItsCaller<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_prepared_knows_where_it_runs() {
        assert!(prepared(is_apart) && !is_apart());
        assert!(apart(async { is_apart() }).await);
    }
}
