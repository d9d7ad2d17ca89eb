//! The `verbatim` binary: reads the settings, begins to log, runs the command.

use std::process::ExitCode;

use clap::Parser;
use server::{commands, config::Cli, telemetry};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = telemetry::init(&cli.common.log, cli.common.log_format) {
        eprintln!("verbatim: {error:#}");
        return ExitCode::FAILURE;
    }
    match commands::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("verbatim: {error:#}");
            ExitCode::FAILURE
        }
    }
}
