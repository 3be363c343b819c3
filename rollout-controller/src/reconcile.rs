//! One pass over one Deployment: gather, decide, carry out, until nothing moves any more.
//!
//! Decides only how passes follow each other. What is remembered between passes is a convenience (the answer to a rehearsal, what was told already):
//! a process that starts anew recomputes everything from live objects.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use sluice_api::{
    Condition, Release, ReleasePhase, ReleaseStatus, WorkloadKind, condition, reason::WaitReason,
};
use sluice_planner::{
    release::{
        self,
        decision::{Action, Decision, Write},
        observation::Rehearsal,
    },
    selection::Workload,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    cache::{Caches, is_finished, rows::DeploymentRow, table::Key},
    execute::{ExecuteError, Executor, Outcome},
    found::Found,
    gather::Gatherer,
    history,
    metrics::Metrics,
    ownership,
    queue::Queue,
    report::{Note, Teller, phase_note},
    takeover,
    validate::stamp,
};

/// Moves in one pass. A release needs three in a row (decision, write, the wait after it); more than this means two writers or a defect.
const MOVES: usize = 24;
/// How long the answer to a rehearsal is good.
const REHEARSED_FOR: Duration = Duration::from_secs(60);
/// How often lost workloads and old records are looked for.
const SWEEP: Duration = Duration::from_secs(30);

/// Everything a pass uses.
pub struct Reconciler {
    /// The tables.
    pub caches: Arc<Caches>,
    /// What is known.
    pub gatherer: Gatherer,
    /// What is written.
    pub executor: Arc<Executor>,
    /// Who is told.
    pub teller: Teller,
    /// What is counted.
    pub metrics: Metrics,
    /// What this process remembers.
    pub memory: Memory,
}

/// What is remembered between passes, by the uid of the Deployment.
#[derive(Default)]
pub struct Memory {
    rehearsals: Mutex<HashMap<String, Answered>>,
    /// Releases whose gates' probes were run at once.
    proved: Mutex<HashSet<(String, String)>>,
    /// Templates that slipped by and were told.
    slipped: Mutex<HashSet<(String, String)>>,
}

/// The answer to a rehearsal. It is good for one release and for a while: what was refused may have been mended, what was accepted may be broken.
struct Answered {
    release: Option<String>,
    at: Instant,
    rehearsal: Rehearsal,
}

impl Reconciler {
    /// Takes keys from the queue until `drain`; run several of these side by side.
    pub async fn work(&self, queue: &Queue, drain: CancellationToken) {
        loop {
            let key = tokio::select! {
                () = drain.cancelled() => return,
                key = queue.next() => key,
            };
            let begun = Instant::now();
            let outcome = match self.pass(&key).await {
                Ok(wake) => {
                    queue.done(&key, wake);
                    "Done"
                }
                Err(ExecuteError::NotLeader) => {
                    queue.done(&key, None);
                    "NotLeader"
                }
                Err(error) => {
                    queue.failed(&key);
                    self.failed(&key, &error)
                }
            };
            self.metrics.passed(outcome, begun.elapsed());
        }
    }

