//! What is kept of each kind.

use std::{collections::BTreeMap, marker::PhantomData, net::IpAddr, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{Namespace, Pod},
};
use kube::{Resource, api::ApiResource};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_api::{Gate, Policy, PolicyException, Probe, Release, RolloutPlan, annotation};
use sluice_planner::{release::observation, template::template_hash};

use super::{is_finished, table::Row};
use crate::ownership;

/// The label that the Deployment controller puts on pods and ReplicaSets.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// A namespace.
pub struct NamespaceRow {
    /// Its uid.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Row for NamespaceRow {
    fn resource() -> ApiResource {
        ApiResource::erase::<Namespace>(&())
    }

    fn read(object: Value) -> Result<Self, String> {
        Ok(Self {
            uid: text(&object["metadata"]["uid"]),
            labels: strings(&object["metadata"]["labels"]),
        })
    }
}

/// A Deployment.
pub struct DeploymentRow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its own labels: what selectors of gates and plans look at.
    pub labels: BTreeMap<String, String>,
    /// The content hash of its template.
    pub template_hash: String,
    /// The object that controls it, as `Kind/name`: such a Deployment is never governed.
    pub controlled_by: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether it updates in a rolling way; only that can be stepped.
    pub rolling: bool,
    /// `spec.replicas`.
    pub replicas: i64,
    /// Whether it carries a hold, originals or ownership of ours: something is under way or was left half done.
    pub marked: bool,
    /// Whether it carries the annotation of denied templates.
    pub denied: bool,
    /// Whether that annotation cannot be read.
    pub garbled: bool,
    /// The object as it stands, where `marked`: what writes are computed from.
    pub whole: Option<Arc<Value>>,
}

impl Row for DeploymentRow {
    fn resource() -> ApiResource {
        ApiResource::erase::<Deployment>(&())
    }

    fn read(object: Value) -> Result<Self, String> {
        let metadata = &object["metadata"];
        let spec = &object["spec"];
        if !spec["template"].is_object() {
            return Err("spec.template is not an object".to_owned());
        }
        let has = |key: &str| metadata["annotations"].get(key).is_some();
        let marked = has(annotation::HOLD)
            || has(annotation::ORIGINALS)
            || ownership::is_ours(&metadata["managedFields"]);
        Ok(Self {
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"]),
            uid: text(&metadata["uid"]),
            labels: strings(&metadata["labels"]),
            template_hash: template_hash(&spec["template"]),
            controlled_by: controller(metadata).map(|(kind, name, _)| format!("{kind}/{name}")),
            deleting: metadata.get("deletionTimestamp").is_some(),
            rolling: spec["strategy"]["type"].as_str() != Some("Recreate"),
            replicas: spec["replicas"].as_i64().unwrap_or(1),
            marked,
            denied: has(annotation::DENIED),
            garbled: annotation::read::<Vec<annotation::Denied>>(
                annotation::DENIED,
                metadata["annotations"][annotation::DENIED].as_str(),
            )
            .is_err(),
            whole: marked.then(|| Arc::new(object)),
        })
    }

    fn index(&self) -> Option<&str> {
        Some(&self.uid)
    }
}

/// What gates look at in a workload that is gated and never stepped.
#[derive(Clone, Debug, PartialEq)]
pub struct GatedFacts {
    /// Its uid: its pods are found by it.
    pub uid: String,
    /// Its own labels: what selectors of gates look at.
    pub labels: BTreeMap<String, String>,
    /// Whether another object controls it: such a workload is never governed.
    pub controlled: bool,
}

/// A StatefulSet or a DaemonSet, as `K` says.
pub struct GatedRow<K> {
    /// What is kept of it.
    pub facts: Arc<GatedFacts>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Resource<DynamicType = ()> + 'static> Row for GatedRow<K> {
    fn resource() -> ApiResource {
        ApiResource::erase::<K>(&())
    }

    fn read(object: Value) -> Result<Self, String> {
        let metadata = &object["metadata"];
        Ok(Self {
            facts: Arc::new(GatedFacts {
                uid: text(&metadata["uid"]),
                labels: strings(&metadata["labels"]),
                controlled: controller(metadata).is_some(),
            }),
            kind: PhantomData,
        })
    }
}

/// A ReplicaSet of a Deployment.
pub struct ReplicaSetRow {
    /// Its namespace.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
    /// The uid of the Deployment that controls it.
    pub owner: Option<String>,
    /// When it was made, RFC 3339: sorts by age.
    pub created: String,
    /// What the planner sees.
    pub facts: observation::ReplicaSet,
}

