//! A server that is a process.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// It ends with this.
pub struct Node {
    pub child: Child,
    /// Host and port.
    pub address: String,
}

impl Node {
    pub async fn start(database_url: &str) -> Self {
        Self::start_at("127.0.0.1:0", database_url).await
    }

    pub async fn start_at(address: &str, database_url: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_verbatim"))
            .args(["serve", "--addr", address, "--database-url", database_url])
            .env("VERBATIM_LOG_FORMAT", "json")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = log.next_line().await.unwrap().expect("it says where it serves");
            if let Some((_, rest)) = line.split_once("serving on http://") {
                break rest.split('"').next().unwrap().to_owned();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Self { child, address }
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        held.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }
}
