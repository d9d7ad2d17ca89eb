//! The parts of the form that scripts reach.

use leptos::{
    html::{Div, Form, Input, Textarea},
    prelude::*,
};
use send_wrapper::SendWrapper;
use web_sys::{HtmlInputElement, wasm_bindgen::JsCast};

use super::monaco::MonacoEditor;
use crate::draft::{Draft, Written};

/// The parts of the form that scripts reach.
#[derive(Clone, Copy)]
pub struct Parts {
    /// The form itself.
    pub form: NodeRef<Form>,
    /// The page's own text area.
    pub text: NodeRef<Textarea>,
    /// The notes.
    pub notes: NodeRef<Textarea>,
    /// The version that the text is written from.
    pub base: NodeRef<Input>,
    /// What was live when the writing began.
    pub seen_active: NodeRef<Input>,
    /// What was saved last when the writing began.
    pub seen_newest: NodeRef<Input>,
    /// The label at the marks of a merge.
    pub merged: NodeRef<Input>,
    /// The id of the draft.
    pub draft: NodeRef<Input>,
    /// Where Monaco is put.
    pub host: NodeRef<Div>,
    /// Monaco, once it is there.
    pub monaco: StoredValue<Option<SendWrapper<MonacoEditor>>>,
}

impl Parts {
    /// Parts that are not in a page yet.
    pub fn new() -> Self {
        Self {
            form: NodeRef::new(),
            text: NodeRef::new(),
            notes: NodeRef::new(),
            base: NodeRef::new(),
            seen_active: NodeRef::new(),
            seen_newest: NodeRef::new(),
            merged: NodeRef::new(),
            draft: NodeRef::new(),
            host: NodeRef::new(),
            // The server has none, so nothing that belongs to one thread is made there.
            monaco: StoredValue::new(None),
        }
    }

    /// The text as it is now, with plain line breaks.
    pub fn text(self) -> String {
        self.monaco
            .try_with_value(|monaco| monaco.as_ref().map(|monaco| monaco.text()))
            .flatten()
            .or_else(|| self.text.get_untracked().map(|text| text.value()))
            .unwrap_or_default()
            .replace("\r\n", "\n")
    }

    /// What is selected in the page's own text area, in UTF-16 units, if somebody is in it.
    pub fn selection(self) -> Option<(u32, u32)> {
        let area = self.text.get_untracked()?;
        let element: &web_sys::Element = area.as_ref();
        (document().active_element().as_ref() == Some(element)).then_some(())?;
        let place = |place: Result<Option<u32>, _>| place.ok().flatten();
        Some((place(area.selection_start())?, place(area.selection_end())?))
    }

    /// Puts the text where the form sends it from.
    pub fn hand_over(self) {
        if self.monaco.try_with_value(Option::is_some) == Some(true)
            && let Some(area) = self.text.get_untracked()
        {
            area.set_value(&self.text());
        }
    }

    /// What is written now.
    pub fn written(self) -> Written {
        let value = |selector| self.field(selector).map(|input| input.value()).unwrap_or_default();
        Written {
            text: self.text(),
            notes: self.notes.get_untracked().map(|notes| notes.value()).unwrap_or_default(),
            author: value("[name=author]"),
            bump: value("[name=bump]:checked"),
            name: value("input:not([type=hidden])[name=agent_type]"),
        }
    }

    /// What the server sent: a browser that comes back to a page writes what was there before over it, but not over this.
    pub fn sent(self) -> Written {
        let value = |selector| self.field(selector).map(|input| input.default_value()).unwrap_or_default();
        // It fails only in theory.
        let area = |area: NodeRef<Textarea>| {
            area.get_untracked().and_then(|area| area.default_value().ok()).unwrap_or_default()
        };
        Written {
            text: area(self.text),
            notes: area(self.notes),
            author: value("[name=author]"),
            bump: value("[name=bump][checked]"),
            name: value("input:not([type=hidden])[name=agent_type]"),
        }
    }

    /// Puts a draft into the form.
    pub fn put(self, draft: &Draft) {
        let hidden = [
            (self.seen_active, &draft.seen_active),
            (self.seen_newest, &draft.seen_newest),
            (self.merged, &draft.merged),
        ];
        for (input, value) in hidden {
            if let Some(input) = input.get_untracked() {
                input.set_value(value);
            }
        }
        let Written { text, notes, author, bump, name } = &draft.written;
        if let Some(area) = self.notes.get_untracked() {
            area.set_value(notes);
        }
        for (selector, value) in [("[name=author]", author), ("input:not([type=hidden])[name=agent_type]", name)] {
            if let Some(input) = self.field(selector).filter(|_| !value.is_empty()) {
                input.set_value(value);
            }
        }
        // One of three words; a draft of another page holds no other.
        if let Some(input) = self.field(&format!("[name=bump][value=\"{}\"]", bump.replace('"', ""))) {
            input.set_checked(true);
        }
        if let Some(area) = self.text.get_untracked() {
            area.set_value(text);
        }
        self.monaco.try_with_value(|monaco| {
            if let Some(monaco) = monaco {
                monaco.set_text(text);
            }
        });
    }

    /// The value of a hidden field.
    pub fn value(input: NodeRef<Input>) -> String {
        input.get_untracked().map(|input| input.value()).unwrap_or_default()
    }

    fn field(self, selector: &str) -> Option<HtmlInputElement> {
        self.form.get_untracked()?.query_selector(selector).ok()??.dyn_into().ok()
    }
}
