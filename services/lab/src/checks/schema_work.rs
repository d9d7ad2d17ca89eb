//! How much work a JSON schema can ask for, told from the schema alone.
//!
//! A schema that applies the same subschema twice to a place doubles the work with each level of the answer when it is
//! recursive, and with each link of a chain of references when it is not. Nothing stops such a check once it runs, so it is
//! counted before: [`most_visits`] is how often one place of an answer can be looked at, at most.

mod subschemas;
#[cfg(test)]
mod tests;
mod visits;

use jsonschema::{Draft, Registry};
use serde_json::Value;

/// How deep an answer may nest so that every schema that was saved can be tried on it.
pub(super) const ORDINARY_DEPTH: usize = 8;

/// How often one place of an answer may be looked at. A recursive schema that applies itself once takes a few visits a level;
/// one that doubles passes this limit after 17 levels, a fork of references after 17 links.
pub(super) const MAX_VISITS: u64 = 100_000;

/// Where the library finds a schema that has no `$id`.
const BASE: &str = "json-schema:///";

/// How often one place of an answer that nests so deep can be looked at by this schema, at most; `u64::MAX` if it is more than
/// [`MAX_VISITS`]. Nothing if the schema refers to what is not in it: then the library refuses it, and says why.
pub(super) fn most_visits(schema: &Value, depth: usize) -> Option<u64> {
    let draft = Draft::default().detect(schema);
    let registry = Registry::new().draft(draft).add(BASE, schema).ok()?.prepare().ok()?;
    let nodes = subschemas::nodes(&registry)?;
    Some(visits::count(&nodes, depth).unwrap_or(u64::MAX))
}

/// How deep an answer nests: 0 for one that is neither an object nor an array. `serde_json` reads 128 levels at most.
pub(super) fn depth_of(answer: &Value) -> usize {
    match answer {
        Value::Object(members) => 1 + members.values().map(depth_of).max().unwrap_or(0),
        Value::Array(elements) => 1 + elements.iter().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}
