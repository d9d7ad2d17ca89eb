//! `verbatim lab run`: an experiment from the command line, on a server that is running, for CI jobs.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// How often a run is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// What could not be run: a server that is away, a version that is not there.
const COULD_NOT_RUN: u8 = 3;

/// What the lab can do.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Run an experiment to its end and print the verdict. Exits with 0 when B is better or equivalent, 1 when A is better, 2
    /// when nothing can be told, 3 when it could not be run.
    Run(RunArguments),
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
    /// Tokens that an answer may have.
    #[arg(long)]
    max_tokens: Option<u32>,
    /// The model's seed.
    #[arg(long)]
    seed: Option<u64>,
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
                println!("{}/lab/runs/{}", arguments.server.trim_end_matches('/'), text(&report["run"]["id"]));
            }
            ExitCode::from(match text(&report["outcome"]) {
                "b_is_better" | "equivalent" => 0,
                "a_is_better" => 1,
                _ => 2,
            })
        }
        Err(error) => {
            eprintln!("verbatim: {error:#}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// Starts a run, follows it to its end, and gets its report.
async fn experiment(arguments: &RunArguments) -> anyhow::Result<Value> {
    let server = Server::new(&arguments.server)?;
    let sets = server.get(&format!("sets?agent_type={}", arguments.agent)).await?;
    let sets = sets.as_array().map(Vec::as_slice).unwrap_or_default();
    let set =
        sets.iter().find(|set| set["name"] == arguments.set || set["id"] == arguments.set).with_context(|| {
            let names: Vec<_> = sets.iter().map(|set| text(&set["name"])).collect();
            let known =
                if names.is_empty() { "it has none yet".into() } else { format!("it has {}", names.join(", ")) };
            format!("{} has no set of test cases {:?}; {known}", arguments.agent, arguments.set)
        })?;
    let request = json!({
        "agent_type": arguments.agent, "version_a": arguments.a, "version_b": arguments.b, "set_id": set["id"],
        "model": arguments.model, "repeats": arguments.repeats, "concurrency": arguments.concurrency,
        "budget_usd": arguments.budget, "primary": arguments.primary, "deciding": arguments.deciding,
        "margin": arguments.margin, "judge": arguments.judge, "question": arguments.question,
        "noise": arguments.noise, "temperature": arguments.temperature, "max_tokens": arguments.max_tokens,
        "seed": arguments.seed,
    });
    let mut run = server.post("runs", &request).await?;
    let path = format!("runs/{}", text(&run["id"]));
    let mut told = None;
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
        run = server.get(&path).await?;
    }
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
        let builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(10));
        // A proxy does not know this machine.
        let builder = if is_here { builder.no_proxy() } else { builder };
        Ok(Self { client: builder.build()?, base: format!("{}/api/v1/lab", address.trim_end_matches('/')) })
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.answer(self.client.get(format!("{}/{path}", self.base))).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.answer(self.client.post(format!("{}/{path}", self.base)).json(body)).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let response = request.send().await.with_context(|| {
            format!(
                "the server at {} cannot be reached; start it with `verbatim serve`, or name it with --server",
                self.base
            )
        })?;
        let status = response.status();
        let body: Value = response.json().await.context("what answered is not a Verbatim server")?;
        if !status.is_success() {
            bail!("{}", body["detail"].as_str().unwrap_or("the server refused, and did not say why"));
        }
        Ok(body)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
