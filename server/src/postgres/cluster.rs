//! The cluster's folder and the server over it: making, starting, watching, stopping.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};
use tokio::process::{Child, Command};

use super::{PostgresError, account::Account, binaries::Binaries};

/// How long a start may take: the recovery of a large cluster after a crash reads its log again.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long a stop may take: it writes everything that is still in memory.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How long a server that begins may take to write its number down: it does so at once.
const WRITTEN_BY: Duration = Duration::from_secs(1);

/// The role and the database that the server uses.
pub(super) const NAME: &str = "verbatim";

/// A cluster and how to run it.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub folder: PathBuf,
    pub socket_dir: PathBuf,
    pub log: PathBuf,
    pub binaries: Binaries,
    pub account: Option<Account>,
}

impl Cluster {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.program(program));
        if let Some(account) = &self.account {
            account.apply(&mut command);
        }
        // The folder that the server was started in may be closed to the account.
        command.current_dir("/").env_remove("PGDATA").env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    /// Makes the cluster beside its goal and renames it at the end, so that it is there whole or not at all.
    pub(super) async fn create(&self) -> Result<(), PostgresError> {
        let unfinished = self.folder.with_extension("new");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(PostgresError::io(&unfinished))?;
        }
        private_folder(&unfinished, self.account.as_ref())?;
        let made = self
            .command("initdb")
            .args([
                "--username",
                NAME,
                "--encoding",
                "UTF8",
                "--locale",
                "C",
                "--auth",
                "reject",
                "--auth-local",
                "trust",
            ])
            .args(["--data-checksums", "--pgdata"])
            .arg(&unfinished)
            .output()
            .await
            .map_err(PostgresError::io(self.binaries.program("initdb")))?;
        if !made.status.success() {
            return Err(PostgresError::Program {
                program: "initdb",
                said: end_of(&String::from_utf8_lossy(&made.stderr)),
            });
        }
        fs::rename(&unfinished, &self.folder).map_err(PostgresError::io(&self.folder))?;
        tracing::info!(folder = %self.folder.display(), major = self.binaries.major(), "a new PostgreSQL cluster was made");
        Ok(())
    }

    /// Stops a server that outlived its Verbatim. The caller holds the lock of the data folder, so nobody else's it is.
    pub(super) async fn stop_orphan(&self) -> Result<(), PostgresError> {
        self.remove_locks_without_number().await?;
        let status = self.command("pg_ctl").arg("status").arg("-D").arg(&self.folder).output().await;
        // 0: a process of the number that was written down runs. 3: none does; what a crash left behind, the server
        // itself clears away.
        if !status.is_ok_and(|output| output.status.success()) {
            return Ok(());
        }
        if !self.is_server(&self.written_pid()).await {
            return self.forget_pid();
        }
        tracing::warn!("the last server left its PostgreSQL running; stopping it first");
        let stopped = self
            .command("pg_ctl")
            .args(["stop", "--mode", "fast", "--wait", "--timeout", "60", "-D"])
            .arg(&self.folder)
            .output()
            .await
            .map_err(PostgresError::io(self.binaries.program("pg_ctl")))?;
        if stopped.status.success() {
            Ok(())
        } else {
            Err(PostgresError::NotStopped { seconds: 60, log: self.log.clone() })
        }
    }

    /// The number of the process that served the folder last; empty when none is written down.
    fn written_pid(&self) -> String {
        let written = fs::read_to_string(self.folder.join("postmaster.pid")).unwrap_or_default();
        written.lines().next().unwrap_or_default().trim().to_owned()
    }

    /// Whether a process is the server of this folder. After a crash of the machine its number may be anybody's.
    async fn is_server(&self, pid: &str) -> bool {
        // A server works in its folder. Where the system does not tell that, its command line names the folder.
        if let (Ok(works_in), Ok(folder)) = (fs::read_link(format!("/proc/{pid}/cwd")), fs::canonicalize(&self.folder))
        {
            return works_in == folder;
        }
        let told = Command::new("ps").args(["-ww", "-o", "command=", "-p", pid]).output().await;
        told.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains(&*self.folder.to_string_lossy()))
    }

    /// Removes what keeps a server from starting while a process of the number that is written down runs. PostgreSQL
    /// itself still refuses to start as long as processes of an earlier one hold the folder's shared memory.
    fn forget_pid(&self) -> Result<(), PostgresError> {
        tracing::warn!("the number of the last PostgreSQL is another process's by now; that one is left alone");
        self.lock_files()?.iter().try_for_each(|path| fs::remove_file(path).map_err(PostgresError::io(path)))
    }

    /// Removes lock files in which no number stands, as a machine that lost its power may leave them. PostgreSQL takes
    /// such a one for that of a server that is just starting, and would never start again.
    async fn remove_locks_without_number(&self) -> Result<(), PostgresError> {
        let found = || -> Result<Vec<_>, PostgresError> {
            Ok(self.lock_files()?.into_iter().filter(|path| has_no_number(path)).collect())
        };
        if found()?.is_empty() {
            return Ok(());
        }
        // It may be just starting after all.
        tokio::time::sleep(WRITTEN_BY).await;
        for path in found()? {
            tracing::warn!(path = %path.display(), "removing a lock file that names no process");
            fs::remove_file(&path).map_err(PostgresError::io(&path))?;
        }
        Ok(())
    }

    /// The files by which PostgreSQL knows that a server runs.
    fn lock_files(&self) -> Result<Vec<PathBuf>, PostgresError> {
        let sockets = fs::read_dir(&self.socket_dir).map_err(PostgresError::io(&self.socket_dir))?;
        let locks = sockets.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(".s.PGSQL.") && name.ends_with(".lock"))
        });
        Ok(locks.chain([self.folder.join("postmaster.pid")]).filter(|path| path.exists()).collect())
    }

    /// Starts the server and waits until it lets somebody in.
    pub(super) async fn start(&self) -> Result<Child, PostgresError> {
        let begin = Instant::now();
        loop {
            let mut starting = Starting(Some(self.spawn()?));
            match self.wait_until_ready(&mut starting, begin).await {
                Ok(child) => return Ok(child),
                // The processes of a server that was killed take a moment to go, and hold its memory until then.
                Err(ended)
                    if ended.is_some()
                        && begin.elapsed() < Duration::from_secs(10)
                        && self.is_held_by_old_processes() =>
                {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(Some(status)) => {
                    let said = format!("it ended ({status}). The end of its log is: {}", self.end_of_log());
                    return Err(PostgresError::Program { program: "postgres", said });
                }
                Err(None) => {
                    let seconds = START_LIMIT.as_secs();
                    return Err(PostgresError::NotReady { seconds, log: self.log.clone(), said: self.end_of_log() });
                }
            }
        }
    }

    fn spawn(&self) -> Result<Child, PostgresError> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.log)
            .map_err(PostgresError::io(&self.log))?;
        let errors = log.try_clone().map_err(PostgresError::io(&self.log))?;
        let program = self.binaries.program("postgres");
        let setting = |name: &str, value: &dyn std::fmt::Display| format!("{name}={value}");
        self.command("postgres")
            .arg("-D")
            .arg(&self.folder)
            // No port: only who can enter the socket's folder can connect.
            .args(["-c", "listen_addresses=", "-c"])
            .arg(setting("unix_socket_directories", &self.socket_dir.display()))
            .args(["-c", "unix_socket_permissions=0700", "-c", "max_connections=200", "-c", "timezone=UTC"])
            .args(["-c", "log_timezone=UTC"])
            .stdout(log)
            .stderr(errors)
            // Ctrl-C in a terminal reaches every process of the group; the database is to outlive the requests.
            .process_group(0)
            .spawn()
            .map_err(PostgresError::io(program))
    }

    /// The server once it lets us in; else how it ended, or none when the time is over.
    async fn wait_until_ready(&self, starting: &mut Starting, begin: Instant) -> Result<Child, Option<ExitStatus>> {
        while begin.elapsed() < START_LIMIT {
            if let Some(Ok(Some(status))) = starting.0.as_mut().map(Child::try_wait) {
                return Err(Some(status));
            }
            if let Ok(connection) = self.options("postgres").connect().await {
                let _ = connection.close().await;
                return starting.0.take().ok_or(None);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(None)
    }

    fn is_held_by_old_processes(&self) -> bool {
        let said = self.end_of_log();
        said.contains("is still in use") || said.contains("lock file")
    }

    /// Makes the database, if it is not there.
    pub(super) async fn ensure_database(&self) -> Result<(), PostgresError> {
        let failed = |error: sqlx::Error| PostgresError::Program { program: "postgres", said: error.to_string() };
        if let Ok(connection) = self.options(NAME).connect().await {
            return connection.close().await.map_err(failed);
        }
        let made = self
            .command("createdb")
            .arg("--host")
            .arg(&self.socket_dir)
            .args(["--username", NAME, "--maintenance-db", "postgres", NAME])
            .output()
            .await
            .map_err(PostgresError::io(self.binaries.program("createdb")))?;
        if made.status.success() {
            Ok(())
        } else {
            let said = end_of(&String::from_utf8_lossy(&made.stderr));
            Err(PostgresError::Program { program: "createdb", said })
        }
    }

    pub(super) fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host(&self.socket_dir.to_string_lossy())
            .socket(&self.socket_dir)
            .username(NAME)
            .database(database)
    }

    /// Tells the server to close every connection and stop, and waits for it.
    pub(super) async fn stop(&self, child: &mut Child) -> Result<(), PostgresError> {
        terminate(child);
        match tokio::time::timeout(STOP_LIMIT, child.wait()).await {
            Ok(_) => Ok(()),
            Err(_) => Err(PostgresError::NotStopped { seconds: STOP_LIMIT.as_secs(), log: self.log.clone() }),
        }
    }

    fn end_of_log(&self) -> String {
        fs::read(&self.log).map(|log| end_of(&String::from_utf8_lossy(&log))).unwrap_or_default()
    }
}

