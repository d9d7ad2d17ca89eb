//! The binding to the Monaco bundle. It is loaded on the editor's page alone; without it the page's own text area does.
//!
//! Life cycle: [`load`] brings the bundle, [`MonacoEditor::create`] puts an editor into the page, dropping it disposes it. A
//! disposed editor calls nobody.

use wasm_bindgen_futures::JsFuture;
use web_sys::{
    HtmlElement,
    js_sys::{Array, Promise},
    wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen},
};

/// Where the bundle begins. This file is tiny and says where the rest is, by names that carry a hash.
const BUNDLE: &str = "/vendor/monaco/editor.js";

// An import that is decided at run time cannot be said in Rust.
#[wasm_bindgen(inline_js = "export function import_module(address) { return import(address); }")]
extern "C" {
    fn import_module(address: &str) -> Promise;
}

#[wasm_bindgen]
extern "C" {
    type Bundle;
    #[wasm_bindgen(method)]
    fn load(this: &Bundle) -> Promise;

    /// The bundle, loaded.
    pub type Monaco;
    #[wasm_bindgen(method, catch)]
    fn create(
        this: &Monaco,
        host: &HtmlElement,
        value: &str,
        known_variables: &Array,
        label: &str,
        on_change: &JsValue,
        on_save: &JsValue,
    ) -> Result<Handle, JsValue>;

    type Handle;
    #[wasm_bindgen(method, js_name = getValue)]
    fn get_value(this: &Handle) -> String;
    #[wasm_bindgen(method, js_name = setValue)]
    fn set_value(this: &Handle, text: &str);
    #[wasm_bindgen(method)]
    fn focus(this: &Handle, start: u32, end: u32);
    #[wasm_bindgen(method)]
    fn dispose(this: &Handle);
}

/// Loads the bundle. None when it cannot be had.
pub async fn load() -> Option<Monaco> {
    let bundle = JsFuture::from(import_module(BUNDLE)).await.ok()?;
    let monaco = JsFuture::from(bundle.unchecked_into::<Bundle>().load()).await.ok()?;
    Some(monaco.unchecked_into())
}

/// A Monaco editor in the page.
pub struct MonacoEditor {
    handle: Handle,
    // The editor calls them as long as it lives.
    _callbacks: [Closure<dyn FnMut()>; 2],
}

impl MonacoEditor {
    /// Puts an editor into `host`. None when Monaco refuses to.
    pub fn create(
        monaco: &Monaco,
        host: &HtmlElement,
        text: &str,
        known_variables: &[String],
        on_change: impl FnMut() + 'static,
        on_save: impl FnMut() + 'static,
    ) -> Option<Self> {
        const LABEL: &str = "Prompt. Control M switches between a tab that indents and a tab that leaves the editor.";
        let callbacks = [Closure::<dyn FnMut()>::new(on_change), Closure::<dyn FnMut()>::new(on_save)];
        let known = known_variables.iter().map(|name| JsValue::from_str(name)).collect::<Array>();
        let handle = monaco.create(host, text, &known, LABEL, callbacks[0].as_ref(), callbacks[1].as_ref()).ok()?;
        Some(Self { handle, _callbacks: callbacks })
    }

    /// The text, to the letter.
    pub fn text(&self) -> String {
        self.handle.get_value()
    }

    /// Replaces the text, as an edit that can be undone.
    pub fn set_text(&self, text: &str) {
        self.handle.set_value(text);
    }

    /// Takes the focus, with what is selected between two places of the text, in UTF-16 units. The editor must be in sight.
    pub fn focus(&self, (start, end): (u32, u32)) {
        self.handle.focus(start, end);
    }
}

impl Drop for MonacoEditor {
    fn drop(&mut self) {
        self.handle.dispose();
    }
}
