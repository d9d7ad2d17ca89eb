//! The stream of events: how promotions are heard of.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use reqwest::{Response, StatusCode, header::HeaderMap};
use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use versioning::{AgentType, Version};

use crate::{EventLines, ServerEvent, client::Shared};

/// Clients that lost their registry together come back spread over this time.
const RETURN_WITHIN: Duration = Duration::from_millis(500);

/// The longest pause between two attempts: a registry that is back is to be followed within two seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Agents that one stream can name; whoever knows more follows all.
const MAX_NAMED: usize = 100;

/// How long it is waited for further agents before a stream that names them takes the place of the one that does not.
const GATHER: Duration = Duration::from_millis(20);

/// How many times as long as its heartbeat a registry may be silent.
const HEARTBEATS: f64 = 2.5;

/// No network is called mute sooner: a node may be busy for a moment.
const SHORTEST_SILENCE: Duration = Duration::from_secs(1);

/// The same for a registry that does not say how often it says something.
const UNTOLD_SILENCE: Duration = Duration::from_secs(40);

/// What an event says.
#[derive(Debug, Deserialize)]
struct Said {
    agent_type: AgentType,
    version: Option<Version>,
    /// It is what a registry without its database knew last.
    #[serde(default)]
    stale: bool,
}

/// What the event `current` says.
#[derive(Debug, Deserialize)]
struct Current {
    resumed: bool,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The registry, or the network, ended it or went mute.
    Lost,
    /// There are agents that it does not name.
    Outgrown,
}

/// Who follows, across streams.
struct Follower {
    shared: Arc<Shared>,
    /// Up to where everything was heard.
    position: Option<String>,
    /// Attempts since something was heard.
    attempts: u32,
    /// Whether what is known is believed because a stream would tell otherwise.
    is_trusting: bool,
    /// The registry refused a name that is known here: from a file that is older than it.
    is_refused: bool,
}

/// Follows the registry for ever. A stream goes on from where the last one ended, or begins with how things stand: nothing is missed
/// between two of them.
pub async fn follow(shared: Arc<Shared>) {
    let mut follower = Follower { shared, position: None, attempts: 0, is_trusting: false, is_refused: false };
    loop {
        match follower.stream().await {
            End::Outgrown => {}
            End::Lost => {
                follower.doubt();
                sleep(pause(follower.attempts)).await;
                follower.attempts = follower.attempts.saturating_add(1);
            }
        }
    }
}

/// How long to wait before the next attempt, after so many in vain.
fn pause(attempts: u32) -> Duration {
    if attempts == 0 {
        return RETURN_WITHIN.mul_f64(rand::random_range(0.0..1.0));
    }
    let longest = (RETURN_WITHIN * attempts.min(2)).min(LONGEST_PAUSE);
    longest.mul_f64(rand::random_range(0.5..1.0))
}

/// How long a stream may be silent, by what its head says.
fn silence(head: &HeaderMap) -> Duration {
    let heartbeat = head.get("verbatim-heartbeat").and_then(|seconds| seconds.to_str().ok()?.parse::<f64>().ok());
    let silence = heartbeat.and_then(|seconds| Duration::try_from_secs_f64(seconds * HEARTBEATS).ok());
    silence.map_or(UNTOLD_SILENCE, |silence| silence.max(SHORTEST_SILENCE))
}

impl Follower {
    /// One stream, from its opening to its end.
    async fn stream(&mut self) -> End {
        let known = self.known().await;
        let named = if self.is_refused || known.len() > MAX_NAMED { Vec::new() } else { known };
        // A connection that is taken and never answered ends as well.
        let opening = self.shared.registry.events(&named, self.position.as_deref());
        match timeout(self.shared.settings.request_timeout, opening).await {
            Ok(Ok(response)) => {
                tracing::debug!(named = named.len(), "following the registry");
                let end = self.read(response, &named).await;
                tracing::debug!(?end, "the registry's events stopped");
                return end;
            }
            Ok(Err(error)) => {
                if error.status() == Some(StatusCode::NOT_FOUND) && !named.is_empty() {
                    self.is_refused = true;
                }
                tracing::debug!(%error, "the registry's events cannot be followed yet");
            }
            Err(_) => tracing::debug!("the registry does not answer"),
        }
        End::Lost
    }

    /// Whom to follow; there is somebody.
    async fn known(&self) -> Vec<AgentType> {
        loop {
            let known = self.shared.known_agents();
            if !known.is_empty() {
                return known;
            }
            self.shared.discovered.notified().await;
        }
    }

