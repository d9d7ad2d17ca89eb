//! The `verbatim` binary: reads the settings, begins to log, runs the command.

use std::process::ExitCode;

use clap::Parser;
use server::{commands, config::Cli, telemetry};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return commands::misused(&error),
    };
    if let Err(error) = telemetry::init(&cli.common.log, cli.common.log_format) {
        eprintln!("verbatim: {error:#}");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("verbatim: no thread could be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(commands::run(cli)).unwrap_or_else(|error| {
        eprintln!("verbatim: {error:#}");
        ExitCode::FAILURE
    });
    // Work of a request that was cut off, or a line that a terminal never ended, keeps nobody waiting.
    runtime.shutdown_background();
    code
}
