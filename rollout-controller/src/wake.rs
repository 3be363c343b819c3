//! Who has to look when an object changes. Only hints: whoever looks reads the tables.

use std::sync::Arc;

use sluice_api::{Gate, Policy, PolicyException, Probe, Release, RolloutPlan, label::Mode};

use crate::{
    cache::{
        is_finished,
        rows::{DeploymentRow, GatedRow, NamespaceRow, PodRow, ReplicaSetRow},
        table::{Change, Key},
    },
    exceptions::usage::Usage,
    probing::judging::Judge,
    queue::Queue,
    reconcile::Reconciler,
};

/// Passes changes on.
pub struct Waker {
    /// Wants passes.
    pub queue: Arc<Queue>,
    /// Works out runs.
    pub judge: Arc<Judge>,
    /// Is told of templates that slipped by.
    pub reconciler: Arc<Reconciler>,
    /// Looks which exceptions are needed.
    pub usage: Arc<Usage>,
}

impl Waker {
    /// A Deployment changed.
    pub fn deployment(&self, change: Change<DeploymentRow>) {
        if let (Some(old), Some(new)) = (&change.old, &change.new)
            && old.uid == new.uid
            && old.template_hash != new.template_hash
            && !old.marked
            && !new.marked
            && !self.active(new)
            && self.reconciler.gatherer.governs(&change.key, new)
        {
            self.reconciler
                .changed_unheld(&change.key, &new.uid, &new.template_hash);
        }
        if let (Some(old), Some(new)) = (&change.old, &change.new)
            && old.uid == new.uid
            && old.controlled_by.is_none()
            && new.controlled_by.is_some()
        {
            self.reconciler.became_owned(&change.key, new);
        }
        let shape = |row: &Arc<DeploymentRow>| (row.uid.clone(), row.labels.clone(), row.marked);
        if change.old.as_ref().map(shape) != change.new.as_ref().map(shape) {
            self.judge.wake();
        }
        self.queue.add(change.key);
    }

    /// A StatefulSet or DaemonSet changed.
    pub fn gated<K>(&self, change: Change<GatedRow<K>>) {
        let facts = |row: &Arc<GatedRow<K>>| Arc::clone(&row.facts);
        if change.old.as_ref().map(facts) != change.new.as_ref().map(facts) {
            self.judge.wake();
        }
    }

    /// A ReplicaSet changed.
    pub fn replica_set(&self, change: Change<ReplicaSetRow>) {
        let owner = change
            .new
            .as_ref()
            .or(change.old.as_ref())
            .and_then(|row| row.owner.clone());
        let Some(uid) = owner else { return };
        if change.old.is_none() && self.judge.asks_pods_of(&uid) {
            self.judge.wake();
        }
        if let Some(row) = self.deployment_of(&uid)
            && self.active(&row)
        {
            self.queue
                .add(Key::new(row.namespace.clone(), row.name.clone()));
        }
    }

    /// A pod changed. Only what probes ask of pods depends on it: counts come from ReplicaSets.
    pub fn pod(&self, change: Change<PodRow>) {
        let asked = |row: &Arc<PodRow>| (row.ip, row.ready || row.crashing, row.ending);
        if change.old.as_ref().map(asked) == change.new.as_ref().map(asked) {
            return;
        }
        let Some(pod) = change.new.as_ref().or(change.old.as_ref()) else {
            return;
        };
        let asked = |uid: Option<&str>| uid.is_some_and(|uid| self.judge.asks_pods_of(uid));
        let asked = match &pod.set {
            Some(set) => {
                let sets = &self.reconciler.caches.replica_sets;
                let set = sets.get(&Key::new(change.key.namespace, set.as_str()));
                // a pod may be seen before its ReplicaSet: then nobody can tell yet whether it is asked
                set.is_none_or(|set| asked(set.owner.as_deref()))
            }
            None => asked(pod.owner.as_deref()),
        };
        if asked {
            self.judge.wake();
        }
    }

    /// A Release changed.
    pub fn release(&self, change: Change<Release>) {
        let Some(release) = change.new.as_ref().or(change.old.as_ref()) else {
            return;
        };
        self.queue.add(Key::new(
            change.key.namespace.clone(),
            release.spec.workload.name.clone(),
        ));
        let phase = |release: &Arc<Release>| {
            (
                is_finished(release),
                release.status.as_ref().map(|status| status.phase),
            )
        };
        if change.old.as_ref().map(phase) != change.new.as_ref().map(phase) {
            self.judge.wake();
        }
    }

    /// A namespace changed: what may act there may have changed.
    pub fn namespace(&self, change: Change<NamespaceRow>) {
        let mode = |row: &Arc<NamespaceRow>| {
            Mode::of_label(row.labels.get(sluice_api::label::MODE).map(String::as_str))
        };
        if change.old.as_ref().map(mode) != change.new.as_ref().map(mode) {
            self.judge.wake_all();
        }
    }

    /// A gate changed; a status alone is our own writing.
    pub fn gate(&self, change: Change<Gate>) {
        if spec_changed(&change, |gate| gate.metadata.generation) {
            self.judge.wake_all();
        }
    }

    /// A plan changed.
    pub fn plan(&self, change: Change<RolloutPlan>) {
        if spec_changed(&change, |plan| plan.metadata.generation) {
            self.judge.wake_all();
        }
    }

    /// A probe changed.
    pub fn probe(&self, change: Change<Probe>) {
        if spec_changed(&change, |probe| probe.metadata.generation)
            || change.old.as_ref().map(|old| old.metadata.labels.clone())
                != change.new.as_ref().map(|new| new.metadata.labels.clone())
        {
            self.judge.wake_all();
        }
    }

    /// A policy changed.
    pub fn policy(&self, change: Change<Policy>) {
        if spec_changed(&change, |policy| policy.metadata.generation) {
            self.judge.wake();
            self.usage.wake();
        }
    }

    /// An exception changed.
    pub fn exception(&self, change: Change<PolicyException>) {
        if spec_changed(&change, |exception| exception.metadata.generation) {
            self.judge.wake();
            self.usage.wake();
        }
    }

    fn deployment_of(&self, uid: &str) -> Option<Arc<DeploymentRow>> {
        self.reconciler.caches.deployments.of(uid).pop()
    }

    fn active(&self, row: &DeploymentRow) -> bool {
        self.reconciler.caches.is_active(row)
    }
}

/// Whether an object came, went or changed in its spec.
fn spec_changed<R>(change: &Change<R>, generation: impl Fn(&R) -> Option<i64>) -> bool {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => generation(old) != generation(new),
        _ => true,
    }
}
