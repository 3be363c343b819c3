//! The API server with both webhooks: what it stores, and what it refuses.

use serde_json::{Value, json};
use sluice_api::{
    Action as Act, Finding, GateState, ReleasePhase, WorkloadKind, gate::ReasonEntry,
    reason::GateReason,
};

use super::{World, phase};
use crate::{
    admission::{Facts, GateFact, ReleaseFact, Request, mutate, validate},
    deployment::DeploymentView,
};

impl World {
    pub(super) fn bump(&mut self) {
        self.clock += 1;
        self.deployment["metadata"]["resourceVersion"] = json!(self.clock.to_string());
    }

    /// Stores an object as the API server would; `Err` is its refusal.
    pub(super) fn store(&mut self, mut object: Value) -> Result<(), String> {
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

    pub(super) fn patched(&self, operations: &[Value]) -> Result<Value, String> {
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

    pub(super) fn gate_reasons(&self) -> Vec<ReasonEntry> {
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
}

fn patched(object: &Value, operations: &[Value]) -> Result<Value, String> {
    let patch: json_patch::Patch = serde_json::from_value(json!(operations)).unwrap();
    let mut object = object.clone();
    json_patch::patch(&mut object, &patch).map_err(|error| error.to_string())?;
    Ok(object)
}
