//! The page for an address that leads nowhere.

use leptos::prelude::*;
use leptos_meta::Title;

/// Says so, and the way forward. The server answers 404.
#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <Title text="Not found" />
        <h1>"There is nothing at this address"</h1>
        <p class="prose">
            "The link may be old, or a letter is missing. "
            <a href="/">"All agents"</a>
            " are on the first page."
        </p>
    }
    .into_any()
}
