//! What the user really changed in fields where Sluice's values stand.

use serde_json::{Map, Value};
use sluice_api::annotation::Originals;

use crate::{deployment::Strategy, share::Share};

/// The fields that Sluice sets during a release, besides `paused`.
pub(crate) const STEPPED: [&str; 3] = ["strategy", "minReadySeconds", "progressDeadlineSeconds"];

/// The user's value of a stepped field.
pub(crate) fn value<'o>(originals: &'o Originals, field: &str) -> Option<&'o Value> {
    match field {
        "strategy" => originals.strategy.as_ref(),
        "minReadySeconds" => originals.min_ready_seconds.as_ref(),
        _ => originals.progress_deadline_seconds.as_ref(),
    }
}

/// The originals after a foreign request: a field counts as changed only if the request moved it away from the live value, so sending Sluice's own values
/// back, as every read-modify-write does, changes nothing. A user who asks for exactly the live value goes unnoticed,
/// unless what would come of it makes no sense.
pub(super) fn changed(
    originals: &Originals,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> Originals {
    let mut changed = originals.clone();
    for (field, slot) in [
        ("minReadySeconds", &mut changed.min_ready_seconds),
        (
            "progressDeadlineSeconds",
            &mut changed.progress_deadline_seconds,
        ),
    ] {
        if old.get(field) != new.get(field) {
            *slot = new.get(field).cloned();
        }
    }
    if old.get("strategy") != new.get("strategy") {
        let whole = new.get("strategy").cloned();
        changed.strategy = strategy(changed.strategy, old.get("strategy"), new.get("strategy"));
        if !can_come_back(&changed) {
            // one of two limits was asked for at its live value and went unnoticed: together they make no sense, as they were sent they do
            let sent = Originals {
                strategy: whole,
                ..changed.clone()
            };
            if can_come_back(&sent) {
                changed = sent;
            }
        }
    }
    changed
}

fn strategy(kept: Option<Value>, old: Option<&Value>, new: Option<&Value>) -> Option<Value> {
    let (Some(old), Some(new)) = (old, new) else {
        return new.cloned();
    };
    let Some(mut kept) = kept.filter(|_| old.get("type") == new.get("type")) else {
        return Some(new.clone());
    };
    for limit in ["maxSurge", "maxUnavailable"] {
        let of = |strategy: &Value| strategy.get("rollingUpdate")?.get(limit).cloned();
        let (before, after) = (of(old), of(new));
        if before == after {
            continue;
        }
        let Some(limits) = kept
            .as_object_mut()
            .map(|kept| {
                kept.entry("rollingUpdate")
                    .or_insert_with(|| Value::Object(Map::new()))
            })
            .and_then(Value::as_object_mut)
        else {
            return Some(new.clone());
        };
        match after {
            Some(after) => drop(limits.insert(limit.to_owned(), after)),
            None => drop(limits.remove(limit)),
        }
    }
    Some(kept)
}

/// Whether the API server would take these values when they come back.
pub(super) fn can_come_back(originals: &Originals) -> bool {
    let seconds = |value: &Option<Value>, absent: i64| match value {
        None => Some(absent),
        Some(value) => value.as_i64(),
    };
    let limits = match Strategy::of(originals.strategy.as_ref()) {
        Ok(Strategy::Recreate) => true,
        Ok(Strategy::RollingUpdate { surge, unavailable }) => {
            let zero = |share| matches!(share, Share::Pods(0) | Share::Percent(0));
            let both_zero = zero(surge) && zero(unavailable);
            !(both_zero || matches!(unavailable, Share::Percent(101..)))
        }
        Err(_) => false,
    };
    match (
        seconds(&originals.min_ready_seconds, 0),
        seconds(&originals.progress_deadline_seconds, 600),
    ) {
        (Some(ready), Some(deadline)) => limits && ready >= 0 && deadline > ready,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_request_moved_is_taken_over() {
        let originals: Originals = serde_json::from_value(json!({
            "uid": "u", "target": "t",
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "progressDeadlineSeconds": 600,
        }))
        .unwrap();
        let live = json!({
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "minReadySeconds": 2_147_483_646, "progressDeadlineSeconds": 2_147_483_647,
        });
        for (request, strategy, ready, deadline) in [
            (
                live.clone(),
                json!({"maxSurge": "25%", "maxUnavailable": "25%"}),
                None,
                json!(600),
            ),
            (
                json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 0}},
                       "minReadySeconds": 10, "progressDeadlineSeconds": 2_147_483_647}),
                json!({"maxSurge": 3, "maxUnavailable": "25%"}),
                Some(json!(10)),
                json!(600),
            ),
            (
                json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                       "progressDeadlineSeconds": 30}),
                json!({"maxSurge": "25%", "maxUnavailable": "25%"}),
                None,
                json!(30),
            ),
        ] {
            let found = changed(
                &originals,
                live.as_object().unwrap(),
                request.as_object().unwrap(),
            );
            assert_eq!(
                found.strategy.unwrap()["rollingUpdate"],
                strategy,
                "{request}"
            );
            assert_eq!(found.min_ready_seconds, ready, "{request}");
            assert_eq!(found.progress_deadline_seconds, Some(deadline), "{request}");
        }
        let recreate = json!({"strategy": {"type": "Recreate"}, "minReadySeconds": 2_147_483_646,
            "progressDeadlineSeconds": 2_147_483_647});
        let found = changed(
            &originals,
            live.as_object().unwrap(),
            recreate.as_object().unwrap(),
        );
        assert_eq!(found.strategy, Some(json!({"type": "Recreate"})));
    }

    #[test]
    fn values_that_the_api_server_would_refuse_cannot_come_back() {
        for (values, fine) in [
            (json!({}), true),
            (json!({"strategy": {"type": "Recreate"}}), true),
            (
                json!({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}),
                false,
            ),
            (
                json!({"strategy": {"rollingUpdate": {"maxSurge": "x"}}}),
                false,
            ),
            (json!({"minReadySeconds": -1}), false),
            (json!({"minReadySeconds": 600}), false),
            (
                json!({"minReadySeconds": 600, "progressDeadlineSeconds": 601}),
                true,
            ),
        ] {
            let mut whole = json!({"uid": "u", "target": "t"});
            for (key, value) in values.as_object().unwrap() {
                whole[key] = value.clone();
            }
            let originals = serde_json::from_value(whole).unwrap();
            assert_eq!(can_come_back(&originals), fine, "{values}");
        }
    }
}
