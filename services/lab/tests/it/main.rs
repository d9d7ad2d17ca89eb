//! The lab over a real PostgreSQL and a model's API over real HTTP; each test has a database of its own.
#![expect(clippy::unwrap_used, reason = "a test that meets an error fails")]

mod bad_input;
mod nodes;
mod pages;
mod reviews;
mod runs;
mod sets;
mod support;
mod verdicts;
