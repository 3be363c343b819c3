//! The loop that turns answers of the probe engine into the state of gates and probes, and keeps every condition of our objects current.
//!
//! One pass: if something changed, work out the runs that must exist and hand them to the engine; judge every gate and probe; write what differs from
//! what is stored. Once a second it runs anyway, because a pass goes stale without an event.
//!
//! A gate that shall not be open any more and could not be written so is not forgotten: until it is, [`Judge::sound_at`] stands still, the heartbeat
//! stops, and every reader takes every gate for unknown.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use sluice_api::{GateState, Probe, Release, ReleasePhase, Verdict};
use sluice_policies::ExceptionBounds;
use sluice_probes::{Answer, DesiredRuns, Engine, RunId, TargetRules};
use tokio::{
    sync::{Notify, broadcast},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    attempts::Attempts,
    desired::{self, Desired, Scene},
    references::Probes,
    statuses,
    storing::{Due, Written},
};
use crate::{
    cache::{Caches, is_finished, table::Key},
    exceptions::{self, usage::Usage},
    execute::Executor,
    metrics::Metrics,
    queue::Queue,
    validate::{self, Acceptance},
};

mod gate_states;

/// How long after an event the runs are worked out again at the latest; many events make one pass.
const GATHER: Duration = Duration::from_millis(50);
/// How often everything is judged without an event.
const TICK: Duration = Duration::from_secs(1);
/// How often the runs are worked out without an event: whatever was missed between two events is missed no longer than this.
const ANEW: Duration = Duration::from_secs(10);
/// Status writes on their way at once.
const WRITES: usize = 8;

/// What the loop shares with the rest of the program.
pub struct Judge {
    caches: Arc<Caches>,
    engine: Engine,
    rules: TargetRules,
    system: String,
    bounds: ExceptionBounds,
    usage: Arc<Usage>,
    attempts: Attempts,
    desired: ArcSwap<Desired>,
    acceptance: Mutex<Acceptance>,
    /// Objects changed: the runs must be worked out again.
    changed: Notify,
    /// A verdict changed: judge now.
    verdict: Notify,
    /// Gates, plans, probes or modes changed: every Deployment with something under way looks again.
    rules_changed: AtomicBool,
    sound_at: Mutex<Option<Instant>>,
    metrics: Metrics,
}

impl Judge {
    /// A judge over these tables and this engine.
    #[must_use]
    pub fn new(
        caches: Arc<Caches>,
        engine: Engine,
        rules: TargetRules,
        system: String,
        bounds: ExceptionBounds,
        usage: Arc<Usage>,
        metrics: Metrics,
    ) -> Self {
        Self {
            caches,
            engine,
            rules,
            system,
            bounds,
            usage,
            attempts: Attempts::default(),
            desired: ArcSwap::default(),
            acceptance: Mutex::default(),
            changed: Notify::new(),
            verdict: Notify::new(),
            rules_changed: AtomicBool::new(false),
            sound_at: Mutex::default(),
            metrics,
        }
    }

    /// Something changed that decides which runs exist, or what an object of ours says.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// A gate refused a release: its probes are asked at once.
    pub fn attempted(&self, gate: Key) {
        if self.caches.gates.get(&gate).is_some() {
            self.attempts.note(gate, Instant::now());
            self.changed.notify_one();
        }
    }

