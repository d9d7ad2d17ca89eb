//! [`PromptClient`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use versioning::{ActivePrompt, AgentType, LoadError, LoadErrorKind, LoadFuture, PromptLoader, PromptSource, Version};

use crate::{
    ClientSettings, InvalidSettings,
    entry::{Again, EntryState, Known, Said, Verdict},
    file, follow,
    registry::Registry,
};

/// How often it is written into the fallback file that nothing has changed.
const CONFIRMATIONS: Duration = Duration::from_secs(60);

/// When it is tried again to write the fallback file.
const WRITE_AGAIN: Duration = Duration::from_secs(5);

/// Agents that the registry does not know, or has nothing for, that are remembered beside those that are known.
const MAX_UNKNOWN: usize = 256;

/// Questions for one answer at most, while what is asked about changes or the node that is asked lags behind.
const ATTEMPTS: u32 = 8;

/// The first pause for a node that lags behind; each further one is twice as long.
const LAG: Duration = Duration::from_millis(10);

/// The active prompts of a registry, from memory. It follows the registry until it is dropped.
#[derive(Debug)]
pub struct PromptClient {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// What the client and its tasks share.
#[derive(Debug)]
pub struct Shared {
    pub settings: ClientSettings,
    pub registry: Registry,
    entries: RwLock<Entries>,
    /// Told when something is to be written into the file.
    changed: Notify,
    /// Told when an agent is known that was not: it is to be followed.
    pub discovered: Notify,
}

/// Every agent that was asked for.
#[derive(Debug, Default)]
struct Entries {
    by_agent: HashMap<AgentType, Arc<Entry>>,
    /// From how many entries on those of unknown agents are forgotten.
    sweep_at: usize,
}

/// One agent's prompt.
#[derive(Debug)]
struct Entry {
    agent_type: AgentType,
    state: Mutex<EntryState>,
    /// The question that is under way; it ends when the sender is dropped.
    flight: Mutex<Option<watch::Receiver<()>>>,
}

impl Entry {
    /// Never held across a request.
    fn state(&self) -> MutexGuard<'_, EntryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_known(&self) -> bool {
        self.state().known.is_some()
    }

    fn is_asked_for(&self) -> bool {
        let flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        flight.as_ref().is_some_and(|flight| flight.has_changed().is_ok())
    }
}

impl Drop for PromptClient {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl PromptClient {
    /// A client of a registry, with what the fallback file knows. The registry need not be there. To be called inside an
    /// asynchronous runtime.
    ///
    /// # Errors
    /// The address is none.
    pub fn new(settings: ClientSettings) -> Result<Self, InvalidSettings> {
        let registry = Registry::new(&settings)?;
        let known = settings.fallback_file.as_deref().map(file::read).unwrap_or_default();
        let by_agent: HashMap<_, _> = known
            .into_iter()
            .map(|(agent_type, known)| {
                let state = EntryState { known: Some(known), ..EntryState::default() };
                (agent_type.clone(), Arc::new(Entry { agent_type, state: Mutex::new(state), flight: Mutex::default() }))
            })
            .collect();
        let entries = RwLock::new(Entries { sweep_at: by_agent.len() + MAX_UNKNOWN, by_agent });
        let (changed, discovered) = (Notify::new(), Notify::new());
        let shared = Arc::new(Shared { settings, registry, entries, changed, discovered });
        let tasks = vec![tokio::spawn(follow::follow(shared.clone())), tokio::spawn(keep_file(shared.clone()))];
        Ok(Self { shared, tasks })
    }

