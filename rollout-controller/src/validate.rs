//! Whether objects of ours can work: what their schemas cannot say, judged again here because admission may have been down when they came in.
//! Pure; the words are those of admission and `sluice check`, because the functions are the same.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sluice_api::{
    Condition, Gate, GateSpec, Policy, PolicySpec, ProbeSpec, RolloutPlan, RolloutPlanSpec,
    WorkloadKind, condition,
};
use sluice_planner::selection::{self, Workload};
use sluice_policies::PolicySet;
use sluice_probes::TargetRules;

use crate::cache::{rows::DeploymentRow, table::Key};

/// How many problems a condition lists; the rest is counted.
const PRINTED: usize = 5;

/// Why a probe cannot work; `None` when it can.
#[must_use]
pub fn probe(spec: &ProbeSpec, rules: &TargetRules) -> Option<String> {
    join(sluice_probes::validate(spec, rules))
}

/// Why a gate cannot work; `None` when it can.
#[must_use]
pub fn gate(spec: &GateSpec) -> Option<String> {
    join(sluice_planner::gate::validate_gate(spec))
}

/// Why a plan cannot work; `None` when it can.
#[must_use]
pub fn plan(spec: &RolloutPlanSpec) -> Option<String> {
    join(sluice_planner::batches::validate_plan(spec))
}

/// Why a policy cannot work; `None` when it can.
#[must_use]
pub fn policy(spec: &PolicySpec) -> Option<String> {
    join(PolicySet::check(spec))
}

pub(crate) fn join<P: std::fmt::Display>(problems: Vec<P>) -> Option<String> {
    if problems.is_empty() {
        return None;
    }
    let mut text = problems
        .iter()
        .take(PRINTED)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ");
    if problems.len() > PRINTED {
        text.push_str(&format!("; and {} more", problems.len() - PRINTED));
    }
    Some(text)
}

/// The condition `Accepted` that follows.
#[must_use]
pub fn accepted(problem: Option<&str>, generation: Option<i64>, now: Timestamp) -> Condition {
    Condition {
        type_: condition::ACCEPTED.to_owned(),
        status: if problem.is_none() { "True" } else { "False" }.to_owned(),
        reason: if problem.is_none() {
            "Valid"
        } else {
            "Invalid"
        }
        .to_owned(),
        message: cut(problem.unwrap_or("the object was read and is in use"), 4096),
        observed_generation: generation,
        last_transition_time: stamp(now),
    }
}

/// The condition `Conflicted` of a plan; `winner` is what wins over it somewhere.
#[must_use]
pub fn conflicted(winner: Option<&str>, generation: Option<i64>, now: Timestamp) -> Condition {
    Condition {
        type_: condition::CONFLICTED.to_owned(),
        status: if winner.is_some() { "True" } else { "False" }.to_owned(),
        reason: if winner.is_some() {
            "AnotherPlanWins"
        } else {
            "NoConflict"
        }
        .to_owned(),
        message: cut(
            winner.unwrap_or("no other plan wins for a workload of this one"),
            4096,
        ),
        observed_generation: generation,
        last_transition_time: stamp(now),
    }
}

/// The plans that lose at least one workload to another plan, and to which.
#[must_use]
pub fn conflicts<'a>(
    deployments: impl IntoIterator<Item = (&'a Key, &'a DeploymentRow)>,
    plans: &[(Key, std::sync::Arc<RolloutPlan>)],
    system: &str,
) -> BTreeMap<Key, String> {
    let mut losers = BTreeMap::new();
    if plans.len() < 2 {
        return losers;
    }
    for (key, row) in deployments {
        let workload = Workload {
            namespace: &key.namespace,
            kind: WorkloadKind::Deployment,
            name: &key.name,
            labels: &row.labels,
        };
        let matching: Vec<_> = plans
            .iter()
            .filter(|(_, plan)| selection::selects(plan.as_ref(), workload, system))
            .collect();
        if matching.len() < 2 {
            continue;
        }
        let Some(winner) = selection::applicable_plan(
            workload,
            system,
            matching.iter().map(|(_, plan)| plan.as_ref()),
        ) else {
            continue;
        };
        for (loser, plan) in &matching {
            if !std::ptr::eq(plan.as_ref(), winner) {
                losers.entry(loser.clone()).or_insert_with(|| {
                    format!(
                        "deployment/{} in namespace {} follows plan {}/{}",
                        key.name,
                        key.namespace,
                        winner.metadata.namespace.as_deref().unwrap_or_default(),
                        winner.metadata.name.as_deref().unwrap_or_default(),
                    )
                });
            }
        }
    }
    losers
}

