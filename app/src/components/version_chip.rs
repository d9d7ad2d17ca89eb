//! A version, always in the same dress.

use leptos::prelude::*;

/// A version in monospace with the colour of its status.
#[component]
pub fn VersionChip(
    /// Its number.
    version: String,
    /// `active`, `draft` or `superseded`.
    #[prop(into)]
    status: String,
) -> impl IntoView {
    view! {
        <span class=format!("chip version {status}")>
            {version} <span class="visually-hidden">{format!(" {status}")}</span>
        </span>
    }
    .into_any()
}