    /// Like [`Self::wake`], and whoever has a release under way looks again: what it goes by has changed.
    pub fn wake_all(&self) {
        self.rules_changed.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// The probes as of the last time that the runs were worked out.
    #[must_use]
    pub fn probes(&self) -> Arc<Probes> {
        self.desired.load().known.clone()
    }

    /// Whether any run asks the pods of the workload with this uid by address.
    #[must_use]
    pub fn asks_pods_of(&self, uid: &str) -> bool {
        self.desired.load().asked.contains(uid)
    }

    fn wake_active(&self, queue: &Queue, which: impl Fn(&Release) -> bool) {
        for (key, release) in self.caches.releases.all() {
            if !is_finished(&release) && which(&release) {
                queue.add(Key::new(key.namespace, release.spec.workload.name.clone()));
            }
        }
        for (key, row) in self.caches.deployments.all() {
            if row.marked {
                queue.add(key);
            }
        }
    }

    /// When everything that was judged was also stored, at least as far as it closes something.
    #[must_use]
    pub fn sound_at(&self) -> Option<Instant> {
        *self.sound_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_sound(&self, at: Option<Instant>) {
        *self.sound_at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Why a probe cannot work; `None` when it can.
    #[must_use]
    pub fn problem(&self, key: &Key, probe: &Probe) -> Option<String> {
        self.acceptance().probe(key, probe, &self.rules)
    }

    fn acceptance(&self) -> std::sync::MutexGuard<'_, Acceptance> {
        self.acceptance
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes verdict changes on: to the Deployment whose release they decide, at once, and to this loop.
    ///
    /// # Errors
    /// Never; ends with `drain`.
    pub async fn route(
        &self,
        mut changes: broadcast::Receiver<RunId>,
        queue: &Queue,
        drain: CancellationToken,
    ) {
        loop {
            let change = tokio::select! {
                () = drain.cancelled() => return,
                change = changes.recv() => change,
            };
            let desired = self.desired.load();
            match change {
                Ok(run) => {
                    if let Some(readers) = desired.readers.get(&run) {
                        if let Some(deployment) = &readers.deployment {
                            queue.add_urgent(deployment.clone());
                        }
                        if !readers.gates.is_empty() {
                            self.wake_active(queue, waits_at_a_gate);
                        }
                        if readers.own || !readers.gates.is_empty() {
                            self.verdict.notify_one();
                        }
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    for readers in desired.readers.values() {
                        if let Some(deployment) = &readers.deployment {
                            queue.add_urgent(deployment.clone());
                        }
                    }
                    self.wake_active(queue, waits_at_a_gate);
                    self.verdict.notify_one();
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    /// Judges and writes until `drain`. Does nothing, and keeps the engine empty, while this process does not lead.
    pub async fn run(&self, executor: &Executor, queue: &Queue, drain: CancellationToken) {
        let mut led = false;
        let mut due = true;
        let mut written = Written::default();
        let mut worked_out = Instant::now();
        loop {
            let leads = executor.leads() && self.caches.unsynced().is_empty();
            if leads {
                due |= !led || worked_out.elapsed() > ANEW;
                if due {
                    worked_out = Instant::now();
                    self.work_out();
                    if self.rules_changed.swap(false, Ordering::AcqRel) || !led {
                        self.wake_active(queue, |_| true);
                    }
                }
                let begun = Instant::now();
                if self.store(executor, &mut written, due).await {
                    self.set_sound(Some(begun));
                }
            } else if led {
                self.engine.apply(DesiredRuns::default());
                self.desired.store(Arc::default());
                self.set_sound(None);
                written = Written::default();
            }
            led = leads;
            due = tokio::select! {
                () = drain.cancelled() => return,
                () = self.changed.notified() => {
                    tokio::time::sleep(GATHER).await;
                    true
                }
                () = self.verdict.notified() => false,
                () = tokio::time::sleep(TICK) => false,
            };
        }
    }

    fn work_out(&self) {
        let probes = Arc::new(Probes::new(self.caches.probes.all(), &self.system));
        let gates = self.caches.gates.all();
        let plans = self.caches.plans.all();
        let deployments = self.caches.deployments.all();
        let gated = self.caches.gated();
        let now = Instant::now();
        let mut desired = desired::desired(&Scene {
            system: &self.system,
            probes: &probes,
            refused: &|key, probe| self.problem(key, probe),
            gates: &gates,
            plans: &plans,
            deployments: &deployments,
            gated: &gated,
            releases: &|uid| self.caches.releases.of(uid),
            replica_sets: &|uid| self.caches.replica_sets.of(uid),
            pods: &|uid| self.caches.pods.of(uid),
            attempted: &|gate| self.attempts.recent(gate, now),
        });
        desired.known = probes;
        let runs = std::mem::take(&mut desired.runs);
        // readers first: a verdict that changes right away must find whom to tell
        self.desired.store(Arc::new(desired));
        self.engine.apply(DesiredRuns { runs });
        let desired = self.desired.load();
        for gate in self.attempts.unasked(now) {
            self.ask(&desired, &gate);
        }
    }

    /// Judges everything and writes what differs from what is stored. `true` when nothing is left that should be more closed than it is stored.
    async fn store(&self, executor: &Executor, written: &mut Written, everything: bool) -> bool {
        let now = Timestamp::now();
        let desired = self.desired.load_full();
        let mut due = Vec::new();
        let mut states = BTreeMap::from([
            (GateState::Open.as_str(), 0),
            (GateState::Closed.as_str(), 0),
            (GateState::Unknown.as_str(), 0),
        ]);
        for (key, object) in self.caches.gates.all() {
            let (state, reasons) = self.judge(&key, &object, &desired, now);
            *states.entry(state.as_str()).or_default() += 1;
            let problem = self.acceptance().gate(&key, &object);
            let status = statuses::gate(&object, state, reasons, problem.as_deref(), now);
            let words = statuses::words(&status);
            let known = written.gates.get(&key);
            if statuses::gate_differs(object.status.as_ref(), &status)
                || known.is_some_and(|known| *known != words)
            {
                let closes = state != GateState::Open
                    && object
                        .status
                        .as_ref()
                        .is_some_and(|stored| stored.state == GateState::Open);
                due.push(Due::Gate {
                    key,
                    object,
                    status,
                    words,
                    closes,
                });
            } else if known.is_none() {
                written.gates.insert(key, words);
            }
        }
        let mut verdicts = BTreeMap::new();
        for (key, object) in self.caches.probes.all() {
            let problem = self.problem(&key, &object);
            let answer = match (&problem, desired.probes.get(&key)) {
                (Some(problem), _) => Answer::unknown(problem.clone()),
                (None, Some(runs)) => self.together(runs),
                (None, None) => Answer::unknown("it runs while a release names it"),
            };
            *verdicts.entry(answer.verdict).or_default() += 1;
            let status = statuses::probe(&object, &answer, problem.as_deref(), now);
            if statuses::probe_differs(object.status.as_ref(), &status) {
                due.push(Due::Probe { object, status });
            }
        }
        if everything {
            let plans = self.caches.plans.all();
            let deployments = self.caches.deployments.all();
            let losers = validate::conflicts(
                deployments.iter().map(|(key, row)| (key, row.as_ref())),
                &plans,
                &self.system,
            );
            for (key, object) in plans {
                let problem = self.acceptance().plan(&key, &object);
                let winner = losers.get(&key).map(String::as_str);
                let status = statuses::plan(&object, problem.as_deref(), winner, now);
                if object.status.as_ref() != Some(&status) {
                    due.push(Due::Plan { object, status });
                }
            }
            for (key, object) in self.caches.policies.all() {
                let problem = self.acceptance().policy(&key, &object);
                let status = statuses::policy(&object, problem.as_deref(), now);
                if object.status.as_ref() != Some(&status) {
                    due.push(Due::Policy { object, status });
                }
            }
            for (key, object) in self.caches.exceptions.all() {
                let problem = exceptions::problem(&object, &self.bounds, now);
                let need = self.usage.of(&key);
                let status =
                    exceptions::status(&object, problem.as_deref(), &need, &self.bounds, now);
                if object.status.as_ref() != Some(&status) {
                    due.push(Due::Exception { object, status });
                }
            }
            self.forget(written);
        }
        for state in [GateState::Open, GateState::Closed, GateState::Unknown] {
            self.metrics
                .gates(state, states.get(state.as_str()).copied().unwrap_or(0));
        }
        for verdict in [Verdict::Pass, Verdict::Unknown, Verdict::Fail] {
            self.metrics
                .probes(verdict, verdicts.get(&verdict).copied().unwrap_or(0));
        }
        self.metrics
            .engine(&self.engine.counts(), self.engine.pulse().lag);
        // what closes goes first
        due.sort_by_key(|due| !due.closes());
        let mut sound = true;
        let mut stored = stream::iter(due)
            .map(|due| async {
                let result = due.store(executor, &self.caches).await;
                (due, result)
            })
            .buffer_unordered(WRITES);
        while let Some((due, result)) = stored.next().await {
            match result {
                Ok(()) => {
                    if let Due::Gate { key, words, .. } = due {
                        written.gates.insert(key, words);
                    }
                }
                Err(error) => {
                    // an object that is gone closes nothing any more; a changed one is judged again by the next pass
                    sound &= !(due.closes() && due.exists(&self.caches));
                    tracing::debug!(
                        object = due.name(),
                        error = &error as &dyn std::error::Error,
                        "status not stored"
                    );
                }
            }
        }
        sound
    }

    /// Lets go of what was remembered about objects that are gone.
    fn forget(&self, written: &mut Written) {
        written
            .gates
            .retain(|key, _| self.caches.gates.get(key).is_some());
        self.acceptance().retain(|kind, key| match kind {
            "gate" => self.caches.gates.get(key).is_some(),
            "plan" => self.caches.plans.get(key).is_some(),
            "policy" => self.caches.policies.get(key).is_some(),
            _ => self.caches.probes.get(key).is_some(),
        });
    }
}

/// Whether a release waits for its gates: no new pod yet.
fn waits_at_a_gate(release: &Release) -> bool {
    release
        .status
        .as_ref()
        .is_none_or(|status| matches!(status.phase, ReleasePhase::Held | ReleasePhase::Probing))
}