    /// Reads until the stream ends, or is silent for longer than the registry ever is: then something in between hangs.
    async fn read(&mut self, response: Response, named: &[AgentType]) -> End {
        let shared = self.shared.clone();
        let silence = shared.settings.silence.unwrap_or_else(|| silence(response.headers()));
        let mut pieces = response.bytes_stream();
        let mut lines = EventLines::default();
        let mut is_settled = false;
        let mut outgrown_at: Option<Instant> = None;
        let mut mute_at = Instant::now() + silence;
        loop {
            tokio::select! {
                piece = pieces.next() => {
                    let Some(Ok(piece)) = piece else { return End::Lost };
                    mute_at = Instant::now() + silence;
                    for event in lines.push(&piece) {
                        self.attempts = 0;
                        is_settled |= self.hear(&event, named, is_settled);
                    }
                }
                () = sleep_until(mute_at) => return End::Lost,
                () = shared.discovered.notified() => {
                    let is_named = |agent_type: &AgentType| named.binary_search(agent_type).is_ok();
                    if named.is_empty() {
                        if is_settled {
                            shared.each(|_| true, |state| state.is_followed = true);
                        }
                    } else if !shared.known_agents().iter().all(is_named) {
                        outgrown_at.get_or_insert(Instant::now() + GATHER);
                    }
                }
                // Not before everything was heard, or a registry with much to say would never be heard out.
                () = sleep_until(outgrown_at.unwrap_or(mute_at)), if outgrown_at.is_some() && is_settled => {
                    shared.each(|_| true, crate::entry::EntryState::pass_on);
                    return End::Outgrown;
                }
            }
        }
    }

    /// Takes an event. Tells whether it says that everything was told.
    fn hear(&mut self, event: &ServerEvent, named: &[AgentType], is_settled: bool) -> bool {
        if event.kind == "current" {
            let Ok(current) = serde_json::from_str::<Current>(&event.data) else { return false };
            self.position.clone_from(&event.id);
            self.is_trusting = true;
            let now = std::time::Instant::now();
            self.shared.each(
                |agent_type| named.is_empty() || named.binary_search(agent_type).is_ok(),
                |state| state.settle(current.resumed && !is_settled, now),
            );
            return true;
        }
        // A newer registry may say what this client does not know.
        let Ok(said) = serde_json::from_str::<Said>(&event.data) else { return false };
        match (event.kind.as_str(), said.version) {
            ("active", Some(version)) => {
                self.is_trusting = true;
                self.shared.hear(&said.agent_type, version, said.stale);
            }
            // An agent without anything live has nothing to be read.
            ("active", None) => {}
            ("cleared", _) => self.shared.clear(&said.agent_type),
            _ => {}
        }
        // Before everything was told, what was not told yet may be older.
        if is_settled && event.id.is_some() {
            self.position.clone_from(&event.id);
        }
        false
    }

    /// Nothing is heard any more: what is known is doubtful from now on.
    fn doubt(&mut self) {
        if std::mem::take(&mut self.is_trusting) {
            self.shared.each(|_| true, crate::entry::EntryState::lose);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_may_be_silent_for_two_to_three_heartbeats() {
        let silence_of = |seconds: Option<&'static str>| {
            let mut head = HeaderMap::new();
            if let Some(seconds) = seconds {
                head.insert("verbatim-heartbeat", seconds.parse().unwrap());
            }
            silence(&head)
        };
        assert_eq!(silence_of(Some("5")), Duration::from_millis(12_500));
        assert_eq!(silence_of(Some("0.01")), SHORTEST_SILENCE);
        for odd in [None, Some("x"), Some("-1"), Some("nan"), Some("inf"), Some("1e300")] {
            assert_eq!(silence_of(odd), UNTOLD_SILENCE, "{odd:?}");
        }
    }

    #[test]
    fn pauses_are_spread_and_never_longer_than_a_second() {
        let returns: Vec<_> = (0..1000).map(|_| pause(0)).collect();
        assert!(returns.iter().any(|pause| *pause < RETURN_WITHIN / 4));
        assert!(returns.iter().any(|pause| *pause > RETURN_WITHIN * 3 / 4));
        assert!(returns.iter().all(|pause| *pause <= RETURN_WITHIN));
        for attempts in [1, 2, 3, 1000, u32::MAX] {
            assert!(
                (0..1000)
                    .map(|_| pause(attempts))
                    .all(|pause| { (RETURN_WITHIN / 2..=LONGEST_PAUSE).contains(&pause) })
            );
        }
    }
}
