//! What is known of one agent's prompt, and what may be answered from it. Pure: time is given.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use versioning::{ActivePrompt, AgentType, PromptSource, Version};

/// A prompt as the registry, or the file, gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub version: Version,
    pub text: Arc<str>,
    pub sha256: Arc<str>,
    /// What the registry calls this state of it; none from a file.
    pub etag: Option<String>,
    /// When the registry last said that it is the active one.
    pub confirmed: Instant,
    /// How old it was at that time already: of a file.
    pub age_before: Duration,
    /// Whether it comes from a file and the registry was not asked since.
    pub is_from_file: bool,
}

impl Known {
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.confirmed) + self.age_before
    }

    pub fn prompt(&self, agent_type: &AgentType, source: PromptSource) -> ActivePrompt {
        ActivePrompt {
            agent_type: agent_type.clone(),
            version: self.version,
            text: self.text.clone(),
            sha256: self.sha256.clone(),
            source,
            confirmed: self.confirmed,
            age_before: self.age_before,
        }
    }
}

/// What the registry said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// This is the active one. It may be what the registry itself knew last.
    Active { known: Known, is_stale: bool },
    /// What was known is the active one still.
    Unchanged,
    /// There is no such agent, or nothing is live.
    Nothing { message: String },
    /// It could not be asked.
    Unavailable { message: String },
    /// It answered with something that is no prompt.
    Fault { message: String },
}

/// How long a prompt is served without asking when its promotions are not heard of, because no stream of events covers it.
pub const UNFOLLOWED_TIME_TO_LIVE: Duration = Duration::from_secs(1);

/// What is known of one agent.
#[derive(Debug, Default)]
pub struct EntryState {
    pub known: Option<Known>,
    /// Raised by everything that makes what is known doubtful without naming a version.
    pub generation: u64,
    /// The generation in which `known` was last confirmed.
    pub sure: Option<u64>,
    /// The highest version that was heard of.
    pub heard: Option<Version>,
    /// Until when the registry is left alone.
    pub quiet_until: Option<Instant>,
    /// What went wrong the last time that the registry was asked.
    pub failure: Option<Said>,
    /// Something was confirmed that the file does not know of yet.
    pub is_unwritten: bool,
    /// Whether the stream of events that is open now tells of this agent.
    pub is_followed: bool,
    /// Whether it was known for sure, and followed, when the last stream ended: then a stream that goes on from there needs not
    /// name it.
    pub was_followed: bool,
}

/// What a caller gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This, and nothing is to be done.
    Serve(PromptSource),
    /// This, and the registry is to be asked behind it.
    ServeAndAsk(PromptSource),
    /// The registry must be asked first.
    Ask,
}

/// What an answer of the registry leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether what is served changed.
    pub has_changed: bool,
    /// Whether to ask again.
    pub again: Again,
}

/// Whether to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The answer stands, or there is none for now.
    No,
    /// Something happened while the answer was on its way.
    AtOnce,
    /// The node that answered has not heard yet of what was heard here.
    Later,
}

impl EntryState {
    /// Whether what is known is what the registry said last, and nothing was heard since that speaks against it.
    pub fn is_sure(&self) -> bool {
        self.sure == Some(self.generation) && !self.is_behind()
    }

    /// Whether a higher version was heard of than is known.
    fn is_behind(&self) -> bool {
        self.known.as_ref().map(|known| known.version) < self.heard
    }

    /// What may be answered now.
    pub fn verdict(&self, now: Instant, time_to_live: Duration, max_staleness: Duration) -> Verdict {
        let is_quiet = self.quiet_until.is_some_and(|until| now < until);
        let Some(known) = &self.known else { return Verdict::Ask };
        let age = known.age(now);
        let time_to_live = if self.is_followed { time_to_live } else { time_to_live.min(UNFOLLOWED_TIME_TO_LIVE) };
        let bound = time_to_live.min(max_staleness);
        if self.is_sure() && age < bound {
            // Asked for again before the time is over, so that nobody waits, or is told that it is stale, while all is well.
            let is_due = age >= bound - bound / 4 && !is_quiet;
            let source = PromptSource::Cache;
            return if is_due { Verdict::ServeAndAsk(source) } else { Verdict::Serve(source) };
        }
        // A file is believed once the registry could not be asked; from then on nobody waits again.
        if age > max_staleness || (known.is_from_file && self.failure.is_none()) {
            return Verdict::Ask;
        }
        let source = if known.is_from_file { PromptSource::File } else { PromptSource::Stale };
        if is_quiet { Verdict::Serve(source) } else { Verdict::ServeAndAsk(source) }
    }

