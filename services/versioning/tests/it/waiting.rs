//! Waiting without a clock that decides. Shared with the tests of the server.

use std::time::{Duration, Instant};

use sqlx::PgConnection;
use versioning::LoadingSettings;

/// Longer than anything takes on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The settings of a server, with limits that a busy machine does not reach: where the database is there, nothing is given up.
pub fn patient() -> LoadingSettings {
    LoadingSettings {
        read_limit: PATIENCE,
        probe_limit: PATIENCE,
        patience: PATIENCE,
        patience_for_news: PATIENCE,
        ..LoadingSettings::default()
    }
}

/// Asks until the answer is yes.
///
/// # Panics
/// After 60 seconds: the condition will not come true.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < PATIENCE, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until somebody waits for what this connection holds. Locks of other tests' databases stand in the same table.
pub async fn somebody_waits_for(holder: &mut PgConnection) {
    eventually("somebody waits for the lock", async || {
        sqlx::query_scalar(
            "select exists (
                select 1 from pg_locks where not granted and pg_backend_pid() = any (pg_blocking_pids(pid)))",
        )
        .fetch_one(&mut *holder)
        .await
        .unwrap()
    })
    .await;
}
