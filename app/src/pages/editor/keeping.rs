//! Nothing that is written is lost: what is kept while one writes, and what is offered back.

use leptos::prelude::*;

use super::parts::Parts;
use crate::{
    components::sending::Sending,
    draft::{Draft, Written, new_id, now, take_from_address},
    words::{counted, duration},
};

/// Keeps what is written, under an id that no other tab has.
#[derive(Clone, Copy)]
pub struct Keeper {
    parts: Parts,
    agent: StoredValue<String>,
    /// What the server sent.
    original: StoredValue<Written>,
    /// What the browser brought back of a draft that is still offered: it needs no second draft.
    covered: StoredValue<Option<Written>>,
    /// What the browser brought back of a text that was saved.
    saved: StoredValue<Option<Written>>,
    /// The form is on its way, or another page is: what is in the form needs no question.
    is_leaving: StoredValue<bool>,
    /// Whether the form is on its way.
    sending: Sending,
    /// Whether something is written that is not saved.
    pub is_dirty: RwSignal<bool>,
    /// Whether the browser keeps it.
    pub is_kept: RwSignal<bool>,
    /// What was found of earlier, the newest first.
    found: RwSignal<Vec<Draft>>,
}

impl Keeper {
    /// A keeper for the form of an agent; of a new one, under the empty name. What was sent and came back was never saved.
    pub fn new(parts: Parts, agent: StoredValue<String>, is_back: bool) -> Self {
        Self {
            parts,
            agent,
            original: StoredValue::new(Written::default()),
            covered: StoredValue::new(None),
            saved: StoredValue::new(None),
            is_leaving: StoredValue::new(false),
            sending: Sending::new(),
            is_dirty: RwSignal::new(is_back),
            is_kept: RwSignal::new(true),
            found: RwSignal::new(Vec::new()),
        }
    }

    /// Looks at what the page came with. To be called in the browser, once the page is there.
    pub fn begin(self) {
        let original = self.parts.sent();
        self.original.set_value(original.clone());
        let is_back = self.is_dirty.get_untracked();
        // A form that came back goes on with its draft. Any other writes one of its own, also when the browser brought an id
        // back together with the text.
        if !is_back || Parts::value(self.parts.draft).is_empty() {
            self.set_id();
        }
        let asked_for = take_from_address("draft");
        // What came back is newer than any draft.
        if is_back {
            return;
        }
        let agent = self.agent.get_value();
        let mut drafts = Draft::all(&agent);
        let base = Parts::value(self.parts.base);
        let here = self.parts.written();
        let is_wanted = |draft: &Draft| {
            let is_asked_for = asked_for.as_deref() == Some(draft.id.as_str());
            // The browser brought it back already, and knows as little of what happened meanwhile as the draft does.
            let is_here = here != original && draft.written == here;
            draft.base == base && (is_asked_for || is_here)
        };
        if let Some(place) = drafts.iter().position(is_wanted) {
            self.put(&drafts.remove(place));
            return;
        }
        self.look_for_saved();
        if here != original && self.saved.with_value(Option::is_none) {
            if drafts.iter().any(|draft| here.is_covered_by(&draft.written, &original)) {
                self.covered.set_value(Some(here.clone()));
                self.is_dirty.set(true);
            } else {
                self.keep();
            }
        }
        let own = Parts::value(self.parts.draft);
        // The same text from another base is more than what is here: it knows what has happened since.
        let is_here =
            |draft: &Draft| draft.written.is_covered_by(&here, &original) && (here == original || draft.base == base);
        drafts.retain(|draft| draft.id != own && !is_here(draft));
        self.found.set(drafts);
    }

    /// Whether this is the text that the server sent.
    pub fn is_original(self, text: &str) -> bool {
        self.original.with_value(|original| original.text == text)
    }

    /// Keeps what is written now, if it is anything.
    pub fn keep(self) {
        let written = self.parts.written();
        let is_changed = self.original.with_value(|original| *original != written)
            && self.saved.with_value(|saved| saved.as_ref() != Some(&written));
        if !is_changed && !self.is_dirty.get_untracked() {
            return;
        }
        self.is_dirty.set(true);
        if self.covered.with_value(|covered| covered.as_ref() != Some(&written)) {
            self.is_kept.set(self.draft(written).keep(&self.agent.get_value()));
        }
    }

