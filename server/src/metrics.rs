//! What is counted, as Prometheus reads it at `/metrics`.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use agents::CallRecorder;
use axum::extract::MatchedPath;
use http::{Method, StatusCode};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric, LabelValueEncoder},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
    },
    registry::Registry,
};
use sqlx::PgPool;
use versioning::Services;

/// What requests are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: Route,
    status: u16,
}

/// The pattern, not the path, so that there are few. It is shared with the router, because this is made for every request.
#[derive(Debug, Clone)]
struct Route(Option<MatchedPath>);

impl Route {
    fn as_str(&self) -> &str {
        self.0.as_ref().map_or("none", MatchedPath::as_str)
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}

/// What this process counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
}

impl Metrics {
    /// Counters at zero.
    pub fn new(services: Services, pool: PgPool, calls: Arc<CallRecorder>) -> Self {
        let mut registry = Registry::with_prefix("verbatim");
        let requests = Family::default();
        registry.register("http_requests", "Requests by method, route and status", requests.clone());
        registry.register_collector(Box::new(Collected { services, pool, calls }));
        Self { registry, requests }
    }

    /// What counts the requests that were answered so, by a route if there was one.
    pub fn requests(&self, method: &Method, route: Option<MatchedPath>, status: StatusCode) -> Counter {
        let labels = RequestLabels { method: known_method(method), route: Route(route), status: status.as_u16() };
        self.requests.get_or_create_owned(&labels)
    }

    /// The text that Prometheus reads (OpenMetrics 1.0).
    ///
    /// # Errors
    /// Never for a text in memory; the encoder's signature allows for others.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A client may send any word as a method; a label must not grow without bound.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// What the services and the pool count themselves, read when somebody asks.
#[derive(Debug)]
struct Collected {
    services: Services,
    pool: PgPool,
    calls: Arc<CallRecorder>,
}

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let counters = self.services.loading.counters();
        let changes = self.services.management.counters();
        let calls = self.calls.counters();
        for (name, help, value) in [
            ("versions_created", "Versions created through this node", changes.versions_created),
            ("promotions", "Versions that went live through this node", changes.promotions),
            ("prompt_cache_hits", "Active prompts served from memory", counters.hits),
            ("prompt_cache_misses", "Active prompts that waited for the database", counters.misses),
            ("prompt_cache_stale", "Last known prompts served while the database was away", counters.stale),
            ("prompt_cache_invalidations", "Cached prompts dropped before their time", counters.invalidations),
            ("agent_calls_recorded", "Calls of agents that are in the database", calls.recorded),
            ("agent_calls_dropped", "Calls of agents that were not recorded because too many waited", calls.dropped),
        ] {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let size = i64::from(self.pool.size());
        let idle = i64::try_from(self.pool.num_idle()).unwrap_or(i64::MAX);
        let waiting = i64::try_from(calls.waiting).unwrap_or(i64::MAX);
        for (name, help, value) in [
            ("agent_calls_waiting", "Calls of agents that are about to be recorded", waiting),
            ("db_pool_connections", "Connections to the database that are open", size),
            ("db_pool_connections_in_use", "Connections to the database that are in use", size - idle),
            (
                "db_pool_connections_max",
                "Connections to the database that may be open",
                i64::from(self.pool.options().get_max_connections()),
            ),
        ] {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}
