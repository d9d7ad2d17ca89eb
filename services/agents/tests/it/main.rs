//! Calling models over real HTTP: the tests' own OpenAI endpoint, and canned answers of the other providers.
#![expect(clippy::unwrap_used, reason = "a test that meets an error fails")]

mod answers;
mod catalogue;
mod failures;
mod providers;
mod retries;
mod secrets;
mod support;
mod turns;
