//! What can go wrong with prompts, as one enum of both services.

use crate::{AgentType, InvalidInput, Version};

/// A refusal or a failure of the versioning services.
///
/// The text of every variant but [`Self::Unavailable`] and [`Self::Internal`] is fit for a user as it stands, and says
/// the way forward. The causes of those two are for the log alone; their own text is fit for a user too.
#[derive(Debug, thiserror::Error)]
pub enum VersioningError {
    /// Input that breaks a rule of its field.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The number is taken; versions are never overwritten.
    #[error(
        "{agent_type} {version} exists already, and a version never changes. Choose a number that is free{}.",
        suggestion(free)
    )]
    VersionExists {
        /// The agent.
        agent_type: AgentType,
        /// The number that is taken.
        version: Version,
        /// A number that was free when this was said, if its line has one.
        free: Option<Version>,
    },
    /// `base_version` names a version that the agent does not have.
    #[error(
        "{agent_type} has no version {base}, so a change cannot be based on it. Name the version that you started from."
    )]
    UnknownBase {
        /// The agent.
        agent_type: AgentType,
        /// The base that does not exist.
        base: Version,
    },
    /// No version of this agent was ever created.
    #[error(
        "There is no agent {agent_type}.{} Create its first version with POST /api/v1/prompts/versions.",
        meant(near)
    )]
    UnknownAgent {
        /// The agent.
        agent_type: AgentType,
        /// The agents that may have been meant, the best first.
        near: Vec<AgentType>,
    },
    /// The agent has no version of this number.
    #[error(
        "{agent_type} has no version {version}.{} GET /api/v1/prompts/{agent_type}/versions lists those it has.",
        neighbours(near)
    )]
    UnknownVersion {
        /// The agent.
        agent_type: AgentType,
        /// The number asked for.
        version: Version,
        /// The versions next to it, the lower one first.
        near: Vec<Version>,
    },
    /// Nothing is live for this agent.
    #[error("{agent_type} has no active version. Create one and promote it.")]
    NoActiveVersion {
        /// The agent.
        agent_type: AgentType,
    },
    /// What is below the active version cannot be created or go live (rules 5 and 6 of the design).
    #[error(
        "{agent_type} {version} is below {active}, which is active. Nothing is rolled back: to bring a text back, \
         reissue it as the next version; for a new text, choose a number above {active}."
    )]
    FixForward {
        /// The agent.
        agent_type: AgentType,
        /// The version that is too low.
        version: Version,
        /// The active version.
        active: Version,
    },
    /// Somebody promoted another version since the caller looked.
    #[error(
        "{agent_type} has moved on: this change is based on {base}, but {} is active now. Compare the two, then save \
         again based on {}.",
        active_name(active),
        active_name(active)
    )]
    StaleBase {
        /// The agent.
        agent_type: AgentType,
        /// What the caller started from, or expected to be active.
        base: Version,
        /// What is active now.
        active: Option<Version>,
    },
    /// Somebody saved another version since the caller looked.
    #[error("{agent_type} {version} was saved while you were writing. Compare it with your text, then save again.")]
    SavedMeanwhile {
        /// The agent.
        agent_type: AgentType,
        /// The version that was saved last.
        version: Version,
    },
    /// No number is left in the line: a version has 20 characters at most.
    #[error(
        "{agent_type} has no free number after {version}: a version has 20 characters at most. Create a higher minor or major version."
    )]
    NumbersExhausted {
        /// The agent.
        agent_type: AgentType,
        /// The last version of the line.
        version: Version,
    },
    /// The database cannot be reached, or is too busy to answer in time.
    #[error(
        "The registry's database cannot be reached at the moment. Nothing was changed; try again in a few seconds."
    )]
    Unavailable(#[source] sqlx::Error),
    /// The connection was lost while a change was being committed: only a look can tell whether it was.
    #[error(
        "The connection to the registry's database was lost while the change was being saved. Look at the agent's \
         versions: if the change is not there, save it again."
    )]
    OutcomeUnknown(#[source] sqlx::Error),
    /// A fault of Verbatim or of its data.
    #[error("Something went wrong inside Verbatim. It was logged; tell whoever runs this server the request id.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What kind of a refusal it is: what a status code or a page's tone follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was asked for does not exist.
    NotFound,
    /// The state of the agent does not allow it; the caller can look and decide.
    Conflict,
    /// The input breaks a rule.
    Invalid,
    /// It may well work in a moment.
    Unavailable,
    /// A fault on our side.
    Internal,
}

