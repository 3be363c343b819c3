//! The engine: keeps the desired runs going and answers what they prove.
//!
//! [`Engine`] is a cheap handle for callers; [`EngineTask`] is the one loop that starts samples and takes their results in. All state lives in memory
//! behind one lock that is never held across an await.

mod schedule;
mod state;
mod task;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, broadcast},
    time::Instant,
};

pub use self::task::EngineTask;
pub(crate) use self::task::excusable;
use self::{state::State, task::PulseState};
use crate::{
    allow_list::TargetAllowList,
    answer::Answer,
    moment::Moment,
    outcome::Blindness,
    run::{DesiredRuns, RunId},
    sample::Prober,
    validate::TargetRules,
};

/// How many changed verdicts a slow reader of [`Engine::changes`] may fall behind.
const CHANGES: usize = 8192;

/// What the engine needs to know once.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Whom probes may ask.
    pub allow: TargetAllowList,
    /// The HTTP proxy for http checks, such as `http://127.0.0.1:3128`; `None` asks directly. Environment variables are never read.
    /// Prometheus sources are always asked directly.
    pub http_proxy: Option<String>,
    /// The Prometheus servers that checks name as their source.
    pub prometheus: BTreeMap<String, PrometheusSource>,
    /// How many samples may be on their way at once; at least 1.
    pub max_in_flight: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            allow: TargetAllowList::default(),
            http_proxy: None,
            prometheus: BTreeMap::new(),
            // far below the usual limit of 1,024 open files, far above what healthy targets keep busy
            max_in_flight: 256,
        }
    }
}

impl EngineOptions {
    /// The rules for [`crate::validate()`] that follow from these options.
    #[must_use]
    pub fn rules(&self) -> TargetRules {
        TargetRules {
            allow: self.allow.clone(),
            sources: Some(self.prometheus.keys().cloned().collect()),
        }
    }
}

/// One Prometheus server, or whatever speaks its query API.
#[derive(Clone, Debug)]
pub struct PrometheusSource {
    /// Its base URL, such as `http://prometheus.monitoring.svc:9090`.
    pub url: String,
    /// The longest one query may take; the shorter of this and the probe's own timeout counts.
    pub timeout: Duration,
    /// Sent as `Authorization: Bearer`.
    pub bearer_token: Option<BearerToken>,
}

/// Where a bearer token comes from.
#[derive(Clone)]
pub enum BearerToken {
    /// It is this one.
    Given(String),
    /// Whatever this file says when it is needed: tokens that are mounted into pods are replaced every hour.
    File(PathBuf),
}

impl std::fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Why an engine cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No sample could ever start.
    #[error("max in flight is 0: at least 1 sample must be allowed")]
    NothingInFlight,
    /// The proxy setting is no plain HTTP proxy.
    #[error(
        "`{found}` is not a proxy for probes: use http://HOST:PORT without user, path or query"
    )]
    Proxy {
        /// The setting, without credentials.
        found: String,
    },
    /// A Prometheus source cannot be used.
    #[error("prometheus source `{name}`: {problem}")]
    Source {
        /// Its name.
        name: String,
        /// What is wrong with it, and what would do.
        problem: String,
    },
    /// The HTTP client for Prometheus could not be made.
    #[error("cannot make the http client for prometheus")]
    Client(#[source] reqwest::Error),
}

/// A handle on the probe engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    prober: Arc<Prober>,
    /// Tells the task that a sample may have become due earlier than it thinks.
    wake: Notify,
    changes: broadcast::Sender<RunId>,
    pulse: Mutex<PulseState>,
    max_in_flight: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // no code that holds the lock leaves the state half changed, so it is good after a panic elsewhere
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pulse(&self) -> MutexGuard<'_, PulseState> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, changed: impl IntoIterator<Item = RunId>) {
        for run in changed {
            // nobody listening is fine: verdicts are read, changes only wake
            let _ = self.changes.send(run);
        }
    }
}

/// The heartbeat of the scheduling loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pulse {
    /// When the loop last ticked on schedule; `None` before its first tick.
    pub at: Option<Moment>,
    /// How late its last tick was.
    pub lag: Duration,
}

impl Pulse {
    /// A loop that did not tick on schedule for this long is not probing.
    pub const MISSED_AFTER: Duration = Duration::from_secs(2);

    /// Whether samples are being taken on schedule at `now`. Whoever publishes a heartbeat does so only then.
    #[must_use]
    pub fn is_healthy(&self, now: Moment) -> bool {
        self.at
            .is_some_and(|at| now.since(&at) <= Self::MISSED_AFTER)
    }
}

/// What the engine did so far and has to do now, for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Samples that saw what was expected.
    pub good: u64,
    /// Samples that saw something else.
    pub bad: u64,
    /// Samples that could not look, by reason.
    pub blind: BTreeMap<Blindness, u64>,
    /// Runs at present.
    pub runs: usize,
    /// Their targets.
    pub targets: usize,
    /// Samples on their way.
    pub in_flight: usize,
}

impl Engine {
    /// An engine without runs, and the task that keeps it going. Until [`EngineTask::run`] is polled every answer is `Unknown`.
    ///
    /// # Errors
    /// Options that cannot work.
    pub fn new(options: EngineOptions) -> Result<(Self, EngineTask), EngineError> {
        if options.max_in_flight == 0 {
            return Err(EngineError::NothingInFlight);
        }
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(Instant::now())),
            max_in_flight: options.max_in_flight,
            prober: Arc::new(Prober::new(options)?),
            wake: Notify::new(),
            changes: broadcast::channel(CHANGES).0,
            pulse: Mutex::new(PulseState::default()),
        });
        let engine = Self {
            shared: Arc::clone(&shared),
        };
        Ok((engine, EngineTask::new(shared)))
    }

    /// Makes `desired` the full set of runs. Runs that are the same go on undisturbed; a run whose pods changed keeps the state of the pods that stay;
    /// any other change starts it again from `Unknown`; what is not desired ends. The first samples of new targets start at once, spread so that
    /// thousands of them do not bunch.
    pub fn apply(&self, desired: DesiredRuns) {
        let changed = self
            .shared
            .state()
            .apply(desired, &self.shared.prober, Moment::now());
        self.shared.wake.notify_one();
        self.shared.announce(changed);
    }

    /// What `run` proves now, staleness included. A run that does not exist is `Unknown`.
    #[must_use]
    pub fn answer(&self, run: &RunId) -> Answer {
        self.shared.state().answer(run, Moment::now())
    }

    /// The ids of runs whose verdict changed, from now on. A hint to look, never the news itself: read [`Engine::answer`], and read all of them after
    /// `Lagged`. A run that disappears announces nothing.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<RunId> {
        self.shared.changes.subscribe()
    }

    /// Starts the next sample of every target of `run` now; where one is on its way, right after it. Unknown runs are ignored.
    pub fn trigger(&self, run: &RunId) {
        if self.shared.state().trigger(run, Instant::now()) {
            self.shared.wake.notify_one();
        }
    }

    /// The heartbeat of the scheduling loop.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.shared.pulse().pulse()
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.state().counts()
    }
}
