//! The requests and answers of the prompts API.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use versioning::{
    Author, CacheStats, InvalidInput, NewPatch, NewVersion, Notes, Promotion, PromptContent, PromptText, PromptVersion,
    Reissue, Version, VersionStatus,
};

use crate::api::problem::ApiError;

/// A version to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVersionRequest {
    /// Lower-case letters, digits and underscores, beginning with a letter; 50 characters at most.
    #[schema(example = "backend_dev", pattern = "^[a-z][a-z0-9_]{0,49}$")]
    agent_type: String,
    /// `major.minor.patch`: free, and above the active version.
    #[schema(example = "1.2.0", max_length = 20)]
    version: String,
    /// The prompt, kept word for word: 1 byte to 1 MiB of UTF-8.
    #[schema(example = "You are a senior backend developer.")]
    prompt_text: String,
    /// Who creates it; 100 characters at most.
    #[schema(max_length = 100)]
    created_by: Option<String>,
    /// What changes and why; 2,000 characters at most.
    #[schema(max_length = 2000)]
    notes: Option<String>,
    /// The version that the text was written from. If it has been superseded meanwhile, the answer is a conflict.
    #[schema(example = "1.1.0")]
    base_version: Option<String>,
}

/// A fix of the active version, live at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePatchRequest {
    /// Whose prompt it is.
    #[schema(example = "backend_dev")]
    agent_type: String,
    /// The prompt, kept word for word: 1 byte to 1 MiB of UTF-8.
    #[schema(example = "You are a senior backend developer.")]
    prompt_text: String,
    /// Who fixes it; 100 characters at most.
    #[schema(max_length = 100)]
    created_by: Option<String>,
    /// What changes and why; 2,000 characters at most.
    #[schema(max_length = 2000)]
    notes: Option<String>,
    /// The version that the text was written from. If another one is active by now, the answer is a conflict.
    #[schema(example = "1.1.0")]
    base_version: Option<String>,
}

/// A version to go live.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteRequest {
    /// Whose prompt it is.
    #[schema(example = "backend_dev")]
    agent_type: String,
    /// The version to go live. It must be above the active one; the active one itself changes nothing and succeeds.
    #[schema(example = "1.2.0")]
    version: String,
    /// What the caller believes to be active. If another one is, the answer is a conflict.
    #[schema(example = "1.1.0")]
    expected_active: Option<String>,
    /// Who promotes it; 100 characters at most.
    #[schema(max_length = 100)]
    promoted_by: Option<String>,
}

/// An earlier text to be brought back as the next patch, live at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReissueRequest {
    /// Whose prompt it is.
    #[schema(example = "backend_dev")]
    agent_type: String,
    /// The version whose text is brought back.
    #[schema(example = "1.0.0")]
    version: String,
    /// Who brings it back; 100 characters at most.
    #[schema(max_length = 100)]
    created_by: Option<String>,
    /// Why; 2,000 characters at most.
    #[schema(max_length = 2000)]
    notes: Option<String>,
}

/// A request that names what it is about.
pub trait Named {
    /// The agent and the version, as they were written.
    fn names(&self) -> (String, Option<String>);
}

/// A request in the terms of the domain. A refusal says, for the log, what it was about.
///
/// # Errors
/// A value breaks its rule.
pub fn parsed<T>(request: impl Named + TryInto<T, Error = InvalidInput>) -> Result<T, ApiError> {
    let (agent_type, version) = request.names();
    request.try_into().map_err(|invalid| ApiError::from(invalid).about(&agent_type, version.as_deref()))
}

impl Named for CreateVersionRequest {
    fn names(&self) -> (String, Option<String>) {
        (self.agent_type.clone(), Some(self.version.clone()))
    }
}

impl Named for CreatePatchRequest {
    fn names(&self) -> (String, Option<String>) {
        (self.agent_type.clone(), None)
    }
}

impl Named for PromoteRequest {
    fn names(&self) -> (String, Option<String>) {
        (self.agent_type.clone(), Some(self.version.clone()))
    }
}

impl Named for ReissueRequest {
    fn names(&self) -> (String, Option<String>) {
        (self.agent_type.clone(), Some(self.version.clone()))
    }
}

impl TryFrom<CreateVersionRequest> for NewVersion {
    type Error = InvalidInput;

    fn try_from(request: CreateVersionRequest) -> Result<Self, InvalidInput> {
        Ok(Self {
            agent_type: request.agent_type.parse()?,
            version: request.version.parse()?,
            prompt_text: PromptText::parse(request.prompt_text)?,
            created_by: author(request.created_by, "created_by")?,
            notes: notes(request.notes)?,
            base_version: version(request.base_version, "base_version")?,
        })
    }
}

impl TryFrom<CreatePatchRequest> for NewPatch {
    type Error = InvalidInput;

    fn try_from(request: CreatePatchRequest) -> Result<Self, InvalidInput> {
        Ok(Self {
            agent_type: request.agent_type.parse()?,
            prompt_text: PromptText::parse(request.prompt_text)?,
            created_by: author(request.created_by, "created_by")?,
            notes: notes(request.notes)?,
            base_version: version(request.base_version, "base_version")?,
        })
    }
}

impl TryFrom<PromoteRequest> for Promotion {
    type Error = InvalidInput;

    fn try_from(request: PromoteRequest) -> Result<Self, InvalidInput> {
        Ok(Self {
            agent_type: request.agent_type.parse()?,
            version: request.version.parse()?,
            expected_active: version(request.expected_active, "expected_active")?,
            promoted_by: author(request.promoted_by, "promoted_by")?,
        })
    }
}

