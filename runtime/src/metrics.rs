//! The metrics registry of a process, `sluice_` in front of every name, and its rendering as OpenMetrics text.
//!
//! Labels are bounded by code: enums, resource names, status codes; never object names or error texts.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Metric, Registry},
};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A handle to the one registry of the process; clones share it.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    requests: RequestMetrics,
}

/// What is counted of our own requests to the API server: one per try, as its audit log sees them.
#[derive(Clone, Debug)]
pub(crate) struct RequestMetrics {
    pub(crate) total: Family<RequestLabels, Counter>,
    pub(crate) seconds: Family<VerbLabel, Histogram, fn() -> Histogram>,
}

/// One of our own requests: bounded by the verbs, the resources this code names, and the status codes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) verb: &'static str,
    pub(crate) resource: String,
    pub(crate) code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct VerbLabel {
    pub(crate) verb: &'static str,
}

fn request_buckets() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ])
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// An empty registry with the request metrics of our own client in it.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self {
            registry: Arc::new(Mutex::new(Registry::with_prefix("sluice"))),
            requests: RequestMetrics {
                total: Family::default(),
                seconds: Family::new_with_constructor(request_buckets),
            },
        };
        metrics.register(
            "api_requests",
            "Requests of this process to the API server, by verb, resource and status code (error: no answer, timeout: none in time)",
            metrics.requests.total.clone(),
        );
        metrics.register(
            "api_request_seconds",
            "Time from sending a request to the API server to the head of its answer; watches not included",
            metrics.requests.seconds.clone(),
        );
        metrics
    }

    /// Registers one metric. `name` comes without prefix and, for counters, without `_total`: both are added.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.with_registry(|registry| registry.register(name, help, metric));
    }

    /// Runs `work` on the registry, for collectors and units.
    pub fn with_registry<T>(&self, work: impl FnOnce(&mut Registry) -> T) -> T {
        // a panic while registering leaves the registry readable
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut registry)
    }

    /// Everything registered, as OpenMetrics text.
    #[must_use]
    pub fn render(&self) -> String {
        self.with_registry(|registry| {
            let mut text = String::with_capacity(16 * 1024);
            match text::encode(&mut text, registry) {
                Ok(()) => text,
                // only a formatter that refuses to write can fail, and a String takes everything
                Err(error) => format!("# not rendered: {error}\n# EOF\n"),
            }
        })
    }

    pub(crate) fn requests(&self) -> &RequestMetrics {
        &self.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_what_was_registered_under_our_prefix() {
        let metrics = Metrics::new();
        let counter = Counter::<u64>::default();
        metrics.register("gates_judged", "Gates judged", counter.clone());
        counter.inc_by(3);
        let text = metrics.render();
        assert!(text.contains("sluice_gates_judged_total 3"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
