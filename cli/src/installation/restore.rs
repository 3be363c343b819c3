//! Gives a Deployment back to its owner: the values they applied, and nothing of Sluice's. Pure.

use serde_json::{Value, json};
use sluice_api::annotation::{self, DENIED, HOLD, Hold, ORIGINALS, Originals};
use sluice_planner::deployment::{PIN_MIN_READY_SECONDS, PIN_PROGRESS_DEADLINE_SECONDS};

/// What is to be done about one Deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Restoration {
    /// The JSON Patch; its first operation tests that nothing changed since the object was read.
    pub patch: Vec<Value>,
    /// What it does, for people.
    pub does: Vec<&'static str>,
}

/// Why a Deployment cannot be restored without a human.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The user's values are not recorded anywhere.
    #[error(
        "the values of a release stand in its spec and what was applied is recorded nowhere: apply its manifest again, minReadySeconds and progressDeadlineSeconds included"
    )]
    OriginalsLost,
    /// An annotation holds what Sluice does not write.
    #[error(
        "annotation {key} is not what Sluice writes; look at the Deployment and remove it by hand"
    )]
    Unreadable {
        /// The annotation.
        key: &'static str,
    },
}

/// Whether the values of a release stand in its spec.
#[must_use]
pub fn is_pinned(deployment: &Value) -> bool {
    let spec = &deployment["spec"];
    spec["minReadySeconds"] == PIN_MIN_READY_SECONDS
        || spec["progressDeadlineSeconds"] == PIN_PROGRESS_DEADLINE_SECONDS
}

