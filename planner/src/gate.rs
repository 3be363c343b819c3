//! Is a gate open, and why not.
//!
//! [`judge`] is what the controller writes into `Gate.status`; [`effective`] is what every reader (webhook, controller, CLI) makes of such a status. Two
//! steps, because a status is only ever written on change: it says nothing about whether anybody still looks.
//!
//! Open means: every requirement was proved, freshly, and the one who proved it is alive. Everything else is Closed (something is proved bad) or Unknown,
//! and neither lets a release start. A gate that requires nothing is Open as soon as it was judged: nothing is asked, so nothing is missing; such a
//! gate still stops releases when the engine that judges it is dead.

use jiff::{SignedDuration, Timestamp};
use sluice_api::{
    Condition, Duration, Gate, GateSpec, GateState, Verdict, condition::ACCEPTED,
    gate::ReasonEntry, reason::GateReason,
};

use crate::{
    batches::probe_references,
    problem::{self, Problem},
    release::observation::ProbeAnswer,
    text::{bounded, rfc3339},
};

pub use crate::problem::Problem as GateProblem;

/// The shortest `maxAge`: below it no proof is ever young enough.
pub const SHORTEST_MAX_AGE: Duration = Duration::from_secs(1);
/// The longest `maxAge`.
pub const LONGEST_MAX_AGE: Duration = Duration::from_secs(3600);
/// How many reasons a status holds.
pub const MOST_REASONS: usize = 32;
/// How long one reason may be.
const LONGEST_REASON: usize = 1024;

/// What became of one probe reference of a gate.
#[derive(Clone, Debug, PartialEq)]
pub enum Requirement {
    /// The named probe does not exist, or the selector matches none.
    Missing {
        /// The reference as people read it, such as `shop/checkout-http` or `probes with tier=platform in sluice-system`.
        what: String,
    },
    /// The probe cannot work.
    NotAccepted {
        /// `namespace/name`.
        probe: String,
        /// What is wrong with it.
        why: String,
    },
    /// The probe's latest answer, freshness by its own schedule included.
    Answered(ProbeAnswer),
}

/// The state of a gate and why it is not open; reasons are in the order of the requirements, what fails first.
///
/// `now` is the clock that stamped the answers. An answer without a time, or older than `maxAge`, proves nothing.
#[must_use]
pub fn judge(
    spec: &GateSpec,
    requirements: &[Requirement],
    now: Timestamp,
) -> (GateState, Vec<ReasonEntry>) {
    let mut judged: Vec<(Verdict, ReasonEntry)> = requirements
        .iter()
        .filter_map(|requirement| judge_one(spec, requirement, now))
        .collect();
    // references that the caller could not even look up
    if requirements.is_empty() && !spec.before.probes.is_empty() {
        judged.push((
            Verdict::Unknown,
            reason(
                GateReason::ProbeMissing,
                "none of the probes it names was found",
                None,
            ),
        ));
    }
    judged.sort_by_key(|(verdict, _)| std::cmp::Reverse(*verdict));
    let state = match Verdict::all(judged.iter().map(|(verdict, _)| *verdict)) {
        Verdict::Pass => GateState::Open,
        Verdict::Fail => GateState::Closed,
        Verdict::Unknown => GateState::Unknown,
    };
    let reasons = judged
        .into_iter()
        .map(|(_, reason)| reason)
        .take(MOST_REASONS)
        .collect();
    (state, reasons)
}

fn judge_one(
    spec: &GateSpec,
    requirement: &Requirement,
    now: Timestamp,
) -> Option<(Verdict, ReasonEntry)> {
    let answer = match requirement {
        Requirement::Missing { what } => {
            let text = format!("{what}: no such probe; create it or mend the gate");
            return Some((
                Verdict::Unknown,
                reason(GateReason::ProbeMissing, text, None),
            ));
        }
        Requirement::NotAccepted { probe, why } => {
            let text = format!("probe {probe} cannot work: {why}");
            return Some((
                Verdict::Unknown,
                reason(GateReason::ProbeNotAccepted, text, None),
            ));
        }
        Requirement::Answered(answer) => answer,
    };
    let ProbeAnswer { probe, message, .. } = answer;
    let max_age = spec.before.max_age;
    let stale = answer.at.is_some_and(|at| is_older(at, max_age, now));
    let (verdict, word, text, since) = match (answer.verdict, answer.at) {
        (Verdict::Unknown, _) | (_, None) => (
            Verdict::Unknown,
            GateReason::ProbeUnknown,
            format!("probe {probe} has no proof: {message}"),
            None,
        ),
        (_, Some(at)) if stale => (
            Verdict::Unknown,
            GateReason::ProbeStale,
            format!(
                "probe {probe}: last proof at {} is older than maxAge {max_age}",
                rfc3339(at)
            ),
            Some(at),
        ),
        (Verdict::Fail, Some(at)) => (
            Verdict::Fail,
            GateReason::ProbeFailing,
            format!("probe {probe} fails: {message}"),
            answer.detected.or(answer.first_bad).or(Some(at)),
        ),
        (Verdict::Pass, Some(_)) => return None,
    };
    Some((verdict, reason(word, text, since)))
}