impl VersioningError {
    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid(_) | Self::VersionExists { .. } | Self::UnknownBase { .. } => ErrorKind::Invalid,
            Self::UnknownAgent { .. } | Self::UnknownVersion { .. } | Self::NoActiveVersion { .. } => {
                ErrorKind::NotFound
            }
            Self::FixForward { .. }
            | Self::StaleBase { .. }
            | Self::SavedMeanwhile { .. }
            | Self::NumbersExhausted { .. } => ErrorKind::Conflict,
            Self::Unavailable(_) | Self::OutcomeUnknown(_) => ErrorKind::Unavailable,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// A stable identifier for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(invalid) => invalid.code,
            Self::VersionExists { .. } => "version_exists",
            Self::UnknownBase { .. } => "unknown_base_version",
            Self::UnknownAgent { .. } => "unknown_agent",
            Self::UnknownVersion { .. } => "unknown_version",
            Self::NoActiveVersion { .. } => "no_active_version",
            Self::FixForward { .. } => "fix_forward",
            Self::StaleBase { .. } => "stale_base",
            Self::SavedMeanwhile { .. } => "saved_meanwhile",
            Self::NumbersExhausted { .. } => "numbers_exhausted",
            Self::Unavailable(_) => "database_unavailable",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            Self::Internal(_) => "internal",
        }
    }

    /// The field of the request that the refusal is about, if it is about one.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(invalid) => Some(invalid.field),
            Self::VersionExists { .. } | Self::UnknownVersion { .. } | Self::FixForward { .. } => Some("version"),
            Self::UnknownBase { .. } => Some("base_version"),
            Self::UnknownAgent { .. } | Self::NoActiveVersion { .. } => Some("agent_type"),
            Self::StaleBase { .. }
            | Self::SavedMeanwhile { .. }
            | Self::NumbersExhausted { .. }
            | Self::Unavailable(_)
            | Self::OutcomeUnknown(_)
            | Self::Internal(_) => None,
        }
    }

    /// The agent and the version that it is about, as far as it is about one: for the log.
    pub fn subject(&self) -> (Option<&AgentType>, Option<Version>) {
        match self {
            Self::VersionExists { agent_type, version, .. }
            | Self::UnknownVersion { agent_type, version, .. }
            | Self::FixForward { agent_type, version, .. }
            | Self::SavedMeanwhile { agent_type, version }
            | Self::NumbersExhausted { agent_type, version } => (Some(agent_type), Some(*version)),
            Self::UnknownBase { agent_type, base } | Self::StaleBase { agent_type, base, .. } => {
                (Some(agent_type), Some(*base))
            }
            Self::UnknownAgent { agent_type, .. } | Self::NoActiveVersion { agent_type } => (Some(agent_type), None),
            Self::Invalid(_) | Self::Unavailable(_) | Self::OutcomeUnknown(_) | Self::Internal(_) => (None, None),
        }
    }

    /// A fault of the data: something in the database that the constraints should have kept out.
    pub(crate) fn inconsistent(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }
}

/// The agents that may have been meant, as a sentence after another one; empty without any.
pub fn meant(near: &[AgentType]) -> String {
    let names: Vec<_> = near.iter().map(AgentType::as_str).collect();
    if names.is_empty() { String::new() } else { format!(" Perhaps {} is meant.", names.join(" or ")) }
}

/// The versions next to one that does not exist, as a sentence after another one; empty without any.
pub fn neighbours(near: &[Version]) -> String {
    match near {
        [] => String::new(),
        [one] => format!(" The nearest is {one}."),
        [one, other, ..] => format!(" The nearest are {one} and {other}."),
    }
}

fn suggestion(free: &Option<Version>) -> String {
    free.map_or_else(String::new, |free| format!(", such as {free}"))
}

fn active_name(active: &Option<Version>) -> String {
    active.map_or_else(|| "nothing".into(), |version| version.to_string())
}

impl From<sqlx::Error> for VersioningError {
    fn from(error: sqlx::Error) -> Self {
        if is_unavailability(&error) { Self::Unavailable(error) } else { Self::Internal(Box::new(error)) }
    }
}

/// Whether an error says that the database is away or overloaded, rather than that a statement is wrong.
fn is_unavailability(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        // The connection broke in the middle of a message.
        | sqlx::Error::Protocol(_) => true,
        // 08 connection, 53 out of resources, 57 operator intervention (shutdown, start-up, timeout), 25006 a standby
        // that was not promoted yet, 40001 and 40P01 one of several at once that had to give way, 55000 a database that
        // lets nobody in.
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            ["08", "53", "57"].iter().any(|class| code.starts_with(class)) || ["25006", "40001", "40P01", "55000"].contains(&code.as_ref())
        }),
        _ => false,
    }
}
