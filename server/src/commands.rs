//! What the binary can do, one function each.

use std::{
    path::Path,
    process::{ExitCode, ExitStatus},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncWriteExt, BufReader, BufWriter};
use versioning::{LoadingSettings, PromptStore, Services};

use crate::{
    agent_command,
    config::{Cli, Command, CommonSettings},
    database::Database,
    lab_command, seeds,
    serve::{self, Signals},
};

/// Runs the command that was given.
///
/// # Errors
/// With a message for whoever ran it.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Cli { command, common, serve } = cli;
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(&common, &serve).await.map(|()| ExitCode::SUCCESS),
        Command::Migrate => with_services(&common, async |_| Ok(())).await,
        Command::Seed => with_services(&common, seed).await,
        Command::Export { output } => {
            with_services(&common, async |services| export(&services, output.as_deref()).await).await
        }
        Command::Import { file } => with_services(&common, async |services| import(&services, &file).await).await,
        Command::Agent(command) => Ok(agent_command::run(&command).await),
        Command::Lab(command) => Ok(lab_command::run(&command).await),
        Command::WithDatabase { program } => with_database(&common, &program).await,
    }
}

/// Says what is wrong with the arguments, or what was asked to be shown. A run in the lab that was asked for wrongly could not be
/// run: its exit code is not one of the verdicts.
pub fn misused(error: &clap::Error) -> ExitCode {
    // Nobody is there to be told when it cannot be written.
    let _ = error.print();
    let is_of_lab = std::env::args_os().skip(1).any(|argument| argument == "lab");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if is_of_lab => ExitCode::from(lab_command::COULD_NOT_RUN),
        code => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}

/// What is said when a command was told to stop.
const STOPPED: &str = "told to stop before the work was done; run the command again";

/// Runs `work` over a migrated database, and closes it whatever comes of the work.
async fn with_services(
    settings: &CommonSettings,
    work: impl AsyncFnOnce(Services) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new();
    let database = tokio::select! {
        opened = Database::open(settings) => opened?,
        () = signals.told_to_stop() => bail!(STOPPED),
    };
    let worked = tokio::select! {
        worked = async {
            database.migrate().await?;
            work(Services::new(PromptStore::new(database.pool.clone()), LoadingSettings::default())).await
        } => worked,
        () = signals.told_to_stop() => Err(anyhow::anyhow!(STOPPED)),
    };
    database.close().await?;
    worked.map(|()| ExitCode::SUCCESS)
}

async fn seed(services: Services) -> anyhow::Result<()> {
    if services.management.seed(&seeds::versions()?).await? {
        tracing::info!("the ten agents are in place");
    } else {
        tracing::info!("the registry has agents already; nothing was changed");
    }
    Ok(())
}

async fn export(services: &Services, output: Option<&Path>) -> anyhow::Result<()> {
    let summary = match output {
        None => {
            let mut output = BufWriter::new(tokio::io::stdout());
            services.management.export(&mut output).await?
        }
        // What is there and no file, such as a pipe or a terminal, can only be written to as it is.
        Some(path) if path.metadata().is_ok_and(|metadata| !metadata.is_file()) => {
            let file = tokio::fs::File::create(path).await;
            let mut output = BufWriter::new(file.with_context(|| format!("cannot write {}", path.display()))?);
            services.management.export(&mut output).await?
        }
        Some(path) => {
            // Beside the goal and renamed at the end: a file of that name is always a whole export. A link stays one.
            let path = &path.canonicalize().unwrap_or_else(|_| path.into());
            let unfinished = path.with_added_extension("part");
            let file = tokio::fs::File::create(&unfinished)
                .await
                .with_context(|| format!("cannot write {}", unfinished.display()))?;
            let mut output = BufWriter::new(file);
            let summary = services.management.export(&mut output).await?;
            output.flush().await?;
            output.get_ref().sync_all().await?;
            tokio::fs::rename(&unfinished, path).await.with_context(|| format!("cannot write {}", path.display()))?;
            summary
        }
    };
    tracing::info!(agents = summary.agents, versions = summary.versions, events = summary.events, "exported");
    Ok(())
}

async fn import(services: &Services, path: &Path) -> anyhow::Result<()> {
    if path == Path::new("-") {
        services.management.import(&mut BufReader::new(tokio::io::stdin())).await?;
    } else {
        let file = tokio::fs::File::open(path).await.with_context(|| format!("cannot read {}", path.display()))?;
        services.management.import(&mut BufReader::new(file)).await?;
    }
    Ok(())
}

async fn with_database(settings: &CommonSettings, program: &[String]) -> anyhow::Result<ExitCode> {
    let (name, arguments) = program.split_first().context("give a program to run")?;
    let mut signals = Signals::new();
    let database = tokio::select! {
        opened = Database::open(settings) => opened?,
        () = signals.told_to_stop() => bail!(STOPPED),
    };
    let migrated = tokio::select! {
        migrated = database.migrate() => migrated,
        () = signals.told_to_stop() => Err(anyhow::anyhow!(STOPPED)),
    };
    let status = match migrated {
        Ok(()) => run_program(name, arguments, database.url(), &mut signals)
            .await
            .with_context(|| format!("cannot run {name}")),
        Err(error) => Err(error),
    };
    database.close().await?;
    let code = status?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Runs a program to its end. When this process is told to stop, so is the program, and the database outlives it.
async fn run_program(
    name: &str,
    arguments: &[String],
    url: &str,
    signals: &mut Signals,
) -> std::io::Result<ExitStatus> {
    let mut child = tokio::process::Command::new(name).args(arguments).env("DATABASE_URL", url).spawn()?;
    tokio::select! {
        ended = child.wait() => return ended,
        () = signals.told_to_stop() => {}
    }
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        // It may have ended meanwhile.
        let _ = kill_process(pid, Signal::TERM);
    }
    child.wait().await
}