    fn failed(&self, key: &Key, error: &ExecuteError) -> &'static str {
        match error {
            ExecuteError::Stale { .. } => {
                tracing::debug!(deployment = %key, %error, "lost a race, looking again");
                "Stale"
            }
            ExecuteError::Refused { what, why } => {
                tracing::warn!(deployment = %key, what, why, "write refused");
                if let Some(row) = self.caches.deployments.get(key) {
                    self.teller.tell(Note {
                        workload: key.clone(),
                        uid: row.uid.clone(),
                        warning: true,
                        reason: "WriteRefused".to_owned(),
                        text: format!("{what}: {why}"),
                        release: None,
                        batch: None,
                    });
                }
                "Refused"
            }
            error => {
                tracing::warn!(
                    deployment = %key,
                    error = error as &dyn std::error::Error,
                    "pass failed"
                );
                "Failed"
            }
        }
    }

    /// Looks at one Deployment until nothing moves; the time is when to look again.
    ///
    /// # Errors
    /// What was not carried out. Everything before it was.
    pub async fn pass(&self, key: &Key) -> Result<Option<Duration>, ExecuteError> {
        if !self.executor.leads() {
            return Err(ExecuteError::NotLeader);
        }
        // decisions need every table: a gate or a plan that was not listed yet is not absent
        if !self.caches.unsynced().is_empty() {
            return Ok(Some(Duration::from_millis(200)));
        }
        for _ in 0..MOVES {
            let Some(mut found) = self.gatherer.gather(&self.executor, key).await? else {
                self.look_for_unheld(key);
                return Ok(None);
            };
            found.observation.rehearsal = self.rehearsed(&found);
            self.prove_now(&found);
            let decision = release::next(&found.observation);
            // ownership can wait, the way back cannot
            if !is_rollback(&decision) && self.give_back(&found).await? {
                continue;
            }
            tracing::trace!(deployment = %key, ?decision, "decided");
            let outcome = self
                .executor
                .carry_out(&self.caches, &found, &decision)
                .await;
            // what was stored is told even if the action after it failed
            if let (Some(before), Some(status)) = (&found.observation.release, &decision.status) {
                self.tell(key, before, status);
            }
            if outcome.is_ok() {
                self.tell_remembered(&found, &decision);
            }
            match outcome {
                Ok(Outcome::Moved(rehearsal)) => {
                    if let Some(rehearsal) = rehearsal {
                        let answered = Answered {
                            release: release_of(&found),
                            at: Instant::now(),
                            rehearsal,
                        };
                        lock(&self.memory.rehearsals).insert(uid_of(&found), answered);
                    }
                }
                Ok(Outcome::Still) => return Ok(wake(&decision, found.sampling)),
                // the table has the new object already
                Err(ExecuteError::Stale { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        tracing::warn!(deployment = %key, moves = MOVES, "does not come to rest");
        Err(ExecuteError::Stale {
            what: format!("deployment {key}"),
        })
    }

    fn rehearsed(&self, found: &Found) -> Option<Rehearsal> {
        lock(&self.memory.rehearsals)
            .get(&uid_of(found))
            .filter(|answered| {
                answered.release == release_of(found) && answered.at.elapsed() < REHEARSED_FOR
            })
            .map(|answered| answered.rehearsal.clone())
    }

    /// Puts right an ownership list that a crash left with an entry of ours. `true` when something was written.
    async fn give_back(&self, found: &Found) -> Result<bool, ExecuteError> {
        let live = &found.observation.deployment;
        if !ownership::is_ours(&live["metadata"]["managedFields"]) {
            return Ok(false);
        }
        let uid = uid_of(found);
        let named = release_of(found);
        let youngest = || {
            let mut releases = self.caches.releases.of(&uid);
            releases.sort_by(|one, other| {
                one.metadata
                    .creation_timestamp
                    .cmp(&other.metadata.creation_timestamp)
            });
            releases
                .pop()
                .and_then(|release| release.metadata.name.clone())
        };
        let record = match named.or_else(youngest) {
            Some(name) => {
                let key = Key::new(found.key.namespace.clone(), name);
                self.executor.read(&self.caches.releases, &key).await?
            }
            None => None,
        };
        let text = record
            .as_ref()
            .and_then(|record| record["metadata"]["annotations"][ownership::REMEMBERED].as_str());
        self.executor
            .give_back(&self.caches, &found.key, live, &ownership::recall(text))
            .await?;
        Ok(true)
    }

    /// A release that waits at its gates makes their probes run at once, once.
    fn prove_now(&self, found: &Found) {
        let Ok(Some(hold)) = &found.observation.hold else {
            return;
        };
        let what = (uid_of(found), hold.release.clone());
        if lock(&self.memory.proved).insert(what)
            && let Some(row) = self.caches.deployments.get(&found.key)
        {
            self.gatherer.judge.prove_now(Workload {
                namespace: &found.key.namespace,
                kind: WorkloadKind::Deployment,
                name: &found.key.name,
                labels: &row.labels,
            });
        }
    }

    fn tell(&self, key: &Key, before: &Release, status: &ReleaseStatus) {
        let Some(note) = phase_note(key, before, status) else {
            return;
        };
        // the status may not have been stored: then the table still says the old phase and the next pass tells it
        let stored = self
            .caches
            .releases
            .get(&Key::new(
                key.namespace.clone(),
                before.metadata.name.clone().unwrap_or_default(),
            ))
            .and_then(|release| release.status.as_ref().map(|status| status.phase));
        if stored == Some(status.phase) {
            tracing::info!(
                deployment = %key,
                release = before.metadata.name,
                phase = %status.phase,
                message = status.message,
                "release"
            );
            self.metrics.entered(status.phase);
            self.teller.tell(note);
        }
    }

    /// The memory of denied templates was garbage and was written anew: somebody wrote there who must not.
    fn tell_remembered(&self, found: &Found, decision: &Decision) {
        let Action::Patch {
            write: Write::Remember,
            ..
        } = decision.action
        else {
            return;
        };
        let count = found.observation.condemned.len();
        tracing::warn!(deployment = %found.key, count, "unreadable memory of denied templates was written anew");
        self.teller.tell(Note {
            workload: found.key.clone(),
            uid: uid_of(found),
            warning: true,
            reason: "MemoryRestored".to_owned(),
            text: format!(
                "annotation {} could not be read; it was written anew from the records of releases, {count} of which proved a template bad",
                sluice_api::annotation::DENIED
            ),
            release: None,
            batch: None,
        });
    }

    fn look_for_unheld(&self, key: &Key) {
        let Some(row) = self.caches.deployments.get(key) else {
            return;
        };
        if !self.gatherer.governs(key, &row) {
            return;
        }
        let Some(expected) = takeover::unheld(&row, &self.caches.releases.of(&row.uid)) else {
            return;
        };
        let what = (row.uid.clone(), row.template_hash.clone());
        if lock(&self.memory.slipped).insert(what) {
            self.slipped_by(key, &row.uid, &expected);
        }
    }

    /// A template changed in the sight of this process, without a hold.
    pub fn changed_unheld(&self, key: &Key, uid: &str, template: &str) {
        let what = (uid.to_owned(), template.to_owned());
        if self.executor.leads() && lock(&self.memory.slipped).insert(what) {
            self.slipped_by(
                key,
                uid,
                "the template changed without a hold: the webhook was not asked",
            );
        }
    }

    /// A Deployment got a controller as its owner in the sight of this process.
    pub fn became_owned(&self, key: &Key, row: &DeploymentRow) {
        if !self.executor.leads() {
            return;
        }
        let (gates, plans) = (self.caches.gates.all(), self.caches.plans.all());
        let mode = self.caches.mode(&key.namespace);
        let system = &self.gatherer.system;
        let Some(owner) = takeover::stepped_aside((key, row), mode, &gates, &plans, system) else {
            return;
        };
        tracing::warn!(deployment = %key, owner, "a guarded workload became its owner's business");
        self.teller.tell(Note {
            workload: key.clone(),
            uid: row.uid.clone(),
            warning: true,
            reason: "NotGoverned".to_owned(),
            text: format!(
                "{owner} became its controller: although a gate or a rollout plan matches, it is neither judged nor held nor stepped any more"
            ),
            release: None,
            batch: None,
        });
    }

    /// How many Deployments a gate or a plan matches in vain, because a controller owns them.
    fn not_governed(&self) -> usize {
        let (gates, plans) = (self.caches.gates.all(), self.caches.plans.all());
        self.caches
            .deployments
            .all()
            .iter()
            .filter(|(key, row)| {
                let mode = self.caches.mode(&key.namespace);
                let system = &self.gatherer.system;
                takeover::stepped_aside((key, row), mode, &gates, &plans, system).is_some()
            })
            .count()
    }

    fn slipped_by(&self, key: &Key, uid: &str, text: &str) {
        tracing::warn!(deployment = %key, text, "release slipped by");
        self.metrics.slipped_by();
        self.teller.tell(Note {
            workload: key.clone(),
            uid: uid.to_owned(),
            warning: true,
            reason: "ReleaseNotHeld".to_owned(),
            text: format!("{text}; it runs without batches and without probes"),
            release: None,
            batch: None,
        });
    }

    /// Closes Releases whose workload is gone, and deletes records that are history. Runs until `drain`.
    pub async fn sweep(&self, drain: CancellationToken) {
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(SWEEP) => {}
            }
            // read now and then, whether or not anything is under way
            let _ = self.gatherer.clock.now();
            if !self.executor.leads() || !self.caches.unsynced().is_empty() {
                continue;
            }
            self.metrics.not_governed(self.not_governed());
            let releases = self.caches.releases.all();
            self.metrics.open_releases(
                releases
                    .iter()
                    .filter(|(_, release)| !is_finished(release))
                    .count(),
            );
            for (key, release) in &releases {
                if !is_finished(release)
                    && release.spec.workload.kind == WorkloadKind::Deployment
                    && let Err(error) = self.close_if_lost(key, release).await
                {
                    tracing::debug!(release = %key, error = &error as &dyn std::error::Error, "not closed");
                }
            }
            for release in history::surplus(releases.into_iter().map(|(_, release)| release)) {
                if let Err(error) = self.executor.delete_release(&self.caches, &release).await {
                    tracing::debug!(
                        release = release.metadata.name,
                        error = &error as &dyn std::error::Error,
                        "not deleted"
                    );
                }
            }
            self.forget();
        }
    }

    /// Ends a Release whose Deployment does not exist any more, as the API server itself says.
    async fn close_if_lost(&self, key: &Key, release: &Release) -> Result<(), ExecuteError> {
        let workload = &release.spec.workload;
        if !self.caches.deployments.of(&workload.uid).is_empty() {
            return Ok(());
        }
        let deployment = Key::new(key.namespace.clone(), workload.name.clone());
        let live = self
            .executor
            .read(&self.caches.deployments, &deployment)
            .await?;
        if live.is_some_and(|live| live["metadata"]["uid"] == *workload.uid) {
            return Ok(());
        }
        let now = Timestamp::now();
        let mut status = release.status.clone().unwrap_or_default();
        let text = format!(
            "deployment/{} was deleted while the release was on",
            workload.name
        );
        status.phase = ReleasePhase::Failed;
        status.waiting_on = Vec::new();
        status.message = Some(text.clone());
        status.timeline.finished = Some(stamp(now));
        for (type_, value) in [
            (condition::SUCCEEDED, "False"),
            (condition::FAILED, "True"),
            (condition::FINISHED, "True"),
        ] {
            Condition::set(
                &mut status.conditions,
                Condition {
                    type_: type_.to_owned(),
                    status: value.to_owned(),
                    reason: "WorkloadDeleted".to_owned(),
                    message: text.clone(),
                    observed_generation: release.metadata.generation,
                    last_transition_time: stamp(now),
                },
            );
        }
        self.executor
            .release_status(&self.caches, release, &status)
            .await?;
        tracing::info!(release = %key, "closed: its workload is gone");
        self.metrics.entered(ReleasePhase::Failed);
        Ok(())
    }

    /// Lets go of what was remembered about Deployments that are gone.
    fn forget(&self) {
        let lives = |uid: &str| !self.caches.deployments.of(uid).is_empty();
        lock(&self.memory.rehearsals).retain(|uid, _| lives(uid));
        lock(&self.memory.proved).retain(|(uid, release)| {
            self.caches
                .releases
                .of(uid)
                .iter()
                .any(|known| known.metadata.name.as_ref() == Some(release) && !is_finished(known))
        });
        lock(&self.memory.slipped).retain(|(uid, _)| lives(uid));
    }
}

/// When to look again. A verdict that changes wakes by itself; a pass that merely becomes younger does not, and neither does a gate that opens because
/// its evidence was renewed.
fn wake(decision: &Decision, sampling: Duration) -> Option<Duration> {
    let waits_for_samples = decision.status.as_ref().is_some_and(|status| {
        status.waiting_on.iter().any(|waiting| {
            matches!(
                waiting.reason,
                WaitReason::ProbeNotPassed
                    | WaitReason::RollbackUnverified
                    | WaitReason::GateNotOpen
            )
        })
    });
    match (decision.wake, waits_for_samples) {
        (wake, false) => wake,
        (None, true) => Some(sampling),
        (Some(wake), true) => Some(wake.min(sampling)),
    }
}

fn is_rollback(decision: &Decision) -> bool {
    matches!(
        decision.action,
        Action::Patch {
            write: Write::Rollback,
            ..
        }
    )
}

fn release_of(found: &Found) -> Option<String> {
    let release = found.observation.release.as_ref()?;
    release.metadata.name.clone()
}

fn uid_of(found: &Found) -> String {
    found.observation.deployment["metadata"]["uid"]
        .as_str()
        .map(ToOwned::to_owned)
        .unwrap_or_default()
}

// what is kept under these locks is a cache of what can be asked again: good after a panic elsewhere
fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
