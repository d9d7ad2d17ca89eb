//! The API as a program: `model-api --addr 127.0.0.1:4010 --delay-ms 100`. It prints its address and runs until it is
//! told to stop.

use std::{io::Write, net::SocketAddr, time::Duration};

use clap::Parser;
use model_api::{Behaviour, ModelApi};
use tokio::signal::unix::{SignalKind, signal};

/// A language model's API for tests and benchmarks: the OpenAI chat API with made-up answers.
#[derive(Debug, Parser)]
struct Arguments {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    addr: SocketAddr,
    /// How long an answer takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// The key to ask for. Without one, every key does.
    #[arg(long)]
    key: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let api = ModelApi::start_at(
        arguments.addr,
        Behaviour {
            delay: Duration::from_millis(arguments.delay_ms),
            key: arguments.key,
            // It may run for long.
            keeps_requests: false,
            ..Behaviour::default()
        },
    )?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", api.url())?;
    out.flush()?;
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(())
}
