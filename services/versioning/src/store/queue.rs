//! Writers of one agent queue in this process before they take a connection. Otherwise a crowd that waits for the lock
//! of one agent would hold every connection of the pool, and writers of other agents would wait after all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

use crate::AgentType;

/// The queues of the agents that somebody is writing to.
#[derive(Debug, Clone, Default)]
pub(super) struct Queues(Arc<Mutex<HashMap<AgentType, Arc<tokio::sync::Mutex<()>>>>>);

/// A place in the queue of an agent; the next one follows when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    queues: Queues,
    agent_type: AgentType,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Queues {
    /// Waits for its turn.
    pub(super) async fn enter(&self, agent_type: &AgentType) -> Turn {
        // Made before the wait, so that a writer who gives up waiting leaves no empty queue behind.
        let mut turn = Turn { queues: self.clone(), agent_type: agent_type.clone(), guard: None };
        let queue = {
            let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(queues.entry(agent_type.clone()).or_default())
        };
        turn.guard = Some(queue.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        let mut queues = self.queues.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Only the map itself knows the queue: nobody waits, and nobody can begin to while the map is locked.
        if queues.get(&self.agent_type).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.agent_type);
        }
    }
}
