//! What a gate says at this moment, from what the probe engine answers.

use jiff::Timestamp;
use sluice_api::{Gate, GateState, Verdict, WhenClosed, gate::ReasonEntry, reason::GateReason};
use sluice_planner::{
    gate,
    release::observation,
    selection::{self, Workload},
};
use sluice_probes::{Answer, RunId};

use super::Judge;
use crate::{
    cache::table::Key,
    probing::{
        attempts,
        desired::{Desired, Problem, Requirement},
    },
    validate::cut,
};

impl Judge {
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
                self.ask(&desired, &key);
            }
        }
    }

    /// Runs every probe of a gate at once.
    pub(super) fn ask(&self, desired: &Desired, gate: &Key) {
        for requirement in desired.gates.get(gate).into_iter().flatten() {
            for run in &requirement.runs {
                self.engine.trigger(run);
            }
        }
    }

    pub(super) fn judge(
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
        let answer = if requirement.idle {
            Answer::unknown(format!(
                "it runs for releases only; one that is refused makes it run for {}, so try again in a few seconds",
                sluice_api::Duration::from_secs(attempts::KEPT.as_secs())
            ))
        } else {
            self.together(&requirement.runs)
        };
        gate::Requirement::Answered(observation::ProbeAnswer {
            probe: requirement.probe.clone(),
            verdict: answer.verdict,
            message: answer.message,
            at: answer.at,
            first_bad: answer.first_bad,
            detected: answer.detected,
        })
    }

    pub(super) fn together(&self, runs: &[RunId]) -> Answer {
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
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap as Labels, sync::Arc};

    use serde_json::{Value, json};
    use sluice_api::WorkloadKind;
    use sluice_policies::ExceptionBounds;
    use sluice_probes::{Engine, EngineOptions};

    use super::*;
    use crate::{cache::Caches, metrics::Metrics};

    fn judge() -> Judge {
        let options = EngineOptions {
            allow: sluice_probes::TargetAllowList::default(),
            http_proxy: None,
            prometheus: Labels::new(),
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