impl Row for ReplicaSetRow {
    fn resource() -> ApiResource {
        ApiResource::erase::<ReplicaSet>(&())
    }

    fn read(object: Value) -> Result<Self, String> {
        let metadata = &object["metadata"];
        let (spec, status) = (&object["spec"], &object["status"]);
        let count = |value: &Value| {
            value
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(0)
        };
        let failure = status["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|condition| {
                condition["type"] == "ReplicaFailure" && condition["status"] == "True"
            })
            .map(|condition| text(&condition["message"]));
        let generation = metadata["generation"].as_i64().unwrap_or(0);
        Ok(Self {
            namespace: text(&metadata["namespace"]),
            uid: text(&metadata["uid"]),
            owner: controller(metadata)
                .filter(|(kind, ..)| *kind == "Deployment")
                .map(|(_, _, uid)| uid.to_owned()),
            created: text(&metadata["creationTimestamp"]),
            facts: observation::ReplicaSet {
                name: text(&metadata["name"]),
                pod_template_hash: text(&metadata["labels"][POD_TEMPLATE_HASH]),
                template_hash: template_hash(&spec["template"]),
                replicas: count(&spec["replicas"]),
                existing: count(&status["replicas"]),
                ready: count(&status["readyReplicas"]),
                available: count(&status["availableReplicas"]),
                observed: status["observedGeneration"].as_i64().unwrap_or(-1) >= generation,
                failure,
            },
        })
    }

    fn index(&self) -> Option<&str> {
        self.owner.as_deref()
    }
}

/// Restarts of a container after which a pod that is not ready counts as crashing. One restart is how many programs wait for a dependency.
pub const CRASHES: u64 = 2;

/// A pod.
pub struct PodRow {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The uid of the ReplicaSet, StatefulSet or DaemonSet that controls it.
    pub owner: Option<String>,
    /// The name of that ReplicaSet; none for the other two, whose pods are theirs directly.
    pub set: Option<String>,
    /// Its address.
    pub ip: Option<IpAddr>,
    /// Whether its Ready condition is true.
    pub ready: bool,
    /// When its containers began to run; `None` while none has.
    pub started: Option<Timestamp>,
    /// Whether one of its containers came back at least [`CRASHES`] times and it is not ready: it does not start slowly, it crashes.
    pub crashing: bool,
    /// Whether it is on its way out or has ended.
    pub ending: bool,
}

impl Row for PodRow {
    fn resource() -> ApiResource {
        ApiResource::erase::<Pod>(&())
    }

    fn read(object: Value) -> Result<Self, String> {
        let (metadata, status) = (&object["metadata"], &object["status"]);
        let containers = || status["containerStatuses"].as_array().into_iter().flatten();
        let started = containers()
            .filter_map(|container| {
                container["state"]["running"]["startedAt"]
                    .as_str()
                    .or_else(|| container["lastState"]["terminated"]["startedAt"].as_str())
                    .or_else(|| container["state"]["terminated"]["startedAt"].as_str())
            })
            .filter_map(|text| text.parse::<Timestamp>().ok())
            .max();
        let owner = controller(metadata)
            .filter(|(kind, ..)| matches!(*kind, "ReplicaSet" | "StatefulSet" | "DaemonSet"));
        let set = owner.filter(|(kind, ..)| *kind == "ReplicaSet");
        let ready = status["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        Ok(Self {
            name: text(&metadata["name"]),
            namespace: text(&metadata["namespace"]),
            owner: owner.map(|(_, _, uid)| uid.to_owned()),
            set: set.map(|(_, name, _)| name.to_owned()),
            ip: status["podIP"].as_str().and_then(|ip| ip.parse().ok()),
            ready,
            started,
            crashing: !ready
                && containers()
                    .any(|container| container["restartCount"].as_u64().unwrap_or(0) >= CRASHES),
            ending: metadata.get("deletionTimestamp").is_some()
                || matches!(status["phase"].as_str(), Some("Failed" | "Succeeded")),
        })
    }

    fn index(&self) -> Option<&str> {
        self.owner.as_deref()
    }
}

impl Row for Release {
    fn resource() -> ApiResource {
        ApiResource::erase::<Self>(&())
    }