    /// The active prompt of an agent.
    ///
    /// # Errors
    /// Nothing is active; or the registry cannot be asked and nothing is known, or only something that is older than
    /// [`ClientSettings::max_staleness`].
    pub async fn get_active_prompt(&self, agent_type: &AgentType) -> Result<ActivePrompt, LoadError> {
        let entry = self.shared.entry(agent_type);
        let settings = &self.shared.settings;
        let verdict = entry.state().verdict(Instant::now(), settings.time_to_live, settings.max_staleness);
        match verdict {
            Verdict::Serve(source) => return entry.serve(source),
            Verdict::ServeAndAsk(source) => {
                self.shared.ask(&entry);
                return entry.serve(source);
            }
            Verdict::Ask => {}
        }
        let (is_quiet, is_failing) = {
            let state = entry.state();
            let is_quiet = state.quiet_until.is_some_and(|until| Instant::now() < until);
            (is_quiet, state.known.is_some() && state.failure.is_some())
        };
        if !is_quiet {
            let mut flight = self.shared.ask(&entry);
            // Who can be told something at once does not wait for a registry that failed the last time.
            if !is_failing {
                // The sender is dropped at the end of the question. It may say before that there is something.
                let _ = flight.changed().await;
            }
        }
        entry.answer(settings.max_staleness)
    }
}

impl PromptLoader for PromptClient {
    fn load<'a>(&'a self, agent_type: &'a AgentType) -> LoadFuture<'a> {
        LoadFuture::waiting(self.get_active_prompt(agent_type))
    }
}

impl Entry {
    fn serve(&self, source: PromptSource) -> Result<ActivePrompt, LoadError> {
        let state = self.state();
        match &state.known {
            Some(known) => Ok(known.prompt(&self.agent_type, source)),
            None => Err(LoadError::new(LoadErrorKind::Fault, "The prompt was forgotten. Ask again.")),
        }
    }

    /// What is answered once the registry was asked.
    fn answer(&self, max_staleness: Duration) -> Result<ActivePrompt, LoadError> {
        let state = self.state();
        let now = Instant::now();
        let Some(known) = &state.known else {
            return Err(match &state.failure {
                Some(Said::Nothing { message }) => LoadError::new(LoadErrorKind::NothingActive, message.clone()),
                Some(Said::Fault { message }) => LoadError::new(LoadErrorKind::Fault, message.clone()),
                Some(Said::Unavailable { message }) => LoadError::new(LoadErrorKind::Unavailable, message.clone()),
                _ => LoadError::new(LoadErrorKind::Unavailable, "The registry gave no answer. Try again in a moment."),
            });
        };
        let source = if state.failure.is_none() && state.is_sure() {
            PromptSource::Fresh
        } else if known.is_from_file {
            PromptSource::File
        } else {
            PromptSource::Stale
        };
        let age = known.age(now);
        if source != PromptSource::Fresh && age > max_staleness {
            let message = format!(
                "The registry could not be asked about {} for {} s, which is longer than the {} s that are allowed. Version \
                 {} was live when it last answered.",
                self.agent_type,
                age.as_secs(),
                max_staleness.as_secs(),
                known.version
            );
            let last_known = Some(Box::new(known.prompt(&self.agent_type, source)));
            return Err(LoadError { kind: LoadErrorKind::TooStale, message, last_known });
        }
        Ok(known.prompt(&self.agent_type, source))
    }
}

impl Shared {
    fn entries(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, agent_type: &AgentType) -> Arc<Entry> {
        if let Some(entry) = self.entries().by_agent.get(agent_type) {
            return entry.clone();
        }
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.by_agent.len() >= entries.sweep_at {
            // Names that somebody makes up are not to fill the memory.
            entries.by_agent.retain(|_, entry| entry.is_known() || entry.is_asked_for());
            entries.sweep_at = entries.by_agent.len() + MAX_UNKNOWN;
        }
        let new =
            || Arc::new(Entry { agent_type: agent_type.clone(), state: Mutex::default(), flight: Mutex::default() });
        entries.by_agent.entry(agent_type.clone()).or_insert_with(new).clone()
    }

    /// Asks the registry, unless that is under way: then its end is waited for.
    fn ask(self: &Arc<Self>, entry: &Arc<Entry>) -> watch::Receiver<()> {
        let mut flight = entry.flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = flight.as_ref().filter(|flight| flight.has_changed().is_ok()) {
            let mut under_way = under_way.clone();
            under_way.mark_unchanged();
            return under_way;
        }
        let (landed, receiver) = watch::channel(());
        *flight = Some(receiver.clone());
        let (shared, entry) = (self.clone(), entry.clone());
        tokio::spawn(async move { shared.question(&entry, &landed).await });
        receiver
    }

