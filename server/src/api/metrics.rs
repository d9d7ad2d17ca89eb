//! How prompts are used, over time: the figures that the page at `/metrics/prompts` draws.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use versioning::{
    AgentType, MetricsRange, PromptMetrics,
    metrics::{AgentMetrics, CallFigures, CreatedVersions, LENGTH_LIMITS, MetricsStep},
};

use super::{
    extract::Parameters,
    problem::{ApiError, Problem},
};
use crate::state::AppState;

/// How prompts were used.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromptMetricsResponse {
    /// Whose figures they are; null for all agents.
    agent_type: Option<String>,
    /// `24h`, `7d`, `30d`, `90d` or `52w`.
    #[schema(example = "7d")]
    range: String,
    /// When the first step begins.
    begins_at: DateTime<Utc>,
    /// When the last step ends.
    ends_at: DateTime<Utc>,
    /// Seconds in a step.
    step_seconds: i64,
    /// Oldest first.
    steps: Vec<StepResponse>,
    /// By name; the one agent, if one was asked for.
    agents: Vec<AgentMetricsResponse>,
    /// The versions that were called, most calls first. Empty over all agents.
    versions: Vec<VersionCallsResponse>,
    /// What went live, oldest first. Empty over all agents.
    promotions: Vec<PromotionResponse>,
    /// How long prompts are.
    prompt_length: PromptLengthResponse,
    /// Why the last 1,000 failed calls of each agent failed, the most frequent reason first; as long as single calls are kept.
    failures: Vec<FailureResponse>,
}

/// Versions that were created.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedResponse {
    /// `x.0.0`
    major: u64,
    /// `x.y.0`
    minor: u64,
    /// `x.y.z`
    patch: u64,
}

/// What calls of agents at work added up to.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallsResponse {
    /// All of them.
    calls: u64,
    /// Those without an answer.
    errors: u64,
    /// The share of those, from 0 to 1; null without calls.
    error_rate: Option<f64>,
    /// Milliseconds to the whole answer, on average.
    latency_mean_ms: Option<f64>,
    /// Half took at most this long; at most 26 percent too high.
    latency_p50_ms: Option<f64>,
    /// Nineteen of twenty took at most this long; at most 26 percent too high.
    latency_p95_ms: Option<f64>,
    /// Tokens answered, together; null when they are known of no call.
    output_tokens: Option<u64>,
    /// The calls of which they are known.
    counted_calls: u64,
    /// US dollars, together; null when they are known of no call.
    cost_usd: Option<f64>,
    /// The calls of which they are known.
    priced_calls: u64,
}

/// A version and its calls.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionCallsResponse {
    /// The version.
    version: String,
    /// Its calls.
    #[serde(flatten)]
    calls: CallsResponse,
}

/// A step of the range.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepResponse {
    /// When it begins.
    begins_at: DateTime<Utc>,
    /// Versions that were created.
    created: CreatedResponse,
    /// All calls.
    calls: CallsResponse,
    /// The calls by version. Empty over all agents.
    versions: Vec<VersionCallsResponse>,
}

/// An agent in the range.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentMetricsResponse {
    /// The agent.
    agent_type: String,
    /// What is live.
    active_version: Option<String>,
    /// How many characters that has.
    active_length: Option<u32>,
    /// Versions that were created.
    created: CreatedResponse,
    /// Patches a week, on average.
    patches_per_week: f64,
    /// All calls.
    calls: CallsResponse,
    /// The version with the most calls.
    most_active_version: Option<String>,
    /// How many it had.
    most_active_calls: Option<u64>,
    /// What this node's cache did since its start; null if the agent was never asked for.
    cache: Option<CacheCountsResponse>,
}

/// What a cache did for an agent.
#[derive(Debug, Serialize, ToSchema)]
pub struct CacheCountsResponse {
    /// Answers from memory.
    hits: u64,
    /// Answers that had to wait for the database.
    misses: u64,
    /// Answers with the last known prompt, because the database was away.
    stale: u64,
    /// Hits among all answers, from 0 to 1.
    hit_rate: Option<f64>,
}

/// A version that went live.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromotionResponse {
    /// The version.
    version: String,
    /// When.
    at: DateTime<Utc>,
}

/// How long prompts are, in characters, over all versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromptLengthResponse {
    /// How many versions there are.
    versions: u64,
    /// The mean.
    mean: f64,
    /// Half are at most this long.
    median: u32,
    /// The shortest.
    min: u32,
    /// The longest.
    max: u32,
    /// The mean of what is live.
    mean_live: Option<f64>,
    /// How many there are of each length.
    distribution: Vec<LengthBarResponse>,
}

/// How many versions are of a length.
#[derive(Debug, Serialize, ToSchema)]
pub struct LengthBarResponse {
    /// Characters, at least.
    from: u32,
    /// Characters, less than; null for no limit.
    to: Option<u32>,
    /// How many versions.
    versions: u64,
}

/// Calls that failed for one reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureResponse {
    /// The reason.
    #[schema(example = "timeout")]
    error_kind: String,
    /// How many.
    calls: u64,
    /// The last time.
    last_at: DateTime<Utc>,
}

