//! Our controller: what it sees, and what it does with what the planner decides.

use serde_json::Value;
use sluice_api::{
    Release, ReleasePhase, Verdict,
    annotation::{Denied, HOLD, ORIGINALS},
    release::{PlanRef, StableTemplate},
};

use super::{Kind, World, phase};
use crate::{
    model::native::{ReplicaSet, Sets},
    release::{
        decision::{Action, Decision},
        next,
        observation::{self, Observation, Plan, ProbeAnswer, Rehearsal},
    },
};

impl World {
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
            .map_or(0, ReplicaSet::ready);
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
}
