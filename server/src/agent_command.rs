//! `verbatim agent ask`: a question to an agent of a server that is running, from the command line.

use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use futures_util::StreamExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

/// What can be done with agents.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Ask an agent, which answers with the prompt that is live. The answer goes to standard output as it comes; which version
    /// was used, to standard error. Exits with 1 when there is no whole answer.
    Ask(Box<AskArguments>),
}

/// A question.
#[derive(Debug, Args)]
pub struct AskArguments {
    /// The agent.
    agent_type: String,
    /// What the user says.
    input: String,
    /// A value for a template variable of the prompt, as name=value; can be given several times.
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// The model, as provider::name; the server's own choice without it.
    #[arg(long)]
    model: Option<String>,
    /// Another version than the one that is live.
    #[arg(long)]
    prompt_version: Option<String>,
    /// The server.
    #[arg(long, env = "VERBATIM_SERVER", default_value = "http://127.0.0.1:3000")]
    server: String,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give it as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Asks and prints.
pub async fn run(command: &AgentCommand) -> ExitCode {
    let AgentCommand::Ask(arguments) = command;
    match ask(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("verbatim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn ask(arguments: &AskArguments) -> anyhow::Result<()> {
    agents::install_tls();
    let server = arguments.server.trim_end_matches('/');
    let url = reqwest::Url::parse(server).with_context(|| format!("{server} is not an address of a server"))?;
    let builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(10));
    // A proxy does not know this machine.
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let client = if is_here { builder.no_proxy() } else { builder }.build()?;
    let variables: Map<String, Value> =
        arguments.variables.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let body = json!({
        "input": arguments.input, "variables": variables, "model": arguments.model, "version": arguments.prompt_version,
    });
    let agent = utf8_percent_encode(&arguments.agent_type, NON_ALPHANUMERIC);
    let request = client.post(format!("{server}/api/v1/agents/{agent}/respond"));
    let response =
        request.header(http::header::ACCEPT, "text/event-stream").json(&body).send().await.with_context(|| {
            format!(
                "the server at {server} cannot be reached; start it with `verbatim serve`, or name it with --server"
            )
        })?;
    if !response.status().is_success() {
        let problem: Value = response.json().await.context("what answered is not a Verbatim server")?;
        bail!("{}", problem["detail"].as_str().unwrap_or("the server refused, and did not say why"));
    }
    print(response).await
}

/// Prints the answer as it comes. An event of the server's is a line `event:` and a line `data:`.
async fn print(response: reqwest::Response) -> anyhow::Result<()> {
    let mut pieces = response.bytes_stream();
    let (mut waiting, mut kind) = (Vec::new(), String::new());
    let mut out = std::io::stdout();
    while let Some(piece) = pieces.next().await {
        waiting.extend_from_slice(&piece.context("the connection ended before the answer did")?);
        while let Some(end) = waiting.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(name) = line.strip_prefix("event:") {
                name.trim().clone_into(&mut kind);
            } else if let Some(data) = line.strip_prefix("data:") {
                let data: Value = serde_json::from_str(data.trim()).context("the answer could not be read")?;
                match kind.as_str() {
                    "prompt" => eprintln!(
                        "{} {}, answered by {}",
                        text(&data["agent_type"]),
                        text(&data["version"]),
                        text(&data["model"])
                    ),
                    "text" => {
                        out.write_all(text(&data["text"]).as_bytes())?;
                        out.flush()?;
                    }
                    "end" => {
                        writeln!(out)?;
                        return Ok(());
                    }
                    "error" => bail!("{}", text(&data["detail"])),
                    _ => {}
                }
            }
        }
    }
    bail!("the connection ended before the answer did")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
