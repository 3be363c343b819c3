//! What the engine is asked to do: which check, of whom, how often.

use std::{fmt, net::IpAddr, time::Duration};

use jiff::Timestamp;
use sluice_api::{HttpCheck, ProbeSpec, PrometheusCheck, probe::VerdictRule};

/// Names one run of a probe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The probe, `namespace/name`.
    pub probe: String,
    /// What it runs for: empty for runs on the probe's own interval, else the release or component, as the caller likes.
    pub context: String,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.context.is_empty() {
            f.write_str(&self.probe)
        } else {
            write!(f, "{} for {}", self.probe, self.context)
        }
    }
}

/// How to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// By an HTTP request.
    Http(HttpCheck),
    /// By a PromQL query.
    Prometheus(PrometheusCheck),
}

impl Check {
    /// The check of a probe; `None` unless exactly one is set, which the schema and [`crate::validate()`] refuse.
    #[must_use]
    pub fn of(spec: &ProbeSpec) -> Option<Self> {
        match (&spec.http, &spec.prometheus) {
            (Some(http), None) => Some(Self::Http(http.clone())),
            (None, Some(prometheus)) => Some(Self::Prometheus(prometheus.clone())),
            _ => None,
        }
    }
}

/// One run that should exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its name; unique among the desired runs.
    pub id: RunId,
    /// How to ask.
    pub check: Check,
    /// Time between the starts of two samples of one target.
    pub interval: Duration,
    /// Time one sample may take.
    pub timeout: Duration,
    /// How many samples make a verdict.
    pub rule: VerdictRule,
    /// Whom to ask.
    pub targets: Targets,
}

/// Whom a run asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// One absolute URL.
    Url(String),
    /// Every one of these pods by its own address. Without pods the run is `Unknown`.
    Pods(Vec<PodTarget>),
    /// A Prometheus; the hashes fill the query's placeholders.
    Query {
        /// The pod-template-hash of the version that is being released.
        canary_hash: Option<String>,
        /// The pod-template-hash of the version to which a rollback would return.
        stable_hash: Option<String>,
    },
}

/// One pod as the caller last saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodTarget {
    /// Its name. Together with the address it tells pods apart: a pod that changes either starts again from `Unknown`.
    pub name: String,
    /// Its address, once it has one.
    pub ip: Option<IpAddr>,
    /// Whether it is ready. A pod that this run never saw ready is still starting: it is not asked, and it is `Unknown`.
    /// Once seen ready it is asked for as long as it exists, so that one which breaks later is a `Fail`.
    pub ready: bool,
    /// When it started, if it has.
    pub started: Option<Timestamp>,
}

/// Everything that should run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredRuns {
    /// The runs, each with an id of its own; of two with the same id the last one counts.
    pub runs: Vec<Run>,
}

impl From<Vec<Run>> for DesiredRuns {
    fn from(runs: Vec<Run>) -> Self {
        Self { runs }
    }
}

impl FromIterator<Run> for DesiredRuns {
    fn from_iter<I: IntoIterator<Item = Run>>(runs: I) -> Self {
        Self {
            runs: runs.into_iter().collect(),
        }
    }
}
