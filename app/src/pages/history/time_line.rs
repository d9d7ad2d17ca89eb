//! What was live when.

use leptos::prelude::*;

use crate::{
    api::LiveSpan,
    components::relative_time::RelativeTime,
    words::{duration, thousands},
};

/// Stretches that are shown at once; the others unfold.
const SHOWN_SPANS: usize = 12;

/// What was live when, each with a bar as long as it was live.
#[component]
pub fn TimeLine(
    /// The stretches, the latest first.
    spans: Vec<LiveSpan>,
    /// Whether there were more before them.
    are_more: bool,
    /// When the page was made, in seconds since 1970.
    now: i64,
    /// Whose they are.
    agent: String,
) -> impl IntoView {
    let length = |span: &LiveSpan| (span.until.as_ref().map_or(now, |until| until.seconds) - span.from.seconds).max(0);
    let longest = spans.iter().map(length).max().unwrap_or(0).max(1);
    let mut lines: Vec<AnyView> = spans
        .into_iter()
        .map(|span| {
            let seconds = length(&span);
            let share = (seconds * 100 / longest).max(1);
            live_span(span, seconds, share, now, &agent)
        })
        .collect();
    let count = lines.len();
    let rest = lines.split_off(lines.len().min(SHOWN_SPANS));
    let rest = (!rest.is_empty()).then(|| {
        view! {
            <details id="earlier-spans">
                <summary>{format!("{} before that", thousands(rest.len() as u64))}</summary>
                <ol class="events">{rest}</ol>
            </details>
        }
    });
    let cut = are_more.then(|| {
        let address = format!("/agents/{agent}?status=superseded");
        view! {
            <p class="faint small">
                {format!("Only the last {count} are shown. ")} <a href=address>"All versions that are no longer live"</a>
            </p>
        }
    });
    view! {
        <section class="activity time-line" aria-labelledby="time-line-title">
            <h2 id="time-line-title">"What was live when"</h2>
            <ol class="events">{lines}</ol>
            {rest}
            {cut}
        </section>
    }
    .into_any()
}

/// A stretch, with a bar of `share` percent.
fn live_span(span: LiveSpan, seconds: i64, share: i64, now: i64, agent: &str) -> AnyView {
    let length = duration(seconds).unwrap_or_else(|| "under a minute".into());
    let is_live = span.until.is_none();
    let by = span.by.map(|name| format!(" · by {name}"));
    let address = format!("/agents/{agent}/versions/{}", span.version);
    view! {
        <li class="event" class:promoted=is_live>
            <p>
                <a class="version" href=address>{span.version}</a>
                {if is_live { format!(" live for {length}") } else { format!(" was live for {length}") }}
            </p>
            // Its length is said in words above.
            <svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
                <rect width=share.to_string() height="1" />
            </svg>
            <p class="faint small">"from " <RelativeTime moment=span.from now /> {by}</p>
        </li>
    }
    .into_any()
}