    /// An event: this version is live. It may be stale: what a registry without its database knew last. Tells whether the registry is
    /// to be asked.
    pub fn hear(&mut self, version: Version, is_stale: bool, now: Instant) -> bool {
        // An event may come late; nothing goes back.
        self.heard = self.heard.max(Some(version));
        self.is_followed = true;
        match &self.known {
            Some(known) if known.version > version => false,
            Some(known) if known.version == version && !known.is_from_file => {
                if !is_stale {
                    self.confirm(now);
                }
                false
            }
            _ => {
                self.quiet_until = None;
                true
            }
        }
    }

    /// An event: what is known is to be read anew.
    pub fn clear(&mut self) {
        self.generation += 1;
        self.quiet_until = None;
    }

    /// The stream of events ended: what is promoted from now on is not heard of.
    pub fn lose(&mut self) {
        self.was_followed |= self.is_sure() && self.is_followed;
        self.is_followed = false;
        self.generation += 1;
        // Whoever asks next is to ask the registry.
        if self.failure.is_none() {
            self.quiet_until = None;
        }
    }

    /// Another stream is about to follow this one, from where it is: what is known stays as it is.
    pub fn pass_on(&mut self) {
        self.was_followed = self.is_sure() && self.is_followed;
    }

    /// The stream of events has told everything up to now. When it went on from where the last one ended, what it did not name
    /// is as it was.
    pub fn settle(&mut self, has_resumed: bool, now: Instant) {
        self.is_followed = true;
        if has_resumed && self.was_followed && !self.is_behind() {
            self.confirm(now);
        }
        self.was_followed = false;
    }

    /// The registry says that what is known is live.
    fn confirm(&mut self, now: Instant) {
        if self.is_behind() {
            return;
        }
        if let Some(known) = &mut self.known {
            known.confirmed = now;
            known.age_before = Duration::ZERO;
            known.is_from_file = false;
            self.sure = Some(self.generation);
            self.failure = None;
            self.quiet_until = None;
            self.is_unwritten = true;
        }
    }

