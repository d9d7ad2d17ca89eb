//! `verbatim lab run`: an experiment from the command line, on a server that is running, for CI jobs.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use http::header;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// How often a run is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// How long an answer may take; the server itself gives up earlier, unless it was told otherwise.
const ANSWER: Duration = Duration::from_secs(120);

/// How long a server may be away while its run is followed: a run goes on when its server is started again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names of sets that are told when the one that is meant is not there.
const SHOWN: usize = 10;

/// B is better, or as good.
const GOOD: u8 = 0;

/// A is better.
const WORSE: u8 = 1;

/// No verdict, or one that says that nothing can be told.
const CANNOT_TELL: u8 = 2;

/// What could not be run: a server that is away, a version that is not there.
pub const COULD_NOT_RUN: u8 = 3;

/// What the lab can do.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Run an experiment to its end and print the verdict. Exits with 0 when B is better or equivalent, 1 when A is better, 2
    /// when nothing can be told or the run was stopped by a person or its budget, 3 when it could not be run.
    Run(Box<RunArguments>),
}

/// An experiment.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The agent.
    #[arg(long)]
    agent: String,
    /// One version.
    #[arg(long)]
    a: String,
    /// The other one.
    #[arg(long)]
    b: String,
    /// The set of test cases: its name, or its id.
    #[arg(long)]
    set: String,
    /// The model that answers, as provider::name.
    #[arg(long)]
    model: String,
    /// How often each case is asked.
    #[arg(long, default_value_t = 1)]
    repeats: u32,
    /// Calls at once.
    #[arg(long, default_value_t = 4)]
    concurrency: u32,
    /// The most that the run may cost, in US dollars.
    #[arg(long)]
    budget: Option<f64>,
    /// What the verdict is about: pass_rate, score, preference, votes, latency, first_token, output_tokens or cost.
    #[arg(long, default_value = "pass_rate")]
    primary: String,
    /// Other metrics that decide too, with commas between.
    #[arg(long, value_delimiter = ',')]
    deciding: Vec<String>,
    /// The largest difference that does not matter, in the units of the primary metric: 0.05 is five percent of the cases.
    #[arg(long)]
    margin: Option<f64>,
    /// How sure the verdict is; 0.95 if not given.
    #[arg(long)]
    confidence: Option<f64>,
    /// The model that judges.
    #[arg(long)]
    judge: Option<String>,
    /// What the pairwise judge is asked to prefer.
    #[arg(long)]
    question: Option<String>,
    /// Run the active version against itself too.
    #[arg(long)]
    noise: bool,
    /// The model's temperature.
    #[arg(long)]
    temperature: Option<f64>,
    /// The model's top-p, above 0 and up to 1.
    #[arg(long)]
    top_p: Option<f64>,
    /// Tokens that an answer may have.
    #[arg(long)]
    max_tokens: Option<u32>,
    /// The model's seed. `--seed` alone is the server's, and about filling a registry.
    #[arg(long)]
    model_seed: Option<u64>,
    /// Print the whole report as JSON.
    #[arg(long)]
    json: bool,
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:3000")]
    server: String,
}