/// Whether a lock file can be read and does not begin with the number of a process.
fn has_no_number(lock: &Path) -> bool {
    fs::read(lock).is_ok_and(|written| {
        let first = String::from_utf8_lossy(&written).lines().next().and_then(|line| line.trim().parse::<i64>().ok());
        first.unwrap_or(0) == 0
    })
}

/// A server that nobody has taken over yet: if the start is given up, it is told to stop.
struct Starting(Option<Child>);

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &self.0 {
            terminate(child);
        }
    }
}

/// SIGINT is PostgreSQL's fast shutdown: it ends what is under way and writes everything down.
pub(super) fn terminate(child: &Child) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::INT);
    }
}

/// A folder that only the account can enter.
pub(super) fn private_folder(path: &Path, account: Option<&Account>) -> Result<(), PostgresError> {
    fs::create_dir_all(path).map_err(PostgresError::io(path))?;
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        // Somebody else may have laid it, in a folder where everybody may: what it leads to is not ours to open or
        // close.
        return Err(PostgresError::io(path)(std::io::Error::other("it is a link where a folder of ours belongs")));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(PostgresError::io(path))?;
    account.map_or(Ok(()), |account| account.own(path))
}

/// The last lines of what a program said.
fn end_of(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(5)..].join(" | ")
}