    /// The answer to a question that was asked in a generation.
    pub fn take(&mut self, said: Said, asked_in: u64, now: Instant, quiet: Duration) -> Taken {
        let (mut has_changed, mut is_older) = (false, false);
        match said {
            Said::Active { known, is_stale } => {
                self.failure = None;
                self.quiet_until = None;
                is_older = self.known.as_ref().is_some_and(|old| old.version > known.version);
                // Never back: the registry's own node may lag behind what was heard.
                if !is_older {
                    has_changed = self.known.as_ref().is_none_or(|old| old.version != known.version);
                    let mut known = known;
                    // The younger of both: the registry may have it from a time before it was heard of here.
                    let old = self.known.as_ref().filter(|old| old.version == known.version);
                    if let Some(old) = old.filter(|old| is_stale && old.age(now) < known.age(now)) {
                        (known.confirmed, known.age_before) = (old.confirmed, old.age_before);
                    }
                    self.known = Some(known);
                    self.is_unwritten = true;
                }
                if is_stale {
                    // The registry's own database is away: it confirms nothing.
                    self.sure = None;
                    self.quiet_until = Some(now + quiet);
                    return Taken { has_changed, again: Again::No };
                }
                if !is_older {
                    self.sure = Some(asked_in);
                }
            }
            Said::Unchanged => {
                self.failure = None;
                self.quiet_until = None;
                if !self.is_behind()
                    && let Some(known) = &mut self.known
                {
                    known.confirmed = now;
                    known.age_before = Duration::ZERO;
                    known.is_from_file = false;
                    self.sure = Some(asked_in);
                    self.is_unwritten = true;
                }
            }
            failure => {
                // Whoever cannot be asked confirms nothing.
                self.sure = None;
                self.quiet_until = Some(now + quiet);
                self.failure = Some(failure);
                return Taken { has_changed, again: Again::No };
            }
        }
        let again = if is_older || self.is_behind() {
            // Until then it is left alone.
            self.quiet_until = Some(now + quiet);
            Again::Later
        } else if self.is_sure() {
            Again::No
        } else {
            Again::AtOnce
        };
        Taken { has_changed, again }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(300);
    const MAX: Duration = Duration::from_secs(3600);
    const QUIET: Duration = Duration::from_millis(500);

    fn version(version: &str) -> Version {
        version.parse().unwrap()
    }

    fn known(number: &str, now: Instant) -> Known {
        Known {
            version: version(number),
            text: number.into(),
            sha256: "".into(),
            etag: None,
            confirmed: now,
            age_before: Duration::ZERO,
            is_from_file: false,
        }
    }

    fn active(version: &str, now: Instant) -> Said {
        Said::Active { known: known(version, now), is_stale: false }
    }

    /// Of an agent whose promotions are heard of.
    fn followed() -> EntryState {
        EntryState { is_followed: true, ..EntryState::default() }
    }

    fn away() -> Said {
        Said::Unavailable { message: "away".into() }
    }

    #[test]
    fn what_is_sure_is_served_until_it_is_old() {
        let now = Instant::now();
        let mut state = followed();
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Ask);
        assert!(state.take(active("1.0.0", now), 0, now, QUIET).has_changed);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::Cache));
        assert_eq!(state.verdict(now + TTL, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
        assert_eq!(state.verdict(now + MAX + QUIET, TTL, MAX), Verdict::Ask);
        assert!(!state.take(Said::Unchanged, 0, now + TTL, QUIET).has_changed);
        assert_eq!(state.verdict(now + TTL, TTL, MAX), Verdict::Serve(PromptSource::Cache));
    }

    #[test]
    fn an_answer_that_began_before_a_promotion_is_not_sure() {
        let now = Instant::now();
        let mut state = followed();
        state.take(active("1.0.0", now), 0, now, QUIET);
        let asked_in = state.generation;
        assert!(state.hear(version("1.1.0"), false, now));
        assert_eq!(state.take(active("1.0.0", now), asked_in, now, QUIET).again, Again::Later);
        assert_eq!(
            state.verdict(now, TTL, MAX),
            Verdict::Serve(PromptSource::Stale),
            "the node is left alone for a while"
        );
        assert_eq!(state.verdict(now + QUIET, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
        state.take(active("1.1.0", now), state.generation, now, QUIET);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::Cache));
    }

    #[test]
    fn a_registry_without_its_database_confirms_nothing() {
        let now = Instant::now();
        let mut state = followed();
        state.take(active("1.0.0", now), 0, now, QUIET);
        let later = now + MAX;
        let stale = Said::Active { known: Known { age_before: MAX * 2, ..known("1.0.0", later) }, is_stale: true };
        assert_eq!(state.take(stale, 0, later, QUIET).again, Again::No);
        assert_eq!(state.known.as_ref().unwrap().age(later), MAX, "what was known here is younger");
        assert!(!state.is_sure());
        assert_eq!(state.verdict(later + QUIET, TTL, MAX), Verdict::Ask);
    }

    #[test]
    fn nothing_goes_back() {
        let now = Instant::now();
        let mut state = followed();
        state.take(active("2.0.0", now), 0, now, QUIET);
        assert!(!state.hear(version("1.9.0"), false, now), "a late event");
        let taken = state.take(active("1.9.0", now), 0, now, QUIET);
        assert_eq!(taken, Taken { has_changed: false, again: Again::Later }, "a node that lags behind");
        assert_eq!(state.known.unwrap().version, "2.0.0".parse().unwrap());
    }

    #[test]
    fn a_registry_that_is_away_is_left_alone_for_a_while() {
        let now = Instant::now();
        let mut state = followed();
        state.take(active("1.0.0", now), 0, now, QUIET);
        let later = now + TTL;
        state.take(away(), 0, later, QUIET);
        assert_eq!(state.verdict(later, TTL, MAX), Verdict::Serve(PromptSource::Stale));
        assert_eq!(state.verdict(later + QUIET, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
        // What it says by itself ends that.
        assert!(state.hear(version("1.1.0"), false, later));
        assert_eq!(state.verdict(later, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
    }

    #[test]
    fn a_file_is_believed_only_when_nobody_else_can_be_asked() {
        let now = Instant::now();
        let mut state = EntryState {
            known: Some(Known { is_from_file: true, age_before: TTL, ..known("1.0.0", now) }),
            ..followed()
        };
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Ask);
        state.take(away(), 0, now, QUIET);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::File));
        assert_eq!(
            state.verdict(now + QUIET, TTL, MAX),
            Verdict::ServeAndAsk(PromptSource::File),
            "nobody waits twice"
        );
        assert!(state.hear(version("1.0.0"), false, now), "the registry is back");
        state.take(active("1.0.0", now), 0, now, QUIET);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::Cache));
    }

    #[test]
    fn nothing_older_than_the_bound_is_served_as_sure() {
        let short = Duration::from_secs(60);
        let now = Instant::now();
        let mut state = followed();
        state.take(active("1.0.0", now), 0, now, QUIET);
        assert_eq!(state.verdict(now + short / 2, TTL, short), Verdict::Serve(PromptSource::Cache));
        assert_eq!(
            state.verdict(now + short * 4 / 5, TTL, short),
            Verdict::ServeAndAsk(PromptSource::Cache),
            "asked for again in time"
        );
        assert_eq!(state.verdict(now + short + QUIET, TTL, short), Verdict::Ask);
        assert_eq!(state.verdict(now, Duration::MAX, Duration::MAX), Verdict::Serve(PromptSource::Cache));
    }

    #[test]
    fn what_is_not_followed_is_asked_for_every_second() {
        let now = Instant::now();
        let mut state = EntryState::default();
        state.take(active("1.0.0", now), 0, now, QUIET);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::Cache));
        let later = now + UNFOLLOWED_TIME_TO_LIVE;
        assert_eq!(state.verdict(later, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
    }

    #[test]
    fn a_stream_that_ends_leaves_doubt_until_another_goes_on_from_there() {
        let now = Instant::now();
        let mut state = followed();
        state.take(active("1.0.0", now), 0, now, QUIET);
        state.lose();
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
        // One that ended before it had said everything changes nothing.
        state.lose();
        state.settle(true, now);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::Cache));
        // One that did not go on from there says nothing of what it does not name.
        state.lose();
        state.settle(false, now);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
        assert!(!state.hear(version("1.0.0"), false, now), "named");
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::Cache));
        // What was in doubt already stays so.
        state.clear();
        state.lose();
        state.settle(true, now);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
    }

    #[test]
    fn a_stream_that_follows_another_takes_its_place_without_doubt() {
        let now = Instant::now();
        let mut state = followed();
        state.take(active("1.0.0", now), 0, now, QUIET);
        state.pass_on();
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::Cache));
        let later = now + TTL / 2;
        state.settle(true, later);
        assert_eq!(state.known.as_ref().unwrap().age(later), Duration::ZERO);
        assert!(state.hear(version("1.1.0"), false, later));
        state.pass_on();
        state.settle(true, later);
        assert!(!state.is_sure(), "the new one was not read yet");
    }

    #[test]
    fn an_event_of_a_registry_without_its_database_confirms_nothing() {
        let now = Instant::now();
        let mut state = followed();
        state.take(active("1.0.0", now), 0, now, QUIET);
        state.lose();
        assert!(!state.hear(version("1.0.0"), true, now));
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
        assert!(state.hear(version("1.1.0"), true, now), "what is higher is news in any case");
    }

    #[test]
    fn a_late_event_of_an_older_version_confirms_nothing() {
        let now = Instant::now();
        let mut state = followed();
        state.take(active("1.0.0", now), 0, now, QUIET);
        state.hear(version("1.1.0"), false, now);
        let later = now + TTL;
        assert!(!state.hear(version("1.0.0"), false, later));
        assert_eq!(state.known.as_ref().unwrap().age(later), TTL);
        assert_eq!(state.take(Said::Unchanged, 0, later, QUIET).again, Again::Later, "a node that lags behind");
        assert_eq!(state.known.as_ref().unwrap().age(later), TTL);
    }
}