    /// What is written, as a draft of now.
    fn draft(self, written: Written) -> Draft {
        Draft {
            id: Parts::value(self.parts.draft),
            written,
            base: Parts::value(self.parts.base),
            seen_active: Parts::value(self.parts.seen_active),
            seen_newest: Parts::value(self.parts.seen_newest),
            merged: Parts::value(self.parts.merged),
            at: now(),
        }
    }

    /// Whoever goes back after saving finds the text in the form, which is not one that was never saved.
    fn look_for_saved(self) {
        let here = self.parts.written();
        let was_saved = Draft::was_saved(&self.agent.get_value(), &here, &Parts::value(self.parts.base));
        self.saved.set_value(was_saved.then_some(here));
    }

    /// Keeps what was written in the last moment before the page goes, unless it goes with the form.
    pub fn keep_at_last(self) {
        if !self.is_leaving.get_value() {
            self.keep();
        }
    }

    /// The form is on its way: the draft stays until it is saved, and leaving is not asked about.
    pub fn send(self) {
        self.keep();
        self.draft(self.parts.written()).remember_sent(&self.agent.get_value());
        self.is_leaving.set_value(true);
        self.sending.begin();
        self.is_dirty.set(false);
    }

    /// Whether the form was sent already, and its answer may still come.
    pub fn is_under_way(self) -> bool {
        self.sending.is_under_way()
    }

    /// The page is there again, as it was left. What it sent may be saved under its id by now.
    pub fn come_back(self) {
        self.is_leaving.set_value(false);
        self.sending.end();
        self.set_id();
        self.look_for_saved();
        self.keep();
    }

    fn set_id(self) {
        if let Some(input) = self.parts.draft.get_untracked() {
            input.set_value(&new_id());
        }
    }

    /// Puts a draft into the form, which goes on with it under the id of its own.
    fn put(self, draft: &Draft) {
        self.covered.set_value(None);
        self.parts.put(draft);
        self.is_dirty.set(true);
        self.keep();
        if self.is_kept.get_untracked() && draft.id != Parts::value(self.parts.draft) {
            Draft::forget(&draft.id);
        }
    }

    /// Brings the newest draft back. One from another base brings the page of that base with it: the numbers and the changes
    /// are counted from there.
    fn restore(self) {
        let Some(draft) = self.found.with_untracked(|found| found.first().cloned()) else { return };
        // What was written before the answer is a draft too, and stays one.
        self.keep();
        if draft.base == Parts::value(self.parts.base) {
            if self.is_dirty.get_untracked() {
                self.set_id();
            }
            self.found.set(Vec::new());
            self.put(&draft);
            return;
        }
        if self.is_kept.get_untracked() {
            self.is_leaving.set_value(true);
            self.is_dirty.set(false);
        }
        let path = window().location().pathname().unwrap_or_default();
        // It fails only for an address that is none.
        let _ = window().location().set_href(&format!("{path}?from={}&draft={}", draft.base, draft.id));
    }

    fn discard(self) {
        let Some(draft) = self.found.try_update(|found| (!found.is_empty()).then(|| found.remove(0))).flatten() else {
            return;
        };
        Draft::forget(&draft.id);
        self.covered.set_value(None);
        self.keep();
    }

    /// What was found, and what can be done with it.
    pub fn offer(self, on_restored: Callback<()>) -> impl IntoView {
        move || {
            let found = self.found.read();
            let draft = found.first()?;
            let age = duration(now() - draft.at).map_or_else(|| "a moment ago".into(), |age| format!("{age} ago"));
            let from = if draft.base.is_empty() { String::new() } else { format!(", from {}", draft.base) };
            let others = match found.len() - 1 {
                0 => String::new(),
                others => {
                    let others = counted(u32::try_from(others).unwrap_or(u32::MAX), "older draft", "older drafts");
                    format!(" Beside it: {others}.")
                }
            };
            Some(view! {
                <div class="notice" role="status">
                    <p>{format!("You wrote on this {age}{from}, and did not save it.{others}")}</p>
                    <p class="ways">
                        <button
                            type="button"
                            on:click=move |_| {
                                self.restore();
                                on_restored.run(());
                            }
                        >
                            "Restore it"
                        </button>
                        <button type="button" class="quiet" on:click=move |_| self.discard()>
                            "Discard it"
                        </button>
                    </p>
                </div>
            })
        }
    }
}
