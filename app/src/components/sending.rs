//! A form that is sent once, however often its button is pressed.

use leptos::prelude::*;

use crate::draft::now;

/// How long an answer is waited for, in seconds. Whoever stopped a form, which a page is not told, can send it again after that.
const ANSWER_WITHIN: i64 = 10;

/// Whether a form is on its way.
#[derive(Clone, Copy)]
pub struct Sending {
    /// When it was sent, in seconds since 1970.
    since: StoredValue<Option<i64>>,
}

impl Sending {
    /// A form that was not sent yet.
    pub fn new() -> Self {
        Self { since: StoredValue::new(None) }
    }

    /// Whether it was sent, and its answer may still come: another press of the button would send it twice.
    pub fn is_under_way(self) -> bool {
        self.since.get_value().is_some_and(|since| now() - since < ANSWER_WITHIN)
    }

    /// It is sent.
    pub fn begin(self) {
        self.since.set_value(Some(now()));
    }

    /// The page is there again, as it was left.
    pub fn end(self) {
        self.since.set_value(None);
    }
}
