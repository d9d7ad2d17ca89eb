//! `cargo bench -p server` measures everything, `cargo bench -p server -- registry pages` only what it names. One program, because to
//! link one takes minutes; each benchmark is a process of its own, so that none measures what another left behind.
#![expect(clippy::unwrap_used, reason = "a benchmark that meets an error has no result")]

mod calls;
mod client;
mod hostile;
mod lab;
mod lab_pages;
mod outage;
mod pages;
mod registry;
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::process::{Command, ExitCode};

const ALL: [&str; 8] = ["registry", "pages", "hostile", "client", "calls", "lab", "lab_pages", "outage"];

/// Before the name of a benchmark: this process is that one.
const ONLY: &str = "--only";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_met = match arguments.as_slice() {
        [only, name] if only == ONLY => measure(name),
        _ => measure_each(arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect()),
    };
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether all met their goals: those that are named, or all there are.
fn measure_each(named: Vec<&str>) -> bool {
    if let Some(unknown) = named.iter().find(|name| !ALL.contains(name)) {
        eprintln!("there is no benchmark {unknown}; there are {}", ALL.join(", "));
        return false;
    }
    let chosen = if named.is_empty() { ALL.to_vec() } else { named };
    let mut met = true;
    for name in chosen {
        println!("==> {name}");
        let status = Command::new(std::env::current_exe().unwrap()).args([ONLY, name]).status().unwrap();
        met &= status.success();
    }
    met
}

fn measure(name: &str) -> bool {
    // As the server logs by default, but for where it goes to.
    tracing_subscriber::fmt().with_env_filter("info").with_writer(std::io::sink).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match name {
            "registry" => registry::measure().await,
            "pages" => pages::measure().await,
            "hostile" => hostile::measure().await,
            "client" => client::measure().await,
            "calls" => calls::measure().await,
            "lab" => lab::measure().await,
            "lab_pages" => lab_pages::measure().await,
            "outage" => outage::measure().await,
            unknown => panic!("there is no benchmark {unknown}"),
        }
    })
}
