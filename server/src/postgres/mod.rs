//! A private PostgreSQL: started, watched and stopped by the server that owns it.
//!
//! It lives in a data folder: `cluster/` is PostgreSQL's own, `run/` holds its socket, `postgres.log` what it said,
//! `server.lock` is held by the server that owns the folder. There is no port; the socket lies in a folder that only
//! the account that PostgreSQL runs as (and root) can enter, which is all the authentication there is.

use std::{
    fs::{self, File, TryLockError},
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sqlx::postgres::PgConnectOptions;
use tokio::{process::Child, sync::oneshot, task::JoinHandle};

mod account;
mod binaries;
mod cluster;
mod error;

use account::Account;
use binaries::Binaries;
use cluster::{Cluster, NAME, private_folder};

pub use binaries::Search;
pub use error::PostgresError;

/// The longest path of a socket that every system takes, less the name of PostgreSQL's own file.
const MAX_SOCKET_DIR: usize = 80;

/// A running PostgreSQL that belongs to this process.
#[derive(Debug)]
pub struct PrivatePostgres {
    cluster: Cluster,
    watch: Option<JoinHandle<Result<(), PostgresError>>>,
    stop: Option<oneshot::Sender<()>>,
    /// For the case that nobody calls `stop`: the number of the server's process.
    pid: Arc<AtomicU32>,
    _lock: Lock,
}

impl PrivatePostgres {
    /// Starts the server of a data folder, made if it is not there, and waits until the database can be used.
    ///
    /// # Errors
    /// See [`PostgresError`]: each says what to do.
    pub async fn start(data_dir: &Path) -> Result<Self, PostgresError> {
        Self::start_with(data_dir, &Search::of_this_machine()).await
    }

    /// As [`Self::start`], with other places to look for installations.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub async fn start_with(data_dir: &Path, search: &Search) -> Result<Self, PostgresError> {
        let data_dir = std::path::absolute(data_dir).map_err(PostgresError::io(data_dir))?;
        let account = Account::for_this_process()?;
        if let Some(account) = &account
            && let Some(blocked) = account.blocked_at(&data_dir)
        {
            return Err(PostgresError::Unreachable {
                account: account.name().into(),
                folder: data_dir.clone(),
                blocked: blocked.into(),
            });
        }
        fs::create_dir_all(&data_dir).map_err(PostgresError::io(&data_dir))?;
        if let Some(account) = &account
            && account.blocked_at(&data_dir).is_some()
        {
            // It was made just now, under a mask that closes what root makes.
            let open = fs::Permissions::from_mode(0o755);
            fs::set_permissions(&data_dir, open).map_err(PostgresError::io(&data_dir))?;
        }
        let lock = Lock::of(&data_dir)?;

        let folder = data_dir.join("cluster");
        let major = fs::read_to_string(folder.join("PG_VERSION")).ok().map(|major| major.trim().to_owned());
        let binaries = Binaries::find(search, &data_dir, &folder, major.as_deref()).await?;
        let log = data_dir.join("postgres.log");
        let cluster = Cluster { folder, socket_dir: socket_dir(&data_dir), log, binaries, account };
        private_folder(&cluster.socket_dir, cluster.account.as_ref())?;
        if major.is_none() {
            cluster.create().await?;
        }
        cluster.stop_orphan().await?;
        let child = cluster.start().await?;
        let pid = Arc::new(child.id().unwrap_or(0).into());
        let (stop, stopped) = oneshot::channel();
        let watch = tokio::spawn(watch(cluster.clone(), child, stopped, Arc::clone(&pid)));
        // From here on a failure stops the server by dropping this.
        let postgres = Self { cluster, watch: Some(watch), stop: Some(stop), pid, _lock: lock };
        postgres.cluster.ensure_database().await?;
        Ok(postgres)
    }

    /// How to connect to the database.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.cluster.options(NAME)
    }

    /// The address of the database, for other programs.
    pub fn url(&self) -> String {
        let folder: String = self
            .cluster
            .socket_dir
            .to_string_lossy()
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
        format!("postgres://{NAME}@{folder}/{NAME}")
    }

    /// The number of the server's process.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// Stops the server: connections are closed, everything is written down.
    ///
    /// # Errors
    /// It does not stop in time.
    pub async fn stop(mut self) -> Result<(), PostgresError> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        match self.watch.take() {
            Some(watch) => watch.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

impl Drop for PrivatePostgres {
    /// Without [`Self::stop`] nobody waits for it; told to stop it is.
    fn drop(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
            let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
            if let Some(pid) = pid {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            }
        }
    }
}

/// Starts the server again whenever it ends by itself, until told to stop it.
async fn watch(
    cluster: Cluster,
    mut child: Child,
    mut stop: oneshot::Receiver<()>,
    pid: Arc<AtomicU32>,
) -> Result<(), PostgresError> {
    const FIRST_PAUSE: Duration = Duration::from_millis(100);
    const LAST_PAUSE: Duration = Duration::from_secs(5);
    loop {
        tokio::select! {
            _ = &mut stop => return cluster.stop(&mut child).await,
            ended = child.wait() => {
                // Its number may be another process's from now on.
                pid.store(0, Ordering::Relaxed);
                let status = ended.map(|status| status.to_string()).unwrap_or_default();
                tracing::error!(status, "PostgreSQL ended by itself; starting it again");
            }
        }
        let mut pause = FIRST_PAUSE;
        child = loop {
            tokio::select! {
                _ = &mut stop => return Ok(()),
                started = cluster.start() => match started {
                    Ok(child) => break child,
                    Err(error) => tracing::error!(%error, "PostgreSQL does not start"),
                }
            }
            tokio::select! {
                _ = &mut stop => return Ok(()),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LAST_PAUSE),
            }
        };
        pid.store(child.id().unwrap_or(0), Ordering::Relaxed);
        tracing::info!("PostgreSQL runs again");
    }
}

/// The right to a data folder. The lock is the system's: when the process that holds it is killed, it is free.
#[derive(Debug)]
struct Lock(File);

impl Lock {
    fn of(data_dir: &Path) -> Result<Self, PostgresError> {
        let path = data_dir.join("server.lock");
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(PostgresError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(PostgresError::InUse { folder: data_dir.into() }),
            Err(TryLockError::Error(cause)) => Err(PostgresError::Io { path, cause }),
        }
    }
}

impl Drop for Lock {
    /// Closing the file would not do: a process that is just being begun has a copy of it until it runs its program.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// The folder of the socket: in the data folder, unless its path is too long for a socket.
fn socket_dir(data_dir: &Path) -> PathBuf {
    let folder = data_dir.join("run");
    if folder.as_os_str().len() <= MAX_SOCKET_DIR {
        return folder;
    }
    let mut hasher = DefaultHasher::new();
    data_dir.hash(&mut hasher);
    std::env::temp_dir().join(format!("verbatim-{:016x}", hasher.finish()))
}

/// The data folder when none is named: `data` in the current folder; or `/var/lib/verbatim`, when this process is root
/// and the account that PostgreSQL runs as cannot reach the current folder.
pub fn default_data_dir() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_else(|_| ".".into()).join("data");
    match Account::for_this_process() {
        Ok(Some(account)) if account.blocked_at(&here).is_some() => PathBuf::from("/var/lib/verbatim"),
        _ => here,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_free_though_another_process_has_a_copy_of_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::of(folder.path()).unwrap();
        assert!(matches!(Lock::of(folder.path()), Err(PostgresError::InUse { .. })));
        let copy = lock.0.try_clone().unwrap();
        drop(lock);
        drop(Lock::of(folder.path()).unwrap());
        drop(copy);
    }
}