/// Ages that overflow are infinite, so too old; an answer from the future is as young as can be.
fn is_older(at: Timestamp, max_age: Duration, now: Timestamp) -> bool {
    SignedDuration::try_from(max_age.get()).map_or(true, |most| now.duration_since(at) > most)
}

/// What a reader may trust: the stored state only if the gate was accepted, judged in its present form, and its engine is alive.
#[must_use]
pub fn effective(gate: &Gate, heartbeat_fresh: bool) -> (GateState, Vec<ReasonEntry>) {
    let unknown = |word, text: &str| (GateState::Unknown, vec![reason(word, text, None)]);
    let Some(status) = &gate.status else {
        return unknown(
            GateReason::NotYetJudged,
            "no controller has judged this gate yet",
        );
    };
    let accepted = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == ACCEPTED);
    if let Some(Condition { message, .. }) = accepted.filter(|found| found.status != "True") {
        return unknown(
            GateReason::NotAccepted,
            &format!("the gate cannot work: {message}"),
        );
    }
    // a gate without a generation was not read from an API server: nothing to compare, so nothing proved
    if gate.metadata.generation.is_none() || status.observed_generation != gate.metadata.generation
    {
        return unknown(
            GateReason::NotYetJudged,
            "this form of the gate has not been judged yet; what is stored belongs to an older one",
        );
    }
    if accepted.is_none() {
        return unknown(
            GateReason::NotYetJudged,
            "whether the gate can work was not judged yet",
        );
    }
    if !heartbeat_fresh {
        return unknown(
            GateReason::HeartbeatStale,
            "the heartbeat of the probe engine stopped: what it wrote last is no proof any more",
        );
    }
    match status.state {
        GateState::Open => (GateState::Open, Vec::new()),
        state if status.reasons.is_empty() => {
            let text = format!("the state is {} and no reason was stored", state.as_str());
            (state, vec![reason(GateReason::NotYetJudged, text, None)])
        }
        state => (state, status.reasons.clone()),
    }
}

/// Every reason why a gate cannot work; none means that it can.
#[must_use]
pub fn validate_gate(spec: &GateSpec) -> Vec<GateProblem> {
    let mut problems = Vec::new();
    let max_age = spec.before.max_age;
    if !(SHORTEST_MAX_AGE..=LONGEST_MAX_AGE).contains(&max_age) {
        problems.push(Problem::new(
            "spec.before.maxAge",
            max_age,
            format!("{SHORTEST_MAX_AGE} to {LONGEST_MAX_AGE}"),
        ));
    }
    let selector = spec.components.selector.as_ref();
    problem::of_selector("spec.components.selector", selector, &mut problems);
    probe_references("spec.before.probes", &spec.before.probes, &mut problems);
    problems
}

