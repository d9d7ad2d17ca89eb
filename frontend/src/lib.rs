//! The entry point of the WebAssembly that makes the pages interactive.

use wasm_bindgen::prelude::wasm_bindgen;

/// Takes over the page that the server rendered, and marks it: from then on every control works.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(app::App);
    let root = web_sys::window().and_then(|window| window.document()).and_then(|document| document.document_element());
    if let Some(root) = root {
        // It fails only for a name that is not one.
        let _ = root.set_attribute("data-hydrated", "true");
    }
}
