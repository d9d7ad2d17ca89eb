//! What can go wrong in the lab, as one enum.

use uuid::Uuid;
use versioning::{ErrorKind, InvalidInput, VersioningError};

use crate::{
    cases::{FieldProblem, ImportProblem},
    statistics::StatisticsError,
};

/// A refusal or a failure of the lab. Its text is fit for a user and says the way forward; causes are for the log.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Input that breaks a rule of its field.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// A test case breaks rules; all of them at once.
    #[error("The case was not saved. {}", problems(.0))]
    InvalidCase(Vec<FieldProblem>),
    /// A file could not be read; nothing was taken from it.
    #[error("Nothing was imported. {0}")]
    Import(ImportProblem),
    /// There is no such set of test cases.
    #[error("There is no set of test cases {id}. It may have been deleted; the lab lists those there are.")]
    UnknownSet {
        /// What was asked for.
        id: Uuid,
    },
    /// The set has no such case.
    #[error("The set has no case {id}. It may have been deleted; open the set anew.")]
    UnknownCase {
        /// What was asked for.
        id: Uuid,
    },
    /// There is no such run.
    #[error("There is no run {id}. The lab lists those there are.")]
    UnknownRun {
        /// What was asked for.
        id: Uuid,
    },
    /// The run has no such pair of answers.
    #[error("The run has no pair of answers to case {case}, repeat {repeat}.")]
    UnknownPair {
        /// The number of the case.
        case: u32,
        /// The repeat.
        repeat: u32,
    },
    /// Another set of the agent has this name.
    #[error("The agent has a set of the name {name:?} already. Choose another name, or add the cases to that set.")]
    SetNameTaken {
        /// The name.
        name: String,
    },
    /// Another case of the set has this name.
    #[error("Another case of the set has the name {name:?}. Choose another: answers and results are told apart by it.")]
    CaseNameTaken {
        /// The name.
        name: String,
    },
    /// The run is still going on.
    #[error("The run is not over. Wait for its end, or cancel it.")]
    StillRunning,
    /// The run is over, so it cannot be cancelled.
    #[error("The run is over already; there is nothing to cancel.")]
    RunIsOver,
    /// The blind review has ended.
    #[error(
        "The review of this run has ended: its votes are shown, and stay as they are. Start a new run to ask again."
    )]
    ReviewHasEnded,
    /// The blind review cannot be ended yet.
    #[error("{missing} of {pairs} pairs have no vote yet. Vote on them first, then end the review.")]
    PairsWithoutVote {
        /// Pairs that nobody has voted on.
        missing: u32,
        /// Pairs there are.
        pairs: u32,
    },
    /// The winner was chosen already.
    #[error("A winner of this run was chosen already. Choices stay; start a new run to decide again.")]
    AlreadyChosen,
    /// What the registry says.
    #[error(transparent)]
    Versioning(#[from] VersioningError),
}

fn problems(problems: &[FieldProblem]) -> String {
    let texts: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect();
    texts.join(" ")
}

impl LabError {
    /// The kind: what a status code follows from.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) | Self::InvalidCase(_) | Self::Import(_) => ErrorKind::Invalid,
            Self::UnknownSet { .. } | Self::UnknownCase { .. } | Self::UnknownRun { .. } | Self::UnknownPair { .. } => {
                ErrorKind::NotFound
            }
            Self::SetNameTaken { .. }
            | Self::CaseNameTaken { .. }
            | Self::StillRunning
            | Self::RunIsOver
            | Self::ReviewHasEnded
            | Self::PairsWithoutVote { .. }
            | Self::AlreadyChosen => ErrorKind::Conflict,
            Self::Versioning(error) => error.kind(),
        }
    }

    /// A stable identifier for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(invalid) => invalid.code,
            Self::InvalidCase(_) => "invalid_case",
            Self::Import(_) => "malformed_import",
            Self::UnknownSet { .. } => "unknown_set",
            Self::UnknownCase { .. } => "unknown_case",
            Self::UnknownRun { .. } => "unknown_run",
            Self::UnknownPair { .. } => "unknown_pair",
            Self::SetNameTaken { .. } => "set_name_taken",
            Self::CaseNameTaken { .. } => "case_name_taken",
            Self::StillRunning => "run_still_going",
            Self::RunIsOver => "run_is_over",
            Self::ReviewHasEnded => "review_has_ended",
            Self::PairsWithoutVote { .. } => "pairs_without_vote",
            Self::AlreadyChosen => "winner_already_chosen",
            Self::Versioning(error) => error.code(),
        }
    }

    /// The field of the request that the refusal is about, if it is about one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid(invalid) => Some(invalid.field),
            Self::InvalidCase(problems) => problems.first().map(|problem| problem.field.as_str()),
            Self::SetNameTaken { .. } | Self::CaseNameTaken { .. } => Some("name"),
            Self::UnknownSet { .. } => Some("set_id"),
            Self::Versioning(error) => error.field(),
            _ => None,
        }
    }

    /// A broken rule of a field.
    pub(crate) fn invalid(field: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(InvalidInput::new(field, code, message))
    }

    /// A fault of the data: something in the database that the constraints should have kept out.
    pub(crate) fn inconsistent(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Versioning(VersioningError::Internal(cause.into()))
    }
}

impl From<sqlx::Error> for LabError {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error.as_database_error().and_then(|database| database.constraint()).map(str::to_owned);
        match constraint.as_deref() {
            Some("lab_choices_pkey") => Self::AlreadyChosen,
            Some("lab_votes_final") => Self::ReviewHasEnded,
            _ => Self::Versioning(error.into()),
        }
    }
}

impl From<serde_json::Error> for LabError {
    fn from(error: serde_json::Error) -> Self {
        Self::inconsistent(error)
    }
}

impl From<StatisticsError> for LabError {
    fn from(error: StatisticsError) -> Self {
        Self::inconsistent(error)
    }
}
