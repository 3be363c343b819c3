//! A cluster with one Deployment: API server, webhook, the built-in controllers, ours, probes and people, one event at a time.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sluice_api::{
    Action as Act, Finding, GateState, Release, ReleasePhase, RolloutPlanSpec, Verdict, WhenClosed,
    WorkloadKind,
    annotation::{Denied, HOLD, ORIGINALS},
    gate::ReasonEntry,
    reason::GateReason,
    release::{PlanRef, StableTemplate},
};

use super::native::{Sets, Spec, Strategy};
use crate::{
    admission::{Facts, GateFact, ReleaseFact, Request, mutate, validate},
    deployment::{self, DeploymentView},
    release::{
        decision::{Action, Decision, Write},
        next,
        observation::{self, Leap, Observation, Plan, ProbeAnswer, Rehearsal},
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

    // --- the API server

    fn bump(&mut self) {
        self.clock += 1;
        self.deployment["metadata"]["resourceVersion"] = json!(self.clock.to_string());
    }

    /// Stores an object as the API server would; `Err` is its refusal.
    fn store(&mut self, mut object: Value) -> Result<(), String> {
        let spec = object["spec"].as_object_mut().unwrap();
        if spec.get("paused") == Some(&json!(false)) {
            spec.remove("paused");
        }
        if spec.get("minReadySeconds") == Some(&json!(0)) {
            spec.remove("minReadySeconds");
        }
        let view = DeploymentView::of(&object).map_err(|error| error.to_string())?;
        if view.progress_deadline_seconds <= view.min_ready_seconds {
            return Err("progressDeadlineSeconds must be greater than minReadySeconds".into());
        }
        let limits = &object["spec"]["strategy"]["rollingUpdate"];
        if [&limits["maxSurge"], &limits["maxUnavailable"]]
            .iter()
            .all(|limit| **limit == json!(0) || **limit == json!("0%"))
        {
            return Err("maxUnavailable may not be 0 when maxSurge is 0".into());
        }
        if object == self.deployment {
            return Ok(());
        }
        if object["spec"] != self.deployment["spec"] {
            let generation = self.deployment["metadata"]["generation"].as_i64().unwrap();
            object["metadata"]["generation"] = json!(generation + 1);
        }
        self.deployment = object;
        self.bump();
        Ok(())
    }

    fn patched(&self, operations: &[Value]) -> Result<Value, String> {
        patched(&self.deployment, operations)
    }

    pub fn facts(&self) -> Facts {
        let stable = self
            .releases
            .iter()
            .rev()
            .find(|release| phase(release) == ReleasePhase::Succeeded)
            .map(|release| release.spec.target.hash.clone());
        Facts {
            plan: self.plan.is_some(),
            plan_idle: false,
            gates: vec![GateFact {
                name: "shop/gate".into(),
                state: self.gate.0,
                reasons: self.gate_reasons(),
                when_closed: self.gate.1,
            }],
            stable,
            releases: self
                .releases
                .iter()
                .map(|release| ReleaseFact {
                    name: release.metadata.name.clone().unwrap(),
                    target: release.spec.target.hash.clone(),
                    stable: release
                        .spec
                        .stable
                        .as_ref()
                        .map(|stable| stable.hash.clone()),
                    phase: phase(release),
                    blamed: release
                        .status
                        .as_ref()
                        .is_some_and(|status| status.blames_template()),
                    retry: release.spec.retry.is_some(),
                })
                .collect(),
        }
    }

    fn gate_reasons(&self) -> Vec<ReasonEntry> {
        match self.gate.0 {
            GateState::Open => Vec::new(),
            _ => vec![ReasonEntry {
                reason: GateReason::ProbeFailing,
                message: "probe shop/checkout fails: 503".into(),
                since: None,
            }],
        }
    }

    /// A person's request through both webhooks. `Err` holds what refused it.
    pub fn request(&mut self, change: impl FnOnce(&mut Value)) -> Result<(), Vec<Finding>> {
        let old = self.deployment.clone();
        let mut new = old.clone();
        change(&mut new);
        let facts = self.facts();
        let request = |new: &Value| -> Vec<Value> {
            let request = Request {
                kind: WorkloadKind::Deployment,
                namespace: "shop",
                name: "checkout",
                old: Some(&old),
                new,
                hashes: None,
                dry_run: false,
            };
            mutate(&request, &facts).unwrap()
        };
        let last = patched(&new, &request(&new)).unwrap();
        assert_eq!(request(&last), Vec::<Value>::new(), "not a fixed point");
        let answer = validate(
            &Request {
                kind: WorkloadKind::Deployment,
                namespace: "shop",
                name: "checkout",
                old: Some(&old),
                new: &last,
                hashes: None,
                dry_run: false,
            },
            &facts,
        );
        let refusals: Vec<Finding> = answer
            .findings
            .into_iter()
            .filter(|finding| finding.action == Act::Deny)
            .collect();
        if refusals.is_empty() {
            self.store(last).unwrap();
            Ok(())
        } else {
            Err(refusals)
        }
    }

    /// A write that no webhook sees.
    pub fn unseen(&mut self, change: impl FnOnce(&mut Value)) {
        let mut new = self.deployment.clone();
        change(&mut new);
        self.store(new).unwrap();
    }

    /// The same as a patch, as a person would send it with every webhook deleted.
    pub fn unseen_patch(&mut self, operations: &[Value]) {
        let object = self.patched(operations).unwrap();
        self.store(object).unwrap();
    }

    // --- our controller

    /// What the controller sees when its view of the ReplicaSets is `sets`.
    pub fn observe_with(&self, sets: &Sets) -> Observation {
        let annotations = &self.deployment["metadata"]["annotations"];
        let read = |key: &str| annotations.get(key).and_then(Value::as_str);
        let hold = sluice_api::annotation::read(HOLD, read(HOLD)).map_err(|e| e.to_string());
        let originals =
            sluice_api::annotation::read(ORIGINALS, read(ORIGINALS)).map_err(|e| e.to_string());
        let named: Option<&sluice_api::annotation::Hold> =
            hold.as_ref().ok().and_then(Option::as_ref);
        let unfinished = || {
            self.releases
                .iter()
                .filter(|release| !phase(release).is_finished())
        };
        let release = match named {
            Some(hold) => self.releases.iter().find(|release| {
                release.metadata.name.as_deref() == Some(&hold.release)
                    && release.spec.target.hash == hold.target
            }),
            None => unfinished().next_back().or_else(|| {
                self.releases
                    .iter()
                    .rfind(|release| release.spec.retry.is_some())
            }),
        };
        let others = unfinished()
            .filter(|other| {
                release.is_none_or(|release| release.metadata.name != other.metadata.name)
            })
            .cloned()
            .collect();
        let target =
            release.map_or_else(|| self.live(), |release| release.spec.target.hash.clone());
        let stable = release.and_then(|release| release.spec.stable.clone());
        Observation {
            now: self.time(),
            leaps: self.leaps.clone(),
            deployment: self.deployment.clone(),
            replica_sets: sets
                .all
                .iter()
                .map(|set| observation::ReplicaSet {
                    name: set.version[..8].into(),
                    pod_template_hash: set.version[..8].into(),
                    template_hash: set.version.clone(),
                    replicas: set.replicas,
                    existing: u32::try_from(set.pods.len()).unwrap(),
                    ready: set.ready(),
                    available: set.available(self.now),
                    observed: true,
                    failure: None,
                })
                .collect(),
            hold: hold.clone(),
            originals,
            release: release.cloned(),
            others,
            condemned: self
                .releases
                .iter()
                .filter(|release| release.spec.retry.is_none())
                .filter_map(|release| {
                    let status = release.status.as_ref()?;
                    status.blames_template().then(|| Denied {
                        uid: release.spec.workload.uid.clone(),
                        target: release.spec.target.hash.clone(),
                        release: release.metadata.name.clone().unwrap(),
                        reason: "it was bad".into(),
                    })
                })
                .collect(),
            stable: self.baseline(named.and_then(|hold| hold.stable.as_deref())),
            plan: match &self.plan {
                Some(spec) => Plan::Active {
                    reference: PlanRef {
                        namespace: "shop".into(),
                        name: "plan".into(),
                    },
                    spec: spec.clone(),
                },
                None => Plan::Missing {
                    why: "no plan matches".into(),
                },
            },
            gates: vec![observation::Gate {
                name: "shop/gate".into(),
                state: self.gate.0,
                reasons: self.gate_reasons(),
            }],
            during: self.answers(Some(&target), false),
            after: self.answers(Some(&target), false),
            stable_proof: self.answers(stable.as_ref().map(|stable| stable.hash.as_str()), true),
            rehearsal: self.rehearsal.clone(),
        }
    }

    /// What a rollback would return to: the last proved version or the one with the most ready pods; with no pods anywhere, what is on record.
    fn baseline(&self, named: Option<&str>) -> Option<StableTemplate> {
        let live = self.live();
        let proved = self
            .releases
            .iter()
            .rev()
            .find(|release| phase(release) == ReleasePhase::Succeeded)
            .map(|release| release.spec.target.hash.as_str());
        let others = || self.sets.all.iter().filter(|set| set.version != live);
        let of = |hash: Option<&str>| others().find(|set| Some(set.version.as_str()) == hash);
        let set = of(proved)
            .filter(|set| set.ready() > 0)
            .or_else(|| {
                others()
                    .max_by_key(|set| set.ready())
                    .filter(|set| set.ready() > 0)
            })
            .or_else(|| of(proved))
            .or_else(|| of(named))
            .or_else(|| others().max_by_key(|set| set.replicas))?;
        Some(StableTemplate {
            hash: set.version.clone(),
            pod_template_hash: None,
            template: self.versions[&set.version].0.clone(),
        })
    }

    fn answers(&self, version: Option<&str>, proof: bool) -> Vec<ProbeAnswer> {
        let Some(plan) = &self.plan else {
            return Vec::new();
        };
        if plan.during.probes.is_empty() {
            return Vec::new();
        }
        let ready = version
            .and_then(|version| self.sets.of(version))
            .map_or(0, super::native::ReplicaSet::ready);
        let kind = version
            .and_then(|version| self.versions.get(version))
            .map(|version| version.1);
        // the same moment always gets the same answer
        let cannot_tell = self.flaky && (self.now / 700).is_multiple_of(3);
        let verdict = match kind {
            _ if ready == 0 || cannot_tell || (proof && self.silent) => Verdict::Unknown,
            _ if proof && self.stable_is_sick => Verdict::Fail,
            Some(Kind::ReadyButFailing) => Verdict::Fail,
            _ => Verdict::Pass,
        };
        let at = (verdict != Verdict::Unknown).then(|| self.time());
        vec![ProbeAnswer {
            probe: "shop/checkout".into(),
            verdict,
            message: "as the model says".into(),
            at,
            first_bad: at,
            detected: at,
        }]
    }

    /// One pass. `dies` ends it after the status was stored and before the action. Returns the decision and whether anything was stored.
    pub fn pass(&mut self, sets: &Sets, dies: bool) -> (Decision, bool) {
        let seen = self.observe_with(sets);
        let decision = next(&seen);
        assert_eq!(
            decision,
            next(&seen),
            "the same facts gave another decision"
        );
        let mut moved = false;
        for (name, status) in &decision.close {
            moved |= self.store_status(name, status);
        }
        if let (Some(release), Some(status)) = (&seen.release, &decision.status) {
            let name = release.metadata.name.clone().unwrap();
            if self.store_status(&name, status) {
                moved = true;
                let again = next(&self.observe_with(sets));
                // a release that ended is not looked at again
                if status.phase.is_finished() && again.status.is_none() {
                    assert_eq!(decision.action, Action::None);
                } else {
                    assert_eq!(
                        again.action, decision.action,
                        "storing the decision changed it"
                    );
                    assert_eq!(
                        again.status, decision.status,
                        "storing the decision changed it"
                    );
                }
            }
            assert!(
                status.phase.is_finished()
                    || decision.action != Action::None
                    || !status.waiting_on.is_empty(),
                "neither a step nor a reason: {status:?}"
            );
        }
        if dies {
            return (decision, moved);
        }
        match &decision.action {
            Action::None => {}
            Action::CreateRelease { name, spec } => {
                if !self
                    .releases
                    .iter()
                    .any(|known| known.metadata.name.as_ref() == Some(name))
                {
                    let mut release = Release::new(name, (**spec).clone());
                    release.metadata.generation = Some(1);
                    self.releases.push(release);
                }
                moved = true;
            }
            Action::Rehearse { patch, target } => {
                let result = match self.patched(patch) {
                    Ok(_) if self.refuses_rehearsal => Err("denied by a policy".to_owned()),
                    Ok(_) => Ok(()),
                    Err(why) => panic!("a rehearsal that cannot be applied: {why}"),
                };
                self.rehearsal = Some(Rehearsal {
                    target: target.clone(),
                    result,
                });
                moved = true;
            }
            Action::Patch { write, patch } => {
                let object = self
                    .patched(patch)
                    .expect("the object has not changed since");
                self.store(object).expect("what we write is valid");
                self.writes.push(*write);
                moved = true;
            }
        }
        (decision, moved)
    }

    fn store_status(&mut self, name: &str, status: &sluice_api::ReleaseStatus) -> bool {
        let release = self
            .releases
            .iter_mut()
            .find(|release| release.metadata.name.as_deref() == Some(name))
            .unwrap();
        let changed = release.status.as_ref() != Some(status);
        release.status = Some(status.clone());
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

fn patched(object: &Value, operations: &[Value]) -> Result<Value, String> {
    let patch: json_patch::Patch = serde_json::from_value(json!(operations)).unwrap();
    let mut object = object.clone();
    json_patch::patch(&mut object, &patch).map_err(|error| error.to_string())?;
    Ok(object)
}
