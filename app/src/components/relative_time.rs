//! How long ago something was.

use leptos::prelude::*;

use crate::{api::Moment, words::duration};

/// A moment as its age. The exact time is in the title for a mouse, beside it for a screen reader, and for programs.
#[component]
pub fn RelativeTime(
    /// When it was.
    moment: Moment,
    /// The server's time, in seconds since 1970.
    now: i64,
) -> impl IntoView {
    let exact = moment.text.replace('T', " ").replace('Z', " UTC");
    view! {
        <time datetime=moment.text title=exact.clone()>
            {age(now - moment.seconds)} <span class="visually-hidden">{format!(" ({exact})")}</span>
        </time>
    }
    .into_any()
}

/// An age in the largest unit that fits.
fn age(seconds: i64) -> String {
    duration(seconds).map_or_else(|| "just now".into(), |age| format!("{age} ago"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_the_largest_unit_that_fits() {
        for (seconds, text) in [
            (-5, "just now"),
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (119, "1 minute ago"),
            (7_140, "1 hour ago"),
            (172_800, "2 days ago"),
            (2_629_800, "1 month ago"),
            (63_115_200, "2 years ago"),
        ] {
            assert_eq!(age(seconds), text, "{seconds}");
        }
    }
}