/// What gives `deployment` back to its owner; `None` when nothing of Sluice's stands on it. `recorded` are the user's values in the youngest Release of its
/// uid, for a Deployment that lost the annotation.
///
/// The template stays what it is: uninstalling decides nothing about versions.
///
/// # Errors
/// When what the user applied cannot be known.
pub fn restoration(
    deployment: &Value,
    recorded: Option<&Originals>,
) -> Result<Option<Restoration>, RestoreError> {
    let annotations = &deployment["metadata"]["annotations"];
    let uid = deployment["metadata"]["uid"].as_str().unwrap_or_default();
    let present = |key: &str| annotations.get(key).is_some();
    let spec = &deployment["spec"];
    let pinned = is_pinned(deployment);
    let stepped = pinned || present(ORIGINALS);
    if !stepped && !present(HOLD) && !present(DENIED) {
        return Ok(None);
    }
    let unreadable = |key| move |_| RestoreError::Unreadable { key };
    let own = |of: &str| of.is_empty() || of == uid;
    let hold = annotation::read::<Hold>(HOLD, annotations[HOLD].as_str())
        .map_err(unreadable(HOLD))?
        .filter(|hold| own(&hold.uid));
    let originals = annotation::read::<Originals>(ORIGINALS, annotations[ORIGINALS].as_str())
        .map_err(unreadable(ORIGINALS))?
        .filter(|originals| own(&originals.uid));

    let mut does = Vec::new();
    let mut patch = vec![
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": deployment["metadata"]["resourceVersion"]}),
    ];
    if pinned || originals.is_some() {
        let originals = originals
            .as_ref()
            .or(recorded)
            .ok_or(RestoreError::OriginalsLost)?;
        let before = patch.len();
        for (field, users) in [
            ("strategy", &originals.strategy),
            ("minReadySeconds", &originals.min_ready_seconds),
            (
                "progressDeadlineSeconds",
                &originals.progress_deadline_seconds,
            ),
        ] {
            let path = format!("/spec/{field}");
            match (users, spec.get(field)) {
                (Some(users), found) if found != Some(users) => {
                    patch.push(json!({"op": "add", "path": path, "value": users}))
                }
                (None, Some(_)) => patch.push(json!({"op": "remove", "path": path})),
                _ => {}
            }
        }
        if patch.len() > before {
            does.push("rollout settings put back");
        }
    }
    if let Some(hold) = &hold {
        let paused = spec["paused"] == true;
        if paused && !hold.paused {
            patch.push(json!({"op": "remove", "path": "/spec/paused"}));
            does.push("hold ended: the version that was held is rolled out by Kubernetes");
        } else if !paused && hold.paused {
            patch.push(json!({"op": "add", "path": "/spec/paused", "value": true}));
            does.push("paused again, as its owner wanted");
        }
    }
    for key in [HOLD, ORIGINALS, DENIED] {
        if present(key) {
            patch.push(json!({"op": "remove", "path": format!("/metadata/annotations/{}", key.replace('~', "~0").replace('/', "~1"))}));
        }
    }
    if present(HOLD) || present(ORIGINALS) || present(DENIED) {
        does.push("annotations removed");
    }
    Ok(Some(Restoration { patch, does }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(spec: Value, annotations: Value) -> Value {
        json!({"metadata": {"name": "a", "uid": "u", "resourceVersion": "7", "annotations": annotations}, "spec": spec})
    }

    fn applied(deployment: &Value, restoration: &Restoration) -> Value {
        let mut after = deployment.clone();
        let patch: json_patch::Patch =
            serde_json::from_value(Value::Array(restoration.patch.clone())).unwrap();
        json_patch::patch(&mut after, &patch).unwrap();
        after
    }

    fn pinned(surge: Value) -> Value {
        json!({"replicas": 3, "minReadySeconds": PIN_MIN_READY_SECONDS, "progressDeadlineSeconds": PIN_PROGRESS_DEADLINE_SECONDS,
               "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": 0}}, "template": {"x": 1}})
    }

    const ORIGINAL: &str = r#"{"uid":"u","target":"t","strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}},"progressDeadlineSeconds":600}"#;

    #[test]
    fn what_the_user_applied_comes_back_exactly() {
        let users = json!({"replicas": 3, "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}, "template": {"x": 1}});
        let hold = |paused: bool| {
            json!({"uid": "u", "target": "t", "release": "r", "paused": paused}).to_string()
        };
        let with_paused = |mut spec: Value| {
            spec["paused"] = json!(true);
            spec
        };
        for (what, spec, annotations, expected) in [
            (
                "stepped",
                pinned(json!(1)),
                json!({HOLD: hold(false), ORIGINALS: ORIGINAL, "own": "x"}),
                users.clone(),
            ),
            (
                "held at zero",
                with_paused(users.clone()),
                json!({HOLD: hold(false), "own": "x"}),
                users.clone(),
            ),
            (
                "held at zero, paused by its owner",
                with_paused(users.clone()),
                json!({HOLD: hold(true), "own": "x"}),
                with_paused(users.clone()),
            ),
            (
                "paused by its owner while stepped",
                pinned(json!(1)),
                json!({HOLD: hold(true), ORIGINALS: ORIGINAL, "own": "x"}),
                with_paused(users.clone()),
            ),
            (
                "remembers a bad version",
                users.clone(),
                json!({DENIED: "[]", "own": "x"}),
                users.clone(),
            ),
            (
                "a copy of somebody else's hold",
                with_paused(users.clone()),
                json!({HOLD: hold(false).replace("\"u\"", "\"v\""), "own": "x"}),
                with_paused(users.clone()),
            ),
        ] {
            let deployment = deployment(spec, annotations);
            let restoration = restoration(&deployment, None).unwrap().unwrap();
            let after = applied(&deployment, &restoration);
            assert_eq!(after["spec"], expected, "{what}");
            assert_eq!(
                after["metadata"]["annotations"],
                json!({"own": "x"}),
                "{what}"
            );
            assert_eq!(restoration.patch[0]["op"], "test", "{what}");
            assert_eq!(
                super::restoration(&after, None),
                Ok(None),
                "{what}: a second time there is nothing to do"
            );
        }
    }

    #[test]
    fn a_workload_without_anything_of_ours_is_left_alone() {
        assert_eq!(
            restoration(
                &deployment(json!({"paused": true}), json!({"own": "x"})),
                None
            ),
            Ok(None)
        );
        assert_eq!(
            restoration(&json!({"metadata": {}, "spec": {}}), None),
            Ok(None)
        );
    }

    #[test]
    fn lost_values_come_from_the_record_or_from_a_human() {
        let lost = deployment(pinned(json!(1)), json!({}));
        assert_eq!(restoration(&lost, None), Err(RestoreError::OriginalsLost));
        let recorded: Originals = serde_json::from_str(ORIGINAL).unwrap();
        let after = applied(
            &lost,
            &restoration(&lost, Some(&recorded)).unwrap().unwrap(),
        );
        assert_eq!(after["spec"]["progressDeadlineSeconds"], 600);
        let broken = deployment(pinned(json!(1)), json!({ORIGINALS: "{"}));
        assert_eq!(
            restoration(&broken, None),
            Err(RestoreError::Unreadable { key: ORIGINALS })
        );
    }
}
