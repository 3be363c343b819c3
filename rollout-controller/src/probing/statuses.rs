//! The statuses that follow from a judgement, and when a stored one has to be written anew: on change only, never because a sample said the same in
//! other words. Pure.

use jiff::Timestamp;
use sluice_api::{
    Condition, Gate, GateState, GateStatus, Policy, PolicyStatus, Probe, ProbeStatus, RolloutPlan,
    RolloutPlanStatus, condition, gate::ReasonEntry,
};
use sluice_probes::Answer;
use sluice_runtime::heartbeat;

use crate::validate::{accepted, conflicted, cut, stamp};

/// The status of a gate in this state. Times of what has not changed are kept.
#[must_use]
pub fn gate(
    object: &Gate,
    state: GateState,
    mut reasons: Vec<ReasonEntry>,
    problem: Option<&str>,
    now: Timestamp,
) -> GateStatus {
    let before = object.status.clone().unwrap_or_default();
    for reason in &mut reasons {
        if reason.since.is_none() {
            reason.since = before
                .reasons
                .iter()
                .find(|known| word(known) == word(reason))
                .and_then(|known| known.since.clone())
                .or_else(|| Some(stamp(now)));
        }
    }
    let since = before
        .since
        .filter(|_| before.state == state)
        .unwrap_or_else(|| stamp(now));
    let generation = object.metadata.generation;
    let mut conditions = before.conditions;
    Condition::set(&mut conditions, accepted(problem, generation, now));
    Condition::set(
        &mut conditions,
        Condition {
            type_: condition::OPEN.to_owned(),
            status: match state {
                GateState::Open => "True",
                GateState::Closed => "False",
                GateState::Unknown => "Unknown",
            }
            .to_owned(),
            reason: reasons.first().map_or_else(
                || state.as_str().to_owned(),
                |first| first.reason.to_string(),
            ),
            message: reasons.first().map_or_else(
                || "every requirement passes".to_owned(),
                |first| cut(&first.message, 1024),
            ),
            observed_generation: generation,
            last_transition_time: stamp(now),
        },
    );
    GateStatus {
        state,
        reasons,
        since: Some(since),
        observed_generation: generation,
        engine: Some(heartbeat::LEASE_NAME.to_owned()),
        conditions,
    }
}

/// What a gate's status says without what merely moves: the state, and per reason its word and whom it is about.
#[must_use]
pub fn words(status: &GateStatus) -> Vec<String> {
    status.reasons.iter().map(word).collect()
}

/// The word of a reason and the probe it is about: messages begin with `probe NAMESPACE/NAME`.
fn word(reason: &ReasonEntry) -> String {
    let about = reason
        .message
        .split([' ', ':'])
        .find(|part| part.contains('/'))
        .unwrap_or_default();
    format!("{} {about}", reason.reason)
}

/// Whether a gate's stored status has to be written anew.
#[must_use]
pub fn gate_differs(stored: Option<&GateStatus>, status: &GateStatus) -> bool {
    let Some(stored) = stored else { return true };
    stored.state != status.state
        || stored.observed_generation != status.observed_generation
        || stored.engine != status.engine
        || words(stored) != words(status)
        || judged(&stored.conditions) != judged(&status.conditions)
}

/// The status of a probe with this answer.
#[must_use]
pub fn probe(
    object: &Probe,
    answer: &Answer,
    problem: Option<&str>,
    now: Timestamp,
) -> ProbeStatus {
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation;
    let mut conditions = before.conditions;
    Condition::set(&mut conditions, accepted(problem, generation, now));
    let same = before.verdict == Some(answer.verdict);
    ProbeStatus {
        verdict: Some(answer.verdict),
        message: Some(cut(&answer.message, 1024)),
        since: before
            .since
            .filter(|_| same)
            .or_else(|| Some(stamp(answer.detected.unwrap_or(now)))),
        observed_generation: generation,
        conditions,
    }
}

/// Whether a probe's stored status has to be written anew.
#[must_use]
pub fn probe_differs(stored: Option<&ProbeStatus>, status: &ProbeStatus) -> bool {
    let Some(stored) = stored else { return true };
    stored.verdict != status.verdict
        || stored.observed_generation != status.observed_generation
        || judged(&stored.conditions) != judged(&status.conditions)
}

