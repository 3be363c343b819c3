//! What this program counts about its own work. Labels are words of closed sets, never object names.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabel {
    write: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabel {
    phase: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// A handle to the program's metrics; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    writes: Family<WriteLabel, Counter>,
    phases: Family<PhaseLabel, Counter>,
    open: Gauge,
    gates: Family<StateLabel, Gauge>,
    probes: Family<VerdictLabel, Gauge>,
    samples: Family<OutcomeLabel, Gauge>,
    passes: Family<OutcomeLabel, Counter>,
    seconds: Histogram,
    unheld: Counter,
    not_governed: Gauge,
    leads: Gauge,
    events_dropped: Counter,
    lag: Gauge<f64, AtomicU64>,
}

impl Metrics {
    /// Registers everything with the process's registry.
    #[must_use]
    pub fn new(registry: &sluice_runtime::metrics::Metrics) -> Self {
        let metrics = Self {
            writes: Family::default(),
            phases: Family::default(),
            open: Gauge::default(),
            gates: Family::default(),
            probes: Family::default(),
            samples: Family::default(),
            passes: Family::default(),
            seconds: Histogram::new([
                0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0,
            ]),
            unheld: Counter::default(),
            not_governed: Gauge::default(),
            leads: Gauge::default(),
            events_dropped: Counter::default(),
            lag: Gauge::default(),
        };
        registry.register(
            "writes",
            "Writes to the API server, by what they do",
            metrics.writes.clone(),
        );
        registry.register(
            "release_phases",
            "Releases that entered a phase",
            metrics.phases.clone(),
        );
        registry.register(
            "releases_open",
            "Releases that have not ended",
            metrics.open.clone(),
        );
        registry.register("gates", "Gates by state", metrics.gates.clone());
        registry.register(
            "probes",
            "Probes by verdict on their own schedule",
            metrics.probes.clone(),
        );
        registry.register(
            "probe_samples",
            "Samples taken since the start, by what they saw",
            metrics.samples.clone(),
        );
        registry.register(
            "passes",
            "Passes over a Deployment, by outcome",
            metrics.passes.clone(),
        );
        registry.register(
            "pass_seconds",
            "Time of a pass over a Deployment",
            metrics.seconds.clone(),
        );
        registry.register(
            "releases_unheld",
            "Releases that slipped by without a hold",
            metrics.unheld.clone(),
        );
        registry.register(
            "workloads_not_governed",
            "Deployments that a gate or a plan matches and nobody judges, because a controller owns them",
            metrics.not_governed.clone(),
        );
        registry.register(
            "leader",
            "1 while this process leads",
            metrics.leads.clone(),
        );
        registry.register(
            "events_dropped",
            "Events not sent because too many waited",
            metrics.events_dropped.clone(),
        );
        registry.register(
            "probe_lag_seconds",
            "How late the probe engine runs",
            metrics.lag.clone(),
        );
        metrics
    }

    /// A write was taken by the API server.
    pub fn wrote(&self, write: &'static str) {
        self.writes.get_or_create(&WriteLabel { write }).inc();
    }

    /// A Release entered a phase.
    pub fn entered(&self, phase: sluice_api::ReleasePhase) {
        let phase = phase.to_string();
        self.phases.get_or_create(&PhaseLabel { phase }).inc();
    }

    /// How many releases are open.
    pub fn open_releases(&self, count: usize) {
        self.open.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many gates are in a state.
    pub fn gates(&self, state: sluice_api::GateState, count: usize) {
        self.gates
            .get_or_create(&StateLabel {
                state: state.as_str(),
            })
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many probes have a verdict.
    pub fn probes(&self, verdict: sluice_api::Verdict, count: usize) {
        self.probes
            .get_or_create(&VerdictLabel {
                verdict: verdict.as_str(),
            })
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// What the probe engine has counted.
    pub fn engine(&self, counts: &sluice_probes::Counts, lag: Duration) {
        let set = |outcome: &'static str, count: u64| {
            self.samples
                .get_or_create(&OutcomeLabel { outcome })
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set("Good", counts.good);
        set("Bad", counts.bad);
        for (why, count) in &counts.blind {
            set(why.as_str(), *count);
        }
        self.lag.set(lag.as_secs_f64());
    }

    /// A pass over a Deployment ended.
    pub fn passed(&self, outcome: &'static str, took: Duration) {
        self.passes.get_or_create(&OutcomeLabel { outcome }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// A release slipped by.
    pub fn slipped_by(&self) {
        self.unheld.inc();
    }

    /// How many Deployments step aside although something guards them.
    pub fn not_governed(&self, count: usize) {
        self.not_governed
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Whether this process leads.
    pub fn leads(&self, leads: bool) {
        self.leads.set(i64::from(leads));
    }

    /// An event was not sent.
    pub fn event_dropped(&self) {
        self.events_dropped.inc();
    }
}
