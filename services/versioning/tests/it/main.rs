//! The services and the store on a real PostgreSQL, each test in a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that meets an error fails")]

mod concurrency;
mod constraints;
mod loading;
mod management;
mod numbering;
mod outage;
mod support;
mod transfer;
