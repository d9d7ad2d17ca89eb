//! The thread on which whole answers are read.

use std::{future::Future, panic, sync::OnceLock};

use tokio::{
    runtime::{Builder, Handle},
    task::JoinHandle,
};

/// Runs a call to its end on a thread that does nothing else, so that what this process does meanwhile, such as writing down
/// other answers, is not counted as the model's time. A call that is dropped ends.
pub(crate) async fn apart<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> T {
    let mut task = EndsWithItsCaller(reader().spawn(call));
    match (&mut task.0).await {
        Ok(made) => made,
        Err(error) => match error.try_into_panic() {
            Ok(cause) => panic::resume_unwind(cause),
            // Nobody ends it but who waits here.
            Err(_) => std::future::pending().await,
        },
    }
}

/// It lives as long as the process.
fn reader() -> &'static Handle {
    static READER: OnceLock<Handle> = OnceLock::new();
    READER.get_or_init(|| {
        let started = Builder::new_current_thread().enable_all().build().and_then(|runtime| {
            let handle = runtime.handle().clone();
            std::thread::Builder::new()
                .name("answers".into())
                .spawn(move || runtime.block_on(std::future::pending::<()>()))
                .map(|_| handle)
        });
        // Without a thread of its own a call is merely measured less exactly.
        started.unwrap_or_else(|error| {
            tracing::warn!(%error, "answers of models are read on the threads that serve");
            Handle::current()
        })
    })
}

struct EndsWithItsCaller<T>(JoinHandle<T>);

impl<T> Drop for EndsWithItsCaller<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
