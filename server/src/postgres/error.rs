//! What can keep a private PostgreSQL from running, each with the way forward.

use std::path::PathBuf;

/// Why the private PostgreSQL does not run. The text is for whoever started the server.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No installation was found, and none could be fetched.
    #[error(
        "no PostgreSQL 15 or later was found on this machine, and none could be fetched. Install one: \
         `apt-get install postgresql` on Debian and Ubuntu, `dnf install postgresql-server` on Fedora, \
         `brew install postgresql@17` on macOS. Or name the folder of its programs in VERBATIM_POSTGRES_BIN, or an \
         existing database in DATABASE_URL."
    )]
    NoBinaries,
    /// The folder was made by a major version that is not installed.
    #[error(
        "{} was made by PostgreSQL {cluster}, and only {} found on this machine. Nothing was changed. Install PostgreSQL \
         {cluster} beside it; or start with another VERBATIM_DATA_DIR, and bring the prompts over with `verbatim export` \
         and `verbatim import`.", folder.display(), found_majors(found)
    )]
    OtherMajor {
        /// The cluster's folder.
        folder: PathBuf,
        /// The major version that made it.
        cluster: String,
        /// The major versions that are installed.
        found: Vec<u32>,
    },
    /// Another server uses the folder.
    #[error(
        "another Verbatim server uses {}. Stop it first, or start this one with another VERBATIM_DATA_DIR.", folder.display()
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
    },
    /// The unprivileged account cannot get to the folder.
    #[error(
        "PostgreSQL does not run as root, and the account {account} cannot reach {} because of the permissions of {}. \
         Choose another folder with VERBATIM_DATA_DIR, such as /var/lib/verbatim.", folder.display(), blocked.display()
    )]
    Unreachable {
        /// The account that PostgreSQL would run as.
        account: String,
        /// The data folder.
        folder: PathBuf,
        /// The folder on the way that keeps the account out.
        blocked: PathBuf,
    },
    /// There is neither an account `postgres` nor an account `nobody`.
    #[error(
        "PostgreSQL does not run as root, and this machine has neither an account postgres nor an account nobody. Start \
         Verbatim as an ordinary user."
    )]
    NoAccount,
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Which.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// It did not accept connections in time.
    #[error("PostgreSQL did not accept connections within {seconds} s. Its log is {}; its end is: {said}", log.display())]
    NotReady {
        /// How long was waited.
        seconds: u64,
        /// Where its log lies.
        log: PathBuf,
        /// The end of the log.
        said: String,
    },
    /// It did not stop.
    #[error("PostgreSQL did not stop within {seconds} s; its log is {}", log.display())]
    NotStopped {
        /// How long was waited.
        seconds: u64,
        /// Where its log lies.
        log: PathBuf,
    },
    /// A file or a folder could not be read or made.
    #[error("{}: {cause}. Check the permissions of VERBATIM_DATA_DIR.", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}

impl PostgresError {
    /// An error of the file system at `path`.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io { path, cause }
    }
}

fn found_majors(found: &[u32]) -> String {
    match found {
        [] => "no PostgreSQL was".into(),
        [one] => format!("{one} was"),
        many => format!("{} were", many.iter().map(u32::to_string).collect::<Vec<_>>().join(" and ")),
    }
}