/// Get how prompts are used
///
/// Versions that were created, calls with their latency and errors, promotions, lengths of prompts, and hits of this node's
/// cache: of one agent, or of all.
#[utoipa::path(
    get, path = "/api/v1/metrics/prompts", tag = "prompts", operation_id = "prompt_metrics",
    params(
        ("agent_type" = Option<String>, Query, description = "One agent; all of them, if it is left out.", example = "backend_dev"),
        ("range" = Option<String>, Query, description = "`24h`, `7d`, `30d`, `90d` or `52w`; `7d`, if it is left out.", example = "7d"),
    ),
    responses(
        (status = 200, description = "The figures.", body = PromptMetricsResponse),
        (status = 400, description = "A parameter breaks its rule or is unknown.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such agent.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn prompt_metrics(
    State(state): State<AppState>,
    parameters: Parameters,
) -> Result<Json<PromptMetricsResponse>, ApiError> {
    let parameters = parameters.only(&["agent_type", "range"])?;
    let agent_type = parameters.get("agent_type").map(str::parse::<AgentType>).transpose()?;
    let range = parameters.get("range").map_or(Ok(MetricsRange::Week), str::parse)?;
    let metrics = state.services.metrics.of_prompts(agent_type.as_ref(), range).await?;
    Ok(Json(metrics.into()))
}

impl From<PromptMetrics> for PromptMetricsResponse {
    fn from(metrics: PromptMetrics) -> Self {
        let lengths = &metrics.lengths;
        let ends = LENGTH_LIMITS.iter().copied().map(Some).chain([None]);
        let begins = [0].into_iter().chain(LENGTH_LIMITS);
        let distribution = begins
            .zip(ends)
            .zip(&lengths.counts)
            .map(|((from, to), &versions)| LengthBarResponse { from, to, versions })
            .collect();
        Self {
            agent_type: metrics.agent_type.map(|agent_type| agent_type.to_string()),
            range: metrics.range.as_str().into(),
            begins_at: metrics.window.begins_at,
            ends_at: metrics.window.ends_at,
            step_seconds: metrics.window.step.num_seconds(),
            steps: metrics.steps.iter().map(StepResponse::from).collect(),
            agents: metrics.agents.iter().map(AgentMetricsResponse::from).collect(),
            versions: metrics.versions.iter().map(|row| VersionCallsResponse::new(row.version, &row.calls)).collect(),
            promotions: metrics
                .promotions
                .iter()
                .map(|mark| PromotionResponse { version: mark.version.to_string(), at: mark.at })
                .collect(),
            prompt_length: PromptLengthResponse {
                versions: lengths.versions,
                mean: lengths.mean,
                median: lengths.median,
                min: lengths.shortest,
                max: lengths.longest,
                mean_live: lengths.mean_live,
                distribution,
            },
            failures: metrics
                .failures
                .into_iter()
                .map(|failure| FailureResponse {
                    error_kind: failure.kind,
                    calls: failure.calls,
                    last_at: failure.last_at,
                })
                .collect(),
        }
    }
}

impl VersionCallsResponse {
    fn new(version: versioning::Version, calls: &CallFigures) -> Self {
        Self { version: version.to_string(), calls: calls.into() }
    }
}

impl From<&CallFigures> for CallsResponse {
    fn from(figures: &CallFigures) -> Self {
        let latency = figures.latency();
        Self {
            calls: figures.calls,
            errors: figures.errors,
            error_rate: figures.error_rate(),
            latency_mean_ms: latency.map(|latency| latency.mean_ms),
            latency_p50_ms: latency.map(|latency| latency.p50_ms),
            latency_p95_ms: latency.map(|latency| latency.p95_ms),
            output_tokens: (figures.counted_calls > 0).then_some(figures.output_tokens),
            counted_calls: figures.counted_calls,
            cost_usd: (figures.priced_calls > 0).then_some(figures.cost_usd),
            priced_calls: figures.priced_calls,
        }
    }
}

impl From<CreatedVersions> for CreatedResponse {
    fn from(created: CreatedVersions) -> Self {
        Self { major: created.majors, minor: created.minors, patch: created.patches }
    }
}

impl From<&MetricsStep> for StepResponse {
    fn from(step: &MetricsStep) -> Self {
        Self {
            begins_at: step.begins_at,
            created: step.created.into(),
            calls: (&step.calls).into(),
            versions: step.versions.iter().map(|(version, calls)| VersionCallsResponse::new(*version, calls)).collect(),
        }
    }
}

impl From<&AgentMetrics> for AgentMetricsResponse {
    fn from(agent: &AgentMetrics) -> Self {
        Self {
            agent_type: agent.agent_type.to_string(),
            active_version: agent.active.map(|(version, _)| version.to_string()),
            active_length: agent.active.map(|(_, length)| length),
            created: agent.created.into(),
            patches_per_week: agent.patches_a_week,
            calls: (&agent.calls).into(),
            most_active_version: agent.most_active.map(|(version, _)| version.to_string()),
            most_active_calls: agent.most_active.map(|(_, calls)| calls),
            cache: agent.cache.map(|counts| CacheCountsResponse {
                hits: counts.hits,
                misses: counts.misses,
                stale: counts.stale,
                hit_rate: counts.hit_rate(),
            }),
        }
    }
}
