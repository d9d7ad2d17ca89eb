//! What [`crate::PromptManagementService`] is asked to do, and what it answers beside versions.

use crate::{AgentType, Author, Bump, Notes, PromptText, Version};

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

/// A version to be created with the next number, as the editor does it.
#[derive(Debug, Clone)]
pub struct NextVersion {
    /// Whose prompt it is; an agent that does not exist yet begins with 1.0.0.
    pub agent_type: AgentType,
    /// Which number it raises.
    pub bump: Bump,
    /// The text.
    pub prompt_text: PromptText,
    /// Who creates it.
    pub created_by: Option<Author>,
    /// What changes and why.
    pub notes: Option<Notes>,
    /// The version that the text was written from; any version of the agent.
    pub base_version: Option<Version>,
    /// What the writer knew. When something else is true by now, the answer is a conflict.
    pub seen: Seen,
    /// Whether it goes live, in the same transaction.
    pub promote: bool,
}

/// What a writer knew of an agent when the writing began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// The active version.
    pub active: Option<Version>,
    /// The version that was created last; none for an agent that did not exist.
    pub newest: Option<Version>,
}

/// The numbers that the next version can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextVersions {
    /// What they are counted from. None for an agent without versions.
    pub base: Option<Version>,
    /// The next major number, free; none when the numbers are exhausted.
    pub major: Option<Version>,
    /// The next minor number, free; none when the numbers are exhausted.
    pub minor: Option<Version>,
    /// The next patch number, free; none when the numbers are exhausted.
    pub patch: Option<Version>,
}

impl NextVersions {
    /// The number that this bump gives.
    pub fn of(&self, bump: Bump) -> Option<Version> {
        match bump {
            Bump::Major => self.major,
            Bump::Minor => self.minor,
            Bump::Patch => self.patch,
        }
    }
}

/// What of an agent's numbers is in use, seen from one version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumbersInUse {
    /// The first free patch in the line of that version; none when there is none left.
    pub free_patch: Option<Version>,
    /// The highest minor number of its major version.
    pub highest_minor: u64,
    /// The highest major number.
    pub highest_major: u64,
}

impl NumbersInUse {
    /// The numbers after `base`.
    pub fn next(self, base: Version) -> NextVersions {
        let highest = |major: u64, minor: u64| Version::new(major, minor, 0).ok();
        NextVersions {
            base: Some(base),
            major: highest(self.highest_major.max(base.major()), 0).and_then(|line| line.next(Bump::Major).ok()),
            minor: highest(base.major(), self.highest_minor.max(base.minor()))
                .and_then(|line| line.next(Bump::Minor).ok()),
            patch: self.free_patch,
        }
    }
}
