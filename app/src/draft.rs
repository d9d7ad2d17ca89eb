//! What this browser keeps of an edit until it is saved: it survives a reload, a crash and another page.

use std::collections::BTreeMap;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// An edit that was not saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The text.
    pub text: String,
    /// The notes.
    pub notes: String,
    /// Who writes.
    #[serde(default)]
    pub author: String,
    /// Which number it raises.
    #[serde(default)]
    pub bump: String,
    /// The version that it was written from.
    pub base: String,
    /// What was live then.
    pub seen_active: String,
    /// What was saved last then.
    pub seen_newest: String,
    /// When it was kept, in seconds since 1970.
    pub at: i64,
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

fn draft_key(agent_type: &str) -> String {
    format!("verbatim.draft.{agent_type}")
}

fn values_key(agent_type: &str) -> String {
    format!("verbatim.values.{agent_type}")
}

/// The time, in seconds since 1970.
#[expect(clippy::cast_possible_truncation, reason = "seconds since 1970 fit")]
pub fn now() -> i64 {
    (web_sys::js_sys::Date::now() / 1000.0) as i64
}

impl Draft {
    /// The draft of an agent; of a new agent, under the empty name.
    pub fn find(agent_type: &str) -> Option<Self> {
        leptos::serde_json::from_str(&storage()?.get_item(&draft_key(agent_type)).ok()??).ok()
    }

    /// Keeps it. Tells whether the browser did.
    pub fn keep(&self, agent_type: &str) -> bool {
        let text = leptos::serde_json::to_string(self).unwrap_or_default();
        storage().is_some_and(|storage| storage.set_item(&draft_key(agent_type), &text).is_ok())
    }

    /// Forgets the draft of an agent.
    pub fn forget(agent_type: &str) {
        if let Some(storage) = storage() {
            let _ = storage.remove_item(&draft_key(agent_type));
        }
    }
}

/// The values that the agent's variables were given last.
pub fn remembered_values(agent_type: &str) -> BTreeMap<String, String> {
    storage()
        .and_then(|storage| storage.get_item(&values_key(agent_type)).ok().flatten())
        .and_then(|text| leptos::serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Remembers them.
pub fn remember_values(agent_type: &str, values: &BTreeMap<String, String>) {
    if let (Some(storage), Ok(text)) = (storage(), leptos::serde_json::to_string(values)) {
        let _ = storage.set_item(&values_key(agent_type), &text);
    }
}
