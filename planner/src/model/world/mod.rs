//! A cluster with one Deployment: API server, webhook, the built-in controllers, ours, probes and people, one event at a time.

mod controller;
mod server;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sluice_api::{GateState, Release, ReleasePhase, RolloutPlanSpec, WhenClosed};

use super::native::{Sets, Spec, Strategy};
use crate::{
    deployment::{self, DeploymentView},
    release::{
        decision::Write,
        observation::{Leap, Rehearsal},
    },
    template::template_hash,
};

/// How pods of a version behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Good,
    NeverReady,
    ReadyButFailing,
}

pub(super) struct World {
    pub now: u64,
    pub leaps: Vec<Leap>,
    pub deployment: Value,
    pub sets: Sets,
    pub releases: Vec<Release>,
    pub plan: Option<RolloutPlanSpec>,
    pub gate: (GateState, WhenClosed),
    /// Template and behaviour by template hash.
    pub versions: BTreeMap<String, (Value, Kind)>,
    /// The stable version fails its proof too.
    pub stable_is_sick: bool,
    /// Probes cannot tell in some moments.
    pub flaky: bool,
    pub rehearsal: Option<Rehearsal>,
    pub refuses_rehearsal: bool,
    /// Probes asked for a rollback never answer.
    pub silent: bool,
    /// Every write of ours that landed.
    pub writes: Vec<Write>,
    clock: u64,
}

pub(super) fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "checkout"}},
        "spec": {"containers": [{"name": "main", "image": image}]},
    })
}

impl World {
    /// A Deployment that runs `v1` everywhere.
    pub fn new(replicas: u32, strategy: Value, plan: RolloutPlanSpec) -> Self {
        let first = template("v1");
        let hash = template_hash(&first);
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "checkout", "namespace": "shop", "uid": "uid-1", "resourceVersion": "1",
                "generation": 1, "annotations": {"deployment.kubernetes.io/revision": "1"},
            },
            "spec": {
                "replicas": replicas, "strategy": strategy, "progressDeadlineSeconds": 600,
                "template": first, "revisionHistoryLimit": 10,
            },
            "status": {},
        });
        let mut world = Self {
            now: 0,
            leaps: Vec::new(),
            deployment,
            sets: Sets::default(),
            releases: Vec::new(),
            plan: Some(plan),
            gate: (GateState::Open, WhenClosed::Deny),
            versions: BTreeMap::from([(hash, (first, Kind::Good))]),
            stable_is_sick: false,
            flaky: false,
            rehearsal: None,
            refuses_rehearsal: false,
            silent: false,
            writes: Vec::new(),
            clock: 1,
        };
        for _ in 0..60 {
            world.sync_native();
            world.sync_pods();
            world.ready_all();
            world.now += 1000;
        }
        world
    }

    pub fn time(&self) -> Timestamp {
        let start: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        start + SignedDuration::from_millis(i64::try_from(self.now).unwrap())
    }

    pub fn view(&self) -> DeploymentView<'_> {
        DeploymentView::of(&self.deployment).unwrap()
    }

    pub fn live(&self) -> String {
        template_hash(&self.deployment["spec"]["template"])
    }

    pub fn add_version(&mut self, image: &str, kind: Kind) -> Value {
        let template = template(image);
        self.versions
            .insert(template_hash(&template), (template.clone(), kind));
        template
    }

    pub fn spec(&self) -> Spec {
        let view = self.view();
        Spec {
            replicas: view.replicas,
            paused: view.paused,
            strategy: match view.strategy {
                deployment::Strategy::RollingUpdate { surge, unavailable } => {
                    Strategy::RollingUpdate { surge, unavailable }
                }
                deployment::Strategy::Recreate => Strategy::Recreate,
            },
            min_ready_seconds: view.min_ready_seconds,
            history: 3,
            version: self.live(),
        }
    }

    // --- the built-in controllers

    pub fn sync_native(&mut self) -> bool {
        let spec = self.spec();
        let scales = self.sets.is_scaling_event(&spec);
        let changed = self.sets.sync(&spec, self.now);
        if scales {
            // The real controller counts available pods by a status that may be from before it scaled, and could retire too many; what was recorded of it
            // shows that the ReplicaSet controller is quicker.
            self.sets.sync_pods();
        }
        let pods: usize = self.sets.all.iter().map(|set| set.pods.len()).sum();
        let updated = self.sets.of(&spec.version).map_or(0, |set| set.pods.len());
        let available: u32 = self
            .sets
            .all
            .iter()
            .map(|set| set.available(self.now))
            .sum();
        let status = json!({
            "observedGeneration": self.deployment["metadata"]["generation"],
            "replicas": pods, "updatedReplicas": updated, "availableReplicas": available,
        });
        let wrote = self.deployment["status"] != status;
        if wrote {
            self.deployment["status"] = status;
            self.bump();
        }
        changed || wrote
    }

    pub fn sync_pods(&mut self) -> bool {
        self.sets.sync_pods()
    }

    /// Every pod that can becomes ready.
    pub fn ready_all(&mut self) -> bool {
        let mut changed = false;
        for set in &mut self.sets.all {
            if self.versions[&set.version].1 == Kind::NeverReady {
                continue;
            }
            for pod in &mut set.pods {
                changed |= pod.ready.is_none();
                pod.ready.get_or_insert(self.now);
            }
        }
        changed
    }

    /// The built-in controllers work, ours does not.
    pub fn settle_without_release(&mut self) {
        for _ in 0..100 {
            self.sync_native();
            self.sync_pods();
            self.ready_all();
            self.now += 200;
        }
    }

    /// Everybody works, one after the other, until nothing changes for a while.
    pub fn settle(&mut self) {
        let mut still = 0;
        for _ in 0..4000 {
            let mut changed = self.sync_native();
            changed |= self.sync_pods();
            changed |= self.ready_all();
            let sets = self.sets.clone();
            changed |= self.pass(&sets, false).1;
            self.now += if still > 5 { 1000 } else { 200 };
            still = if changed { 0 } else { still + 1 };
            // longer than any deadline of the plans used here
            if still > 50 {
                return;
            }
        }
        panic!("does not come to rest: {:?}", self.releases.last());
    }

    pub fn last(&self) -> &Release {
        self.releases.last().expect("a release")
    }

    pub fn phase(&self) -> ReleasePhase {
        phase(self.last())
    }

    /// `(new, old)` wanted pods as seen from a version.
    pub fn split(&self, version: &str) -> (u32, u32) {
        let new = self.sets.of(version).map_or(0, |set| set.replicas);
        (new, self.sets.replicas() - new)
    }
}

pub(super) fn phase(release: &Release) -> ReleasePhase {
    release
        .status
        .as_ref()
        .map(|status| status.phase)
        .unwrap_or_default()
}
