//! From calls that have ended to the figures of their versions: in batches, behind whoever makes the calls.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{
        Notify,
        mpsc::{self, error::TrySendError},
    },
    task::JoinHandle,
};
use versioning::{CallBatchId, CallSource, PerformanceService, RecordedCall};

use crate::{CallRecord, CallSink};

/// Records that wait for the database at most. Beyond, new ones are dropped, and counted.
const QUEUE: usize = 10_000;

/// Records that are written at once.
const BATCH: usize = 500;

/// The pauses between two attempts to write a batch grow from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(5);

/// Takes records without ever waiting and writes them behind.
#[derive(Debug)]
pub struct CallRecorder {
    queue: mpsc::Sender<CallRecord>,
    counters: Arc<Counters>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Counters {
    recorded: AtomicU64,
    dropped: AtomicU64,
    /// Records that were taken, and those that were written or given up.
    accepted: AtomicU64,
    settled: AtomicU64,
    /// Told after each batch.
    progress: Notify,
}

impl Counters {
    fn waiting(&self) -> u64 {
        // In this order, what is settled in between is not counted twice.
        let settled = self.settled.load(Ordering::Acquire);
        self.accepted.load(Ordering::Acquire).saturating_sub(settled)
    }
}

/// What a recorder did since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecorderCounters {
    /// Calls that are in the database.
    pub recorded: u64,
    /// Calls that were dropped because too many waited.
    pub dropped: u64,
    /// Calls that wait.
    pub waiting: u64,
}

impl CallRecorder {
    /// A recorder that writes to a store. To be called inside an asynchronous runtime.
    pub fn new(performance: PerformanceService) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let counters = Arc::new(Counters::default());
        let writer = tokio::spawn(write(waiting, performance, counters.clone()));
        Self { queue, counters, writer: Mutex::new(Some(writer)) }
    }

    /// What it did.
    pub fn counters(&self) -> RecorderCounters {
        RecorderCounters {
            recorded: self.counters.recorded.load(Ordering::Relaxed),
            dropped: self.counters.dropped.load(Ordering::Relaxed),
            waiting: self.counters.waiting(),
        }
    }

    /// Waits until everything that was recorded before is written or given up, for `limit` at most.
    pub async fn flush(&self, limit: Duration) {
        let all_written = async {
            loop {
                let progress = self.counters.progress.notified();
                if self.counters.waiting() == 0 {
                    return;
                }
                progress.await;
            }
        };
        if tokio::time::timeout(limit, all_written).await.is_err() {
            tracing::warn!(waiting = self.counters().waiting, "recorded calls were not written in time");
        }
    }
}

impl Drop for CallRecorder {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            writer.abort();
        }
    }
}

impl CallSink for CallRecorder {
    fn record(&self, call: CallRecord) {
        // Counted before, so that nobody sees it written before it was taken.
        self.counters.accepted.fetch_add(1, Ordering::AcqRel);
        match self.queue.try_send(call) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                self.counters.dropped.fetch_add(1, Ordering::Relaxed);
                self.counters.settled.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}

async fn write(mut waiting: mpsc::Receiver<CallRecord>, performance: PerformanceService, counters: Arc<Counters>) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let taken = batch.len() as u64;
        let calls: Vec<RecordedCall> = batch.drain(..).map(RecordedCall::from).collect();
        // When the connection breaks during the commit, nobody knows what became of the batch. By its id it counts once.
        let id = CallBatchId::generate();
        let mut pause = RETRY_FIRST;
        loop {
            match performance.record_once(id, &calls).await {
                Ok(added) => {
                    counters.recorded.fetch_add(added, Ordering::Relaxed);
                    break;
                }
                Err(error) if error.kind() == versioning::ErrorKind::Unavailable => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY_LAST);
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "recorded calls could not be written");
                    counters.dropped.fetch_add(calls.len() as u64, Ordering::Relaxed);
                    break;
                }
            }
        }
        counters.settled.fetch_add(taken, Ordering::AcqRel);
        counters.progress.notify_waiters();
    }
}

impl From<CallRecord> for RecordedCall {
    fn from(call: CallRecord) -> Self {
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
        Self {
            agent_type: call.agent_type,
            version: call.version,
            source: CallSource::AgentCall,
            model: call.model,
            at: call.at,
            latency_ms: Some(milliseconds(call.latency)),
            first_token_ms: call.time_to_first_token.map(milliseconds),
            error_kind: call.outcome.error_kind().map(Into::into),
            input_tokens: call.input_tokens.map(Into::into),
            output_tokens: call.output_tokens.map(Into::into),
            cost_usd: call.cost_usd,
            score: None,
        }
    }
}
