//! Reads that are under way: one at most for an agent, in a task of its own, so that nobody who waits for it carries it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use super::prompt::CachedPrompt;
use crate::{AgentType, VersioningError};

/// What a read came to.
pub(super) type Outcome = Result<Arc<CachedPrompt>, LoadFailure>;

/// Why a read gave nothing: told to every caller that waited for it.
#[derive(Debug, Clone)]
pub(super) enum LoadFailure {
    /// The database answered that there is nothing.
    Missing(Missing),
    /// The database is away, or was just now.
    Unavailable,
    /// Another fault; it was logged where it happened.
    Fault,
}

/// What is missing.
#[derive(Debug, Clone)]
pub(super) enum Missing {
    /// Nothing is active.
    Version,
    /// There is no such agent; those that may be meant.
    Agent(Arc<[AgentType]>),
}

impl Missing {
    pub fn error(&self, agent_type: &AgentType) -> VersioningError {
        let agent_type = agent_type.clone();
        match self {
            Self::Version => VersioningError::NoActiveVersion { agent_type },
            Self::Agent(near) => VersioningError::UnknownAgent { agent_type, near: near.to_vec() },
        }
    }
}

/// A read that is under way.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    /// Before this, nothing was read.
    pub begun: Instant,
    landed: watch::Receiver<Option<Outcome>>,
}

impl Flight {
    /// What it came to; none when it takes longer than the caller waits.
    pub async fn outcome(mut self, until: Option<Instant>) -> Option<Outcome> {
        let landing = async {
            match self.landed.wait_for(Option::is_some).await {
                Ok(outcome) => outcome.clone().unwrap_or(Err(LoadFailure::Fault)),
                // Its task panicked, which the task's own log says.
                Err(_) => Err(LoadFailure::Fault),
            }
        };
        match until {
            Some(until) => tokio::time::timeout_at(until.into(), landing).await.ok(),
            None => Some(landing.await),
        }
    }
}

/// All that are under way.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<AgentType, Flight>>);

impl Flights {
    /// The read of an agent that is under way; else one that begins now.
    pub fn join<F>(self: &Arc<Self>, agent_type: &AgentType, read: impl FnOnce() -> F) -> Flight
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(agent_type) {
            return flight.clone();
        }
        let (tell, landed) = watch::channel(None);
        let flight = Flight { begun: Instant::now(), landed };
        flights.insert(agent_type.clone(), flight.clone());
        drop(flights);
        let read = read();
        let landing = Landing { flights: Arc::clone(self), agent_type: agent_type.clone() };
        tokio::spawn(async move {
            let outcome = read.await;
            // Before it is told: who is not content with what was read begins another one.
            drop(landing);
            tell.send_replace(Some(outcome));
        });
        flight
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AgentType, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a read off the list, however it ended.
struct Landing {
    flights: Arc<Flights>,
    agent_type: AgentType,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.agent_type);
    }
}
