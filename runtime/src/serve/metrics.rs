//! Connections by how they ended.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};

use crate::metrics::Metrics;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Counts connections by outcome: served, drained, unused, no_certificate, handshake_failed, handshake_timeout, header_timeout, request_timeout,
/// broken, accept_failed, panicked. The default counts without showing.
#[derive(Clone, Debug, Default)]
pub struct ServeMetrics {
    connections: Family<Outcome, Counter>,
}

impl ServeMetrics {
    /// Registers `sluice_connections_total`.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let new = Self::default();
        metrics.register(
            "connections",
            "Connections to the server by how they ended",
            new.connections.clone(),
        );
        new
    }

    /// How many connections ended this way.
    #[must_use]
    pub fn ended(&self, outcome: &'static str) -> u64 {
        self.connections.get_or_create(&Outcome { outcome }).get()
    }

    pub(super) fn count(&self, outcome: &'static str) {
        self.connections.get_or_create(&Outcome { outcome }).inc();
    }
}
