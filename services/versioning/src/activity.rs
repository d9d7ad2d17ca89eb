//! What happens in the registry, as it happens: for pages that stay open.
//!
//! Promotions are heard of at once. Whatever else happens, on this node or another, is found by asking for new events four times a
//! second, and only while somebody listens: telling every node of every draft would make writers of different agents queue
//! for PostgreSQL's notification lock.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, broadcast, watch},
    task::JoinHandle,
};

use crate::{Event, PromptStore};

/// How often new events are asked for while somebody listens.
const PERIOD: Duration = Duration::from_millis(250);

/// How many events are asked for at once, and kept for a listener that is slow.
const EVENTS: u32 = 128;

/// What happens in the registry, as it happens.
#[derive(Debug)]
pub struct Activity {
    events: broadcast::Sender<Arc<Event>>,
    wake: Arc<Notify>,
    has_looked: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Activity {
    /// Begins to watch a store.
    pub fn watch(store: PromptStore) -> Self {
        let (events, _) = broadcast::channel(EVENTS as usize);
        let wake = Arc::new(Notify::new());
        let (looked, has_looked) = watch::channel(false);
        let task = tokio::spawn(follow(store, events.clone(), Arc::clone(&wake), looked));
        Self { events, wake, has_looked, task }
    }

    /// Every event that commits once this has returned. A listener that falls behind is told how many it missed.
    ///
    /// In a process that has just begun this waits for the first look at the database: what is there by then counts as known,
    /// and is told to nobody. When that look fails it waits no longer, and the same holds for the first one that succeeds.
    pub async fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        let receiver = self.events.subscribe();
        // It fails only if the task panicked, which the task's own log says.
        let _ = self.has_looked.clone().wait_for(|has_looked| *has_looked).await;
        self.wake();
        receiver
    }

    /// Says that something has just happened, so that nobody waits for the next look.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }
}

async fn follow(
    store: PromptStore,
    events: broadcast::Sender<Arc<Event>>,
    wake: Arc<Notify>,
    looked: watch::Sender<bool>,
) {
    // Ids are given out before their transactions commit, so a lower one can appear after a higher one: what was seen is
    // remembered by id and not by the highest of them. It is kept while nobody listens, so that whoever begins to listen
    // misses nothing that commits from then on.
    let mut seen: Option<HashSet<i64>> = None;
    loop {
        if seen.is_some() && events.receiver_count() == 0 {
            wake.notified().await;
        }
        match store.recent_events(EVENTS).await {
            Ok(recent) => {
                let ids = recent.iter().map(|event| event.id).collect();
                if let Some(seen) = &seen {
                    for event in recent.into_iter().rev().filter(|event| !seen.contains(&event.id)) {
                        // It fails when nobody listens any more.
                        let _ = events.send(Arc::new(event));
                    }
                }
                seen = Some(ids);
            }
            Err(error) => tracing::debug!(%error, "cannot ask for new events"),
        }
        looked.send_replace(true);
        let _ = tokio::time::timeout(PERIOD, wake.notified()).await;
    }
}
