//! The time that figures are of: a range by name, and its steps.

use std::str::FromStr;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use crate::InvalidInput;

/// How far back figures go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsRange {
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 90 days.
    Quarter,
    /// 364 days: 52 weeks.
    Year,
}

impl MetricsRange {
    /// All of them, the shortest first.
    pub const ALL: [Self; 5] = [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year];

    /// Its name in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
            Self::Year => "52w",
        }
    }

    /// The window of this length that ends with the hour or the day (UTC) that a moment is in.
    pub fn window(self, now: DateTime<Utc>) -> MetricsWindow {
        let (step, steps) = match self {
            Self::Day => (TimeDelta::hours(1), 24),
            Self::Week => (TimeDelta::hours(6), 28),
            Self::Month => (TimeDelta::days(1), 30),
            Self::Quarter => (TimeDelta::days(3), 30),
            Self::Year => (TimeDelta::weeks(2), 26),
        };
        let is_hourly = matches!(self, Self::Day | Self::Week);
        let unit = if is_hourly { TimeDelta::hours(1) } else { TimeDelta::days(1) };
        // It fails only for times that no clock shows.
        let ends_at = now.duration_trunc(unit).unwrap_or(now) + unit;
        MetricsWindow { begins_at: ends_at - step * steps, ends_at, step, is_hourly }
    }
}

impl FromStr for MetricsRange {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        Self::ALL
            .into_iter()
            .find(|range| range.as_str() == text)
            .ok_or_else(|| InvalidInput::new("range", "invalid_range", "A range is one of 24h, 7d, 30d, 90d and 52w."))
    }
}

/// The time that figures are of, in steps of equal length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsWindow {
    /// When the first step begins.
    pub begins_at: DateTime<Utc>,
    /// When the last step ends: at most a day ahead.
    pub ends_at: DateTime<Utc>,
    /// The length of a step.
    pub step: TimeDelta,
    /// Whether steps are made of hours; else of days.
    pub is_hourly: bool,
}

impl MetricsWindow {
    /// How many steps there are.
    pub fn steps(&self) -> usize {
        usize::try_from((self.ends_at - self.begins_at).num_seconds() / self.step.num_seconds()).unwrap_or(0)
    }

    /// When a step begins.
    pub fn begin_of(&self, step: usize) -> DateTime<Utc> {
        self.begins_at + self.step * i32::try_from(step).unwrap_or(0)
    }

    /// The step that a moment is in.
    pub fn step_of(&self, moment: DateTime<Utc>) -> Option<usize> {
        let since = moment.signed_duration_since(self.begins_at);
        (moment < self.ends_at && since >= TimeDelta::zero())
            .then(|| usize::try_from(since.num_seconds() / self.step.num_seconds()).ok())?
    }

    /// How many weeks it is long.
    #[expect(clippy::cast_precision_loss, reason = "seconds of a year")]
    pub fn weeks(&self) -> f64 {
        (self.ends_at - self.begins_at).num_seconds() as f64 / (7.0 * 86_400.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn windows_end_with_what_is_going_on() {
        let now = time("2026-03-01T12:34:56Z");
        for range in MetricsRange::ALL {
            let window = range.window(now);
            assert!(window.ends_at > now && (24..=30).contains(&window.steps()), "{range:?}");
            assert_eq!(window.begin_of(window.steps()), window.ends_at);
            assert_eq!(window.step_of(now), Some(window.steps() - 1), "{range:?}");
            assert_eq!(window.step_of(window.begins_at), Some(0));
            assert_eq!(window.step_of(window.begins_at - TimeDelta::seconds(1)), None);
            assert_eq!(window.step_of(window.ends_at), None);
            assert_eq!(range.as_str().parse(), Ok(range));
        }
        assert_eq!(MetricsRange::Day.window(now).begins_at, time("2026-02-28T13:00:00Z"));
        assert_eq!(MetricsRange::Month.window(now).ends_at, time("2026-03-02T00:00:00Z"));
        assert_eq!("1y".parse::<MetricsRange>().unwrap_err().code, "invalid_range");
    }
}
