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

    pub fn prompt(&self, agent_type: &AgentType, source: PromptSource, now: Instant) -> ActivePrompt {
        ActivePrompt {
            agent_type: agent_type.clone(),
            version: self.version,
            text: self.text.clone(),
            sha256: self.sha256.clone(),
            source,
            age: self.age(now),
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

/// What is known of one agent.
#[derive(Debug, Default)]
pub struct EntryState {
    pub known: Option<Known>,
    /// Raised by every event that makes what is known doubtful without naming a version.
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

impl EntryState {
    /// Whether what is known is what the registry said last, and nothing was heard since that speaks against it.
    pub fn is_sure(&self) -> bool {
        let known = self.known.as_ref().map(|known| known.version);
        self.sure == Some(self.generation) && known >= self.heard
    }

    /// What may be answered now.
    pub fn verdict(&self, now: Instant, time_to_live: Duration, max_staleness: Duration) -> Verdict {
        let is_quiet = self.quiet_until.is_some_and(|until| now < until);
        let Some(known) = &self.known else { return Verdict::Ask };
        let age = known.age(now);
        if self.is_sure() && age < time_to_live {
            return Verdict::Serve(PromptSource::Cache);
        }
        // A file is believed once the registry could not be asked; from then on nobody waits again.
        if age > max_staleness || (known.is_from_file && self.failure.is_none()) {
            return Verdict::Ask;
        }
        let source = if known.is_from_file { PromptSource::File } else { PromptSource::Stale };
        if is_quiet { Verdict::Serve(source) } else { Verdict::ServeAndAsk(source) }
    }

    /// An event: this version is live, or, without one, what is known is to be read anew. Tells whether the registry is to be asked.
    pub fn hear(&mut self, version: Option<Version>, now: Instant) -> bool {
        let Some(version) = version else {
            self.generation += 1;
            self.quiet_until = None;
            return true;
        };
        // An event may come late; nothing goes back.
        self.heard = self.heard.max(Some(version));
        match &mut self.known {
            Some(known) if known.version > version => false,
            Some(known) if known.version == version && !known.is_from_file => {
                known.confirmed = now;
                known.age_before = Duration::ZERO;
                self.is_unwritten = true;
                false
            }
            _ => {
                self.quiet_until = None;
                true
            }
        }
    }

    /// The answer to a question that was asked in a generation. Tells whether what is served changed.
    pub fn take(&mut self, said: Said, asked_in: u64, now: Instant, quiet: Duration) -> bool {
        match said {
            Said::Active { known, is_stale } => {
                self.failure = None;
                self.quiet_until = None;
                let is_older = self.known.as_ref().is_some_and(|old| old.version > known.version);
                if is_older {
                    // Never back: the registry's own node may lag behind what was heard.
                    self.quiet_until = Some(now + quiet);
                    return false;
                }
                let is_new = self.known.as_ref().is_none_or(|old| old.version != known.version);
                let mut known = known;
                if is_stale {
                    // The registry's own database is away: it confirms nothing, so the age goes on.
                    self.quiet_until = Some(now + quiet);
                    if let Some(old) = self.known.as_ref().filter(|old| old.version == known.version) {
                        (known.confirmed, known.age_before) = (old.confirmed, old.age_before);
                    }
                } else {
                    self.sure = Some(asked_in);
                    self.is_unwritten = true;
                }
                self.known = Some(known);
                is_new
            }
            Said::Unchanged => {
                self.failure = None;
                self.quiet_until = None;
                if let Some(known) = &mut self.known {
                    known.confirmed = now;
                    known.age_before = Duration::ZERO;
                    known.is_from_file = false;
                    self.sure = Some(asked_in);
                    self.is_unwritten = true;
                }
                false
            }
            failure => {
                self.quiet_until = Some(now + quiet);
                self.failure = Some(failure);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(300);
    const MAX: Duration = Duration::from_secs(3600);
    const QUIET: Duration = Duration::from_millis(500);

    fn known(version: &str, now: Instant) -> Known {
        Known {
            version: version.parse().unwrap(),
            text: version.into(),
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

    fn away() -> Said {
        Said::Unavailable { message: "away".into() }
    }

    #[test]
    fn what_is_sure_is_served_until_it_is_old() {
        let now = Instant::now();
        let mut state = EntryState::default();
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Ask);
        assert!(state.take(active("1.0.0", now), 0, now, QUIET));
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::Cache));
        assert_eq!(state.verdict(now + TTL, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
        assert_eq!(state.verdict(now + MAX + QUIET, TTL, MAX), Verdict::Ask);
        assert!(!state.take(Said::Unchanged, 0, now + TTL, QUIET));
        assert_eq!(state.verdict(now + TTL, TTL, MAX), Verdict::Serve(PromptSource::Cache));
    }

    #[test]
    fn an_answer_that_began_before_a_promotion_is_not_sure() {
        let now = Instant::now();
        let mut state = EntryState::default();
        state.take(active("1.0.0", now), 0, now, QUIET);
        let asked_in = state.generation;
        assert!(state.hear("1.1.0".parse().ok(), now));
        state.take(active("1.0.0", now), asked_in, now, QUIET);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
        state.take(active("1.1.0", now), state.generation, now, QUIET);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::Cache));
    }

    #[test]
    fn a_registry_without_its_database_confirms_nothing() {
        let now = Instant::now();
        let mut state = EntryState::default();
        state.take(active("1.0.0", now), 0, now, QUIET);
        let later = now + MAX;
        state.take(Said::Active { known: known("1.0.0", later), is_stale: true }, 0, later, QUIET);
        assert_eq!(state.known.as_ref().unwrap().age(later), MAX);
        assert_eq!(state.verdict(later + QUIET, TTL, MAX), Verdict::Ask);
    }

    #[test]
    fn nothing_goes_back() {
        let now = Instant::now();
        let mut state = EntryState::default();
        state.take(active("2.0.0", now), 0, now, QUIET);
        assert!(!state.hear("1.9.0".parse().ok(), now), "a late event");
        assert!(!state.take(active("1.9.0", now), 0, now, QUIET), "a node that lags behind");
        assert_eq!(state.known.unwrap().version, "2.0.0".parse().unwrap());
    }

    #[test]
    fn a_registry_that_is_away_is_left_alone_for_a_while() {
        let now = Instant::now();
        let mut state = EntryState::default();
        state.take(active("1.0.0", now), 0, now, QUIET);
        let later = now + TTL;
        state.take(away(), 0, later, QUIET);
        assert_eq!(state.verdict(later, TTL, MAX), Verdict::Serve(PromptSource::Stale));
        assert_eq!(state.verdict(later + QUIET, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
        // What it says by itself ends that.
        assert!(state.hear("1.1.0".parse().ok(), later));
        assert_eq!(state.verdict(later, TTL, MAX), Verdict::ServeAndAsk(PromptSource::Stale));
    }

    #[test]
    fn a_file_is_believed_only_when_nobody_else_can_be_asked() {
        let now = Instant::now();
        let mut state = EntryState {
            known: Some(Known { is_from_file: true, age_before: TTL, ..known("1.0.0", now) }),
            ..EntryState::default()
        };
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Ask);
        state.take(away(), 0, now, QUIET);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::File));
        assert_eq!(
            state.verdict(now + QUIET, TTL, MAX),
            Verdict::ServeAndAsk(PromptSource::File),
            "nobody waits twice"
        );
        assert!(state.hear("1.0.0".parse().ok(), now), "the registry is back");
        state.take(active("1.0.0", now), 0, now, QUIET);
        assert_eq!(state.verdict(now, TTL, MAX), Verdict::Serve(PromptSource::Cache));
    }
}
