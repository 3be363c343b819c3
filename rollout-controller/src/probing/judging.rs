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
use sluice_api::{
    Gate, GateState, Probe, Release, ReleasePhase, Verdict, WhenClosed, gate::ReasonEntry,
    reason::GateReason,
};
use sluice_planner::{
    gate,
    release::observation,
    selection::{self, Workload},
};
use sluice_policies::ExceptionBounds;
use sluice_probes::{Answer, DesiredRuns, Engine, RunId, TargetRules};
use tokio::{
    sync::{Notify, broadcast},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    desired::{self, Desired, Problem, Requirement, Scene},
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
    validate::{self, Acceptance, cut},
};

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

    /// Whether any run asks the pods of the Deployment with this uid by address.
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

    /// What every gate that may stop a release of a workload says at this moment, asked of the engine itself. A gate with `whenClosed: Warn` is for the
    /// record alone and stops nothing.
    #[must_use]
    pub fn gates_of(&self, workload: Workload<'_>) -> Vec<observation::Gate> {
        let gates = self.caches.gates.all();
        let desired = self.desired.load();
        let mut found: Vec<observation::Gate> = gates
            .iter()
            .filter(|(_, gate)| gate.spec.when_closed != WhenClosed::Warn)
            .filter(|(_, gate)| selection::selects(gate.as_ref(), workload, &self.system))
            .map(|(key, gate)| {
                let (state, reasons) = self.judge(key, gate, &desired, Timestamp::now());
                observation::Gate {
                    name: key.to_string(),
                    state,
                    reasons,
                }
            })
            .collect();
        // a gate that cannot be read may guard this workload: nobody can tell, so nothing starts
        for (key, why) in self.caches.gates.unreadable() {
            if key.namespace == workload.namespace || key.namespace == self.system {
                found.push(observation::Gate {
                    name: key.to_string(),
                    state: GateState::Unknown,
                    reasons: vec![ReasonEntry {
                        reason: GateReason::NotAccepted,
                        message: cut(&format!("gate {key} cannot be read: {why}"), 1024),
                        since: None,
                    }],
                });
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }

    /// Runs every probe of the gates of a workload at once: a release was attempted.
    pub fn prove_now(&self, workload: Workload<'_>) {
        let desired = self.desired.load();
        for (key, gate) in self.caches.gates.all() {
            if selection::selects(gate.as_ref(), workload, &self.system) {
                for run in desired
                    .gates
                    .get(&key)
                    .into_iter()
                    .flatten()
                    .flat_map(|requirement| &requirement.runs)
                {
                    self.engine.trigger(run);
                }
            }
        }
    }

    fn judge(
        &self,
        key: &Key,
        gate: &Gate,
        desired: &Desired,
        now: Timestamp,
    ) -> (GateState, Vec<ReasonEntry>) {
        let unknown = |reason, message: String| {
            let entry = ReasonEntry {
                reason,
                message: cut(&message, 1024),
                since: None,
            };
            (GateState::Unknown, vec![entry])
        };
        if let Some(problem) = self.acceptance().gate(key, gate) {
            return unknown(
                GateReason::NotAccepted,
                format!("the gate cannot work: {problem}"),
            );
        }
        // what was worked out from an older form of the gate proves nothing about this one
        let form = (gate.metadata.uid.clone(), gate.metadata.generation);
        let current = desired.forms.get(key) == Some(&form);
        let Some(requirements) = desired.gates.get(key).filter(|_| current) else {
            return unknown(
                GateReason::NotYetJudged,
                "the gate is new or has just changed and was not judged yet".to_owned(),
            );
        };
        let requirements: Vec<gate::Requirement> = requirements
            .iter()
            .map(|requirement| self.answered(requirement))
            .collect();
        gate::judge(&gate.spec, &requirements, now)
    }

    /// What the runs of a requirement say together: the worst of them speaks, and a pass is as old as the oldest.
    fn answered(&self, requirement: &Requirement) -> gate::Requirement {
        match &requirement.problem {
            Some(Problem::Missing(why)) => {
                return gate::Requirement::Missing { what: why.clone() };
            }
            Some(Problem::NotAccepted(why)) => {
                return gate::Requirement::NotAccepted {
                    probe: requirement.probe.clone(),
                    why: why.clone(),
                };
            }
            None => {}
        }
        let answer = self.together(&requirement.runs);
        gate::Requirement::Answered(observation::ProbeAnswer {
            probe: requirement.probe.clone(),
            verdict: answer.verdict,
            message: answer.message,
            at: answer.at,
            first_bad: answer.first_bad,
            detected: answer.detected,
        })
    }

    fn together(&self, runs: &[RunId]) -> Answer {
        let answers: Vec<Answer> = runs.iter().map(|run| self.engine.answer(run)).collect();
        let oldest = answers.iter().filter_map(|answer| answer.at).min();
        let worst = answers.into_iter().reduce(|worst, answer| {
            if answer.verdict > worst.verdict {
                answer
            } else {
                worst
            }
        });
        match worst {
            None => Answer::unknown("there is nobody to ask: no Deployment with pods matches"),
            Some(mut answer) => {
                if answer.verdict == Verdict::Pass {
                    answer.at = oldest;
                }
                answer
            }
        }
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
        let mut desired = desired::desired(&Scene {
            system: &self.system,
            probes: &probes,
            refused: &|key, probe| self.problem(key, probe),
            gates: &gates,
            plans: &plans,
            deployments: &deployments,
            releases: &|uid| self.caches.releases.of(uid),
            replica_sets: &|uid| self.caches.replica_sets.of(uid),
            pods: &|uid| self.caches.pods.of(uid),
        });
        desired.known = probes;
        let runs = std::mem::take(&mut desired.runs);
        // readers first: a verdict that changes right away must find whom to tell
        self.desired.store(Arc::new(desired));
        self.engine.apply(DesiredRuns { runs });
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap as Labels;

    use serde_json::{Value, json};
    use sluice_api::WorkloadKind;
    use sluice_probes::EngineOptions;

    use super::*;

    fn judge() -> Judge {
        let options = EngineOptions {
            allow: sluice_probes::TargetAllowList::default(),
            http_proxy: None,
            prometheus: BTreeMap::new(),
            max_in_flight: 8,
        };
        let rules = options.rules();
        let (engine, _task) = Engine::new(options).unwrap();
        Judge::new(
            Arc::new(Caches::default()),
            engine,
            rules,
            "sluice-system".to_owned(),
            ExceptionBounds::default(),
            Arc::default(),
            Metrics::new(&sluice_runtime::metrics::Metrics::new()),
        )
    }

    fn gate(name: &str, generation: i64, when_closed: &str) -> Value {
        json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Gate",
            "metadata": {"name": name, "namespace": "shop", "uid": name, "generation": generation,
                "resourceVersion": generation.to_string()},
            "spec": {"components": {}, "whenClosed": when_closed},
        })
    }

    fn states(judge: &Judge) -> Vec<(String, GateState)> {
        let labels = Labels::new();
        judge
            .gates_of(Workload {
                namespace: "shop",
                kind: WorkloadKind::Deployment,
                name: "checkout",
                labels: &labels,
            })
            .into_iter()
            .map(|gate| (gate.name, gate.state))
            .collect()
    }

    #[tokio::test]
    async fn a_gate_that_only_warns_stops_no_release() {
        let judge = judge();
        judge.caches.gates.apply(gate("warns", 1, "Warn"));
        judge.caches.gates.apply(gate("denies", 1, "Deny"));
        judge.caches.gates.apply(gate("holds", 1, "Hold"));
        let unknown = |name: &str| (format!("shop/{name}"), GateState::Unknown);
        assert_eq!(states(&judge), [unknown("denies"), unknown("holds")]);
    }

    #[tokio::test]
    async fn what_was_judged_of_an_older_form_of_a_gate_does_not_open_the_new_one() {
        let judge = judge();
        judge.caches.gates.apply(gate("g", 1, "Deny"));
        judge.work_out();
        assert_eq!(states(&judge), [("shop/g".to_owned(), GateState::Open)]);
        judge.caches.gates.apply(gate("g", 2, "Deny"));
        assert_eq!(states(&judge), [("shop/g".to_owned(), GateState::Unknown)]);
        judge.work_out();
        assert_eq!(states(&judge), [("shop/g".to_owned(), GateState::Open)]);
    }
}
