//! All SQL of the lab.
//!
//! `sets` and `cases` keep test cases, `runs` what was started and how far it is, `calls` hands out calls and records
//! what became of them, `imports` records answers from elsewhere, `results` reads them, `votes` and `decisions` keep
//! what people say.

use sqlx::PgPool;

mod calls;
mod cases;
mod decisions;
mod imports;
mod results;
mod runs;
mod sets;
mod votes;

pub(crate) use calls::{Claimed, Contact, Exchange, Exchanged, Finished, Record};
pub(crate) use decisions::Decision;
pub(crate) use imports::ImportedAnswer;
pub(crate) use results::{CaseFlags, PairRow, Read, StoredPick, Unjudged};
pub(crate) use runs::NewRun;

/// The lab's tables.
#[derive(Debug, Clone)]
pub(crate) struct LabStore {
    pool: PgPool,
}

impl LabStore {
    /// A store over a pool whose database has been migrated.
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

/// A count that cannot be negative.
fn count(count: impl TryInto<u32>) -> Result<u32, crate::LabError> {
    count.try_into().map_err(|_| crate::LabError::inconsistent("a negative count"))
}
