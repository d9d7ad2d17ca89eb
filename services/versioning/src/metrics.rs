//! How a registry is used, over time: what was created, what was called, what it took.
//!
//! Everything is read from what was added up before (`agent_call_figures`), from the list of versions, and from the
//! counters of this process's cache. No figure is estimated.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use crate::{
    AgentType, CacheCounts, Latency, PromptLoadingService, PromptStore, Version, VersioningError,
    performance::{BUCKETS, percentile},
};

mod window;

pub use window::{MetricsRange, MetricsWindow};

/// What calls of agents at work added up to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallFigures {
    /// All calls.
    pub calls: u64,
    /// Those without an answer.
    pub errors: u64,
    /// Tokens answered, of all calls together where they are known.
    pub output_tokens: u64,
    /// The calls where they are.
    pub counted_calls: u64,
    /// US dollars, of all calls together where they are known.
    pub cost_usd: f64,
    /// The calls where they are.
    pub priced_calls: u64,
    pub(crate) latency_ms_sum: f64,
    pub(crate) latency_buckets: Vec<u64>,
}

impl CallFigures {
    /// The share without an answer, from 0 to 1; none without calls.
    #[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^52")]
    pub fn error_rate(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.errors as f64 / self.calls as f64)
    }

    /// Tokens answered by an average call of those where they are known; none when they are of no call.
    #[expect(clippy::cast_precision_loss, reason = "an average over more than 2^52 calls is as good")]
    pub fn mean_output_tokens(&self) -> Option<f64> {
        (self.counted_calls > 0).then(|| self.output_tokens as f64 / self.counted_calls as f64)
    }

    /// US dollars for an average call of those where they are known; none when they are of no call.
    #[expect(clippy::cast_precision_loss, reason = "an average over more than 2^52 calls is as good")]
    pub fn mean_cost_usd(&self) -> Option<f64> {
        (self.priced_calls > 0).then(|| self.cost_usd / self.priced_calls as f64)
    }

    /// Latency of the answered calls; none without any.
    #[expect(clippy::cast_precision_loss, reason = "an average over more than 2^52 calls is as good")]
    pub fn latency(&self) -> Option<Latency> {
        let answered = self.calls.saturating_sub(self.errors) as f64;
        let p50_ms = percentile(&self.latency_buckets, 0.5)?;
        let p95_ms = percentile(&self.latency_buckets, 0.95)?;
        Some(Latency { mean_ms: self.latency_ms_sum / answered, p50_ms, p95_ms })
    }

    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.counted_calls += other.counted_calls;
        self.cost_usd += other.cost_usd;
        self.priced_calls += other.priced_calls;
        self.latency_ms_sum += other.latency_ms_sum;
        self.latency_buckets.resize(BUCKETS, 0);
        for (mine, theirs) in self.latency_buckets.iter_mut().zip(&other.latency_buckets) {
            *mine += theirs;
        }
    }
}

/// What the calls of a version added up to in an hour or a day.
#[derive(Debug, Clone)]
pub(crate) struct StoredFigures {
    pub agent_type: AgentType,
    pub version: Version,
    pub begins_at: DateTime<Utc>,
    pub figures: CallFigures,
}

/// Versions that were created in a step, by what of their number is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CreatedVersions {
    /// `x.0.0`.
    pub majors: u64,
    /// `x.y.0`.
    pub minors: u64,
    /// `x.y.z`.
    pub patches: u64,
}

impl CreatedVersions {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.majors + self.minors + self.patches
    }

    fn add(&mut self, other: Self) {
        self.majors += other.majors;
        self.minors += other.minors;
        self.patches += other.patches;
    }
}

/// A step of the window.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricsStep {
    /// When it begins.
    pub begins_at: DateTime<Utc>,
    /// Versions that were created.
    pub created: CreatedVersions,
    /// All calls.
    pub calls: CallFigures,
    /// The calls by version, if the figures are of one agent; in the order of versions.
    pub versions: Vec<(Version, CallFigures)>,
}

/// An agent in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentMetrics {
    /// The agent.
    pub agent_type: AgentType,
    /// What is live, and how many characters it has.
    pub active: Option<(Version, u32)>,
    /// Versions that were created.
    pub created: CreatedVersions,
    /// Patches a week, on average over the window.
    pub patches_a_week: f64,
    /// All calls.
    pub calls: CallFigures,
    /// The version with the most calls, and how many.
    pub most_active: Option<(Version, u64)>,
    /// What the cache of this process did for the agent since it started; none if it was never asked.
    pub cache: Option<CacheCounts>,
}

/// A version in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionMetrics {
    /// The version.
    pub version: Version,
    /// Its calls.
    pub calls: CallFigures,
}

