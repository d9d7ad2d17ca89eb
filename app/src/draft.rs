//! What this browser keeps of edits until they are saved: it survives a reload, a crash and another page.
//!
//! Every opening of the editor writes a draft of its own, under a random id: two tabs never overwrite each other, and what is
//! found is not touched until the writer says what is to become of it. The id travels with the form, and comes back in the
//! address once the text is saved.

use std::collections::BTreeMap;

use leptos::prelude::*;
use web_sys::js_sys;

/// What stands before the name of everything that is kept here.
const PREFIX: &str = "verbatim.draft.";

/// What stands before the name of what a tab sent last.
const SENT: &str = "verbatim.sent.";

/// What a tab was told last that it was saved.
const SAVED: &str = "verbatim.saved";

/// How long a draft is kept, in seconds.
const KEPT_FOR: i64 = 30 * 24 * 60 * 60;

/// What a person writes into the editor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// The text.
    pub text: String,
    /// The notes.
    pub notes: String,
    /// Who writes.
    pub author: String,
    /// Which number it raises.
    pub bump: String,
    /// The name of a new agent; empty elsewhere.
    pub name: String,
}

impl Written {
    /// Whether each part of it is as it was in the beginning, or as it is here: nothing is in it that this does not have too.
    pub fn is_covered_by(&self, other: &Self, beginning: &Self) -> bool {
        let parts = |written: &Self| {
            let Self { text, notes, author, bump, name } = written.clone();
            [text, notes, author, bump, name]
        };
        let parts = parts(self).into_iter().zip(parts(other)).zip(parts(beginning));
        parts.into_iter().all(|((mine, theirs), first)| mine == theirs || mine == first)
    }
}

/// An edit that was not saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What tells it apart from the others; part of where it is kept.
    pub id: String,
    /// What was written.
    pub written: Written,
    /// The version that it was written from.
    pub base: String,
    /// What was live then.
    pub seen_active: String,
    /// What was saved last then.
    pub seen_newest: String,
    /// The label at the marks that a merge left in it.
    pub merged: String,
    /// When it was kept, in seconds since 1970.
    pub at: i64,
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

fn tab_storage() -> Option<web_sys::Storage> {
    window().session_storage().ok().flatten()
}

fn draft_key(agent_type: &str, id: &str) -> String {
    format!("{PREFIX}{agent_type}.{id}")
}

fn values_key(agent_type: &str) -> String {
    format!("verbatim.values.{agent_type}")
}

/// The time, in seconds since 1970.
#[expect(clippy::cast_possible_truncation, reason = "seconds since 1970 fit")]
pub fn now() -> i64 {
    (js_sys::Date::now() / 1000.0) as i64
}

/// An id that no other draft has.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a random number of 48 bits fits")]
pub fn new_id() -> String {
    let random = (js_sys::Math::random() * 281_474_976_710_656.0) as u64;
    format!("{:x}-{random:012x}", now())
}

/// The names of all that is kept for drafts.
fn keys(storage: &web_sys::Storage) -> Vec<String> {
    let count = storage.length().unwrap_or(0);
    (0..count).filter_map(|index| storage.key(index).ok().flatten()).filter(|key| key.starts_with(PREFIX)).collect()
}

impl Draft {
    /// The drafts of an agent, the newest first; of new agents, under the empty name. Old ones are dropped on the way.
    pub fn all(agent_type: &str) -> Vec<Self> {
        let Some(storage) = storage() else { return Vec::new() };
        let prefix = draft_key(agent_type, "");
        let mut drafts = Vec::new();
        for key in keys(&storage) {
            let text = storage.get_item(&key).ok().flatten().unwrap_or_default();
            let draft = Self::parse(&text);
            match (draft, key.strip_prefix(&prefix)) {
                (Some(draft), _) if now() - draft.at > KEPT_FOR => {
                    let _ = storage.remove_item(&key);
                }
                (Some(draft), Some(id)) => drafts.push(Self { id: id.to_owned(), ..draft }),
                _ => {}
            }
        }
        drafts.sort_by_key(|draft| std::cmp::Reverse(draft.at));
        drafts
    }

    /// What is kept of it: texts by their names. Read and written like the values of variables, they need no code of their own.
    fn write(&self) -> BTreeMap<String, String> {
        let Self { written, base, seen_active, seen_newest, merged, at, .. } = self;
        let Written { text, notes, author, bump, name } = written;
        let fields = [
            ("text", text),
            ("notes", notes),
            ("author", author),
            ("bump", bump),
            ("name", name),
            ("base", base),
            ("seen_active", seen_active),
            ("seen_newest", seen_newest),
            ("merged", merged),
            ("at", &at.to_string()),
        ];
        fields.map(|(name, value)| (name.to_owned(), value.clone())).into()
    }

    /// None when it is no draft.
    fn parse(text: &str) -> Option<Self> {
        let fields = |text: &str| leptos::serde_json::from_str::<BTreeMap<String, String>>(text).ok();
        // An older build wrote the time, which came last, as a number.
        let quoted = || {
            let (before, at) = text.rsplit_once(",\"at\":")?;
            fields(&format!("{before},\"at\":\"{}\"}}", at.strip_suffix('}')?))
        };
        fields(text).or_else(quoted).and_then(Self::read)
    }