    /// A finished Release is kept without what only an unfinished one needs: they outnumber the workloads.
    fn read(object: Value) -> Result<Self, String> {
        let mut release: Self = typed(object)?;
        if is_finished(&release) {
            release.metadata.annotations = None;
            release.spec.originals = Value::Object(serde_json::Map::new());
            if let Some(stable) = &mut release.spec.stable {
                stable.template = Value::Object(serde_json::Map::new());
            }
            if let Some(status) = &mut release.status {
                status.way_back = Vec::new();
                status.batches = Vec::new();
            }
        }
        Ok(release)
    }

    fn index(&self) -> Option<&str> {
        Some(&self.spec.workload.uid)
    }
}

macro_rules! typed_rows {
    ($($kind:ty),*) => {$(
        impl Row for $kind {
            fn resource() -> ApiResource {
                ApiResource::erase::<Self>(&())
            }

            fn read(object: Value) -> Result<Self, String> {
                typed(object)
            }
        }
    )*};
}
typed_rows!(Gate, RolloutPlan, Probe, Policy, PolicyException);

/// Reads an object of ours, without the ownership lists that nobody here looks at.
fn typed<T: DeserializeOwned>(mut object: Value) -> Result<T, String> {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    serde_json::from_value(object).map_err(|error| error.to_string())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn strings(value: &Value) -> BTreeMap<String, String> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Kind, name and uid of the controlling owner.
fn controller(metadata: &Value) -> Option<(&str, &str, &str)> {
    metadata["ownerReferences"]
        .as_array()?
        .iter()
        .find(|owner| owner["controller"] == true)
        .map(|owner| {
            let text = |field: &str| owner[field].as_str().unwrap_or_default();
            (text("kind"), text("name"), text("uid"))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_deployment_with_something_under_way_is_kept_whole() {
        let with = |annotations: Value, managed: Value| {
            DeploymentRow::read(json!({
                "metadata": {"name": "a", "namespace": "shop", "uid": "u", "annotations": annotations, "managedFields": managed},
                "spec": {"template": {}},
            }))
            .unwrap()
        };
        let ours = json!([{"manager": ownership::MANAGER, "operation": "Update", "fieldsV1": {}}]);
        for (what, row, marked) in [
            ("plain", with(json!({"a": "b"}), json!([])), false),
            (
                "denied only",
                with(json!({annotation::DENIED: "[]"}), json!([])),
                false,
            ),
            (
                "held",
                with(json!({annotation::HOLD: "{}"}), json!([])),
                true,
            ),
            (
                "stepped",
                with(json!({annotation::ORIGINALS: "{}"}), json!([])),
                true,
            ),
            ("ownership left behind", with(json!({}), ours), true),
        ] {
            assert_eq!(
                (row.marked, row.whole.is_some()),
                (marked, marked),
                "{what}"
            );
        }
    }

    #[test]
    fn a_pod_that_crashes_is_told_from_one_that_starts_slowly() {
        let pod = |ready: &str, restarts: u64| {
            PodRow::read(json!({
                "metadata": {"name": "a", "namespace": "shop"},
                "status": {"podIP": "10.244.0.1", "conditions": [{"type": "Ready", "status": ready}],
                    "containerStatuses": [{"restartCount": restarts, "state": {"terminated": {"startedAt": "2026-01-01T00:00:00Z"}}}]},
            }))
            .unwrap()
        };
        for (ready, restarts, crashing) in [
            ("True", 9, false),
            ("False", 0, false),
            ("False", 1, false),
            ("False", 2, true),
        ] {
            assert_eq!(
                pod(ready, restarts).crashing,
                crashing,
                "{ready} {restarts}"
            );
        }
    }

    #[test]
    fn a_finished_release_is_kept_without_templates_and_patches() {
        let release = |phase: &str| {
            <Release as Row>::read(json!({
                "apiVersion": "sluice.dev/v1alpha1", "kind": "Release",
                "metadata": {"name": "r", "namespace": "shop", "annotations": {"a": "b"}},
                "spec": {"workload": {"kind": "Deployment", "name": "a", "uid": "u"}, "target": {"hash": "0123456789"},
                    "stable": {"hash": "9876543210", "template": {"spec": {}}},
                    "originals": {"strategy": {}}, "plan": {"namespace": "shop", "name": "p"}},
                "status": {"phase": phase, "wayBack": [{"op": "test"}]},
            }))
            .unwrap()
        };
        let (open, over) = (release("Baking"), release("RolledBack"));
        assert!(open.metadata.annotations.is_some());
        assert!(over.metadata.annotations.is_none());
        assert_eq!(over.spec.stable.unwrap().template, json!({}));
        assert!(over.status.unwrap().way_back.is_empty());
    }
}
