//! A workload as far as it is looked at when it is scaled: the object of that request, a `Scale`, says nothing but how many pods there shall be.
//!
//! Decides: what is kept of a workload for that, which is what rules that judge scaling say they read. Leaves the judging to them: see [`crate::PolicySet::judge_scale`].

use sluice_api::WorkloadKind;
use sluice_tree::{Map, Reader, Value, json};

use crate::{rules::rules, view::View};

/// What is kept of a Deployment or a StatefulSet, as text: most are never scaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalable(Box<str>);

impl Scalable {
    /// What is kept of the object; `None` where its kind is not scaled, or not seen when it is.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let view = View::lift(object)?;
        if !is_scaled(WorkloadKind::of(view.kind().as_str())?) {
            return None;
        }
        let mut kept = Value::Null;
        for path in [
            "apiVersion",
            "kind",
            "metadata.name",
            "metadata.ownerReferences",
            "metadata.deletionTimestamp",
        ] {
            keep(object, &mut kept, path);
        }
        let judging = rules().iter().filter(|rule| rule.judges_scale());
        for read in judging.flat_map(|rule| rule.info().reads) {
            if view.prefix(read.anchor).is_some() {
                keep(object, &mut kept, &view.path(*read));
            }
        }
        let text = serde_json::to_string(&kept).ok()?;
        Some(Self(text.into()))
    }

    /// A workload of which nothing else is known.
    #[must_use]
    pub fn unknown(kind: WorkloadKind, name: &str) -> Self {
        let bare =
            json!({"apiVersion": "apps/v1", "kind": kind.as_str(), "metadata": {"name": name}});
        Self(serde_json::Value::from(bare).to_string().into())
    }

    /// The workload as it is with so many pods; `running` are those that are there.
    #[must_use]
    pub fn with(&self, replicas: i64, running: Option<i64>) -> Value {
        let mut object = Reader::default().read(&self.0).unwrap_or_default();
        object["spec"]["replicas"] = replicas.into();
        if let Some(running) = running {
            object["status"]["replicas"] = running.into();
        }
        object
    }
}

/// Whether requests that scale this kind are judged.
#[must_use]
pub const fn is_scaled(kind: WorkloadKind) -> bool {
    matches!(kind, WorkloadKind::Deployment | WorkloadKind::StatefulSet)
}

/// Copies the part of `from` that a path names, in which `list[*].field` means every item; items keep their names.
fn keep(from: &Value, into: &mut Value, path: &str) {
    if path.is_empty() {
        into.clone_from(from);
        return;
    }
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    let name = head.strip_suffix("[*]").unwrap_or(head);
    let Some(part) = from.get(name).filter(|part| !part.is_null()) else {
        return;
    };
    match part {
        Value::Array(items) if head != name => {
            let kept = &mut into[name];
            if kept.is_null() {
                *kept = Value::Array(items.iter().map(named).collect());
            }
            if let Value::Array(kept) = kept {
                for (item, kept) in items.iter().zip(kept.iter_mut()) {
                    keep(item, kept, rest);
                }
            }
        }
        // what has another shape than it should is judged as what it is
        part if head != name => into[name].clone_from(part),
        part => keep(part, &mut into[name], rest),
    }
}

/// An item of a list with nothing but its name.
fn named(item: &Value) -> Value {
    let mut kept = Map::default();
    if let Some(name) = item.get("name") {
        kept.insert("name", name.clone());
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_but_what_rules_read_when_a_workload_is_scaled() {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "checkout", "annotations": {"a": "b"}, "ownerReferences": [{"kind": "App", "name": "a", "controller": true}]},
            "spec": {"replicas": 3, "selector": {}, "strategy": {"type": "Recreate"}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
                "priorityClassName": "high", "nodeName": "a",
                "containers": [
                    {"name": "app", "image": "a:1", "env": [{"name": "A"}], "resources": {"requests": {"cpu": "500m"}}},
                    {"name": "log", "image": "b:1"},
                ],
                "initContainers": [{"name": "proxy", "image": "c:1", "restartPolicy": "Always"}],
            }}},
            "status": {"replicas": 9},
        });
        let kept = Scalable::of(&object).unwrap();
        assert_eq!(
            kept.with(7, Some(2)),
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "checkout", "ownerReferences": [{"kind": "App", "name": "a", "controller": true}]},
                "spec": {"replicas": 7, "strategy": {"type": "Recreate"}, "template": {"spec": {
                    "priorityClassName": "high",
                    "containers": [{"name": "app", "resources": {"requests": {"cpu": "500m"}}}, {"name": "log"}],
                    "initContainers": [{"name": "proxy", "restartPolicy": "Always"}],
                }}},
                "status": {"replicas": 2},
            })
        );
    }

    #[test]
    fn other_kinds_are_not_kept_and_odd_shapes_do_no_harm() {
        for kind in ["DaemonSet", "ReplicaSet"] {
            let object = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "a"}});
            assert_eq!(Scalable::of(&object), None, "{kind}");
        }
        let odd = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": 3, "spec": {"template": {"spec": {"containers": 7, "volumes": [1]}}}});
        let kept = Scalable::of(&odd).unwrap().with(1, None);
        assert_eq!(
            kept.pointer("/spec/template/spec/containers"),
            Some(&json!(7))
        );
        let bare = Scalable::unknown(WorkloadKind::StatefulSet, "db").with(2, None);
        assert_eq!(
            bare,
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {"replicas": 2}})
        );
    }
}
