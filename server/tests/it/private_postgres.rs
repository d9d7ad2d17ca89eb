//! The private PostgreSQL: made, started, recovered, stopped, refused.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use server::postgres::{PostgresError, PrivatePostgres, Search};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::support::eventually;

/// A temporary folder that the account of PostgreSQL can pass, and a data folder in it that is not there yet.
fn data_dir() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    (folder, data)
}

fn process(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

fn lives(pid: u32) -> bool {
    test_kill_process(process(pid)).is_ok()
}

async fn execute(postgres: &PrivatePostgres, statement: &'static str) {
    let mut connection = PgConnection::connect_with(&postgres.connect_options()).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn kept(postgres: &PrivatePostgres) -> bool {
    let Ok(mut connection) = PgConnection::connect_with(&postgres.connect_options()).await else { return false };
    sqlx::query_scalar::<_, String>("select word from kept")
        .fetch_one(&mut connection)
        .await
        .is_ok_and(|word| word == "yes")
}

const KEEP: &str = "create table kept as select 'yes'::text as word";

#[tokio::test]
async fn it_keeps_what_was_written_and_leaves_no_process() {
    let (_folder, data) = data_dir();
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    let first = postgres.pid();
    execute(&postgres, KEEP).await;
    postgres.stop().await.unwrap();
    assert!(!lives(first));
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    assert!(kept(&postgres).await);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn only_this_account_and_this_machine_reach_it() {
    let (_folder, data) = data_dir();
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    // Linux names the listening ports of every process; PostgreSQL must own none.
    let mut connection = PgConnection::connect_with(&postgres.connect_options()).await.unwrap();
    let listens: String = sqlx::query_scalar("show listen_addresses").fetch_one(&mut connection).await.unwrap();
    assert_eq!(listens, "");
    for folder in ["run", "cluster"] {
        assert_eq!(fs::metadata(data.join(folder)).unwrap().permissions().mode() & 0o777, 0o700, "{folder}");
    }
    if rustix::process::geteuid().is_root() {
        assert_ne!(fs::metadata(format!("/proc/{}", postgres.pid())).unwrap().uid(), 0, "not as root");
    }
    // The address that other programs are given leads there too.
    PgConnection::connect(&postgres.url()).await.unwrap().close().await.unwrap();
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_has_one_server() {
    let (_folder, data) = data_dir();
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    let refused = PrivatePostgres::start(&data).await.unwrap_err();
    assert!(matches!(refused, PostgresError::InUse { .. }), "{refused}");
    execute(&postgres, KEEP).await;
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn it_is_started_again_when_it_is_killed() {
    let (_folder, data) = data_dir();
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    execute(&postgres, KEEP).await;
    let killed = postgres.pid();
    kill_process(process(killed), Signal::KILL).unwrap();
    eventually("it runs again with what was written", async || kept(&postgres).await && postgres.pid() != killed).await;
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn one_that_outlived_its_server_is_stopped_first() {
    let (_folder, data) = data_dir();
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    execute(&postgres, KEEP).await;
    let clean = postgres.pid();
    postgres.stop().await.unwrap();
    assert!(!lives(clean));

    // As a server that was killed leaves it: PostgreSQL runs, and nobody holds the lock of the folder.
    let orphan = start_by_hand(&data);
    eventually("the orphan has written down its number", async || data.join("cluster/postmaster.pid").exists()).await;
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    assert_ne!(postgres.pid(), orphan.0.id());
    assert!(kept(&postgres).await);
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn another_process_that_has_its_number_is_left_alone() {
    let (_folder, data) = data_dir();
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    execute(&postgres, KEEP).await;
    let written = fs::read_to_string(data.join("cluster/postmaster.pid")).unwrap();
    let number = postgres.pid().to_string();
    postgres.stop().await.unwrap();

    // As a machine that lost its power leaves it: the files of a server that runs, and by now its number is another's.
    let mut stranger = as_owner(&data, "sleep");
    let mut stranger = Orphan(stranger.arg("600").spawn().unwrap());
    for file in ["cluster/postmaster.pid", "run/.s.PGSQL.5432.lock"] {
        fs::write(data.join(file), written.replacen(&number, &stranger.0.id().to_string(), 1)).unwrap();
        let owner = fs::metadata(data.join("cluster")).unwrap();
        std::os::unix::fs::chown(data.join(file), Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    assert!(kept(&postgres).await);
    assert_eq!(stranger.0.try_wait().unwrap(), None, "it was not told to stop");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn lock_files_without_a_number_are_no_obstacle() {
    let (_folder, data) = data_dir();
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    execute(&postgres, KEEP).await;
    postgres.stop().await.unwrap();
    // As a machine that lost its power may leave them: made, but never written, or full of zeros.
    for (file, written) in [("cluster/postmaster.pid", &[][..]), ("run/.s.PGSQL.5432.lock", &[0; 64][..])] {
        fs::write(data.join(file), written).unwrap();
        let owner = fs::metadata(data.join("cluster")).unwrap();
        std::os::unix::fs::chown(data.join(file), Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    assert!(kept(&postgres).await);
    postgres.stop().await.unwrap();
}

/// A child that does not outlive its test.
struct Orphan(std::process::Child);

impl Drop for Orphan {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program as the account that PostgreSQL runs as.
fn as_owner(data: &Path, program: &str) -> std::process::Command {
    use std::os::unix::process::CommandExt;

    let owner = fs::metadata(data.join("cluster")).unwrap();
    let mut command = std::process::Command::new(program);
    command.current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command
}

fn start_by_hand(data: &Path) -> Orphan {
    let mut command = as_owner(data, "postgres");
    command.arg("-D").arg(data.join("cluster")).args(["-c", "listen_addresses=", "-c"]);
    command.arg(format!("unix_socket_directories={}", data.join("run").display()));
    command.stderr(std::process::Stdio::null());
    Orphan(command.spawn().unwrap())
}

#[tokio::test]
async fn a_folder_of_another_major_version_is_left_alone() {
    let (_folder, data) = data_dir();
    let cluster = data.join("cluster");
    fs::create_dir_all(&cluster).unwrap();
    fs::write(cluster.join("PG_VERSION"), "11\n").unwrap();
    let refused = PrivatePostgres::start(&data).await.unwrap_err();
    assert!(matches!(&refused, PostgresError::OtherMajor { cluster, .. } if cluster == "11"), "{refused}");
    assert!(refused.to_string().contains("made by PostgreSQL 11"), "{refused}");
    assert_eq!(fs::read_dir(&cluster).unwrap().count(), 1, "nothing was changed");
}

#[tokio::test]
async fn without_any_installation_it_says_what_to_install() {
    let (_folder, data) = data_dir();
    let nowhere = Search { folders: vec![data.join("nothing")], archive: None };
    let refused = PrivatePostgres::start_with(&data, &nowhere).await.unwrap_err();
    assert!(matches!(refused, PostgresError::NoBinaries), "{refused}");
    assert!(refused.to_string().contains("apt-get install postgresql"), "{refused}");
}

#[tokio::test]
async fn what_cannot_be_fetched_is_said_soon() {
    let (_folder, data) = data_dir();
    // Nobody listens on the discard port of this machine.
    let search = Search { folders: Vec::new(), archive: Some("http://127.0.0.1:9/releases".into()) };
    let begin = std::time::Instant::now();
    let refused = PrivatePostgres::start_with(&data, &search).await.unwrap_err();
    assert!(matches!(refused, PostgresError::NoBinaries), "{refused}");
    assert!(begin.elapsed() < std::time::Duration::from_secs(60), "it took {:?}", begin.elapsed());
}

#[tokio::test]
async fn an_initdb_that_was_interrupted_is_begun_anew() {
    let (_folder, data) = data_dir();
    let unfinished = data.join("cluster.new");
    fs::create_dir_all(unfinished.join("base")).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    execute(&postgres, KEEP).await;
    assert!(!unfinished.exists());
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_no_obstacle() {
    let (folder, _) = data_dir();
    let data = folder.path().join("d".repeat(60)).join("e".repeat(60));
    fs::create_dir_all(&data).unwrap();
    let postgres = PrivatePostgres::start(&data).await.unwrap();
    execute(&postgres, KEEP).await;
    assert!(kept(&postgres).await);
    postgres.stop().await.unwrap();
}