    /// Asks until the answer is of the generation in which it arrives; a prompt that is promoted faster than it can be read is
    /// caught up with by the next question. Whoever waits is told of the first answer when the next one may take a while.
    async fn question(&self, entry: &Entry, landed: &watch::Sender<()>) {
        let mut pause = LAG;
        for _ in 0..ATTEMPTS {
            let (generation, etag) = {
                let state = entry.state();
                (state.generation, state.known.as_ref().and_then(|known| known.etag.clone()))
            };
            let said = self.registry.ask(&entry.agent_type, etag.as_deref()).await;
            let (taken, is_discovered) = {
                let mut state = entry.state();
                let was_known = state.known.is_some();
                let quiet = jittered(self.settings.retry_after_failure);
                (state.take(said, generation, Instant::now(), quiet), !was_known && state.known.is_some())
            };
            if taken.has_changed {
                self.changed.notify_one();
            }
            if is_discovered {
                self.discovered.notify_one();
            }
            match taken.again {
                Again::No => return,
                Again::AtOnce => {}
                Again::Later => {
                    landed.send_replace(());
                    tokio::time::sleep(jittered(pause)).await;
                    pause *= 2;
                }
            }
        }
    }

    /// An event of the registry's: this is live.
    pub fn hear(self: &Arc<Self>, agent_type: &AgentType, version: Version, is_stale: bool) {
        // Nobody has asked for the others.
        let Some(entry) = self.entries().by_agent.get(agent_type).cloned() else { return };
        let is_news = entry.state().hear(version, is_stale, Instant::now());
        if is_news {
            self.ask(&entry);
        }
    }

    /// An event of the registry's: this is to be read anew.
    pub fn clear(self: &Arc<Self>, agent_type: &AgentType) {
        let Some(entry) = self.entries().by_agent.get(agent_type).cloned() else { return };
        entry.state().clear();
        self.ask(&entry);
    }

    /// The agents to be followed, by name.
    pub fn known_agents(&self) -> Vec<AgentType> {
        let entries = self.entries();
        let known = entries.by_agent.values().filter(|entry| entry.is_known());
        let mut known: Vec<_> = known.map(|entry| entry.agent_type.clone()).collect();
        known.sort_unstable();
        known
    }

    /// Changes what is known of every agent that `is_meant`.
    pub fn each(&self, is_meant: impl Fn(&AgentType) -> bool, mut change: impl FnMut(&mut EntryState)) {
        for entry in self.entries().by_agent.values().filter(|entry| is_meant(&entry.agent_type)) {
            change(&mut entry.state());
        }
    }

    /// Whether anything was confirmed since the file was written.
    fn take_unwritten(&self) -> bool {
        let entries = self.entries();
        // All of them, not only up to the first.
        let unwritten = entries.by_agent.values().filter(|entry| std::mem::take(&mut entry.state().is_unwritten));
        unwritten.count() > 0
    }

    fn all_known(&self) -> Vec<(AgentType, Known)> {
        let entries = self.entries();
        let known = entries.by_agent.values();
        known.filter_map(|entry| Some((entry.agent_type.clone(), entry.state().known.clone()?))).collect()
    }
}

/// So that clients that failed together do not come back together: from half to one and a half times as long.
pub fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..1.5))
}

/// Writes the fallback file after each change at once, and else now and then: how old a prompt is counts after a start as well.
async fn keep_file(shared: Arc<Shared>) {
    let Some(path) = shared.settings.fallback_file.clone() else { return };
    let mut has_failed = false;
    loop {
        let wait = if has_failed { WRITE_AGAIN } else { CONFIRMATIONS };
        // It is as well when the time is over.
        let _ = tokio::time::timeout(wait, shared.changed.notified()).await;
        if !shared.take_unwritten() && !has_failed {
            continue;
        }
        let (path, known) = (path.clone(), shared.all_known());
        let written = tokio::task::spawn_blocking(move || file::write(&path, &known)).await;
        has_failed = !matches!(written, Ok(Ok(())));
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "the fallback file cannot be written; it is tried again");
        }
    }
}
