//! The requests of the lab's API. Its answers are the lab's own types, as far as the lab has them.

use std::collections::BTreeMap;

use agents::{ModelSettings, ProviderState, Reachability};
use lab::{
    Metric, Place, RunPlan, RunRequest, Side, WinnerRequest, cases::TestCase, checks::Check, statistics::Confidence,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use versioning::{Author, InvalidInput};

use crate::api::problem::ApiError;

/// A set to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSetRequest {
    /// Whose cases they are.
    #[schema(example = "backend_dev")]
    pub agent_type: String,
    /// What people call it: 1 to 100 characters.
    #[schema(example = "Refunds", max_length = 100)]
    pub name: String,
    /// The cases to begin with.
    #[serde(default)]
    pub test_cases: Vec<CaseRequest>,
}

/// A test case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    /// What people call it: 1 to 200 characters on one line, not the name of another case of the set.
    #[schema(example = "Late parcel", max_length = 200)]
    name: String,
    /// What the user says.
    #[schema(example = "My parcel is two weeks late.")]
    input: String,
    /// The values of the prompt's variables.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// A good answer, if one is known.
    expected: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    tags: Vec<String>,
    /// What its answers are checked for; without any, every answer passes. Each has a `type`. With a `value`: `contains`,
    /// `icontains`, `not-contains`, `starts-with`, `regex`, `json-schema`, `llm-rubric` (a `threshold` may be given), `equals` and
    /// `similar` (without a value they take `expected`). With a `threshold`: `similar`, `max-length` (characters), `latency`
    /// (milliseconds), `cost` (US dollars). With neither: `is-json`.
    #[serde(default)]
    #[schema(value_type = Vec<Object>, example = json!([{ "type": "icontains", "value": "sorry" }]))]
    checks: Vec<Check>,
}

impl From<CaseRequest> for TestCase {
    fn from(request: CaseRequest) -> Self {
        let CaseRequest { name, input, variables, expected, tags, checks } = request;
        Self { name, input, variables, expected, tags, checks }
    }
}

/// Another name for a set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameSetRequest {
    /// 1 to 100 characters.
    #[schema(max_length = 100)]
    pub name: String,
}

/// Another place for a case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveCaseRequest {
    /// Its place in the set, from 0; beyond the end it is the last one.
    pub to: u32,
}

/// A provider of models.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderResponse {
    /// Its name: the part of a model's name before `::`.
    #[schema(example = "openai")]
    provider: String,
    /// Models to choose from, as `provider::name`. Others may well work: a provider has more than are listed.
    models: Vec<String>,
    /// Whether it can be asked.
    status: ReachabilityResponse,
    /// What to set, or what went wrong; null when it can be asked.
    detail: Option<String>,
}

/// Whether a provider can be asked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReachabilityResponse {
    /// It can be asked.
    Reachable,
    /// Something has to be set first.
    NotConfigured,
    /// It is set, but does not answer.
    Unreachable,
}

impl From<ProviderState> for ProviderResponse {
    fn from(state: ProviderState) -> Self {
        let (status, detail) = match state.state {
            Reachability::Reachable => (ReachabilityResponse::Reachable, None),
            Reachability::NotConfigured { how } => (ReachabilityResponse::NotConfigured, Some(how)),
            Reachability::Unreachable { why } => (ReachabilityResponse::Unreachable, Some(why)),
        };
        Self { provider: state.provider.as_str().into(), models: state.models, status, detail }
    }
}

/// How much was imported.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedResponse {
    /// Cases.
    pub imported: usize,
}

