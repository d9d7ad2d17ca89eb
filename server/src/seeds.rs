//! The ten agents that an empty registry begins with. Their prompts are files in `server/seeds`, listed with their
//! notes in `manifest.json` there.

use anyhow::Context;
use serde::Deserialize;
use versioning::{AgentType, Author, NewVersion, Notes, PromptText, SeedVersion, Version};

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../seeds/", $path)))),*]
    };
}

const MANIFEST: &str = include_str!("../seeds/manifest.json");

const FILES: &[(&str, &str)] = files![
    "backend_dev/1.0.0.md",
    "backend_dev/1.0.1.md",
    "backend_dev/1.1.0.md",
    "devops_engineer/1.0.0.md",
    "documentation_expert/1.0.0.md",
    "frontend_dev/1.0.0.md",
    "github_specialist/1.0.0.md",
    "project_manager/1.0.0.md",
    "qa_engineer/1.0.0.md",
    "qa_engineer/1.0.1.md",
    "qa_engineer/1.1.0.md",
    "security_expert/1.0.0.md",
    "uiux_designer/1.0.0.md",
    "workshopper/1.0.0.md",
];

#[derive(Deserialize)]
struct Agent {
    agent_type: AgentType,
    versions: Vec<Seed>,
}

#[derive(Deserialize)]
struct Seed {
    version: Version,
    file: String,
    created_by: String,
    notes: String,
    promote: bool,
}

/// The versions, in the order in which they are created.
///
/// # Errors
/// A seed file breaks a rule; a test sees to it that none does.
pub fn versions() -> anyhow::Result<Vec<SeedVersion>> {
    let agents: Vec<Agent> = serde_json::from_str(MANIFEST).context("the manifest of the seeds")?;
    let mut versions = Vec::new();
    for Agent { agent_type, versions: seeds } in agents {
        let mut base_version = None;
        for seed in seeds {
            let (_, text) = FILES
                .iter()
                .find(|(path, _)| *path == seed.file)
                .with_context(|| format!("there is no seed file {}", seed.file))?;
            versions.push(SeedVersion {
                new: NewVersion {
                    agent_type: agent_type.clone(),
                    version: seed.version,
                    prompt_text: PromptText::parse((*text).into())?,
                    created_by: Author::parse(&seed.created_by)?,
                    notes: Notes::parse(seed.notes)?,
                    base_version,
                },
                promote: seed.promote,
            });
            base_version = Some(seed.version);
        }
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_manifest_lists_every_file_of_ten_agents() {
        let versions = versions().unwrap();
        assert_eq!(versions.len(), FILES.len());
        let agents: BTreeSet<_> = versions.iter().map(|seed| seed.new.agent_type.to_string()).collect();
        // The names that everything else calls them by.
        let names = [
            "backend_dev",
            "devops_engineer",
            "documentation_expert",
            "frontend_dev",
            "github_specialist",
            "project_manager",
            "qa_engineer",
            "security_expert",
            "uiux_designer",
            "workshopper",
        ];
        assert!(agents.iter().map(String::as_str).eq(names), "{agents:?}");
        assert_eq!(versions.iter().filter(|seed| seed.new.version == Version::FIRST).count(), 10);
    }

    #[test]
    fn every_prompt_has_the_length_and_the_form_of_one() {
        for (path, text) in FILES {
            let words = text.split_whitespace().count();
            assert!((150..=500).contains(&words), "{path} has {words} words");
            assert!(text.contains("\n## "), "{path} has no sections");
            assert!(text.contains("{{") && text.matches("{{").count() == text.matches("}}").count(), "{path}");
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{path} does not end with one line break");
        }
    }
}
