//! How fast a run goes on.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

/// What is older says little of how fast the run goes now.
const REMEMBERED: TimeDelta = TimeDelta::seconds(15);

/// What is shorter says little at all.
const NEEDED: TimeDelta = TimeDelta::seconds(2);

/// How fast a run goes on, for who watches it. Since its beginning it may have been slower: while the server was away, nobody
/// asked anything.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// When it was looked at, and how many calls were done, oldest first.
    looks: VecDeque<(DateTime<Utc>, u32)>,
}

impl Pace {
    /// Notes how many calls are done now.
    pub fn note(&mut self, now: DateTime<Utc>, done: u32) {
        self.looks.push_back((now, done));
        while self.looks.front().is_some_and(|(then, _)| now - *then > REMEMBERED) {
            self.looks.pop_front();
        }
    }

    /// Calls a second: of what was watched, if that was long enough, else since the run `began`, with none done.
    pub(super) fn rate(&self, began: DateTime<Utc>, now: DateTime<Utc>, done: u32) -> f64 {
        let watched = self.looks.front().filter(|(then, _)| now - *then >= NEEDED);
        let (since, before) = watched.copied().unwrap_or((began, 0));
        f64::from(done.saturating_sub(before)) / (now - since).as_seconds_f64().max(0.001)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn what_was_watched_counts_once_it_was_long_enough() {
        let mut pace = Pace::default();
        assert_eq!(pace.rate(at(0), at(100), 50), 0.5, "nothing was watched");
        pace.note(at(100), 50);
        assert_eq!(pace.rate(at(0), at(101), 53), 53.0 / 101.0, "not for long enough");
        pace.note(at(101), 53);
        assert_eq!(pace.rate(at(0), at(102), 56), 3.0);
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut pace = Pace::default();
        pace.note(at(0), 0);
        pace.note(at(90), 10);
        pace.note(at(104), 38);
        assert_eq!(pace.rate(at(0), at(104), 38), 2.0, "of the last fifteen seconds");
        pace.note(at(110), 38);
        assert_eq!(pace.rate(at(0), at(110), 38), 0.0, "since then nothing goes on");
    }
}
