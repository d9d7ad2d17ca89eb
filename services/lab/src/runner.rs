//! Makes the calls of runs. Every node has one; nodes that share a run share its calls.
//!
//! What is to be done stands in the database, so a node that is killed loses nothing: after its lease, whoever is there goes on
//! with the calls that have no answer yet. A call that was answered is never made again.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use agents::Retries;
use tokio::{
    sync::watch,
    task::{Id, JoinHandle, JoinSet},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    Lab, LabError, RunStatus, Side,
    execute::RunContext,
    schedule::RunPrices,
    store::{Claimed, Contact, Exchange, Exchanged, Finished, LabStore, Record},
};

/// Runs that a node works on at once; later ones wait for their turn.
const RUNS_AT_ONCE: usize = 8;

/// Results are recorded together when they come within this time.
const PAUSE: Duration = Duration::from_millis(15);

/// How long to wait after the database could not be reached.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);

/// How a runner works.
#[derive(Debug, Clone, Copy)]
pub struct RunnerSettings {
    /// How often it looks for runs that were started on other nodes.
    pub poll: Duration,
    /// How long its claims hold when it is not heard of: a node that was killed delays its calls so long.
    pub lease: Duration,
    /// How calls are tried again.
    pub retries: Retries,
}

impl Default for RunnerSettings {
    fn default() -> Self {
        Self { poll: Duration::from_millis(500), lease: Duration::from_secs(15), retries: Retries::default() }
    }
}

