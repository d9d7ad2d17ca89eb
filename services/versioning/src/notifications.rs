//! How a node hears of promotions: PostgreSQL's `LISTEN`, with a full drop of the cache after any gap.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use sqlx::postgres::{PgListener, PgNotification, PgPoolOptions};
use tokio::{sync::broadcast, task::JoinHandle};

use crate::{Activity, AgentType, PromptLoadingService, PromptStore, Services, Version};

/// The channel that the triggers of the migrations notify.
const CHANNEL: &str = "verbatim_prompts";

/// How long it may take to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long a silent connection is trusted before it is asked for a sign of life.
const PROBE_AFTER: Duration = Duration::from_secs(15);

/// How long a sign of life may take.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// The pauses between two attempts to reach the database grow from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LAST: Duration = Duration::from_secs(1);

/// What a notification says.
#[derive(Debug, Deserialize)]
struct Notice {
    agent_type: AgentType,
    /// The version that went live; none when a cache was cleared.
    version: Option<Version>,
}

/// Notices that are kept for a reader that is slow.
const KEPT: usize = 1024;

/// What is served changed, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptNotice {
    /// A version went live.
    Promoted {
        /// Whose it is.
        agent_type: AgentType,
        /// Its number.
        version: Version,
    },
    /// Somebody wants the active version to be read anew.
    Cleared {
        /// Whose it is.
        agent_type: AgentType,
    },
    /// Notices may have been missed: whatever is known may be outdated.
    Gap,
}

/// What this node hears of promotions, for whoever keeps prompts elsewhere. It is told after this node's own cache is, so that
/// whoever asks at once gets what is new.
#[derive(Debug)]
pub struct PromptNotices(broadcast::Sender<PromptNotice>);

impl Default for PromptNotices {
    fn default() -> Self {
        Self(broadcast::channel(KEPT).0)
    }
}

impl PromptNotices {
    /// Every notice from now on. A reader that falls behind is told so, and knows as much as after a gap.
    pub fn subscribe(&self) -> broadcast::Receiver<PromptNotice> {
        self.0.subscribe()
    }

    fn tell(&self, notice: PromptNotice) {
        // It fails when nobody listens.
        let _ = self.0.send(notice);
    }
}

/// A task that listens. It ends when this is dropped.
#[derive(Debug)]
pub struct Listener(JoinHandle<()>);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Begins to drop entries of the loading service's cache as the database tells of promotions, and goes on until the result is dropped.
/// Returns once it listens, or at once when the database is away (then it keeps trying).
pub async fn listen(services: &Services) -> Listener {
    let (loading, activity) = (Arc::clone(&services.loading), Arc::clone(&services.activity));
    let notices = Arc::clone(&services.notices);
    let store = services.management.store().clone();
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        let mut ready = Some(ready);
        let mut pause = RETRY_FIRST;
        loop {
            match connect(&store).await {
                Ok(mut listener) => {
                    // Whatever was cached before this moment may be outdated, and nobody would have said so.
                    loading.begin_to_hear();
                    notices.tell(PromptNotice::Gap);
                    tracing::info!("listening for promotions");
                    ready.take().map(|ready| ready.send(()));
                    pause = RETRY_FIRST;
                    let gap = follow(&mut listener, &loading, &activity, &notices).await;
                    // Until it listens again, this node would not hear of a promotion.
                    loading.lose_hearing();
                    tracing::warn!(error = &gap as &dyn std::error::Error, "stopped hearing of promotions");
                }
                Err(error) => {
                    if ready.is_some() {
                        loading.lose_hearing();
                    }
                    ready.take().map(|ready| ready.send(()));
                    tracing::debug!(error = &error as &dyn std::error::Error, "cannot listen for promotions yet");
                }
            }
            // Nodes that lost the database together do not come back together.
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(RETRY_LAST);
        }
    });
    // The sender is gone only if the task panicked, which the task's own log says.
    let _ = is_ready.await;
    Listener(task)
}

async fn connect(store: &PromptStore) -> Result<PgListener, sqlx::Error> {
    // A connection of its own: when all of the pool are in use, a node must hear of promotions all the same.
    let own = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(CONNECT_LIMIT)
        .connect_lazy_with((*store.pool().connect_options()).clone());
    let connect = async {
        let mut listener = PgListener::connect_with(&own).await?;
        // Every loss must come back here, where the cache is dropped; a silent reconnection would hide a gap.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    };
    // A network that has gone mute refuses nothing.
    tokio::time::timeout(CONNECT_LIMIT, connect)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// Hands on notifications until the connection is lost, and returns how.
async fn follow(
    listener: &mut PgListener,
    loading: &PromptLoadingService,
    activity: &Activity,
    notices: &PromptNotices,
) -> sqlx::Error {
    loop {
        match tokio::time::timeout(PROBE_AFTER, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                notices.tell(apply(&notification, loading).await);
                activity.wake();
            }
            Ok(Ok(None)) => return sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()),
            Ok(Err(error)) => return error,
            // Nothing was said for a while. A connection that was cut without a word would stay silent for ever.
            Err(_) => match tokio::time::timeout(PROBE_LIMIT, sqlx::query("select 1").execute(&mut *listener)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error,
                Err(_) => return sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
            },
        }
    }
}

async fn apply(notification: &PgNotification, loading: &PromptLoadingService) -> PromptNotice {
    match serde_json::from_str::<Notice>(notification.payload()) {
        Ok(Notice { agent_type, version: Some(version) }) => {
            loading.learn_of_promotion(&agent_type, version).await;
            tracing::debug!(agent_type = %agent_type, version = %version, "heard of a promotion");
            PromptNotice::Promoted { agent_type, version }
        }
        Ok(Notice { agent_type, version: None }) => {
            loading.invalidate(&agent_type).await;
            tracing::debug!(agent_type = %agent_type, "heard of a cleared cache");
            PromptNotice::Cleared { agent_type }
        }
        Err(error) => {
            // A newer node may say something this one does not know; to drop everything is always right.
            loading.invalidate_all();
            tracing::warn!(%error, payload = notification.payload(), "unknown notification");
            PromptNotice::Gap
        }
    }
}