    /// None when it is not what [`Draft::write`] wrote.
    fn read(mut fields: BTreeMap<String, String>) -> Option<Self> {
        let at = fields.remove("at")?.parse().ok()?;
        let mut field = |name: &str| fields.remove(name).unwrap_or_default();
        Some(Self {
            id: String::new(),
            written: Written {
                text: field("text"),
                notes: field("notes"),
                author: field("author"),
                bump: field("bump"),
                name: field("name"),
            },
            base: field("base"),
            seen_active: field("seen_active"),
            seen_newest: field("seen_newest"),
            merged: field("merged"),
            at,
        })
    }

    fn to_json(&self) -> String {
        leptos::serde_json::to_string(&self.write()).unwrap_or_default()
    }

    /// Keeps it. Tells whether the browser did.
    pub fn keep(&self, agent_type: &str) -> bool {
        let key = draft_key(agent_type, &self.id);
        storage().is_some_and(|storage| storage.set_item(&key, &self.to_json()).is_ok())
    }

    /// Whether the browser keeps a draft with this id.
    fn is_there(agent_type: &str, id: &str) -> bool {
        // Where it cannot tell, nothing is taken for forgotten.
        storage().is_none_or(|storage| !matches!(storage.get_item(&draft_key(agent_type, id)), Ok(None)))
    }

    /// Remembers, for as long as this tab is open, that this draft was sent, if it is kept.
    pub fn remember_sent(&self, agent_type: &str) {
        if let Some(storage) = tab_storage().filter(|_| Self::is_there(agent_type, &self.id)) {
            // Where there is no room for it, what comes back counts as not saved.
            let _ = storage.set_item(&format!("{SENT}{agent_type}"), &format!("{}\n{}", self.id, self.to_json()));
        }
    }

    /// Whether this is what the tab sent last from this base, and the server said that it was saved.
    pub fn was_saved(agent_type: &str, written: &Written, base: &str) -> bool {
        let kept = |key: &str| tab_storage().and_then(|tab| tab.get_item(key).ok().flatten());
        let remembered = kept(&format!("{SENT}{agent_type}"));
        let Some((id, sent)) = remembered.as_deref().and_then(|sent| sent.split_once('\n')) else { return false };
        kept(SAVED).is_some_and(|saved| saved == id)
            && Self::parse(sent).is_some_and(|sent| sent.written == *written && sent.base == base)
    }

    /// What was written in it is saved: it is needed no more.
    pub fn forget_saved(id: &str) {
        if let Some(storage) = tab_storage() {
            // Where there is no room for it, what comes back counts as not saved.
            let _ = storage.set_item(SAVED, id);
        }
        Self::forget(id);
    }

    /// Forgets the draft with this id, whichever agent it is of.
    pub fn forget(id: &str) {
        let Some(storage) = storage().filter(|_| !id.is_empty()) else { return };
        let end = format!(".{id}");
        for key in keys(&storage).into_iter().filter(|key| key.ends_with(&end)) {
            let _ = storage.remove_item(&key);
        }
    }
}

/// Takes a parameter out of the page's address, as if it had never been there, and gives its value.
pub fn take_from_address(name: &str) -> Option<String> {
    let location = window().location();
    let query = location.search().ok()?;
    let is_it = |part: &&str| part.split('=').next() == Some(name);
    let parts = query.trim_start_matches('?').split('&');
    let value = parts.clone().find(is_it)?.split_once('=').map_or("", |(_, value)| value).to_owned();
    let rest = parts.filter(|part| !is_it(part)).collect::<Vec<_>>().join("&");
    let mark = if rest.is_empty() { "" } else { "?" };
    let address = format!("{}{mark}{rest}{}", location.pathname().ok()?, location.hash().ok()?);
    if let Ok(history) = window().history() {
        // What the router keeps with the entry stays with it.
        let state = history.state().unwrap_or_default();
        let _ = history.replace_state_with_url(&state, "", Some(&address));
    }
    Some(value)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_read_as_it_was_written() {
        let text = |name: &str| format!("the {name}\n\"{{{{x}}}}\"");
        let draft = Draft {
            id: String::new(),
            written: Written {
                text: text("text"),
                notes: text("notes"),
                author: text("author"),
                bump: text("bump"),
                name: text("name"),
            },
            base: text("base"),
            seen_active: text("seen_active"),
            seen_newest: text("seen_newest"),
            merged: text("merged"),
            at: 1_700_000_000,
        };
        let json = draft.to_json();
        assert_eq!(Draft::parse(&json), Some(draft));
        assert_eq!(Draft::parse("{}"), None);
    }

    #[test]
    fn a_draft_of_an_older_build_is_read() {
        let json = r#"{"text":"a,\"at\":1}","notes":"","author":"","bump":"patch","name":"","base":"1.0.0",
            "seen_active":"1.0.0","seen_newest":"1.0.0","merged":"","at":1700000000}"#;
        let draft = Draft::parse(json).unwrap();
        assert_eq!(
            (draft.written.text.as_str(), draft.base.as_str(), draft.at),
            ("a,\"at\":1}", "1.0.0", 1_700_000_000)
        );
        assert_eq!(Draft::parse(r#"{"text":"a","at":soon}"#), None);
    }
}