/// The status of a plan; `winner` is what wins over it somewhere.
#[must_use]
pub fn plan(
    object: &RolloutPlan,
    problem: Option<&str>,
    winner: Option<&str>,
    now: Timestamp,
) -> RolloutPlanStatus {
    let generation = object.metadata.generation;
    let mut conditions = object
        .status
        .clone()
        .map(|status| status.conditions)
        .unwrap_or_default();
    Condition::set(&mut conditions, accepted(problem, generation, now));
    Condition::set(&mut conditions, conflicted(winner, generation, now));
    RolloutPlanStatus {
        observed_generation: generation,
        conditions,
    }
}

/// The status of a policy.
#[must_use]
pub fn policy(object: &Policy, problem: Option<&str>, now: Timestamp) -> PolicyStatus {
    let generation = object.metadata.generation;
    let mut conditions = object
        .status
        .clone()
        .map(|status| status.conditions)
        .unwrap_or_default();
    Condition::set(&mut conditions, accepted(problem, generation, now));
    PolicyStatus {
        observed_generation: generation,
        conditions,
    }
}

/// The conditions that depend on the object alone; `Open` repeats the state and its evidence.
fn judged(conditions: &[Condition]) -> Vec<(&str, &str, &str)> {
    conditions
        .iter()
        .filter(|condition| condition.type_ != condition::OPEN)
        .map(|condition| {
            (
                condition.type_.as_str(),
                condition.status.as_str(),
                condition.message.as_str(),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_api::{Verdict, reason::GateReason};

    use super::*;

    fn reason(word: GateReason, message: &str) -> ReasonEntry {
        ReasonEntry {
            reason: word,
            message: message.into(),
            since: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_gate_is_written_when_it_changes_and_not_when_evidence_is_worded_anew() {
        let mut object: Gate = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Gate",
            "metadata": {"name": "g", "namespace": "shop", "generation": 1},
            "spec": {"components": {}},
        }))
        .unwrap();
        let failing = |message: &str| vec![reason(GateReason::ProbeFailing, message)];
        let closed = |object: &Gate, message: &str, second| {
            gate(
                object,
                GateState::Closed,
                failing(message),
                None,
                at(second),
            )
        };
        let first = closed(&object, "probe shop/http fails: status 500 after 3 ms", 0);
        assert!(gate_differs(None, &first));
        object.status = Some(first.clone());
        let same = closed(&object, "probe shop/http fails: status 500 after 9 ms", 5);
        assert!(!gate_differs(Some(&first), &same));
        assert_eq!(
            (&same.since, &same.reasons[0].since),
            (&first.since, &first.reasons[0].since)
        );
        for (what, other) in [
            (
                "another probe",
                closed(&object, "probe shop/deep fails: status 500", 6),
            ),
            ("open", gate(&object, GateState::Open, vec![], None, at(6))),
            (
                "refused",
                gate(
                    &object,
                    GateState::Unknown,
                    vec![reason(GateReason::NotAccepted, "x")],
                    Some("x"),
                    at(6),
                ),
            ),
        ] {
            assert!(gate_differs(Some(&first), &other), "{what}");
        }
        object.metadata.generation = Some(2);
        assert!(gate_differs(
            Some(&first),
            &closed(&object, "probe shop/http fails", 7)
        ));
    }

    #[test]
    fn a_probe_is_written_when_its_verdict_changes() {
        let mut object: Probe = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Probe",
            "metadata": {"name": "p", "namespace": "shop", "generation": 1},
            "spec": {"http": {"target": {"url": "http://x.svc/"}}},
        }))
        .unwrap();
        let mut answer = Answer::unknown("status 200 after 2 ms");
        answer.verdict = Verdict::Pass;
        let first = probe(&object, &answer, None, at(0));
        object.status = Some(first.clone());
        answer.message = "status 200 after 7 ms".into();
        let same = probe(&object, &answer, None, at(1));
        assert!(!probe_differs(Some(&first), &same));
        answer.verdict = Verdict::Fail;
        let failed = probe(&object, &answer, None, at(2));
        assert!(probe_differs(Some(&first), &failed));
        assert_ne!(first.since, failed.since);
    }
}
