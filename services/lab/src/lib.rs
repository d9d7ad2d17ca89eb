//! The A/B testing lab: two versions of a prompt on the same test cases, and what may be concluded from the answers.
//!
//! A set of [`cases`] is run against both versions ([`Lab::start`]); every call is written to the database before it is made
//! ([`schedule`]), and any node makes it ([`runner`]). Answers go through [`checks`] and judges; [`report`] hands what they found
//! to the [`statistics`], pure functions from paired results to a verdict. A person decides ([`Lab::choose`]).
//!
//! Start reading at [`plan`], then [`schedule`], `runner` and [`report`].

pub mod cases;
pub mod checks;
mod error;
mod execute;
mod export;
mod kept;
mod messages;
mod metric;
mod model;
pub mod plan;
pub mod report;
mod results;
mod review;
mod runner;
mod runs;
mod schedule;
mod set_list;
mod sets;
mod start;
pub mod statistics;
mod store;
mod winner;

use std::sync::Arc;

use agents::{LanguageModel, Prices};
use sqlx::PgPool;
use tokio::sync::Notify;
use versioning::Services;

pub use error::LabError;
pub use export::ResultFormat;
pub use messages::Messages;
pub use metric::Metric;
pub use model::{AnswerRecord, Choice, PairOpinion, Run, RunStatus, SetSummary, Side, StoredCase, TestSet, Vote};
pub use plan::{RunPlan, RunRequest};
pub use report::Report;
pub use results::{CaseResult, ResultFilter, Results};
pub use review::{BlindPair, Place};
pub use runner::{Runner, RunnerSettings};
pub use runs::{RunCursor, RunsPage};
pub use set_list::{SetCursor, SetsPage};
pub use sets::{CaseLine, Imported, PlacedCase};
pub use start::{DryCall, DryRun};
pub use winner::{Chosen, WinnerRequest};

/// The lab: one in a process, shared by pages, REST and the runner.
#[derive(Debug, Clone)]
pub struct Lab {
    store: store::LabStore,
    services: Services,
    models: Arc<dyn LanguageModel>,
    prices: Arc<Prices>,
    kept: kept::Kept,
    /// Told when a run was started here, so that this node's runner need not look for it.
    started: Arc<Notify>,
}

impl Lab {
    /// The lab over a migrated database, the registry's services, and whatever answers.
    pub fn new(pool: PgPool, services: Services, models: Arc<dyn LanguageModel>, prices: Prices) -> Self {
        Self {
            store: store::LabStore::new(pool),
            services,
            models,
            prices: Arc::new(prices),
            kept: kept::Kept::new(),
            started: Arc::new(Notify::new()),
        }
    }

    /// Which models can be reached, and how to configure those that cannot.
    pub async fn models(&self) -> Vec<agents::ProviderState> {
        self.models.catalogue().await
    }

    /// What answers.
    pub fn language_model(&self) -> &Arc<dyn LanguageModel> {
        &self.models
    }

    /// What models cost.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }
}
