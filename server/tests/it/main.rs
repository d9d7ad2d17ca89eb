//! The server: its REST API through the real router, and the whole program as processes. A real PostgreSQL throughout.
#![expect(clippy::unwrap_used, reason = "a test that meets an error fails")]

mod api_agents;
mod api_bad_input;
mod api_calls;
mod api_lab;
mod api_lab_bad_input;
mod api_metrics;
mod api_prompts;
mod client;
mod examples;
mod lab_process;
mod openapi;
mod outage;
mod page_conflicts;
mod page_files;
mod page_forms;
mod page_lab;
mod page_lab_files;
mod page_live;
mod page_reading;
mod panics;
mod private_postgres;
mod probes;
mod process;
mod prompt_events;
mod proxy;
mod replica;
mod support;
#[path = "../../../services/versioning/tests/it/waiting.rs"]
mod waiting;