/// Runs a command of the lab.
pub async fn run(command: &LabCommand) -> ExitCode {
    let LabCommand::Run(arguments) = command;
    match experiment(arguments).await {
        Ok(report) => {
            if arguments.json {
                println!("{report:#}");
            } else {
                println!("{}", text(&report["headline"]));
                println!("{}", text(&report["evidence"]));
            }
            ExitCode::from(code_of(&report))
        }
        Err(error) => {
            eprintln!("verbatim: {error:#}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// What a report means to a CI job. Which cases a budget leaves out may depend on the answers, long ones being dear, so nothing is
/// let through by a run that did not come to its end.
fn code_of(report: &Value) -> u8 {
    match (text(&report["run"]["status"]), text(&report["outcome"])) {
        ("finished", "b_is_better" | "equivalent") => GOOD,
        ("finished", "a_is_better") => WORSE,
        _ => CANNOT_TELL,
    }
}

/// Starts a run, follows it to its end, and gets its report.
async fn experiment(arguments: &RunArguments) -> anyhow::Result<Value> {
    let server = Server::new(&arguments.server)?;
    let agent = utf8_percent_encode(&arguments.agent, NON_ALPHANUMERIC);
    let sets = server.list(format!("sets?agent_type={agent}&limit=200")).await?;
    let set =
        sets.iter().find(|set| set["name"] == arguments.set || set["id"] == arguments.set).with_context(|| {
            let names: Vec<_> = sets.iter().take(SHOWN).map(|set| text(&set["name"])).collect();
            let known = match sets.len().saturating_sub(SHOWN) {
                _ if sets.is_empty() => "it has none yet".into(),
                0 => format!("it has {}", names.join(", ")),
                more => format!("it has {}, and {more} more", names.join(", ")),
            };
            format!("{} has no set of test cases {:?}; {known}", arguments.agent, arguments.set)
        })?;
    let request = json!({
        "agent_type": arguments.agent, "version_a": arguments.a, "version_b": arguments.b, "set_id": set["id"],
        "model": arguments.model, "repeats": arguments.repeats, "concurrency": arguments.concurrency,
        "budget_usd": arguments.budget, "primary": arguments.primary, "deciding": arguments.deciding,
        "margin": arguments.margin, "judge": arguments.judge, "question": arguments.question,
        "noise": arguments.noise, "temperature": arguments.temperature, "top_p": arguments.top_p,
        "max_tokens": arguments.max_tokens, "seed": arguments.model_seed, "confidence": arguments.confidence,
    });
    let run = server.post("runs", &request).await?;
    let path = format!("runs/{}", text(&run["id"]));
    eprintln!("{}/lab/{path}", arguments.server.trim_end_matches('/'));
    server.follow(&path, run).await?;
    server.get(&format!("{path}/verdict")).await
}

/// A running server.
struct Server {
    client: reqwest::Client,
    base: String,
}

impl Server {
    fn new(address: &str) -> anyhow::Result<Self> {
        agents::install_tls();
        let url = reqwest::Url::parse(address).with_context(|| format!("{address} is not an address of a server"))?;
        let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).timeout(ANSWER);
        // A proxy does not know this machine.
        let builder = if is_here { builder.no_proxy() } else { builder };
        Ok(Self { client: builder.build()?, base: format!("{}/api/v1/lab", address.trim_end_matches('/')) })
    }

    /// Says how far a run is until it is over.
    async fn follow(&self, path: &str, mut run: Value) -> anyhow::Result<()> {
        let mut told = None;
        let mut heard = Instant::now();
        while run["status"] == "running" {
            if told != Some(run["done"].clone()) {
                eprintln!(
                    "{} of {} calls, {} failed, ${:.4}",
                    run["done"],
                    run["calls"],
                    run["failed"],
                    run["spent_usd"].as_f64().unwrap_or_default()
                );
                told = Some(run["done"].clone());
            }
            tokio::time::sleep(LOOK).await;
            match self.get(path).await {
                Ok(now) => (run, heard) = (now, Instant::now()),
                Err(error) if is_away(&error) && heard.elapsed() < PATIENCE => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Everything in a list, page after page.
    async fn list(&self, mut path: String) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        loop {
            let (page, next) = self.answer(self.client.get(format!("{}/{path}", self.base))).await?;
            all.extend(page.as_array().cloned().unwrap_or_default());
            let Some(next) = next else { return Ok(all) };
            path = next;
        }
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.answer(self.client.get(format!("{}/{path}", self.base))).await?.0)
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        Ok(self.answer(self.client.post(format!("{}/{path}", self.base)).json(body)).await?.0)
    }

    /// What was answered, and the path of the next page if it is one of a list.
    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<(Value, Option<String>)> {
        let response = request.send().await.with_context(|| {
            format!(
                "the server at {} cannot be reached; start it with `verbatim serve`, or name it with --server",
                self.base
            )
        })?;
        let failure = response.error_for_status_ref().err();
        let next = response.headers().get(header::LINK).and_then(|link| next_of(link.to_str().ok()?));
        let body: Value = response.json().await.context("what answered is not a Verbatim server")?;
        let Some(failure) = failure else { return Ok((body, next)) };
        let detail = body["detail"].as_str().unwrap_or("the server refused, and did not say why").to_owned();
        if failure.status().is_some_and(|status| status.is_server_error()) {
            return Err(failure).context(detail);
        }
        bail!(detail)
    }
}

/// The path that a `Link` header of the lab leads to.
fn next_of(link: &str) -> Option<String> {
    let (address, rel) = link.strip_prefix('<')?.split_once('>')?;
    let path = address.strip_prefix("/api/v1/lab/").filter(|_| rel.trim() == "; rel=\"next\"")?;
    Some(path.to_owned())
}

/// Whether it is the server, or the way to it, that failed: that may pass. A refusal does not.
fn is_away(error: &anyhow::Error) -> bool {
    error.is::<reqwest::Error>()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::{Cli, Command};

    #[test]
    fn every_argument_is_read_as_what_it_is() {
        let line = "verbatim lab run --agent writer --a 1.0.0 --b 1.1.0 --set Basics --model m::n --repeats 3 --concurrency 8 \
            --budget 1.5 --primary score --deciding latency,cost --margin 0.05 --judge m::j --question Which? --noise \
            --temperature 0.2 --top-p 0.9 --confidence 0.99 --max-tokens 99 --model-seed 7 --json --server http://127.0.0.1:9";
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Some(Command::Lab(LabCommand::Run(arguments))) = cli.command else { panic!("another command") };
        assert_eq!((arguments.model_seed, arguments.repeats, arguments.budget), (Some(7), 3, Some(1.5)));
        assert_eq!((arguments.top_p, arguments.confidence), (Some(0.9), Some(0.99)));
        assert_eq!(arguments.deciding, ["latency", "cost"]);
        assert!(arguments.noise && arguments.json && cli.serve.seed);
    }

    #[test]
    fn only_a_run_that_came_to_its_end_lets_anything_through() {
        for (status, outcome, code) in [
            ("finished", "b_is_better", GOOD),
            ("finished", "equivalent", GOOD),
            ("finished", "a_is_better", WORSE),
            ("finished", "cannot_tell", CANNOT_TELL),
            ("finished", "same_version", CANNOT_TELL),
            ("finished", "no_verdict", CANNOT_TELL),
            ("cancelled", "no_verdict", CANNOT_TELL),
            ("out_of_budget", "b_is_better", CANNOT_TELL),
            ("out_of_budget", "a_is_better", CANNOT_TELL),
        ] {
            assert_eq!(
                code_of(&json!({ "run": { "status": status }, "outcome": outcome })),
                code,
                "{status} {outcome}"
            );
        }
    }
}
