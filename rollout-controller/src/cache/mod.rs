//! What the controller knows of the cluster: one table per kind, fed by a watch, read by every pass.
//!
//! Decides: what of an object is kept (reduced at the door, [`rows`]), which of two versions of an object is the newer one ([`table`]).
//! Leaves to others: what follows from a change ([`crate::wake`]), every decision.
//!
//! Invariants: an object that cannot be read stays in its table as unreadable and never stalls its watch ([`arrival`]); an API error is never read as
//! absence, because rows only leave by a delete event or a complete list; an answer to a write of our own is put in at once and is not taken back by
//! an older event. I/O is in [`watching`] alone.

pub mod arrival;
pub mod rows;
pub mod table;
pub mod watching;

use std::sync::Arc;

use sluice_api::{
    Gate, Policy, PolicyException, Probe, Release, RolloutPlan, WorkloadKind, label::Mode,
};

use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use rows::{DeploymentRow, GatedFacts, GatedRow, NamespaceRow, PodRow, ReplicaSetRow};
use table::{Key, Table};

/// Every table.
#[derive(Default)]
pub struct Caches {
    /// Labels of namespaces.
    pub namespaces: Table<NamespaceRow>,
    /// Every Deployment, reduced; whole where a release is on.
    pub deployments: Table<DeploymentRow>,
    /// StatefulSets: gated, never stepped.
    pub stateful_sets: Table<GatedRow<StatefulSet>>,
    /// DaemonSets, likewise.
    pub daemon_sets: Table<GatedRow<DaemonSet>>,
    /// ReplicaSets by the uid of the Deployment that owns them.
    pub replica_sets: Table<ReplicaSetRow>,
    /// Pods by the uid of the ReplicaSet, StatefulSet or DaemonSet that owns them.
    pub pods: Table<PodRow>,
    /// Gates.
    pub gates: Table<Gate>,
    /// Plans.
    pub plans: Table<RolloutPlan>,
    /// Probes.
    pub probes: Table<Probe>,
    /// Releases by the uid of their workload; finished ones without templates and patches.
    pub releases: Table<Release>,
    /// Policies; only their acceptance is this program's business.
    pub policies: Table<Policy>,
    /// Exceptions from policies: their acceptance, and whether they are needed.
    pub exceptions: Table<PolicyException>,
}

impl Caches {
    /// The mode of a namespace; a namespace that is not known (yet) is `off`: nothing is started where the label was not seen.
    #[must_use]
    pub fn mode(&self, namespace: &str) -> Mode {
        match self.namespaces.get(&Key::cluster(namespace)) {
            Some(row) => {
                Mode::of_label(row.labels.get(sluice_api::label::MODE).map(String::as_str))
            }
            None => Mode::Off,
        }
    }

    /// Every workload that is gated and never stepped.
    #[must_use]
    pub fn gated(&self) -> Vec<(WorkloadKind, Key, Arc<GatedFacts>)> {
        let stateful_sets = self.stateful_sets.all().into_iter();
        let daemon_sets = self.daemon_sets.all().into_iter();
        stateful_sets
            .map(|(key, row)| (WorkloadKind::StatefulSet, key, Arc::clone(&row.facts)))
            .chain(
                daemon_sets
                    .map(|(key, row)| (WorkloadKind::DaemonSet, key, Arc::clone(&row.facts))),
            )
            .collect()
    }

    /// The tables that have not seen a complete list yet.
    #[must_use]
    pub fn unsynced(&self) -> Vec<&'static str> {
        [
            ("namespaces", self.namespaces.synced()),
            ("deployments", self.deployments.synced()),
            ("statefulsets", self.stateful_sets.synced()),
            ("daemonsets", self.daemon_sets.synced()),
            ("replicasets", self.replica_sets.synced()),
            ("pods", self.pods.synced()),
            ("gates", self.gates.synced()),
            ("rolloutplans", self.plans.synced()),
            ("probes", self.probes.synced()),
            ("releases", self.releases.synced()),
            ("policies", self.policies.synced()),
            ("policyexceptions", self.exceptions.synced()),
        ]
        .into_iter()
        .filter_map(|(name, synced)| (!synced).then_some(name))
        .collect()
    }

    /// Whether something is under way on a Deployment: a hold, originals, ownership to give back, or an unfinished Release.
    #[must_use]
    pub fn is_active(&self, deployment: &DeploymentRow) -> bool {
        deployment.marked
            || self
                .releases
                .of(&deployment.uid)
                .iter()
                .any(|release| !is_finished(release))
    }
}

/// Whether a Release has ended.
#[must_use]
pub fn is_finished(release: &Release) -> bool {
    release
        .status
        .as_ref()
        .is_some_and(|status| status.phase.is_finished())
}
