//! The fields of a Deployment that decide, read once from its JSON.
//!
//! Absent fields get the API's own defaults. A field of the wrong type is an error, never a default: nothing is decided from an object that was not
//! understood.

use serde_json::{Map, Value};

use crate::share::{self, Share};

/// `minReadySeconds` under the pin: no new pod ever counts as available, so the Deployment controller stops by itself.
pub const PIN_MIN_READY_SECONDS: i64 = 2_147_483_646;
/// `progressDeadlineSeconds` under the pin: must exceed `minReadySeconds`, and this value switches progress tracking off.
pub const PIN_PROGRESS_DEADLINE_SECONDS: i64 = 2_147_483_647;

/// A field that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: found {found}, expected {expected}")]
pub struct DeploymentError {
    /// The field.
    pub path: &'static str,
    /// What stands there, cut to what fits a message.
    pub found: String,
    /// What would pass.
    pub expected: &'static str,
}

/// A Deployment as far as decisions need it.
#[derive(Clone, Copy, Debug)]
pub struct DeploymentView<'a> {
    /// `metadata.uid`; empty before the API server has given one.
    pub uid: &'a str,
    /// `metadata.name`; empty before the API server has made one from `generateName`.
    pub name: &'a str,
    /// `metadata.resourceVersion`; empty in an object that is not stored.
    pub resource_version: &'a str,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.paused`.
    pub paused: bool,
    /// `spec.strategy`, read.
    pub strategy: Strategy,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i64,
    /// `spec.progressDeadlineSeconds`.
    pub progress_deadline_seconds: i64,
    /// `spec.template`.
    pub template: &'a Value,
    /// `spec`, for fields that are restored as they stood.
    pub spec: &'a Map<String, Value>,
    /// `metadata.annotations`.
    pub annotations: Option<&'a Map<String, Value>>,
    /// `status.replicas`: pods of every version.
    pub existing: u32,
    /// `status.updatedReplicas`: pods of the present template.
    pub updated: u32,
    /// `status.availableReplicas`.
    pub available: u32,
    /// The message of the condition `ReplicaFailure`, when it is true.
    pub replica_failure: Option<&'a str>,
    /// The Deployment controller's own progress deadline passed.
    pub deadline_exceeded: bool,
}

/// How a Deployment updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Step by step within the two limits.
    RollingUpdate {
        /// `maxSurge`.
        surge: Share,
        /// `maxUnavailable`.
        unavailable: Share,
    },
    /// All or nothing.
    Recreate,
}

impl<'a> DeploymentView<'a> {
    /// Reads a Deployment.
    ///
    /// # Errors
    /// When a field that decides is missing or of the wrong type.
    pub fn of(object: &'a Value) -> Result<Self, DeploymentError> {
        let metadata = map(&object["metadata"], "metadata")?;
        let spec = map(&object["spec"], "spec")?;
        let template = spec
            .get("template")
            .filter(|template| template.is_object())
            .ok_or_else(|| wrong("spec.template", spec.get("template"), "a pod template"))?;
        let annotations = match metadata.get("annotations") {
            None | Some(Value::Null) => None,
            Some(annotations) => Some(map(annotations, "metadata.annotations")?),
        };
        let status = object.get("status");
        let status = |field: &str| status.and_then(|status| status.get(field));
        Ok(Self {
            uid: text(metadata.get("uid"), "metadata.uid")?,
            name: text(metadata.get("name"), "metadata.name")?,
            resource_version: text(metadata.get("resourceVersion"), "metadata.resourceVersion")?,
            generation: number(metadata.get("generation"), "metadata.generation", 0)?,
            observed_generation: number(
                status("observedGeneration"),
                "status.observedGeneration",
                0,
            )?,
            replicas: pods(spec.get("replicas"), "spec.replicas", 1)?,
            paused: match spec.get("paused") {
                None | Some(Value::Null) => false,
                Some(Value::Bool(paused)) => *paused,
                other => return Err(wrong("spec.paused", other, "true or false")),
            },
            strategy: Strategy::of(spec.get("strategy"))?,
            min_ready_seconds: number(spec.get("minReadySeconds"), "spec.minReadySeconds", 0)?,
            progress_deadline_seconds: number(
                spec.get("progressDeadlineSeconds"),
                "spec.progressDeadlineSeconds",
                600,
            )?,
            template,
            spec,
            annotations,
            existing: pods(status("replicas"), "status.replicas", 0)?,
            updated: pods(status("updatedReplicas"), "status.updatedReplicas", 0)?,
            available: pods(status("availableReplicas"), "status.availableReplicas", 0)?,
            replica_failure: condition(status("conditions"), "ReplicaFailure", "True")
                .map(|condition| condition["message"].as_str().unwrap_or_default()),
            deadline_exceeded: condition(status("conditions"), "Progressing", "False")
                .is_some_and(|condition| condition["reason"] == "ProgressDeadlineExceeded"),
        })
    }

    /// Whether new pods are kept from ever counting as available.
    #[must_use]
    pub const fn is_pinned(&self) -> bool {
        self.min_ready_seconds == PIN_MIN_READY_SECONDS
    }

    /// The text of an annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&'a str> {
        self.annotations?.get(key)?.as_str()
    }

    /// Whether every wanted pod runs the present template and is available, and no other pod is left.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.is_observed()
            && self.updated == self.replicas
            && self.existing == self.replicas
            && self.available >= self.replicas
    }

    /// Whether the Deployment controller has seen the present generation.
    #[must_use]
    pub const fn is_observed(&self) -> bool {
        self.observed_generation >= self.generation
    }
}

