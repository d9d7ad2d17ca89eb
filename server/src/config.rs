//! The command line and the environment. Every setting is described here, and only here.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use agents::ModelName;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{agent_command::AgentCommand, lab_command::LabCommand};

/// A prompt registry that only moves forward.
#[derive(Debug, Parser)]
#[command(name = "verbatim", version, about)]
pub struct Cli {
    /// What to do; `serve` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What concerns every command.
    #[command(flatten)]
    pub common: CommonSettings,
    /// What concerns the server.
    #[command(flatten)]
    pub serve: ServeSettings,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Migrate the database, seed it if it is empty, and serve pages and API until told to stop.
    Serve,
    /// Bring the database's schema up to date.
    Migrate,
    /// Fill an empty registry with the ten agents to start from.
    Seed,
    /// Write every agent, version, activation and event as JSON Lines.
    Export {
        /// The file to write; standard output if none is given.
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Add what an export holds, all or nothing.
    Import {
        /// The file to read; `-` is standard input.
        file: PathBuf,
    },
    /// The A/B lab of a server that is running.
    #[command(subcommand)]
    Lab(LabCommand),
    /// The agents of a server that is running.
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Run a program with DATABASE_URL naming a migrated database that lives as long as the program runs.
    WithDatabase {
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        program: Vec<String>,
    },
}

/// What concerns every command.
#[derive(Debug, Clone, Args)]
pub struct CommonSettings {
    /// The database, as postgres://user:password@host/name. Without it the server starts and owns a private PostgreSQL.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,
    /// A replica of the database, which answers what may be some seconds old: metrics, figures, searches.
    #[arg(long, env = "DATABASE_READ_URL", hide_env_values = true, global = true)]
    pub database_read_url: Option<String>,
    /// Where the private PostgreSQL keeps its data; `data` in the current folder if nothing is said.
    #[arg(long, env = "VERBATIM_DATA_DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Connections to the database at most; a server has one more, which listens for promotions.
    #[arg(long, env = "VERBATIM_DB_CONNECTIONS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=1000), global = true)]
    pub db_connections: u32,
    /// What is logged, as `info` or `warn,versioning=debug`.
    #[arg(long, env = "VERBATIM_LOG", default_value = "info", global = true)]
    pub log: String,
    /// How it is logged.
    #[arg(long, env = "VERBATIM_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, global = true)]
    pub log_format: LogFormat,
}

/// How lines are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// What concerns the server.
#[derive(Debug, Clone, Args)]
pub struct ServeSettings {
    /// The address to serve on. There are no accounts: another address than loopback must be allowed explicitly.
    #[arg(long, env = "VERBATIM_ADDR", default_value = "127.0.0.1:3000", global = true)]
    pub addr: SocketAddr,
    /// Serve on an address that other machines can reach. Everybody who reaches it can change every prompt.
    #[arg(long, env = "VERBATIM_ALLOW_REMOTE", default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", global = true)]
    pub allow_remote: bool,
    /// Names that the server is reached by, with commas between, beside localhost and any address. Others are refused, so that
    /// a page on the web cannot reach it under a name of its own.
    #[arg(long, env = "VERBATIM_HOSTS", value_delimiter = ',', global = true)]
    pub hosts: Vec<String>,
    /// Seconds that a request may take.
    #[arg(long, env = "VERBATIM_REQUEST_TIMEOUT", default_value = "30", value_parser = seconds, global = true)]
    pub request_timeout: Duration,
    /// Seconds that a client may take to say what it wants, also between two requests on one connection.
    #[arg(long, env = "VERBATIM_HEAD_TIMEOUT", default_value = "15", value_parser = seconds, global = true)]
    pub head_timeout: Duration,
    /// Seconds that requests under way are given to end when the server is told to stop.
    #[arg(long, env = "VERBATIM_DRAIN_TIMEOUT", default_value = "20", value_parser = seconds, global = true)]
    pub drain_timeout: Duration,
    /// Seconds that a cached prompt is served without asking the database. Promotions are heard of at once in any case.
    #[arg(long, env = "VERBATIM_CACHE_TTL", default_value = "300", value_parser = seconds, global = true)]
    pub cache_ttl: Duration,
    /// Whether an empty registry is filled with the ten agents to start from.
    #[arg(long, env = "VERBATIM_SEED", default_value_t = true, action = clap::ArgAction::Set, global = true)]
    pub seed: bool,
    /// A file of model prices in place of the built-in table: CSV with model, input_usd_per_million, output_usd_per_million.
    #[arg(long, env = "VERBATIM_PRICES", global = true)]
    pub prices: Option<PathBuf>,
    /// The model that agents answer with when nobody names one, such as openai::gpt-4o-mini.
    #[arg(long, env = "VERBATIM_MODEL", global = true)]
    pub default_model: Option<ModelName>,
    /// Calls of agents to models that are under way at most.
    #[arg(long, env = "VERBATIM_AGENT_CALLS", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..), global = true)]
    pub agent_calls: u16,
    /// Seconds that a call of an agent may take.
    #[arg(long, env = "VERBATIM_AGENT_TIMEOUT", default_value = "120", value_parser = seconds, global = true)]
    pub agent_timeout: Duration,
    /// Seconds after which a silent stream of promotions says that it is there. Clients are told, and miss a network that
    /// has gone mute after two to three times as long.
    #[arg(long, env = "VERBATIM_HEARTBEAT", default_value = "5", value_parser = seconds, global = true)]
    pub heartbeat: Duration,
    /// Days that single calls of agents are kept, by whole months. What they add up to by the day is kept for good.
    #[arg(long, env = "VERBATIM_CALL_RETENTION_DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(8..=3650), global = true)]
    pub call_retention_days: u16,
    /// Seconds that calls of the lab are kept for a node that is not heard of: then another node makes them.
    #[arg(long, env = "VERBATIM_LAB_LEASE", default_value = "15", value_parser = seconds, global = true)]
    pub lab_lease: Duration,
    /// Where the built scripts and styles of the pages lie.
    #[arg(long, env = "VERBATIM_SITE_ROOT", default_value = "target/site", global = true)]
    pub site_root: PathBuf,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("give a number of seconds above 0 and at most 86400".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn seconds_are_positive_numbers() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "nan", "inf", "x", "", "86401"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
