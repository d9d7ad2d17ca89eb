//! What [`crate::PromptManagementService`] is asked to do, and what it answers beside versions.

use crate::{AgentType, Author, Notes, PromptText, Version};

/// A version to be created, as a draft.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// Whose prompt it is; an agent that does not exist yet begins with it.
    pub agent_type: AgentType,
    /// A free number above the active version.
    pub version: Version,
    /// The text.
    pub prompt_text: PromptText,
    /// Who creates it.
    pub created_by: Option<Author>,
    /// What changes and why.
    pub notes: Option<Notes>,
    /// The version that the text was written from. It must not have been superseded meanwhile.
    pub base_version: Option<Version>,
}

/// A fix of the active version, live at once.
#[derive(Debug, Clone)]
pub struct NewPatch {
    /// Whose prompt it is.
    pub agent_type: AgentType,
    /// The text.
    pub prompt_text: PromptText,
    /// Who fixes it.
    pub created_by: Option<Author>,
    /// What changes and why.
    pub notes: Option<Notes>,
    /// The version that the text was written from. It must still be the active one.
    pub base_version: Option<Version>,
}

/// A version to go live.
#[derive(Debug, Clone)]
pub struct Promotion {
    /// Whose prompt it is.
    pub agent_type: AgentType,
    /// The version to go live.
    pub version: Version,
    /// What the caller believes to be active; another one is a conflict.
    pub expected_active: Option<Version>,
    /// Who promotes it.
    pub promoted_by: Option<Author>,
}

/// An earlier text to be brought back as the next version, live at once.
#[derive(Debug, Clone)]
pub struct Reissue {
    /// Whose prompt it is.
    pub agent_type: AgentType,
    /// The version whose text is brought back.
    pub version: Version,
    /// Who brings it back.
    pub created_by: Option<Author>,
    /// Why.
    pub notes: Option<Notes>,
}

/// A version that an empty registry begins with.
#[derive(Debug, Clone)]
pub struct SeedVersion {
    /// The version.
    pub new: NewVersion,
    /// Whether it goes live.
    pub promote: bool,
}

/// What clearing an agent's cache did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheCleared {
    /// Whether this node held a cached prompt of the agent.
    pub was_cached: bool,
    /// Whether the other nodes were told. False when there is no such agent, and when the database is away.
    pub announced: bool,
}

/// The numbers that the next version can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextVersions {
    /// What they are counted from: the active version, else the highest draft. None for an agent without versions.
    pub base: Option<Version>,
    /// The next major number, free.
    pub major: Version,
    /// The next minor number, free.
    pub minor: Version,
    /// The next patch number, free.
    pub patch: Version,
}
