//! An error, with the way forward.

use leptos::{either::Either, prelude::*};

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
                {if error.code.starts_with("unknown_") {
                    // It will not be there the next time either.
                    Either::Left(view! { <a href=up(&error.code)>"Back to what there is"</a> })
                } else {
                    // Another request, as a link: it works without any script.
                    Either::Right(view! { <a href="" rel="external">"Try again"</a> })
                }}
                {error.request_id.map(|id| view! { <span class="faint small">"Request "<code>{id}</code></span> })}
            </p>
        </div>
    }
}

/// Where that is listed which is not there.
fn up(code: &str) -> &'static str {
    match code {
        "unknown_set" | "unknown_case" | "unknown_run" | "unknown_pair" => "/lab",
        _ => "/",
    }
}