impl TryFrom<ReissueRequest> for Reissue {
    type Error = InvalidInput;

    fn try_from(request: ReissueRequest) -> Result<Self, InvalidInput> {
        Ok(Self {
            agent_type: request.agent_type.parse()?,
            version: request.version.parse()?,
            created_by: author(request.created_by, "created_by")?,
            notes: notes(request.notes)?,
        })
    }
}

fn version(text: Option<String>, field: &'static str) -> Result<Option<Version>, InvalidInput> {
    text.map(|text| text.parse().map_err(|invalid: InvalidInput| invalid.in_field(field))).transpose()
}

fn author(text: Option<String>, field: &'static str) -> Result<Option<Author>, InvalidInput> {
    Ok(text.map(|text| Author::parse(&text).map_err(|invalid| invalid.in_field(field))).transpose()?.flatten())
}

fn notes(text: Option<String>) -> Result<Option<Notes>, InvalidInput> {
    Ok(text.map(Notes::parse).transpose()?.flatten())
}

/// All about a version but its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionResponse {
    /// A stable handle.
    id: Uuid,
    /// Whose prompt it is.
    #[schema(example = "backend_dev")]
    agent_type: String,
    /// Its number.
    #[schema(example = "1.1.0")]
    version: String,
    /// Whether agents are served it now.
    is_active: bool,
    /// Where it stands towards the active version.
    status: StatusResponse,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// Who created it.
    created_by: Option<String>,
    /// What changed and why.
    notes: Option<String>,
    /// SHA-256 of the text's UTF-8 bytes.
    sha256: String,
    /// Unicode scalar values.
    char_count: u32,
    /// Lines; a line break at the very end does not begin another one.
    line_count: u32,
}

/// Where a version stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatusResponse {
    /// Agents are served it now.
    Active,
    /// Above the active version: it can be promoted.
    Draft,
    /// Below the active version: its text can be reissued.
    Superseded,
}

/// A version with its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromptContentResponse {
    #[serde(flatten)]
    version: VersionResponse,
    /// The text, word for word.
    prompt_text: String,
}

impl From<&PromptVersion> for VersionResponse {
    fn from(version: &PromptVersion) -> Self {
        Self {
            id: version.id,
            agent_type: version.agent_type.to_string(),
            version: version.version.to_string(),
            is_active: version.status == VersionStatus::Active,
            status: match version.status {
                VersionStatus::Active => StatusResponse::Active,
                VersionStatus::Draft => StatusResponse::Draft,
                VersionStatus::Superseded => StatusResponse::Superseded,
            },
            created_at: version.created_at,
            created_by: version.created_by.clone(),
            notes: version.notes.clone(),
            sha256: version.sha256.clone(),
            char_count: version.char_count,
            line_count: version.line_count,
        }
    }
}

impl From<&PromptContent> for PromptContentResponse {
    fn from(content: &PromptContent) -> Self {
        Self { version: (&content.version).into(), prompt_text: content.prompt_text.clone() }
    }
}

/// What clearing a cache did.
#[derive(Debug, Serialize, ToSchema)]
pub struct CacheClearedResponse {
    /// The agent.
    #[schema(example = "backend_dev")]
    pub agent_type: String,
    /// Whether this node had the prompt in its cache. Either way the next answer is read from the database.
    pub was_cached: bool,
    /// Whether every other node was told too. False for an agent that does not exist, and when the database is away.
    pub announced: bool,
}

/// What the cache of this node holds and did since the server started.
#[derive(Debug, Serialize, ToSchema)]
pub struct CacheStatsResponse {
    /// How long an entry is served without asking the database.
    ttl_seconds: u64,
    /// Answers from memory.
    hits: u64,
    /// Answers that waited for the database.
    misses: u64,
    /// Hits among all answers, 0 to 1; null before the first.
    hit_rate: Option<f64>,
    /// Answers with the last known value, because the database was away.
    stale: u64,
    /// Entries dropped because of a promotion, by hand, or after the database had been away.
    invalidations: u64,
    /// The agents in the cache, by name.
    entries: Vec<CacheEntryResponse>,
}

/// An agent in the cache of this node.
#[derive(Debug, Serialize, ToSchema)]
pub struct CacheEntryResponse {
    /// The agent.
    #[schema(example = "backend_dev")]
    agent_type: String,
    /// The version that is served.
    #[schema(example = "1.1.0")]
    version: String,
    /// How long ago it was read from the database.
    age_seconds: f64,
    /// Answers from memory.
    hits: u64,
    /// Answers that waited for the database.
    misses: u64,
    /// Hits among all answers, 0 to 1; null before the first.
    hit_rate: Option<f64>,
    /// Answers with the last known value.
    stale: u64,
}

impl From<CacheStats> for CacheStatsResponse {
    fn from(stats: CacheStats) -> Self {
        Self {
            ttl_seconds: stats.time_to_live.as_secs(),
            hits: stats.counters.hits,
            misses: stats.counters.misses,
            hit_rate: stats.counters.hit_rate(),
            stale: stats.counters.stale,
            invalidations: stats.counters.invalidations,
            entries: stats
                .entries
                .into_iter()
                .map(|entry| CacheEntryResponse {
                    hit_rate: entry.hit_rate(),
                    agent_type: entry.agent_type.to_string(),
                    version: entry.version.to_string(),
                    age_seconds: entry.age.as_secs_f64(),
                    hits: entry.hits,
                    misses: entry.misses,
                    stale: entry.stale,
                })
                .collect(),
        }
    }
}
