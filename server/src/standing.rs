//! How things stand, asked for by many at once: after a gap every stream of prompts wants to know.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Mutex;
use versioning::{AgentType, PromptManagementService, Version, VersioningError};

/// Every agent, and what is live.
pub type Live = Arc<Vec<(AgentType, Option<Version>)>>;

/// One query for all who ask before it begins.
#[derive(Debug, Default)]
pub struct Standing {
    /// Questions so far.
    asked: AtomicU64,
    /// The last answer, and how many questions were asked before its query began.
    answered: Mutex<(u64, Live)>,
}

impl Standing {
    /// What is live, read after this was called.
    ///
    /// # Errors
    /// The database is away.
    pub async fn read(&self, management: &PromptManagementService) -> Result<Live, VersioningError> {
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        // Those who come while a query is under way wait here, and the next query is for all of them.
        let mut answered = self.answered.lock().await;
        if answered.0 < number {
            let asked = self.asked.load(Ordering::Acquire);
            let agents = management.overview().await?.into_iter();
            let live = agents.map(|agent| (agent.agent_type, agent.active.map(|active| active.version))).collect();
            *answered = (asked, Arc::new(live));
        }
        Ok(answered.1.clone())
    }
}
