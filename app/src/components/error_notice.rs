//! An error, with the way forward.

use leptos::prelude::*;

use crate::AppError;

/// What happened, what to do, and what to name when asking about it.
#[component]
pub fn ErrorNotice(
    /// What happened.
    error: AppError,
) -> impl IntoView {
    view! {
        <div class="notice danger" role="alert">
            <p>{error.message}</p>
            <p class="ways">
                // Another request, as a link: it works without any script.
                <a href="" rel="external">"Try again"</a>
                {error.request_id.map(|id| view! { <span class="faint small">"Request "<code>{id}</code></span> })}
            </p>
        </div>
    }
    .into_any()
}
