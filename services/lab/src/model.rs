//! What the lab answers with.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use versioning::{AgentType, Version};

use crate::{RunPlan, cases::TestCase, checks::CheckResult, statistics};

/// A set of test cases at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetSummary {
    /// A stable handle.
    pub id: Uuid,
    /// Whose cases they are.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub agent_type: AgentType,
    /// What people call it.
    pub name: String,
    /// How many cases there are.
    pub cases: u32,
    /// When it or a case of it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A set with its cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestSet {
    /// At a glance.
    #[serde(flatten)]
    pub summary: SetSummary,
    /// The cases, in order.
    pub test_cases: Vec<StoredCase>,
}

/// A case of a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoredCase {
    /// A stable handle.
    pub id: Uuid,
    /// The case.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub case: TestCase,
}

/// Whose answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Version A.
    A,
    /// Version B.
    B,
    /// The version of the A/A run, once.
    N,
    /// The version of the A/A run, once more.
    M,
}

impl Side {
    /// The name in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::N => "n",
            Self::M => "m",
        }
    }

    /// The side of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::A, Self::B, Self::N, Self::M].into_iter().find(|side| side.as_str() == name)
    }
}

impl From<statistics::Side> for Side {
    fn from(side: statistics::Side) -> Self {
        match side {
            statistics::Side::A => Self::A,
            statistics::Side::B => Self::B,
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Calls are made.
    Running,
    /// Every call has its answer or its failure.
    Finished,
    /// Somebody stopped it.
    Cancelled,
    /// The next call could have cost more than was left.
    OutOfBudget,
}

impl RunStatus {
    /// The name in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::OutOfBudget => "out_of_budget",
        }
    }

    /// The status of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Running, Self::Finished, Self::Cancelled, Self::OutOfBudget]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Run {
    /// A stable handle; later runs have larger ones.
    pub id: Uuid,
    /// Whose prompt it is.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub agent_type: AgentType,
    /// One version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version_a: Version,
    /// The other one.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version_b: Version,
    /// The set that the cases were copied from, if it is still there.
    pub set_id: Option<Uuid>,
    /// Its name then.
    pub set_name: String,
    /// What was settled before.
    pub plan: RunPlan,
    /// Whether the answers were produced elsewhere.
    pub is_imported: bool,
    /// How far it is.
    pub status: RunStatus,
    /// Calls at once.
    pub concurrency: u32,
    /// The most that it may cost, in US dollars.
    pub budget_usd: Option<f64>,
    /// Calls in all, those of judges included.
    pub calls: u32,
    /// Calls that are over.
    pub done: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// What the answered calls cost, in US dollars.
    pub spent_usd: f64,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// Who began it.
    pub created_by: Option<String>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
    /// When its blind review was ended: from then on its votes are shown, and stay. None while people may vote.
    pub review_ended_at: Option<DateTime<Utc>>,
}

impl Run {
    /// The version of a side.
    pub fn version_of(&self, side: Side) -> Version {
        match side {
            Side::A => self.version_a,
            Side::B => self.version_b,
            Side::N | Side::M => self.plan.noise_version.unwrap_or(self.version_a),
        }
    }

    /// Which two sides show how far answers of one version differ without a cause, if the run has them.
    pub fn noise_sides(&self) -> Option<(Side, Side)> {
        let version = self.plan.noise_version.filter(|_| self.plan.noise)?;
        Some(if self.version_a == self.version_b {
            (Side::A, Side::B)
        } else if version == self.version_a {
            (Side::A, Side::N)
        } else if version == self.version_b {
            (Side::B, Side::N)
        } else {
            (Side::N, Side::M)
        })
    }
}

/// What became of asking a version once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnswerRecord {
    /// The number of the case in the run, from 1.
    pub case_number: u32,
    /// Which repeat, from 1.
    pub repeat: u32,
    /// Whose answer it is.
    pub side: Side,
    /// `waiting`, `claimed`, `answered`, `failed` or `skipped`.
    pub status: String,
    /// The answer, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Why the model ended it: `finished`, `length` (cut off), `filtered` or `other`.
    pub stop: Option<String>,
    /// What kind of failure it was.
    pub error_kind: Option<String>,
    /// The failure in words.
    pub error: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Milliseconds to the whole answer.
    pub latency_ms: Option<f64>,
    /// Milliseconds to the first token.
    pub first_token_ms: Option<f64>,
    /// Tokens sent.
    pub input_tokens: Option<u64>,
    /// Tokens answered.
    pub output_tokens: Option<u64>,
    /// US dollars.
    pub cost_usd: Option<f64>,
    /// The checks, in the order of the case; none where a judge did not decide.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub checks: Vec<Option<CheckResult>>,
    /// Whether all checks passed; none when that is not known (yet).
    pub passed: Option<bool>,
    /// The mean score of the checks, from 0 to 1; none when that is not known (yet).
    pub score: Option<f64>,
}

/// What the pairwise judge said of a pair of answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PairOpinion {
    /// Which answer is better: `a`, `b` or `tie`.
    pub preference: Vote,
    /// Whether the judge preferred a place rather than an answer; then it is a tie.
    pub flipped: bool,
    /// What it said with A first, and with B first.
    pub reasons: Vec<String>,
}

/// Which answer is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Vote {
    /// That of A.
    A,
    /// That of B.
    B,
    /// Neither.
    Tie,
}

impl Vote {
    /// The name in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::Tie => "tie",
        }
    }

    /// The vote of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::A, Self::B, Self::Tie].into_iter().find(|vote| vote.as_str() == name)
    }
}

/// The winner of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Choice {
    /// `a` or `b`.
    pub winner: Side,
    /// The version that won.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// Why.
    pub reason: String,
    /// By whom.
    pub chosen_by: Option<String>,
    /// When.
    pub chosen_at: DateTime<Utc>,
}
