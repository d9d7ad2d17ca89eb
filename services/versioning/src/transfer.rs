//! Export and import of a whole registry as JSON Lines.
//!
//! A file begins with a header and ends with a count of what it holds, so that one that was cut off is recognised. In
//! between stands one record a line: agents, then versions (each with the moment it went live, which is all there is to
//! know of an activation), then events, oldest first. Two exports of the same registry are the same to the byte.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

use crate::{
    AgentType, Author, EventKind, InvalidInput, Notes, PromptManagementService, PromptText, Version, VersioningError,
    store::{Import, ImportRefusal},
};

/// The version of this format.
const FORMAT: u32 = 1;

/// The longest line that is read: a text of 1 MiB whose every character is escaped, and what stands around it.
const MAX_LINE: u64 = 8 * 1024 * 1024;

/// A line of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(crate) enum Record {
    /// The first line.
    Header {
        format: u32,
    },
    Agent(AgentRecord),
    Version(VersionRecord),
    Event(EventRecord),
    /// The last line.
    End(ImportSummary),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentRecord {
    pub agent_type: AgentType,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionRecord {
    pub id: Uuid,
    pub agent_type: AgentType,
    pub version: Version,
    pub is_active: bool,
    pub activated_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub created_by: Option<String>,
    pub notes: Option<String>,
    pub sha256: String,
    pub prompt_text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventRecord {
    pub occurred_at: DateTime<Utc>,
    pub kind: String,
    pub agent_type: AgentType,
    pub version: Option<Version>,
    pub actor: Option<String>,
    pub base_version: Option<Version>,
    pub previous_active: Option<Version>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

/// How much was exported or imported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportSummary {
    /// Agents.
    pub agents: u64,
    /// Versions.
    pub versions: u64,
    /// Events.
    pub events: u64,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line is not what it should be.
    #[error("line {line}: {reason}. Nothing was imported.")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Agents of the file exist already.
    #[error(
        "the registry has these agents already: {}. Nothing was imported; an import only adds agents. Import into an \
         empty database.", agents.join(", ")
    )]
    Conflict {
        /// Their names.
        agents: Vec<String>,
    },
    /// The file could not be read.
    #[error("the export could not be read or written")]
    Io(#[from] std::io::Error),
    /// The database refused or failed.
    #[error(transparent)]
    Versioning(#[from] VersioningError),
}

impl PromptManagementService {
    /// Writes the whole registry as it is at one moment.
    ///
    /// # Errors
    /// The database is away, or `output` cannot be written.
    pub async fn export(&self, output: &mut (impl AsyncWrite + Unpin)) -> Result<ImportSummary, ImportError> {
        let mut export = self.store().begin_export().await?;
        let mut summary = ImportSummary::default();
        write_line(output, &Record::Header { format: FORMAT }).await?;
        for agent in export.agents().await? {
            summary.agents += 1;
            write_line(output, &Record::Agent(agent)).await?;
        }
        while let Some(version) = export.next_version().await? {
            summary.versions += 1;
            write_line(output, &Record::Version(version)).await?;
        }
        while let Some(event) = export.next_event().await? {
            summary.events += 1;
            write_line(output, &Record::Event(event)).await?;
        }
        write_line(output, &Record::End(summary)).await?;
        output.flush().await?;
        Ok(summary)
    }

    /// Adds what an export holds, all or nothing. Into an empty database it reproduces the registry exactly; an agent
    /// that exists already is a conflict.
    ///
    /// # Errors
    /// A line is wrong, agents exist already, or the database is away; nothing is imported then.
    pub async fn import(&self, input: &mut (impl AsyncBufRead + Unpin)) -> Result<ImportSummary, ImportError> {
        let mut import = self.store().begin_import().await?;
        let mut summary = ImportSummary::default();
        let mut conflicts = Vec::new();
        let mut added = HashSet::new();
        let mut is_ended = false;
        let mut line = 0;
        while let Some(text) = read_line(input, line + 1).await? {
            line += 1;
            let wrong = |reason: String| ImportError::Line { line, reason };
            let record: Record =
                serde_json::from_str(&text).map_err(|error| wrong(format!("not a record of an export ({error})")))?;
            if is_ended {
                return Err(wrong("there is something after the end of the export".into()));
            }
            match record {
                Record::Header { format: FORMAT } if line == 1 => {}
                Record::Header { format } if line == 1 => {
                    return Err(wrong(format!("format {format} is not known to this version, which reads {FORMAT}")));
                }
                Record::Header { .. } => return Err(wrong("a second header".into())),
                _ if line == 1 => return Err(wrong("an export begins with a header".into())),
                Record::Agent(agent) => {
                    summary.agents += 1;
                    if import.insert_agent(&agent).await.map_err(|refusal| refusal.at(line))? {
                        added.insert(agent.agent_type);
                    } else {
                        conflicts.push(agent.agent_type.to_string());
                    }
                }
                // What follows would only add to agents that are not ours to add to.
                Record::Version(_) | Record::Event(_) if !conflicts.is_empty() => break,
                Record::Version(VersionRecord { agent_type, .. }) | Record::Event(EventRecord { agent_type, .. })
                    if !added.contains(&agent_type) =>
                {
                    return Err(wrong(format!("{agent_type} is not among the agents of this file")));
                }
                Record::Version(version) => {
                    summary.versions += 1;
                    check_version(&version).map_err(|error| wrong(format!("{}: {error}", error.field)))?;
                    import.insert_version(&version).await.map_err(|refusal| refusal.at(line))?;
                }
                Record::Event(event) => {
                    summary.events += 1;
                    if EventKind::from_name(&event.kind).is_none() {
                        return Err(wrong(format!("{:?} is not a kind of event", event.kind)));
                    }
                    check_author(event.actor.as_deref()).map_err(|error| wrong(format!("actor: {error}")))?;
                    import.insert_event(&event).await.map_err(|refusal| refusal.at(line))?;
                }
                Record::End(counted) if counted == summary => is_ended = true,
                Record::End(_) => return Err(wrong("lines are missing: the counts do not agree".into())),
            }
        }
        if !conflicts.is_empty() {
            return Err(ImportError::Conflict { agents: conflicts });
        }
        if !is_ended {
            return Err(ImportError::Line {
                line: line + 1,
                reason: "the file ends before the end of the export".into(),
            });
        }
        finish(import, line).await?;
        tracing::info!(agents = summary.agents, versions = summary.versions, events = summary.events, "imported");
        Ok(summary)
    }
}

impl ImportRefusal {
    fn at(self, line: u64) -> ImportError {
        match self {
            Self::Rule(reason) => ImportError::Line { line, reason },
            Self::Failed(error) => ImportError::Versioning(error),
        }
    }
}

/// The rules about the time line are checked at the very end.
async fn finish(import: Import, line: u64) -> Result<(), ImportError> {
    import.commit().await.map_err(|refusal| refusal.at(line))
}

/// What the database could not name as well: the limits of the texts, and that the digest is that of the text.
fn check_version(version: &VersionRecord) -> Result<(), InvalidInput> {
    PromptText::parse(version.prompt_text.clone())?;
    if let Some(notes) = &version.notes {
        Notes::parse(notes.clone())?;
    }
    check_author(version.created_by.as_deref())?;
    let digest: String = Sha256::digest(&version.prompt_text).iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != version.sha256 {
        return Err(InvalidInput::new("sha256", "wrong_digest", "the digest is not that of the text; one was changed"));
    }
    Ok(())
}

fn check_author(name: Option<&str>) -> Result<(), InvalidInput> {
    name.map_or(Ok(()), |name| Author::parse(name).map(|_| ()))
}

async fn write_line(output: &mut (impl AsyncWrite + Unpin), record: &Record) -> Result<(), ImportError> {
    let mut line = serde_json::to_vec(record).map_err(std::io::Error::from)?;
    line.push(b'\n');
    output.write_all(&line).await?;
    Ok(())
}

/// The next line; none at the end.
async fn read_line(input: &mut (impl AsyncBufRead + Unpin), line: u64) -> Result<Option<String>, ImportError> {
    use tokio::io::AsyncReadExt;

    let mut text = Vec::new();
    if input.take(MAX_LINE + 1).read_until(b'\n', &mut text).await? == 0 {
        return Ok(None);
    }
    if text.len() as u64 > MAX_LINE {
        return Err(ImportError::Line { line, reason: "the line is too long to be a record".into() });
    }
    String::from_utf8(text).map(Some).map_err(|_| ImportError::Line { line, reason: "the line is not UTF-8".into() })
}
