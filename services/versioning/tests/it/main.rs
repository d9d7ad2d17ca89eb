//! The services and the store on a real PostgreSQL, each test in a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that meets an error fails")]

mod concurrency;
mod constraints;
mod diff_git;
#[expect(dead_code, reason = "what the server's tests use of it")]
mod gate;
mod history;
mod loading;
mod management;
mod numbering;
mod outage;
mod performance;
mod replica;
mod saving;
mod support;
mod transfer;
mod waiting;