/// Why the objects of ours cannot work, judged once per generation.
#[derive(Default)]
pub struct Acceptance {
    known: BTreeMap<(&'static str, Key), Judged>,
}

struct Judged {
    uid: Option<String>,
    generation: Option<i64>,
    problem: Option<String>,
}

impl Acceptance {
    /// Why a gate cannot work.
    pub fn gate(&mut self, key: &Key, object: &Gate) -> Option<String> {
        self.judge("gate", key, &object.metadata, || gate(&object.spec))
    }

    /// Why a plan cannot work.
    pub fn plan(&mut self, key: &Key, object: &RolloutPlan) -> Option<String> {
        self.judge("plan", key, &object.metadata, || plan(&object.spec))
    }

    /// Why a policy cannot work.
    pub fn policy(&mut self, key: &Key, object: &Policy) -> Option<String> {
        self.judge("policy", key, &object.metadata, || policy(&object.spec))
    }

    /// Why a probe cannot work.
    pub fn probe(
        &mut self,
        key: &Key,
        object: &sluice_api::Probe,
        rules: &TargetRules,
    ) -> Option<String> {
        self.judge("probe", key, &object.metadata, || {
            probe(&object.spec, rules)
        })
    }

    /// Forgets objects that `keep` does not name.
    pub fn retain(&mut self, keep: impl Fn(&'static str, &Key) -> bool) {
        self.known.retain(|(kind, key), _| keep(kind, key));
    }

    fn judge(
        &mut self,
        kind: &'static str,
        key: &Key,
        metadata: &kube::api::ObjectMeta,
        judge: impl FnOnce() -> Option<String>,
    ) -> Option<String> {
        let slot = (kind, key.clone());
        if let Some(known) = self.known.get(&slot)
            && known.uid == metadata.uid
            && known.generation == metadata.generation
        {
            return known.problem.clone();
        }
        let problem = judge();
        let judged = Judged {
            uid: metadata.uid.clone(),
            generation: metadata.generation,
            problem: problem.clone(),
        };
        self.known.insert(slot, judged);
        problem
    }
}

/// `text` with at most `longest` characters.
#[must_use]
pub fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(longest.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

/// A time as it stands in statuses.
#[must_use]
pub fn stamp(now: Timestamp) -> String {
    format!("{now:.3}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn row(name: &str) -> (Key, DeploymentRow) {
        use crate::cache::table::Row;
        let row = DeploymentRow::read(json!({
            "metadata": {"name": name, "namespace": "shop", "uid": name},
            "spec": {"template": {"spec": {}}},
        }))
        .unwrap();
        (Key::new("shop", name), row)
    }

    fn plan(namespace: &str, name: &str, components: serde_json::Value) -> (Key, Arc<RolloutPlan>) {
        let plan = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "RolloutPlan",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"components": components},
        }))
        .unwrap();
        (Key::new(namespace, name), Arc::new(plan))
    }

    #[test]
    fn only_a_plan_that_loses_a_workload_is_conflicted() {
        let rows = [row("checkout"), row("cart")];
        let plans = [
            plan("shop", "all", json!({})),
            plan("shop", "checkout", json!({"names": ["checkout"]})),
            plan("shop", "other", json!({"names": ["elsewhere"]})),
            plan("bank", "theirs", json!({})),
        ];
        let losers = conflicts(
            rows.iter().map(|(key, row)| (key, row)),
            &plans,
            "sluice-system",
        );
        assert_eq!(
            losers.keys().collect::<Vec<_>>(),
            [&Key::new("shop", "all")]
        );
        assert_eq!(
            losers[&Key::new("shop", "all")],
            "deployment/checkout in namespace shop follows plan shop/checkout"
        );
    }

    #[test]
    fn an_object_is_judged_again_only_when_its_generation_moves() {
        let mut acceptance = Acceptance::default();
        let key = Key::new("shop", "p");
        let mut metadata = kube::api::ObjectMeta {
            uid: Some("u".into()),
            generation: Some(1),
            ..Default::default()
        };
        let first = acceptance.judge("plan", &key, &metadata, || Some("bad".into()));
        let same = acceptance.judge("plan", &key, &metadata, || None);
        metadata.generation = Some(2);
        let next = acceptance.judge("plan", &key, &metadata, || None);
        assert_eq!(
            (first, same, next),
            (Some("bad".into()), Some("bad".into()), None)
        );
    }

    #[test]
    fn texts_are_cut_at_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüx", 3), "äö…");
    }
}
