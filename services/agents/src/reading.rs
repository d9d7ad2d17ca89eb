//! The threads on which whole answers are read.

use std::{
    future::{Future, poll_fn},
    panic,
    pin::pin,
    sync::OnceLock,
    task::Poll,
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::Semaphore,
    task::{JoinHandle, yield_now},
};
use tracing::Instrument;

/// Makes what is to run [`apart`]. What it asks [`is_apart`] is told so.
pub(crate) fn prepared<T>(make: impl FnOnce() -> T) -> T {
    let _entered = reader().map(Handle::enter);
    make()
}

/// Whether what is made here runs on the threads of answers. A connection is driven by the threads that opened it, so those of
/// the threads that serve are not for these.
pub(crate) fn is_apart() -> bool {
    reader().is_some_and(|reader| Handle::try_current().is_ok_and(|here| here.id() == reader.id()))
}

/// Runs a call to its end on threads that do nothing else, so that what this process does meanwhile, such as writing down
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

/// Begins requests one after the other: where a connection is open, each is on its way before the next one is put together.
/// Many that begin at once would wait for each other else, and that would be counted as the model's time.
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

/// They live as long as the process. Where they cannot be had, a call is merely measured less exactly. Two, so that answers that
/// come together are read together.
fn reader() -> Option<&'static Handle> {
    static READER: OnceLock<Option<Runtime>> = OnceLock::new();
    let begin = || {
        let begun = Builder::new_multi_thread().worker_threads(2).thread_name("answers").enable_all().build();
        begun.inspect_err(|error| tracing::warn!(%error, "answers of models are read on the threads that serve")).ok()
    };
    READER.get_or_init(begin).as_ref().map(Runtime::handle)
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