/// How long prompts are, in characters, over all versions there are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PromptLengths {
    /// How many versions there are.
    pub versions: u64,
    /// The mean.
    pub mean: f64,
    /// Half of them are at most this long.
    pub median: u32,
    /// The shortest.
    pub shortest: u32,
    /// The longest.
    pub longest: u32,
    /// The mean of what is live; none if nothing is.
    pub mean_live: Option<f64>,
    /// How many are shorter than each limit of [`LENGTH_LIMITS`] and not shorter than the one before; the last are the
    /// rest.
    pub counts: Vec<u64>,
}

/// Where one bar of the lengths ends and the next begins, in characters.
pub const LENGTH_LIMITS: [u32; 9] = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000];

/// A version that went live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromotionMark {
    /// The version.
    pub version: Version,
    /// When.
    pub at: DateTime<Utc>,
}

/// Calls that failed for one reason. Counted among the last 1,000 failed calls of each agent, of those that are kept
/// singly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureCount {
    /// Why, as a name.
    pub kind: String,
    /// How many.
    pub calls: u64,
    /// The last time.
    pub last_at: DateTime<Utc>,
}

/// Everything that is known of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptMetrics {
    /// Whose figures they are; none for all agents.
    pub agent_type: Option<AgentType>,
    /// The range that was asked for.
    pub range: MetricsRange,
    /// The time.
    pub window: MetricsWindow,
    /// The steps, oldest first.
    pub steps: Vec<MetricsStep>,
    /// The agents, by name; the one if one was asked for.
    pub agents: Vec<AgentMetrics>,
    /// The versions that were called, most calls first, if the figures are of one agent.
    pub versions: Vec<VersionMetrics>,
    /// What went live, oldest first, if the figures are of one agent.
    pub promotions: Vec<PromotionMark>,
    /// How long prompts are.
    pub lengths: PromptLengths,
    /// Why the last calls that failed did, the most frequent reason first.
    pub failures: Vec<FailureCount>,
}

/// Tells how a registry is used.
#[derive(Debug, Clone)]
pub struct MetricsService {
    store: PromptStore,
    loading: Arc<PromptLoadingService>,
}

impl MetricsService {
    /// The service over a store and the cache of this process.
    pub fn new(store: PromptStore, loading: Arc<PromptLoadingService>) -> Self {
        Self { store, loading }
    }

    /// The figures of one agent, or of all.
    ///
    /// # Errors
    /// There is no such agent; or the database is away.
    pub async fn of_prompts(
        &self,
        agent_type: Option<&AgentType>,
        range: MetricsRange,
    ) -> Result<PromptMetrics, VersioningError> {
        let window = range.window(Utc::now());
        let agents = self.store.active_lengths(agent_type).await?;
        if let Some(agent_type) = agent_type
            && agents.is_empty()
        {
            return Err(self.store.unknown_agent(agent_type).await);
        }
        let created = self.store.created_versions(agent_type, &window).await?;
        let stored = self.store.call_figures(agent_type, &window).await?;
        let lengths = self.store.prompt_lengths(agent_type).await?;
        let failures = self.store.failures(agent_type, window.begins_at).await?;
        let promotions = match agent_type {
            Some(agent_type) => self.store.promotions_between(agent_type, &window).await?,
            None => Vec::new(),
        };
        let sums = Sums::of(&window, agent_type.is_some(), created, &stored);
        let mut cache: HashMap<_, _> = self.loading.counts_by_agent().into_iter().collect();
        let mut versions: Vec<_> = sums.versions.into_iter().map(|((_, version), calls)| (version, calls)).collect();
        versions.sort_by_key(|(version, calls)| (std::cmp::Reverse(calls.calls), *version));
        let mut agents: Vec<_> = agents
            .into_iter()
            .map(|(agent_type, active)| AgentMetrics {
                active,
                created: CreatedVersions::default(),
                patches_a_week: 0.0,
                calls: CallFigures::default(),
                most_active: None,
                cache: cache.remove(&agent_type),
                agent_type,
            })
            .collect();
        for agent in &mut agents {
            agent.created = sums.created.get(&agent.agent_type).copied().unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "a count of versions")]
            let patches = agent.created.patches as f64;
            agent.patches_a_week = patches / window.weeks();
            agent.calls = sums.calls.get(&agent.agent_type).cloned().unwrap_or_default();
            agent.most_active = sums.most_active.get(&agent.agent_type).copied();
        }
        let is_of_one = agent_type.is_some();
        Ok(PromptMetrics {
            agent_type: agent_type.cloned(),
            range,
            window,
            steps: sums.steps,
            agents,
            versions: if is_of_one {
                versions.into_iter().map(|(version, calls)| VersionMetrics { version, calls }).collect()
            } else {
                Vec::new()
            },
            promotions,
            lengths,
            failures,
        })
    }
}

