//! Forgetting single calls once they are as old as the settings say.

use std::time::Duration;

use tokio::task::JoinHandle;
use versioning::PerformanceService;

/// How often it is looked whether a month has ended.
const PERIOD: Duration = Duration::from_secs(3600);

/// Forgets from time to time, as long as it is held. Several nodes may: who comes second finds nothing.
#[derive(Debug)]
pub struct Retention(JoinHandle<()>);

impl Retention {
    /// Begins at once. To be called inside an asynchronous runtime.
    pub fn spawn(performance: PerformanceService, keep: Duration) -> Self {
        Self(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(PERIOD);
            loop {
                ticks.tick().await;
                match performance.forget(keep).await {
                    Ok(0) => {}
                    Ok(months) => tracing::info!(months, "old calls were forgotten; what they added up to is kept"),
                    // The next hour will do.
                    Err(error) => tracing::warn!(%error, "old calls could not be forgotten"),
                }
            }
        }))
    }
}

impl Drop for Retention {
    fn drop(&mut self) {
        self.0.abort();
    }
}