fn reason(word: GateReason, text: impl AsRef<str>, since: Option<Timestamp>) -> ReasonEntry {
    ReasonEntry {
        reason: word,
        message: bounded(text.as_ref(), LONGEST_REASON),
        since: since.map(rfc3339),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(max_age: &str) -> GateSpec {
        serde_json::from_value(
            json!({"components": {}, "before": {"probes": [{"name": "a"}], "maxAge": max_age}}),
        )
        .unwrap()
    }

    fn answer(verdict: Verdict, seconds_ago: Option<i64>) -> Requirement {
        Requirement::Answered(ProbeAnswer {
            probe: "shop/a".into(),
            verdict,
            message: "503 from pod x".into(),
            at: seconds_ago.map(|ago| now() - SignedDuration::from_secs(ago)),
            first_bad: None,
            detected: None,
        })
    }

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    #[test]
    fn only_fresh_passes_of_everything_open_a_gate() {
        use Verdict::{Fail, Pass, Unknown};
        let missing = || Requirement::Missing {
            what: "shop/b".into(),
        };
        let broken = || Requirement::NotAccepted {
            probe: "shop/c".into(),
            why: "no host".into(),
        };
        for (requirements, state, words) in [
            (vec![answer(Pass, Some(1))], GateState::Open, vec![]),
            (
                vec![answer(Pass, Some(61))],
                GateState::Unknown,
                vec![GateReason::ProbeStale],
            ),
            (
                vec![answer(Pass, None)],
                GateState::Unknown,
                vec![GateReason::ProbeUnknown],
            ),
            (
                vec![answer(Unknown, Some(1))],
                GateState::Unknown,
                vec![GateReason::ProbeUnknown],
            ),
            (
                vec![answer(Fail, Some(1))],
                GateState::Closed,
                vec![GateReason::ProbeFailing],
            ),
            (
                vec![answer(Fail, Some(61))],
                GateState::Unknown,
                vec![GateReason::ProbeStale],
            ),
            (
                vec![answer(Pass, Some(1)), missing(), answer(Fail, Some(2))],
                GateState::Closed,
                vec![GateReason::ProbeFailing, GateReason::ProbeMissing],
            ),
            (
                vec![broken()],
                GateState::Unknown,
                vec![GateReason::ProbeNotAccepted],
            ),
            (vec![], GateState::Unknown, vec![GateReason::ProbeMissing]),
        ] {
            let (found, reasons) = judge(&spec("60s"), &requirements, now());
            assert_eq!(found, state, "{requirements:?}");
            let found: Vec<GateReason> = reasons.iter().map(|entry| entry.reason).collect();
            assert_eq!(found, words, "{requirements:?}");
        }
    }

    #[test]
    fn a_gate_that_requires_nothing_is_open() {
        let spec: GateSpec = serde_json::from_value(json!({"components": {}})).unwrap();
        assert_eq!(judge(&spec, &[], now()), (GateState::Open, vec![]));
    }

    #[test]
    fn a_stored_open_is_trusted_only_with_a_living_engine_and_the_present_generation() {
        let gate = |generation: i64, status: serde_json::Value| -> Gate {
            serde_json::from_value(json!({
                "apiVersion": "sluice.dev/v1alpha1", "kind": "Gate",
                "metadata": {"name": "a", "generation": generation},
                "spec": {"components": {}}, "status": status,
            }))
            .unwrap()
        };
        let accepted = |status: &str| {
            json!([{"type": "Accepted", "status": status, "reason": "r", "message": "m",
                    "lastTransitionTime": "2026-01-02T03:04:05Z"}])
        };
        let open =
            json!({"state": "Open", "observedGeneration": 2, "conditions": accepted("True")});
        for (gate, fresh, state, word) in [
            (gate(2, open.clone()), true, GateState::Open, None),
            (
                gate(2, open.clone()),
                false,
                GateState::Unknown,
                Some(GateReason::HeartbeatStale),
            ),
            (
                gate(3, open),
                true,
                GateState::Unknown,
                Some(GateReason::NotYetJudged),
            ),
            (
                gate(2, json!(null)),
                true,
                GateState::Unknown,
                Some(GateReason::NotYetJudged),
            ),
            (
                gate(2, json!({"state": "Open", "observedGeneration": 2})),
                true,
                GateState::Unknown,
                Some(GateReason::NotYetJudged),
            ),
            (
                gate(
                    2,
                    json!({"state": "Open", "observedGeneration": 2, "conditions": accepted("False")}),
                ),
                true,
                GateState::Unknown,
                Some(GateReason::NotAccepted),
            ),
            (
                gate(
                    2,
                    json!({"state": "Closed", "observedGeneration": 2, "conditions": accepted("True"),
                               "reasons": [{"reason": "ProbeFailing", "message": "x"}]}),
                ),
                true,
                GateState::Closed,
                Some(GateReason::ProbeFailing),
            ),
        ] {
            let (found, reasons) = effective(&gate, fresh);
            assert_eq!(found, state, "{gate:?}");
            assert_eq!(reasons.first().map(|entry| entry.reason), word, "{gate:?}");
        }
    }

    #[test]
    fn a_gate_that_cannot_work_is_told_where() {
        assert!(validate_gate(&spec("60s")).is_empty());
        assert_eq!(validate_gate(&spec("0s"))[0].path, "spec.before.maxAge");
        assert_eq!(validate_gate(&spec("2h"))[0].path, "spec.before.maxAge");
    }
}
