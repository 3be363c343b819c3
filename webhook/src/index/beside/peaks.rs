//! The most memory that containers were seen to use, asked of a Prometheus server in the background while a rule in use needs it.
//!
//! Decides: the query, what is kept of its answer, and for how long it counts. Leaves to others: whose a pod is (`sluice_policies::facts::ObservedPeak`).
//! What was not observed, or longer ago than three intervals, is not known, and the reason is told. One answer at a time is in memory, of bounded size;
//! of it one amount is kept for each container of a workload.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use sluice_policies::{FactKind, facts::ObservedPeak};
use sluice_probes::{PrometheusServer, Series};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{judge::Knowledge, metrics::AdmissionMetrics};

/// The metric of the kubelet: what the kernel cannot take back, by which containers are killed.
const METRIC: &str = "container_memory_working_set_bytes";
/// The longest answer that is read: about a hundred thousand pods.
const LONGEST: usize = 16 * 1024 * 1024;
/// How many intervals an answer counts.
const COUNTS: u32 = 3;
/// Pause after an answer that was none.
const AGAIN: Duration = Duration::from_secs(30);
/// The name of the cache in metrics.
const CACHE: &str = "observed peaks";

/// What was observed, and why not more.
#[derive(Debug)]
pub struct Observed {
    by_namespace: BTreeMap<String, Vec<ObservedPeak>>,
    missing: String,
}

impl Observed {
    fn nothing(missing: impl Into<String>) -> Self {
        Self {
            by_namespace: BTreeMap::new(),
            missing: missing.into(),
        }
    }

    /// From the series of an answer.
    fn of(source: &str, window: &str, series: Vec<Series>) -> Self {
        let mut by_namespace: BTreeMap<String, Vec<ObservedPeak>> = BTreeMap::new();
        for (labels, bytes) in series {
            let label = |name: &str| labels.get(name).map(String::as_str).unwrap_or_default();
            let peak = ObservedPeak::of_pod(label("pod"), label("container"), bytes);
            if let Some(peak) = peak {
                peak.put(
                    by_namespace
                        .entry(label("namespace").to_owned())
                        .or_default(),
                );
            }
        }
        let missing = if by_namespace.is_empty() {
            format!("prometheus {source} knows no {METRIC} of any workload")
        } else {
            format!("prometheus {source} has not seen it in {window}")
        };
        Self {
            by_namespace,
            missing,
        }
    }

    /// The peaks of a namespace, sorted, and why others are not known.
    #[must_use]
    pub fn of_namespace(&self, namespace: &str) -> (&[ObservedPeak], &str) {
        let peaks = self.by_namespace.get(namespace);
        (peaks.map(Vec::as_slice).unwrap_or_default(), &self.missing)
    }

    fn len(&self) -> usize {
        self.by_namespace.values().map(Vec::len).sum()
    }
}

/// Where it is kept. Readers never wait.
#[derive(Debug)]
pub struct Peaks(ArcSwap<Observed>);

impl Default for Peaks {
    fn default() -> Self {
        let nothing = Observed::nothing("no prometheus server is configured for it");
        Self(ArcSwap::from_pointee(nothing))
    }
}

impl Peaks {
    /// What is known now.
    #[must_use]
    pub fn now(&self) -> Arc<Observed> {
        self.0.load_full()
    }

    #[cfg(test)]
    pub(super) fn put(&self, namespace: &str, peaks: Vec<ObservedPeak>) {
        self.0.store(Arc::new(Observed {
            by_namespace: BTreeMap::from([(namespace.to_owned(), peaks)]),
            missing: String::new(),
        }));
    }
}

/// Asks a Prometheus server.
pub struct Observer {
    /// The server.
    pub server: PrometheusServer,
    /// Its name in the configuration.
    pub source: String,
    /// How far back.
    pub window: sluice_api::Duration,
    /// How often.
    pub interval: Duration,
    /// Further matchers of the metric.
    pub matchers: String,
    /// Where the answer is kept.
    pub knowledge: Arc<Knowledge>,
    /// What is counted.
    pub metrics: AdmissionMetrics,
}

impl Observer {
    /// Asks while a rule in use needs it, until `until`.
    ///
    /// # Errors
    /// None: an answer that is none is told to whoever asks for a peak.
    pub async fn run(self, until: CancellationToken) -> Result<(), Infallible> {
        let needed = self.knowledge.indexes.beside.needed();
        tokio::select! {
            () = until.cancelled() => {}
            () = self.observe(needed) => until.cancelled().await,
        }
        Ok(())
    }

