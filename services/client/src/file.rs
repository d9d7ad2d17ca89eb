//! The fallback file: what was known last, for a start without a registry.

use std::{
    collections::HashMap,
    io::Write,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use versioning::{AgentType, Version};

use crate::{entry::Known, registry::digest};

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    prompts: Vec<Stored>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    agent_type: AgentType,
    version: Version,
    sha256: String,
    prompt_text: String,
    /// Seconds since 1970, when the registry last said that it is the active one.
    confirmed_at: u64,
}

/// What a file holds. What cannot be read is logged and left out: a start is never refused for it.
pub fn read(path: &Path) -> HashMap<AgentType, Known> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return HashMap::new(),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the fallback file cannot be read");
            return HashMap::new();
        }
    };
    let contents: Contents = match serde_json::from_slice(&text) {
        Ok(contents) => contents,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the fallback file is damaged and is not used");
            return HashMap::new();
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let is_whole = |stored: &Stored| {
        let is_whole = digest(&stored.prompt_text) == stored.sha256;
        if !is_whole {
            tracing::warn!(agent_type = %stored.agent_type, path = %path.display(), "a prompt of the fallback file is damaged");
        }
        is_whole
    };
    contents
        .prompts
        .into_iter()
        .filter(is_whole)
        .map(|stored| {
            let known = Known {
                version: stored.version,
                text: stored.prompt_text.into(),
                sha256: stored.sha256.into(),
                etag: None,
                confirmed: Instant::now(),
                age_before: now.saturating_sub(Duration::from_secs(stored.confirmed_at)),
                is_from_file: true,
            };
            (stored.agent_type, known)
        })
        .collect()
}

/// Writes everything that is known, whole or not at all.
pub fn write(path: &Path, prompts: &[(AgentType, Known)]) -> std::io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut stored: Vec<Stored> = prompts
        .iter()
        .map(|(agent_type, known)| Stored {
            agent_type: agent_type.clone(),
            version: known.version,
            sha256: known.sha256.to_string(),
            prompt_text: known.text.to_string(),
            confirmed_at: now.saturating_sub(known.age(Instant::now())).as_secs(),
        })
        .collect();
    stored.sort_by(|one, other| one.agent_type.cmp(&other.agent_type));
    let text = serde_json::to_vec_pretty(&Contents { prompts: stored })?;
    // Beside it, so that it can take its place in one step. Several clients may have the same file.
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}-{:x}", std::process::id(), rand::random::<u64>()));
    let put = || {
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    put().inspect_err(|_| {
        // A disk that is full is not to fill up with attempts. It may not even be there.
        let _ = std::fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Known {
        Known {
            version: "1.2.3".parse().unwrap(),
            text: text.into(),
            sha256: digest(text).into(),
            etag: None,
            confirmed: Instant::now(),
            age_before: Duration::from_secs(90),
            is_from_file: false,
        }
    }

    #[test]
    fn what_is_written_is_read_with_its_age() {
        let begun = Instant::now();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prompts.json");
        assert!(read(&path).is_empty(), "no file is no fault");
        let agent: AgentType = "writer".parse().unwrap();
        write(&path, &[(agent.clone(), known("ü\r\n{{x}}"))]).unwrap();
        let again = &read(&path)[&agent];
        assert_eq!((&*again.text, again.is_from_file), ("ü\r\n{{x}}", true));
        let age = again.age(Instant::now());
        // It is written in whole seconds, and grows meanwhile.
        assert!(age.as_secs() >= 90 && age <= Duration::from_secs(92) + begun.elapsed(), "{age:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn an_attempt_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prompts.json");
        // Something that a file cannot take the place of.
        std::fs::create_dir_all(path.join("in the way")).unwrap();
        write(&path, &[("writer".parse().unwrap(), known("one"))]).unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_damaged_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prompts.json");
        for damaged in ["", "{", "[]", "{\"prompts\":[{}]}"] {
            std::fs::write(&path, damaged).unwrap();
            assert!(read(&path).is_empty(), "{damaged}");
        }
        write(&path, &[("writer".parse().unwrap(), known("one")), ("reader".parse().unwrap(), known("two"))]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap().replace("\"one\"", "\"won\"");
        std::fs::write(&path, text).unwrap();
        assert_eq!(read(&path).into_keys().map(|agent| agent.to_string()).collect::<Vec<_>>(), ["reader"]);
    }
}