/// What rows add up to: by step, by agent, by version.
struct Sums {
    steps: Vec<MetricsStep>,
    created: HashMap<AgentType, CreatedVersions>,
    calls: HashMap<AgentType, CallFigures>,
    versions: BTreeMap<(AgentType, Version), CallFigures>,
    most_active: HashMap<AgentType, (Version, u64)>,
}

impl Sums {
    fn of(
        window: &MetricsWindow,
        is_of_one: bool,
        created: Vec<(AgentType, usize, CreatedVersions)>,
        stored: &[StoredFigures],
    ) -> Self {
        let mut steps: Vec<_> = (0..window.steps())
            .map(|step| MetricsStep {
                begins_at: window.begin_of(step),
                created: CreatedVersions::default(),
                calls: CallFigures::default(),
                versions: Vec::new(),
            })
            .collect();
        let mut by_agent: HashMap<_, CreatedVersions> = HashMap::new();
        for (agent_type, step, count) in created {
            if let Some(step) = steps.get_mut(step) {
                step.created.add(count);
                by_agent.entry(agent_type).or_default().add(count);
            }
        }
        let mut calls: HashMap<_, CallFigures> = HashMap::new();
        let mut versions: BTreeMap<_, CallFigures> = BTreeMap::new();
        let mut of_steps: Vec<BTreeMap<Version, CallFigures>> = vec![BTreeMap::new(); steps.len()];
        for row in stored {
            let Some(step) = window.step_of(row.begins_at) else { continue };
            steps[step].calls.add(&row.figures);
            calls.entry(row.agent_type.clone()).or_default().add(&row.figures);
            versions.entry((row.agent_type.clone(), row.version)).or_default().add(&row.figures);
            if is_of_one {
                of_steps[step].entry(row.version).or_default().add(&row.figures);
            }
        }
        for (step, of_step) in steps.iter_mut().zip(of_steps) {
            step.versions = of_step.into_iter().collect();
        }
        let mut most_active: HashMap<AgentType, (Version, u64)> = HashMap::new();
        for ((agent_type, version), figures) in &versions {
            let most = most_active.entry(agent_type.clone()).or_insert((*version, 0));
            // Of two that are called as often, the higher one.
            if figures.calls >= most.1 {
                *most = (*version, figures.calls);
            }
        }
        Self { steps, created: by_agent, calls, versions, most_active }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn rows_add_up_by_step_agent_and_version() {
        let window = MetricsRange::Day.window(time("2026-03-01T12:34:56Z"));
        let row = |agent: &str, version: &str, at: &str, calls: u64, bucket: usize| {
            let mut buckets = vec![0; BUCKETS];
            buckets[bucket] = calls - 1;
            StoredFigures {
                agent_type: agent.parse().unwrap(),
                version: version.parse().unwrap(),
                begins_at: time(at),
                figures: CallFigures {
                    calls,
                    errors: 1,
                    output_tokens: 10,
                    counted_calls: 5,
                    cost_usd: 0.5,
                    priced_calls: 0,
                    latency_ms_sum: 100.0,
                    latency_buckets: buckets,
                },
            }
        };
        let rows = [
            row("one", "1.0.0", "2026-03-01T12:00:00Z", 10, 20),
            row("one", "1.10.0", "2026-03-01T12:00:00Z", 10, 30),
            row("two", "1.0.0", "2026-03-01T11:00:00Z", 5, 20),
            row("two", "1.0.0", "2026-02-01T11:00:00Z", 5, 20),
        ];
        let patch = CreatedVersions { patches: 2, ..CreatedVersions::default() };
        let sums = Sums::of(&window, true, vec![("one".parse().unwrap(), 23, patch)], &rows);
        let last = &sums.steps[23];
        assert_eq!((last.calls.calls, last.calls.errors, last.versions.len()), (20, 2, 2));
        assert_eq!((sums.steps[22].calls.calls, last.created.total()), (5, 2));
        let one: AgentType = "one".parse().unwrap();
        assert_eq!(sums.most_active[&one], ("1.10.0".parse().unwrap(), 10), "of two, the higher version");
        assert_eq!(sums.calls[&"two".parse::<AgentType>().unwrap()].calls, 5, "what is outside does not count");
        let latency = last.calls.latency().unwrap();
        assert!(latency.p50_ms < latency.p95_ms && (latency.mean_ms - 200.0 / 18.0).abs() < 1e-9);
        assert_eq!((last.calls.mean_output_tokens(), last.calls.mean_cost_usd()), (Some(2.0), None));
        assert_eq!((CallFigures::default().latency(), CallFigures::default().error_rate()), (None, None));
    }
}
