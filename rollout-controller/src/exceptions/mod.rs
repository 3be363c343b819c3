//! Exceptions from policies, as their objects tell: whether one can work, whether it counts now, and whether an object that exists needs it ([`usage`]).
//!
//! Decides: the conditions. Leaves to others: what an exception covers (`sluice-policies`), and every verdict, which the webhook gives by its own clock.
//! Nothing here is written because of an admission.

pub mod policies;
pub mod usage;

use jiff::Timestamp;
use sluice_api::{Condition, PolicyException, PolicyExceptionStatus, condition};
use sluice_policies::{ExceptionBounds, Exceptions, Standing};

use crate::validate::{accepted, cut, stamp};
use usage::Need;

/// The status of an exception. Its words change only with what they say, so it is written on change only.
#[must_use]
pub fn status(
    object: &PolicyException,
    problem: Option<&str>,
    need: &Need,
    bounds: &ExceptionBounds,
    now: Timestamp,
) -> PolicyExceptionStatus {
    let generation = object.metadata.generation;
    let spec = &object.spec;
    let standing = bounds.standing(spec.expires, now);
    let condition = |type_: &str, status: &str, reason: &str, message: String| Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: cut(&message, 4096),
        observed_generation: generation,
        last_transition_time: stamp(now),
    };
    let until = spec.expires;
    let in_force = match standing {
        Standing::Expired => (
            "False",
            standing.as_str(),
            format!("it counts no more since {until}"),
        ),
        _ if problem.is_some() => (
            "False",
            "NotAccepted",
            "it cannot work, see Accepted".to_owned(),
        ),
        Standing::TooFar => (
            "False",
            standing.as_str(),
            "it does not count yet, see Accepted".to_owned(),
        ),
        Standing::InForce => (
            "True",
            standing.as_str(),
            format!("it counts until {until}"),
        ),
        Standing::ExpiresSoon => (
            "True",
            standing.as_str(),
            format!("it expires soon: it counts until {until}"),
        ),
    };
    let used = match need {
        _ if in_force.0 == "False" => ("Unknown", "NotInForce", "it does not count now".to_owned()),
        Need::Needed { by } => ("True", "Needed", format!("{by} needs it")),
        Need::NotNeeded => (
            "False",
            "NotNeeded",
            "no object that exists needs it: it can go".to_owned(),
        ),
        Need::CannotTell { why } => ("Unknown", "CannotTell", why.clone()),
        Need::NotLooked => ("Unknown", "NotLooked", "nobody has looked yet".to_owned()),
    };
    let mut conditions = object
        .status
        .clone()
        .map(|status| status.conditions)
        .unwrap_or_default();
    Condition::set(&mut conditions, accepted(problem, generation, now));
    for (type_, (status, reason, message)) in
        [(condition::IN_FORCE, in_force), (condition::USED, used)]
    {
        Condition::set(&mut conditions, condition(type_, status, reason, message));
    }
    PolicyExceptionStatus {
        observed_generation: generation,
        conditions,
    }
}

/// Why an exception cannot work at this moment; `None` when it can.
#[must_use]
pub fn problem(
    object: &PolicyException,
    bounds: &ExceptionBounds,
    now: Timestamp,
) -> Option<String> {
    crate::validate::join(Exceptions::check(&object.spec, bounds, now))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::{Value, json};

    use super::*;

    fn exception(change: &Value) -> PolicyException {
        let mut spec = json!({
            "subject": {"kind": "CronJob", "name": "reports"}, "rule": "SLU1001", "reason": "mended soon",
            "owner": "team-reports", "expires": "2026-06-20T00:00:00Z",
        });
        for (field, value) in change.as_object().unwrap() {
            spec[field] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "PolicyException",
            "metadata": {"name": "e", "namespace": "shop", "generation": 3}, "spec": spec,
        }))
        .unwrap()
    }

    fn told(object: &PolicyException, need: &Need, now: &str) -> Vec<(String, String, String)> {
        let (bounds, now) = (ExceptionBounds::default(), now.parse().unwrap());
        let problem = problem(object, &bounds, now);
        status(object, problem.as_deref(), need, &bounds, now)
            .conditions
            .into_iter()
            .map(|condition| (condition.type_, condition.status, condition.reason))
            .collect()
    }

    #[test]
    fn conditions_say_whether_it_works_counts_and_is_needed() {
        let needed = Need::Needed {
            by: "cronjob/reports in namespace shop".into(),
        };
        let broken = json!({"rule": "nothing"});
        for (change, need, now, expected) in [
            (
                json!({}),
                &needed,
                "2026-06-01T00:00:00Z",
                ["True Valid", "True InForce", "True Needed"],
            ),
            (
                json!({}),
                &Need::NotNeeded,
                "2026-06-01T00:00:00Z",
                ["True Valid", "True InForce", "False NotNeeded"],
            ),
            (
                json!({}),
                &Need::NotLooked,
                "2026-06-15T00:00:00Z",
                ["True Valid", "True ExpiresSoon", "Unknown NotLooked"],
            ),
            (
                json!({}),
                &needed,
                "2026-06-20T00:00:00Z",
                ["True Valid", "False Expired", "Unknown NotInForce"],
            ),
            (
                json!({}),
                &needed,
                "2026-01-01T00:00:00Z",
                ["False Invalid", "False NotAccepted", "Unknown NotInForce"],
            ),
            (
                broken.clone(),
                &needed,
                "2026-06-01T00:00:00Z",
                ["False Invalid", "False NotAccepted", "Unknown NotInForce"],
            ),
            (
                broken,
                &needed,
                "2026-06-21T00:00:00Z",
                ["False Invalid", "False Expired", "Unknown NotInForce"],
            ),
        ] {
            let found: Vec<String> = told(&exception(&change), need, now)
                .into_iter()
                .map(|(_, status, reason)| format!("{status} {reason}"))
                .collect();
            assert_eq!(found, expected, "{change} at {now}");
        }
    }

    #[test]
    fn the_status_stands_still_while_nothing_changes() {
        for change in [json!({}), json!({"expires": "2027-06-20T00:00:00Z"})] {
            let mut object = exception(&change);
            let bounds = ExceptionBounds::default();
            let at = |seconds| {
                "2026-06-01T00:00:00Z".parse::<Timestamp>().unwrap()
                    + SignedDuration::from_secs(seconds)
            };
            let of = |object: &PolicyException, now| {
                let problem = problem(object, &bounds, now);
                status(object, problem.as_deref(), &Need::NotNeeded, &bounds, now)
            };
            let first = of(&object, at(0));
            object.status = Some(first.clone());
            assert_eq!(of(&object, at(3600)), first);
        }
    }
}
