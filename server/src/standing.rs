//! How things stand, asked for by many at once: after a gap every stream of prompts wants to know.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Mutex, time::timeout};
use versioning::{
    AgentType, ErrorKind, LiveVersion, PromptLoadingService, PromptManagementService, Version, VersioningError,
};

/// How long the query may take: a network that has gone mute tells nobody that the database is away.
const LIMIT: Duration = Duration::from_secs(4);

/// When a version went live, in microseconds since 1970 by the database's clock: on every node, and after every start,
/// a reader can say by it up to where it was told.
pub type Position = i64;

/// An agent, and what is live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveAgent {
    /// Its name.
    pub agent_type: AgentType,
    /// The version, and since when.
    pub live: Option<(Version, Position)>,
}

/// Every agent, from the one whose version went live first to the newest; before them those without anything live. So
/// whoever was told a part of it was told everything up to a position.
#[derive(Debug, Default)]
pub struct Live {
    agents: Vec<LiveAgent>,
    by_name: HashMap<AgentType, usize>,
}

impl Live {
    /// Brings them in order.
    pub fn new(mut agents: Vec<LiveAgent>) -> Self {
        agents.sort_by(|one, other| (one.position(), &one.agent_type).cmp(&(other.position(), &other.agent_type)));
        let by_name = agents.iter().enumerate().map(|(index, agent)| (agent.agent_type.clone(), index)).collect();
        Self { agents, by_name }
    }

    /// All of them.
    pub fn agents(&self) -> &[LiveAgent] {
        &self.agents
    }

    /// Where an agent stands among them, if it exists.
    pub fn find(&self, agent_type: &AgentType) -> Option<usize> {
        self.by_name.get(agent_type).copied()
    }

    /// The first one whose version went live at a position or later.
    pub fn first_since(&self, position: Position) -> usize {
        self.agents.partition_point(|agent| agent.position() < Some(position))
    }

    /// When something went live last.
    pub fn newest(&self) -> Option<Position> {
        self.agents.last().and_then(LiveAgent::position)
    }
}

impl LiveAgent {
    fn position(&self) -> Option<Position> {
        self.live.map(|(_, position)| position)
    }
}

impl From<LiveVersion> for LiveAgent {
    fn from(found: LiveVersion) -> Self {
        let live = found.live.map(|(version, activated_at)| (version, activated_at.timestamp_micros()));
        Self { agent_type: found.agent_type, live }
    }
}

/// One query for all who ask before it begins.
#[derive(Debug, Default)]
pub struct Standing {
    /// Questions so far.
    asked: AtomicU64,
    /// The last answer, and how many questions it answers; none when the database was away.
    answered: Mutex<(u64, Option<Arc<Live>>)>,
    /// The promotions that were heard of last, by agent.
    heard: RwLock<HashMap<AgentType, (Version, Option<Position>)>>,
    /// Held by the one who looks a promotion up.
    looking_up: Mutex<()>,
}

impl Standing {
    /// What is live, read after this was called.
    ///
    /// # Errors
    /// The database is away, or was when somebody else asked who was not answered yet.
    pub async fn read(&self, management: &PromptManagementService) -> Result<Arc<Live>, VersioningError> {
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        // Those who come while a query is under way wait here, and the next query is for all of them.
        let mut answered = self.answered.lock().await;
        if answered.0 < number {
            let asked = self.asked.load(Ordering::Acquire);
            let found = timeout(LIMIT, management.live()).await.unwrap_or_else(|_| Err(away()));
            match found {
                Ok(agents) => {
                    let agents = agents.into_iter().map(LiveAgent::from).collect();
                    *answered = (asked, Some(Arc::new(Live::new(agents))));
                }
                Err(error) => {
                    if error.kind() == ErrorKind::Unavailable {
                        // Said to all who asked by now: they are not to find it out one after another.
                        *answered = (self.asked.load(Ordering::Acquire), None);
                    }
                    return Err(error);
                }
            }
        }
        answered.1.clone().ok_or_else(away)
    }

    /// When a version went live that was just heard of; none if that cannot be told now. Looked up once for all who
    /// ask.
    pub async fn position_of(
        &self,
        loading: &PromptLoadingService,
        agent_type: &AgentType,
        version: Version,
    ) -> Option<Position> {
        if let Some(position) = self.heard_of(agent_type, version) {
            return position;
        }
        let _looking_up = self.looking_up.lock().await;
        if let Some(position) = self.heard_of(agent_type, version) {
            return position;
        }
        // Readers ask for the prompt as soon as they are told, so it is as well to have it.
        let position = match loading.get_active_prompt(agent_type).await {
            Ok(loaded) if !loaded.is_stale() && loaded.content().version.version >= version => {
                loaded.content().version.activated_at.map(|activated_at| activated_at.timestamp_micros())
            }
            _ => None,
        };
        let mut heard = self.heard.write().unwrap_or_else(PoisonError::into_inner);
        heard.insert(agent_type.clone(), (version, position));
        position
    }

    fn heard_of(&self, agent_type: &AgentType, version: Version) -> Option<Option<Position>> {
        let heard = self.heard.read().unwrap_or_else(PoisonError::into_inner);
        heard.get(agent_type).filter(|(heard, _)| *heard >= version).map(|(_, position)| *position)
    }
}

fn away() -> VersioningError {
    VersioningError::Unavailable(sqlx::Error::PoolTimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(agents: &[(&str, Option<Position>)]) -> Live {
        let agent = |&(name, position): &(&str, Option<Position>)| LiveAgent {
            agent_type: name.parse().unwrap(),
            live: position.map(|position| ("1.0.0".parse().unwrap(), position)),
        };
        Live::new(agents.iter().map(agent).collect())
    }

    #[test]
    fn what_went_live_since_is_the_rest_of_the_list() {
        let live = live(&[("c", Some(30)), ("a", Some(10)), ("draft", None), ("b", Some(20))]);
        let since =
            |position| live.agents()[live.first_since(position)..].iter().map(|agent| agent.agent_type.as_str());
        assert_eq!(since(Position::MIN).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(since(20).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(since(31).count(), 0);
        assert_eq!(live.newest(), Some(30));
        assert_eq!(live.find(&"draft".parse().unwrap()), Some(0));
        assert_eq!(live.find(&"nobody".parse().unwrap()), None);
        assert_eq!(Live::default().newest(), None);
    }
}