impl Strategy {
    /// Reads `spec.strategy`; absent fields get the API's defaults.
    ///
    /// # Errors
    /// When a limit is neither a number of pods nor a percentage, or the type is unknown.
    pub fn of(strategy: Option<&Value>) -> Result<Self, DeploymentError> {
        let Some(strategy) = strategy.filter(|strategy| !strategy.is_null()) else {
            return Ok(Self::RollingUpdate {
                surge: Share::Percent(25),
                unavailable: Share::Percent(25),
            });
        };
        let limit = |field: &str, path| match &strategy["rollingUpdate"][field] {
            Value::Null => Ok(Share::Percent(25)),
            value => Share::of(value)
                .ok_or_else(|| wrong(path, Some(value), "a number of pods or a percentage")),
        };
        match strategy.get("type").map(Value::as_str) {
            None | Some(Some("RollingUpdate" | "")) => Ok(Self::RollingUpdate {
                surge: limit("maxSurge", "spec.strategy.rollingUpdate.maxSurge")?,
                unavailable: limit(
                    "maxUnavailable",
                    "spec.strategy.rollingUpdate.maxUnavailable",
                )?,
            }),
            Some(Some("Recreate")) => Ok(Self::Recreate),
            Some(_) => Err(wrong(
                "spec.strategy.type",
                strategy.get("type"),
                "RollingUpdate or Recreate",
            )),
        }
    }

    /// `(maxSurge, maxUnavailable)` in pods; `None` for `Recreate`.
    #[must_use]
    pub fn limits(self, replicas: u32) -> Option<(u32, u32)> {
        match self {
            Self::RollingUpdate { surge, unavailable } => {
                Some(share::resolve(surge, unavailable, replicas))
            }
            Self::Recreate => None,
        }
    }
}

fn wrong(path: &'static str, found: Option<&Value>, expected: &'static str) -> DeploymentError {
    DeploymentError {
        path,
        found: found.map_or_else(
            || "nothing".to_owned(),
            |value| value.to_string().chars().take(60).collect(),
        ),
        expected,
    }
}

fn map<'a>(
    value: &'a Value,
    path: &'static str,
) -> Result<&'a Map<String, Value>, DeploymentError> {
    value
        .as_object()
        .ok_or_else(|| wrong(path, Some(value), "an object"))
}

fn text<'a>(value: Option<&'a Value>, path: &'static str) -> Result<&'a str, DeploymentError> {
    match value {
        None | Some(Value::Null) => Ok(""),
        Some(value) => value
            .as_str()
            .ok_or_else(|| wrong(path, Some(value), "a text")),
    }
}

fn number(value: Option<&Value>, path: &'static str, absent: i64) -> Result<i64, DeploymentError> {
    match value {
        None | Some(Value::Null) => Ok(absent),
        Some(value) => value
            .as_i64()
            .ok_or_else(|| wrong(path, Some(value), "a whole number")),
    }
}

fn pods(value: Option<&Value>, path: &'static str, absent: u32) -> Result<u32, DeploymentError> {
    match value {
        None | Some(Value::Null) => Ok(absent),
        Some(value) => value
            .as_u64()
            .and_then(|pods| u32::try_from(pods).ok())
            .ok_or_else(|| wrong(path, Some(value), "a number of pods")),
    }
}

fn condition<'a>(conditions: Option<&'a Value>, kind: &str, status: &str) -> Option<&'a Value> {
    conditions?
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == kind && condition["status"] == status)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn absent_fields_get_the_defaults_of_the_api() {
        let object = json!({"metadata": {}, "spec": {"template": {}}});
        let view = DeploymentView::of(&object).unwrap();
        assert_eq!(view.replicas, 1);
        assert_eq!(view.strategy.limits(10), Some((3, 2)));
        assert_eq!(
            (view.min_ready_seconds, view.progress_deadline_seconds),
            (0, 600)
        );
        assert!(!view.paused && !view.is_pinned() && view.is_observed());
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_names_the_field() {
        for (patch, path) in [
            (json!({"replicas": "3"}), "spec.replicas"),
            (json!({"replicas": -1}), "spec.replicas"),
            (json!({"paused": 1}), "spec.paused"),
            (json!({"strategy": {"type": "Other"}}), "spec.strategy.type"),
            (
                json!({"strategy": {"rollingUpdate": {"maxSurge": "x"}}}),
                "spec.strategy.rollingUpdate.maxSurge",
            ),
            (json!({"template": null}), "spec.template"),
        ] {
            let mut object = json!({"metadata": {}, "spec": {"template": {}}});
            for (key, value) in patch.as_object().unwrap() {
                object["spec"][key] = value.clone();
            }
            assert_eq!(DeploymentView::of(&object).unwrap_err().path, path);
        }
    }

    #[test]
    fn conditions_are_read_only_when_they_hold() {
        let object = json!({"metadata": {}, "spec": {"template": {}}, "status": {"conditions": [
            {"type": "ReplicaFailure", "status": "False", "message": "old"},
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
        ]}});
        let view = DeploymentView::of(&object).unwrap();
        assert_eq!(view.replica_failure, None);
        assert!(view.deadline_exceeded);
    }
}
