//! What is asked of this replica when its metrics are read: whether it is ready, whether the heartbeat it sees is fresh, until when its certificate is valid.
//! Read at that moment, so that nothing has to be kept up to date.

use std::{fmt, sync::Arc, time::Instant};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
};
use sluice_certs::Loaded;
use sluice_runtime::{admin::Readiness, metrics::Metrics};
use tokio::sync::watch;

use crate::judge::Knowledge;

/// Whom to ask.
pub struct Vitals {
    /// The conditions of readiness.
    pub readiness: Readiness,
    /// Ages the heartbeat.
    pub knowledge: Arc<Knowledge>,
    /// The certificate that is served.
    pub certificate: watch::Receiver<Option<Loaded>>,
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vitals")
    }
}

impl Vitals {
    /// Adds them to the metrics of the process.
    pub fn register(self, metrics: &Metrics) {
        metrics.with_registry(|registry| registry.register_collector(Box::new(self)));
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

impl Collector for Vitals {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        gauge(
            &mut encoder,
            "webhook_ready",
            "1 while this replica of the webhook is ready",
            self.readiness.ready().into(),
        )?;
        let fresh = self.knowledge.indexes.heartbeat_fresh(Instant::now());
        gauge(
            &mut encoder,
            "heartbeat_fresh",
            "1 while what the probe engine says counts as proof here",
            fresh.into(),
        )?;
        if let Some(loaded) = *self.certificate.borrow() {
            gauge(
                &mut encoder,
                "certificate_expiry_timestamp_seconds",
                "When the serving certificate ends",
                loaded.not_after.as_second(),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn says_how_this_replica_is_when_it_is_asked() {
        let metrics = Metrics::new();
        let readiness = Readiness::new();
        let condition = readiness.condition("caches");
        let (loaded, certificate) = watch::channel(None);
        Vitals {
            readiness,
            knowledge: crate::fixtures::Cluster::unknown().0,
            certificate,
        }
        .register(&metrics);
        let line = |name: &str| {
            let text = metrics.render();
            text.lines()
                .find_map(|line| line.strip_prefix(&format!("sluice_{name} ")))
                .map(str::to_owned)
        };
        assert_eq!(line("webhook_ready").as_deref(), Some("0"));
        assert_eq!(line("heartbeat_fresh").as_deref(), Some("0"));
        assert_eq!(line("certificate_expiry_timestamp_seconds"), None);
        condition.set();
        loaded.send_replace(Some(Loaded {
            not_after: Timestamp::from_second(1_800_000_000).unwrap(),
            count: 1,
        }));
        assert_eq!(line("webhook_ready").as_deref(), Some("1"));
        assert_eq!(
            line("certificate_expiry_timestamp_seconds").as_deref(),
            Some("1800000000")
        );
    }
}
