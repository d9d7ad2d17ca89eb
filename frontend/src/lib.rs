//! The entry point of the WebAssembly that makes the pages interactive.

use wasm_bindgen::prelude::wasm_bindgen;

// Its islands are called by the page's own script, by name.
use app as _;

/// Prepares the islands of the page that the server rendered. The page's script then wakes them one by one.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
