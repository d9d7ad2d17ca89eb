//! When a call is tried again.

use std::time::Duration;

use crate::{Answer, LanguageModel, ModelError, ModelRequest, complete};

/// The longest that a call waits because the provider asks to be left alone. When it asks for longer, the failure is the result.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// How often a call is tried, and how long is waited in between.
///
/// The wait is drawn evenly from nothing up to a ceiling that begins at `base`, doubles with every failure and ends at
/// `cap` ("full jitter": M. Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015), so that calls that
/// failed together do not come back together. When the provider says when to come back (`Retry-After`), it is that long,
/// and up to `base` longer; longer than [`LONGEST_RETRY_AFTER`] nothing waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// How often a call is tried in all; at least once.
    pub attempts: u32,
    /// The ceiling of the first wait.
    pub base: Duration,
    /// The highest ceiling.
    pub cap: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 5, base: Duration::from_millis(500), cap: Duration::from_secs(30) }
    }
}

impl Retries {
    /// Nothing is tried again.
    pub const NONE: Self = Self { attempts: 1, base: Duration::ZERO, cap: Duration::ZERO };

    /// How long to wait until the next attempt, when the last of so many `attempts` failed like this; none when it is the result.
    pub fn again(&self, attempts: u32, error: &ModelError) -> Option<Duration> {
        let may_pass = error.kind.is_transient() && error.retry_after.is_none_or(|asked| asked <= LONGEST_RETRY_AFTER);
        (may_pass && attempts < self.attempts).then(|| self.wait(attempts, error.retry_after, rand::random()))
    }

    /// The longest wait after so many failures, unless the provider says how long.
    fn ceiling(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }

    /// How long is waited after so many failures. `chance` is from 0 to 1.
    fn wait(&self, failures: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
        match retry_after {
            Some(asked) => asked + self.base.min(self.cap).mul_f64(chance),
            None => self.ceiling(failures).mul_f64(chance),
        }
    }
}

/// What came of a call, and how often it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// How often the model was asked.
    pub attempts: u32,
    /// The answer with its own latency, without what was tried before it; or the last failure.
    pub outcome: Result<Answer, ModelError>,
}

/// Asks, and asks again after failures that may pass ([`ModelErrorKind::is_transient`](crate::ModelErrorKind::is_transient)).
/// `request.timeout` holds for every attempt.
pub async fn complete_with_retries(model: &dyn LanguageModel, request: &ModelRequest, retries: Retries) -> Tried {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let outcome = complete(model, request).await;
        let Some(wait) = outcome.as_ref().err().and_then(|error| retries.again(attempts, error)) else {
            return Tried { attempts, outcome };
        };
        tracing::debug!(model = %request.model, attempts, ?wait, "model is asked again");
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRIES: Retries = Retries { attempts: 9, base: Duration::from_millis(500), cap: Duration::from_secs(30) };

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let ceilings: Vec<_> = [1, 2, 3, 7, 40, u32::MAX].map(|failures| RETRIES.ceiling(failures).as_millis()).into();
        assert_eq!(ceilings, [500, 1000, 2000, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn the_wait_is_anything_up_to_the_ceiling() {
        assert_eq!(RETRIES.wait(2, None, 0.0), Duration::ZERO);
        assert_eq!(RETRIES.wait(2, None, 0.25), Duration::from_millis(250));
        assert_eq!(RETRIES.wait(2, None, 1.0), Duration::from_secs(1));
    }

    #[test]
    fn the_provider_is_not_asked_before_it_wants_to_be() {
        let asked = Some(Duration::from_secs(7));
        assert_eq!(RETRIES.wait(1, asked, 0.0), Duration::from_secs(7));
        assert_eq!(RETRIES.wait(1, asked, 1.0), Duration::from_millis(7500));
    }

    #[test]
    fn nothing_waits_longer_than_ten_minutes() {
        let limited =
            |asked| ModelError::new(crate::ModelErrorKind::RateLimited, "Wait.").with_retry_after(Some(asked));
        let wait = RETRIES.again(1, &limited(LONGEST_RETRY_AFTER)).unwrap();
        assert!(wait >= LONGEST_RETRY_AFTER, "{wait:?}");
        assert_eq!(RETRIES.again(1, &limited(LONGEST_RETRY_AFTER + Duration::from_secs(1))), None);
        assert_eq!(RETRIES.again(9, &limited(Duration::ZERO)), None, "the attempts are used up");
    }
}
