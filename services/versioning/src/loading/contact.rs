//! What this node knows of its database: whether it hears of promotions, and whether reads come to something.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

/// Nobody listens, and nobody was asked to: entries live as long as the settings say.
const NOT_ASKED: u8 = 0;
/// Promotions are heard of.
const HEARS: u8 = 1;
/// Somebody is to listen, and cannot.
const DEAF: u8 = 2;

#[derive(Debug, Default)]
pub(super) struct Contact {
    hearing: AtomicU8,
    /// The database may be away, and is left alone until then. It ends with a read that succeeds.
    trouble: Mutex<Option<Instant>>,
}

impl Contact {
    pub fn hears(&self) -> bool {
        self.hearing.load(Ordering::Acquire) == HEARS
    }

    pub fn is_deaf(&self) -> bool {
        self.hearing.load(Ordering::Acquire) == DEAF
    }

    pub fn begin_to_hear(&self) {
        const { assert!(NOT_ASKED == 0, "what a contact begins with") };
        self.hearing.store(HEARS, Ordering::Release);
        self.works();
    }

    /// The connection that listens was lost. Whether that is all, the next read shows; until then nobody waits for it.
    pub fn lose_hearing(&self) {
        self.hearing.store(DEAF, Ordering::Release);
        self.trouble().get_or_insert_with(Instant::now);
    }

    /// A read succeeded.
    pub fn works(&self) {
        *self.trouble() = None;
    }

    /// A read failed. The pause is up to half shorter than it is given: nodes that lost their database together do not ask
    /// for it together.
    pub fn failed(&self, pause: Duration) {
        *self.trouble() = Some(Instant::now() + pause.mul_f64(rand::random_range(0.5..1.0)));
    }

    pub fn is_in_trouble(&self) -> bool {
        self.trouble().is_some()
    }

    /// Whether the database is left alone.
    pub fn is_quiet(&self) -> bool {
        self.trouble().is_some_and(|until| Instant::now() < until)
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
