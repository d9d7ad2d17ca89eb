//! The comparison against the two programs that people would check it with: `git diff --minimal` and `patch`.

use std::{fs, path::Path, process::Command, time::Duration};

use versioning::diff::{Diff, DiffOptions, unified_patch};

/// Real edits: the versions that the registry is seeded with, each against each of the same agent and of another.
fn edits() -> Vec<(String, String)> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../server/seeds");
    let read = |path: &str| fs::read_to_string(seeds.join(path)).unwrap();
    let texts = [
        "backend_dev/1.0.0.md",
        "backend_dev/1.0.1.md",
        "backend_dev/1.1.0.md",
        "qa_engineer/1.0.0.md",
        "qa_engineer/1.1.0.md",
    ]
    .map(read);
    let mut edits = Vec::new();
    for base in &texts {
        for head in &texts {
            edits.push((base.clone(), head.clone()));
        }
        edits.push((base.clone(), base.replace(". ", ".\n")));
        edits.push((base.clone(), base.lines().rev().map(|line| format!("{line}\n")).collect()));
        edits.push((base.clone(), base.trim_end().to_owned()));
        edits.push((base.clone(), base.replace('\n', "\r\n")));
    }
    edits
}

#[test]
fn as_many_lines_are_marked_as_by_git() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (base, head)) in edits().into_iter().enumerate() {
        fs::write(folder.path().join("base"), &base).unwrap();
        fs::write(folder.path().join("head"), &head).unwrap();
        let said = Command::new("git")
            .args(["-c", "core.autocrlf=false", "diff", "--no-index", "--minimal", "--numstat", "base", "head"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let mut counts = said.split('\t').map(|count| count.parse::<u32>().unwrap_or(0));
        let git = (counts.next().unwrap_or(0), counts.next().unwrap_or(0));
        // However busy the machine is.
        let options = DiffOptions { time_limit: Duration::from_secs(3600), ..DiffOptions::default() };
        let stats = Diff::new(&base, &head, options).stats;
        assert_eq!((stats.added, stats.removed), git, "edit {number}");
    }
}

#[test]
fn patch_makes_the_base_the_head() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (base, head)) in edits().into_iter().enumerate() {
        let patch = unified_patch(("a/prompt", &base), ("b/prompt", &head));
        if base == head {
            assert_eq!(patch, "");
            continue;
        }
        fs::write(folder.path().join("prompt"), &base).unwrap();
        fs::write(folder.path().join("change.patch"), patch).unwrap();
        let run = Command::new("patch")
            .args(["--binary", "--strip=1", "--input=change.patch"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(run.status.success(), "edit {number}: {}", String::from_utf8_lossy(&run.stdout));
        assert_eq!(fs::read_to_string(folder.path().join("prompt")).unwrap(), head, "edit {number}");
    }
}