/// A run to be started, or only looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRunRequest {
    /// Whose prompt it is.
    #[schema(example = "backend_dev")]
    agent_type: String,
    /// One version.
    #[schema(example = "1.0.0")]
    version_a: String,
    /// The other one.
    #[schema(example = "1.1.0")]
    version_b: String,
    /// The test cases.
    set_id: Uuid,
    /// The model that answers, as `provider::name`. A dry run needs none, nor do outputs of your own.
    #[schema(example = "openai::gpt-4o-mini")]
    model: Option<String>,
    /// 0 to 2.
    temperature: Option<f64>,
    /// Above 0, up to 1.
    top_p: Option<f64>,
    /// Tokens that an answer may have.
    max_tokens: Option<u32>,
    /// The model's own seed, where it has one.
    seed: Option<u64>,
    /// How often each case is asked: 1 to 50; once if not given.
    repeats: Option<u32>,
    /// Calls at once: 1 to 200; 4 if not given.
    concurrency: Option<u32>,
    /// The most that the run may cost, in US dollars.
    budget_usd: Option<f64>,
    /// What the verdict is about; the pass rate if not given.
    primary: Option<Metric>,
    /// Other metrics that decide too.
    #[serde(default)]
    deciding: Vec<Metric>,
    /// The largest difference of the primary metric that does not matter, in its units.
    margin: Option<f64>,
    /// How sure the intervals are; 0.95 if not given.
    confidence: Option<f64>,
    /// Where everything random begins; drawn if not given.
    shuffle_seed: Option<u64>,
    /// Whether the active version is also run against itself.
    #[serde(default)]
    noise: bool,
    /// The model that judges.
    judge: Option<String>,
    /// What the pairwise judge is asked to prefer.
    question: Option<String>,
    /// Who starts it.
    #[schema(max_length = 100)]
    created_by: Option<String>,
    /// Answers that were produced elsewhere, as JSON Lines: only for `/lab/runs/outputs`.
    #[serde(default)]
    pub outputs: Option<String>,
}

impl TryFrom<StartRunRequest> for RunRequest {
    type Error = ApiError;

    fn try_from(request: StartRunRequest) -> Result<Self, ApiError> {
        let model = |name: &str, field| {
            name.parse()
                .map_err(|error: agents::InvalidModelName| InvalidInput::new(field, "invalid_model", error.message))
        };
        let seed = request.shuffle_seed.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0 >> 11);
        let confidence = request.confidence.map(Confidence::new).transpose();
        let plan = RunPlan {
            settings: ModelSettings {
                temperature: request.temperature,
                top_p: request.top_p,
                max_tokens: request.max_tokens,
                seed: request.seed,
            },
            repeats: request.repeats.unwrap_or(1),
            primary: request.primary.unwrap_or(Metric::PassRate),
            deciding: request.deciding,
            margin: request.margin,
            confidence: confidence
                .map_err(|error| InvalidInput::new("confidence", "invalid_confidence", error.to_string()))?
                .unwrap_or(Confidence::NINETY_FIVE),
            noise: request.noise,
            judge: request.judge.as_deref().map(|name| model(name, "judge")).transpose()?,
            question: request.question,
            ..RunPlan::new(request.model.as_deref().map(|name| model(name, "model")).transpose()?, seed)
        };
        Ok(Self {
            agent_type: request.agent_type.parse()?,
            version_a: request.version_a.parse().map_err(|error: InvalidInput| error.in_field("version_a"))?,
            version_b: request.version_b.parse().map_err(|error: InvalidInput| error.in_field("version_b"))?,
            set_id: request.set_id,
            plan,
            concurrency: request.concurrency.unwrap_or(4),
            budget_usd: request.budget_usd,
            created_by: author(request.created_by.as_deref(), "created_by")?,
        })
    }
}

/// A vote on a pair of answers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoteRequest {
    /// Who votes: the same name as the pair was asked for.
    #[schema(max_length = 100)]
    pub reviewer: String,
    /// The number of the case.
    pub case_number: u32,
    /// Which repeat.
    pub repeat: u32,
    /// Which answer is better.
    pub better: Place,
}

/// The winner of a run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChooseWinnerRequest {
    /// `a` or `b`.
    winner: Side,
    /// Why: 1 to 2,000 characters.
    #[schema(max_length = 2000)]
    reason: String,
    /// Who decides.
    #[schema(max_length = 100)]
    chosen_by: Option<String>,
    /// Whether it goes live: promoted when it is above the active version, else fixed forward with its text.
    #[serde(default)]
    go_live: bool,
}

impl TryFrom<ChooseWinnerRequest> for WinnerRequest {
    type Error = ApiError;

    fn try_from(request: ChooseWinnerRequest) -> Result<Self, ApiError> {
        Ok(Self {
            winner: request.winner,
            reason: request.reason,
            chosen_by: author(request.chosen_by.as_deref(), "chosen_by")?,
            go_live: request.go_live,
        })
    }
}

/// A name, as far as one is given.
pub fn author(name: Option<&str>, field: &'static str) -> Result<Option<Author>, InvalidInput> {
    name.map_or(Ok(None), |name| Author::parse(name).map_err(|error| error.in_field(field)))
}