/// A runner at work. When it is dropped it lets go at once, as if its process had been killed: what it had under way is made
/// again, by whoever is there when its lease ends.
#[derive(Debug)]
pub struct Runner {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Runner {
    /// Begins to work, until it is told to stop.
    pub fn spawn(lab: Lab, settings: RunnerSettings) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(look(lab, settings, stopped)) }
    }

    /// Stops: no further call is made, those under way are given `patience` to end, and the others are given back.
    pub async fn stop(mut self, patience: Duration) {
        let _ = self.stop.send(true);
        if tokio::time::timeout(patience, &mut self.task).await.is_err() {
            tracing::warn!("calls of the lab were cut off; they are made again");
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Looks for runs and works on them.
async fn look(lab: Lab, settings: RunnerSettings, mut stopped: watch::Receiver<bool>) {
    let mut at_work: HashMap<Uuid, Id> = HashMap::new();
    let mut work = JoinSet::new();
    loop {
        match lab.store.running().await {
            Ok(runs) => {
                for run in runs {
                    if at_work.len() < RUNS_AT_ONCE && !at_work.contains_key(&run) {
                        let handle = work.spawn(work_on(lab.clone(), run, settings, stopped.clone()));
                        at_work.insert(run, handle.id());
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the lab cannot look for runs"),
        }
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            Some(done) = work.join_next_with_id() => {
                let id = match done {
                    Ok((id, ())) => id,
                    Err(error) => {
                        tracing::error!(%error, "the work on a run broke off");
                        error.id()
                    }
                };
                at_work.retain(|_, task| *task != id);
            }
            () = lab.started.notified() => {}
            () = tokio::time::sleep(settings.poll) => {}
        }
    }
    while work.join_next().await.is_some() {}
}

/// Works on a run until it is over, or this node is to stop.
async fn work_on(lab: Lab, run: Uuid, settings: RunnerSettings, mut stopped: watch::Receiver<bool>) {
    let mut was_away = false;
    let context = loop {
        match context(&lab, run, settings).await {
            Ok(context) => break context,
            Err(error) if error.kind() == versioning::ErrorKind::Unavailable => was_away = true,
            Err(error) => {
                tracing::error!(%run, %error, "a run cannot be worked on");
                // Left for a node that can; this one asks again when it looks next.
                let _ = tokio::time::timeout(settings.lease, stopped.wait_for(|stopped| *stopped)).await;
                return;
            }
        }
        if *stopped.borrow() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    };
    let contact = Contact::begin(was_away, settings.lease);
    Work::new(lab.store, Arc::new(context), settings, stopped, contact).run().await;
}

async fn context(lab: &Lab, id: Uuid, settings: RunnerSettings) -> Result<RunContext, LabError> {
    let run = lab.run(id).await?;
    let cases = lab.store.run_cases(id).await?;
    let mut prompts = Vec::new();
    for side in [Side::A, Side::B, Side::N, Side::M] {
        let content = lab.services.management.get_prompt_content(&run.agent_type, run.version_of(side)).await?;
        prompts.push((side, content.prompt_text));
    }
    let prices = RunPrices::of(&run.plan, &lab.prices);
    let (store, models) = (lab.store.clone(), lab.models.clone());
    Ok(RunContext { run, cases, prompts, prices, store, models, retries: settings.retries })
}

type Answered = (Vec<Finished>, Result<Option<Exchanged>, LabError>);

/// The work on one run.
struct Work {
    store: LabStore,
    context: Arc<RunContext>,
    settings: RunnerSettings,
    stopped: watch::Receiver<bool>,
    /// Who this is, to the other nodes.
    node: Uuid,
    /// Calls under way, and the numbers of their tasks.
    flights: JoinSet<Finished>,
    numbers: HashMap<Id, i32>,
    /// Calls that are claimed and not begun: the next one need not wait for the database.
    ready: VecDeque<Claimed>,
    /// What became of calls and is not recorded yet.
    finished: Vec<Finished>,
    /// The talk with the database that is under way.
    exchange: Option<Pin<Box<dyn Future<Output = Answered> + Send>>>,
    /// When the next one is due at the latest.
    due: Instant,
    /// When one may begin at the earliest.
    not_before: Instant,
    /// Calls that may be under way here: what several nodes have under way is no more than what one would have.
    granted: usize,
    /// When the database was heard from.
    contact: Contact,
}

impl Work {
    fn new(
        store: LabStore,
        context: Arc<RunContext>,
        settings: RunnerSettings,
        stopped: watch::Receiver<bool>,
        contact: Contact,
    ) -> Self {
        let now = Instant::now();
        Self {
            store,
            context,
            settings,
            stopped,
            node: Uuid::now_v7(),
            flights: JoinSet::new(),
            numbers: HashMap::new(),
            ready: VecDeque::new(),
            finished: Vec::new(),
            exchange: None,
            due: now,
            not_before: now,
            granted: 0,
            contact,
        }
    }

    /// Until the run is over, or this node is to stop.
    async fn run(mut self) {
        loop {
            let is_stopping = *self.stopped.borrow();
            if !is_stopping {
                self.take_off();
            } else if self.flights.is_empty() && self.finished.is_empty() && self.exchange.is_none() {
                self.give_back().await;
                return;
            }
            let now = Instant::now();
            let has_news = !self.finished.is_empty() && now >= self.not_before;
            if self.exchange.is_none() && (has_news || now >= self.due) {
                self.exchange = Some(self.begin_exchange(is_stopping));
            }
            let next = if self.finished.is_empty() { self.due } else { self.not_before };
            tokio::select! {
                Some(landed) = self.flights.join_next_with_id() => self.land(landed),
                answered = async { match &mut self.exchange { Some(exchange) => exchange.await, None => std::future::pending().await } } => {
                    self.exchange = None;
                    if self.hear(answered) {
                        self.give_back().await;
                        return;
                    }
                }
                () = tokio::time::sleep_until(next), if self.exchange.is_none() => {}
                _ = self.stopped.changed(), if !is_stopping => {}
            }
        }
    }

    /// Calls of the run at once, by all nodes.
    fn most(&self) -> usize {
        usize::try_from(self.context.run.concurrency).unwrap_or(1)
    }

    /// Calls that are claimed ahead.
    fn ahead(&self) -> usize {
        self.most() / 2 + 1
    }

    /// Begins as many calls as may be under way.
    fn take_off(&mut self) {
        while self.flights.len() < self.granted
            && let Some(call) = self.ready.pop_front()
        {
            let (context, number) = (self.context.clone(), call.number);
            let task = self.flights.spawn(async move { context.make(&call).await });
            self.numbers.insert(task.id(), number);
        }
    }

    fn land(&mut self, landed: Result<(Id, Finished), tokio::task::JoinError>) {
        match landed {
            Ok((id, finished)) => {
                self.numbers.remove(&id);
                self.finished.push(finished);
            }
            Err(error) => {
                tracing::error!(run = %self.context.run.id, %error, "a call of a run broke off");
                if let Some(number) = self.numbers.remove(&error.id()) {
                    let message = "The call broke off; the server's log says why.".into();
                    let record = Record::Failed { kind: "internal".into(), message, cost_usd: None };
                    self.finished.push(Finished { number, attempts: 1, owed_usd: 0.0, record });
                }
            }
        }
    }

    fn begin_exchange(&mut self, is_stopping: bool) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        let (store, run, node, lease) = (self.store.clone(), self.context.run.id, self.node, self.settings.lease);
        let finished = std::mem::take(&mut self.finished);
        if is_stopping {
            // Given back: only what is under way is still held.
            self.ready.clear();
        }
        let held: Vec<i32> = self.numbers.values().copied().chain(self.ready.iter().map(|call| call.number)).collect();
        let (most, ahead) = (self.most(), self.ahead());
        let wanted = if is_stopping { 0 } else { (most + ahead).saturating_sub(held.len()) };
        let as_count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let flights = if is_stopping { self.flights.len() } else { self.flights.len().max(self.granted) };
        let (flights, wanted, most_claimed) = (as_count(flights), as_count(wanted), as_count(most + ahead));
        let contact = self.contact;
        self.not_before = Instant::now() + PAUSE;
        // The lease is renewed in time; without anything under way, it looks whether others left something.
        let idle = self.flights.is_empty() && finished.is_empty();
        self.due = Instant::now() + if idle { self.settings.poll } else { self.settings.lease / 4 };
        Box::pin(async move {
            let exchange =
                Exchange { run, node, finished: &finished, held: &held, flights, wanted, most_claimed, lease, contact };
            let answer = store.exchange(exchange).await;
            (finished, answer)
        })
    }

    /// Takes what the database said; true when there is nothing more to do here.
    fn hear(&mut self, (finished, answer): Answered) -> bool {
        match answer {
            Err(error) => {
                tracing::warn!(run = %self.context.run.id, %error, "the lab cannot record; it tries again");
                // Nothing is lost: what was to be recorded is recorded later.
                self.finished.extend(finished);
                self.not_before = Instant::now() + AGAIN;
                self.due = self.not_before;
                false
            }
            Ok(None) => true,
            Ok(Some(Exchanged { status, claimed, lost, granted })) => {
                self.contact.heard(self.settings.lease);
                self.granted = usize::try_from(granted).unwrap_or(0);
                // What is under way goes on: whoever answers first has answered.
                self.ready.retain(|call| !lost.contains(&call.number));
                if claimed.is_empty() && self.flights.is_empty() && self.ready.is_empty() {
                    self.due = self.due.min(Instant::now() + self.settings.poll);
                }
                self.ready.extend(claimed);
                status != RunStatus::Running
            }
        }
    }

    /// Lets go of everything that is claimed: the run is over, or this node is.
    async fn give_back(&mut self) {
        self.flights.abort_all();
        let exchange = Exchange {
            run: self.context.run.id,
            node: self.node,
            finished: &self.finished,
            held: &[],
            flights: 0,
            wanted: 0,
            most_claimed: 0,
            lease: self.settings.lease,
            contact: self.contact,
        };
        if let Err(error) = self.store.exchange(exchange).await {
            tracing::warn!(run = %self.context.run.id, %error, "calls are given back only when their lease ends");
        }
    }
}
