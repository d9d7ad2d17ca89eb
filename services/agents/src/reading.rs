//! The threads on which whole answers are read.

use std::{
    future::{Future, poll_fn},
    mem::replace,
    panic,
    pin::pin,
    sync::OnceLock,
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::Mutex,
    task::{JoinHandle, yield_now},
    time::sleep_until,
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

/// From one request to the next, where many want to begin: 2,000 a second at most, by the whole process.
const APART: Duration = Duration::from_micros(500);

/// Timers wake up this late: they know milliseconds. What waited for one catches up, so that two begin with each of its ticks.
const LATE: Duration = Duration::from_millis(2);

/// Begins requests one after the other, and not all at once: where a connection is open, each is on its way before the next one is
/// put together, and answers that take equally long do not come all at once either. They would wait for each other else, and
/// that would be counted as the model's time.
pub(crate) async fn in_turn<T>(begin: impl Future<Output = T>) -> T {
    /// When the next one is to begin at the earliest.
    static TURN: Mutex<Option<Instant>> = Mutex::const_new(None);
    let mut turn = TURN.lock().await;
    let now = Instant::now();
    let due = turn.filter(|due| *due + LATE > now).unwrap_or(now);
    if due > now {
        sleep_until(due.into()).await;
    }
    *turn = Some(due + APART);
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

/// Tells when what is waited for comes, and not when it is read: of many answers that come together, each has its time taken
/// before they are read, as far as the threads can tell. What came while it was about to be read counts as come with what woke it.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// How long what woke it last lay there before it was read.
    waited: Duration,
    /// When the last one came: nothing comes before what came before it.
    last: Option<Instant>,
}

impl Arrivals {
    /// Waits for something, and tells when it came.
    pub(crate) async fn next<T>(&mut self, wait: impl Future<Output = T>) -> (T, Instant) {
        let mut wait = pin!(wait);
        loop {
            let reads = Instant::now();
            if let Poll::Ready(what) = poll_fn(|context| Poll::Ready(wait.as_mut().poll(context))).await {
                let came = reads - self.waited;
                let came = self.last.map_or(came, |last| last.max(came));
                self.last = Some(came);
                return (what, came);
            }
            let mut is_asleep = false;
            // Whoever has something for it wakes it.
            poll_fn(|_| if replace(&mut is_asleep, true) { Poll::Ready(()) } else { Poll::Pending }).await;
            let came = Instant::now();
            yield_now().await;
            self.waited = came.elapsed();
        }
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
    use std::sync::{Arc, Mutex};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn what_comes_together_is_noticed_before_any_of_it_is_read() {
        let gate = Arc::new(Semaphore::new(0));
        let read = Arc::new(Mutex::new(Vec::new()));
        let answer = |gate: Arc<Semaphore>, read: Arc<Mutex<Vec<Instant>>>| async move {
            let mut arrivals = Arrivals::default();
            let wait = async {
                gate.acquire().await.unwrap().forget();
                read.lock().unwrap().push(Instant::now());
            };
            arrivals.next(wait).await.1
        };
        let answers: Vec<_> = (0..20).map(|_| tokio::spawn(answer(gate.clone(), read.clone()))).collect();
        // One thread: they are all begun when it comes back to this.
        yield_now().await;
        gate.add_permits(answers.len());
        let mut came = Vec::new();
        for answer in answers {
            came.push(answer.await.unwrap());
        }
        assert!(came.iter().max() <= read.lock().unwrap().iter().min(), "{came:?}");
    }

    #[tokio::test]
    async fn what_is_there_at_once_came_when_it_is_read() {
        let mut arrivals = Arrivals::default();
        let before = Instant::now();
        let ((), first) = arrivals.next(async {}).await;
        let between = Instant::now();
        let ((), second) = arrivals.next(async {}).await;
        assert!(before <= first && first <= between && between <= second);
    }

    #[tokio::test]
    async fn what_is_prepared_knows_where_it_runs() {
        assert!(prepared(is_apart) && !is_apart());
        assert!(apart(async { is_apart() }).await);
    }
}