    async fn observe(&self, mut needed: watch::Receiver<std::collections::BTreeSet<FactKind>>) {
        let kept = &self.knowledge.indexes.beside.peaks;
        let kind = FactKind::ObservedPeaks;
        let query = query(&self.matchers, self.window.get().as_secs());
        while needed.wait_for(|kinds| kinds.contains(&kind)).await.is_ok() {
            let asking = self.ask(kept, &query);
            tokio::select! {
                () = asking => {}
                _ = needed.wait_for(|kinds| !kinds.contains(&kind)) => {}
            }
            kept.0
                .store(Arc::new(Observed::nothing("prometheus was not asked yet")));
            self.metrics.cache(CACHE, 0);
        }
    }

    async fn ask(&self, kept: &Peaks, query: &str) {
        let counts = self.interval * COUNTS;
        let mut answered: Option<Instant> = None;
        let mut failing = false;
        loop {
            let asked = Instant::now();
            let pause = match self.server.vector(query, LONGEST).await {
                Ok(series) => {
                    let observed = Observed::of(&self.source, &self.window.to_string(), series);
                    if failing || answered.is_none() {
                        tracing::info!(
                            source = self.source,
                            peaks = observed.len(),
                            "memory in use is known"
                        );
                    }
                    self.metrics.cache(CACHE, observed.len());
                    kept.0.store(Arc::new(observed));
                    (answered, failing) = (Some(asked), false);
                    self.interval
                }
                Err(why) => {
                    self.metrics.watch_error(CACHE);
                    if !failing {
                        tracing::warn!(source = self.source, why, "memory in use cannot be asked");
                        failing = true;
                    }
                    if answered.is_none_or(|at| at.elapsed() >= counts) {
                        let missing = format!("prometheus {}: {why}", self.source);
                        kept.0.store(Arc::new(Observed::nothing(missing)));
                        self.metrics.cache(CACHE, 0);
                    }
                    AGAIN.min(self.interval)
                }
            };
            tokio::time::sleep(pause).await;
        }
    }
}

/// One series for each container of each pod: pods of the same workload are put together here, where their names are understood.
fn query(matchers: &str, seconds: u64) -> String {
    let more = if matchers.is_empty() {
        String::new()
    } else {
        format!(",{matchers}")
    };
    format!(
        "max by (namespace, pod, container) (max_over_time({METRIC}{{container!=\"\",container!=\"POD\"{more}}}[{}s]))",
        seconds.max(1)
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const MI: f64 = 1_048_576.0;

    fn series(namespace: &str, pod: &str, mebibytes: f64) -> Series {
        let labels = [
            ("namespace", namespace),
            ("pod", pod),
            ("container", "main"),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        (HashMap::from(labels), mebibytes * MI)
    }

    #[test]
    fn pods_of_a_workload_count_together_and_each_namespace_by_itself() {
        let observed = Observed::of(
            "main",
            "7d",
            vec![
                series("shop", "checkout-7d9f8b6c5d-x2v4q", 300.0),
                series("shop", "checkout-6c5d7d9f8b-zzzzz", 420.0),
                series("shop", "by-hand", 900.0),
                series("other", "db-0", 10.0),
                (HashMap::new(), 5.0),
            ],
        );
        let (peaks, missing) = observed.of_namespace("shop");
        assert_eq!((peaks.len(), peaks[0].workload.as_str()), (1, "checkout"));
        assert_eq!(peaks[0].memory, "420Mi".parse().unwrap());
        assert_eq!(missing, "prometheus main has not seen it in 7d");
        assert_eq!(observed.of_namespace("other").0.len(), 1);
        assert_eq!(observed.of_namespace("third").0, []);
        let none = Observed::of("main", "7d", Vec::new());
        assert!(
            none.of_namespace("shop")
                .1
                .contains("knows no container_memory_working_set_bytes")
        );
    }

    #[test]
    fn the_query_takes_further_matchers() {
        assert_eq!(
            query("cluster=\"prod\"", 3600),
            "max by (namespace, pod, container) (max_over_time(container_memory_working_set_bytes{container!=\"\",container!=\"POD\",cluster=\"prod\"}[3600s]))"
        );
        assert!(query("", 0).ends_with("container!=\"POD\"}[1s]))"));
    }
}
