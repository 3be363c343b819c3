//! The view a rule has of an object: its kind, its job, its pod, its containers, whichever workload kind carries them.
//!
//! Decides: where these parts lie in each kind, and what a field is worth after API defaults.
//! Invariant: lifting copies nothing and never panics, whatever the object looks like.

mod container;
mod field;
mod kind;

use sluice_tree::Value;

pub use container::{Container, Role};
pub(crate) use field::printed as field_text;
pub use field::{Field, Int, IntOrPercent};
pub use kind::Kind;

use crate::defaults;

/// A part of an object that means the same wherever it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The object itself.
    Object,
    /// The `JobSpec`: of a Job, or of the Jobs that a CronJob makes.
    Job,
    /// The `PodSpec`: of a Pod, or of the pods that the object makes.
    Pod,
}

/// A field that a rule reads: a dotted path below an anchor. `containers[*].image` reads every item of a list; an empty path reads the whole part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Where the path begins.
    pub anchor: Anchor,
    /// The path below it.
    pub path: &'static str,
}

impl Read {
    /// A field of the object.
    #[must_use]
    pub const fn object(path: &'static str) -> Self {
        Self {
            anchor: Anchor::Object,
            path,
        }
    }

    /// A field of the `JobSpec`.
    #[must_use]
    pub const fn job(path: &'static str) -> Self {
        Self {
            anchor: Anchor::Job,
            path,
        }
    }

    /// A field of the `PodSpec`.
    #[must_use]
    pub const fn pod(path: &'static str) -> Self {
        Self {
            anchor: Anchor::Pod,
            path,
        }
    }
}

/// One object, lifted.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    kind: Kind,
    object: &'a Value,
}

impl<'a> View<'a> {
    /// The view of `object`, when its kind is one that rules know.
    #[must_use]
    pub fn lift(object: &'a Value) -> Option<Self> {
        Kind::of(object).map(|kind| Self { kind, object })
    }

    /// The kind of the object.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Where `anchor` lies in the object as the user wrote it; `None` when the kind has no such part.
    #[must_use]
    pub const fn prefix(&self, anchor: Anchor) -> Option<&'static str> {
        self.kind.prefix(anchor)
    }

    /// The part itself, when the kind has it and the object says it.
    #[must_use]
    pub fn part(&self, anchor: Anchor) -> Option<&'a Value> {
        lookup(self.object, self.prefix(anchor)?)
    }

    /// The field, after API defaults. Where the kind has no such part the field is absent.
    #[must_use]
    pub fn field(&self, read: Read) -> Field<'a> {
        let written = self
            .part(read.anchor)
            .and_then(|part| lookup(part, read.path));
        Field::new(written, || defaults::of_field(self, read))
    }

    /// The field as it stands in the object, defaults left aside.
    #[must_use]
    pub fn written(&self, read: Read) -> Option<&'a Value> {
        lookup(self.part(read.anchor)?, read.path)
    }

    /// The path of the field in the object as the user wrote it.
    #[must_use]
    pub fn path(&self, read: Read) -> String {
        join(self.prefix(read.anchor).unwrap_or_default(), read.path)
    }

    /// The containers of the pod in the order the kubelet starts them: init containers and sidecars first.
    pub fn containers(&self) -> impl Iterator<Item = Container<'a>> + use<'a> {
        let pod = self.part(Anchor::Pod);
        container::of_pod(pod)
    }

    /// A field of a container, after API defaults; `path` is dotted and begins at the container.
    #[must_use]
    pub fn container_field(&self, container: &Container<'a>, path: &str) -> Field<'a> {
        Field::new(container.get(path), || {
            defaults::of_container(self.kind, container.value, path)
        })
    }

    /// Whether the part of the object that `read` names differs from the one in `old`.
    #[must_use]
    pub fn differs(&self, old: &View<'_>, read: Read) -> bool {
        differs(self.part(read.anchor), old.part(read.anchor), read.path)
    }
}

/// The value at a dotted path. `null` counts as absent, as it does for the API server.
pub(crate) fn lookup<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = value;
    if !path.is_empty() {
        for name in path.split('.') {
            at = at.as_object()?.get(name)?;
        }
    }
    (!at.is_null()).then_some(at)
}

/// `a` and `b` with a dot between them where both say something.
pub(crate) fn join(a: &str, b: &str) -> String {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b.to_owned(),
        (_, true) => a.to_owned(),
        _ => format!("{a}.{b}"),
    }
}

fn differs(new: Option<&Value>, old: Option<&Value>, path: &str) -> bool {
    let (Some(new), Some(old)) = (new, old) else {
        return new.is_some() != old.is_some();
    };
    let Some((list, rest)) = path.split_once("[*]") else {
        return lookup(new, path) != lookup(old, path);
    };
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    match (lookup(new, list), lookup(old, list)) {
        (Some(Value::Array(new)), Some(Value::Array(old))) => {
            new.len() != old.len()
                || new.iter().zip(old).any(|(new, old)| {
                    new.get("name") != old.get("name") || differs(Some(new), Some(old), rest)
                })
        }
        (new, old) => new != old,
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    #[test]
    fn the_same_parts_are_found_in_every_kind() {
        let pod = json!({"containers": [{"name": "a"}]});
        for (object, job, path) in [
            (
                json!({"apiVersion": "v1", "kind": "Pod", "spec": pod}),
                None,
                "spec",
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": pod}}}),
                None,
                "spec.template.spec",
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"template": {"spec": pod}}}),
                None,
                "spec.template.spec",
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "spec": {"template": {"spec": pod}}}),
                None,
                "spec.template.spec",
            ),
            (
                json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"template": {"spec": pod}}}),
                None,
                "spec.template.spec",
            ),
            (
                json!({"apiVersion": "v1", "kind": "ReplicationController", "spec": {"template": {"spec": pod}}}),
                None,
                "spec.template.spec",
            ),
            (
                json!({"apiVersion": "v1", "kind": "PodTemplate", "template": {"spec": pod}}),
                None,
                "template.spec",
            ),
            (
                json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": pod}}}),
                Some("spec"),
                "spec.template.spec",
            ),
            (
                json!({"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}),
                Some("spec.jobTemplate.spec"),
                "spec.jobTemplate.spec.template.spec",
            ),
        ] {
            let view = View::lift(&object).unwrap();
            assert_eq!(view.part(Anchor::Pod), Some(&pod), "{object}");
            assert_eq!(view.prefix(Anchor::Pod), Some(path), "{object}");
            assert_eq!(view.prefix(Anchor::Job), job, "{object}");
            assert_eq!(view.containers().count(), 1, "{object}");
        }
    }

    #[test]
    fn objects_of_other_kinds_or_no_shape_are_not_lifted() {
        for object in [
            json!(null),
            json!([]),
            json!("Deployment"),
            json!({"kind": "Deployment"}),
            json!({"apiVersion": "apps/v1", "kind": 3}),
            json!({"apiVersion": "apps/v1beta1", "kind": "Deployment"}),
            json!({"apiVersion": "v1", "kind": "ConfigMap"}),
            json!({"apiVersion": "example.org/v1", "kind": "Job"}),
        ] {
            assert!(View::lift(&object).is_none(), "{object}");
        }
    }

    #[test]
    fn a_read_differs_only_where_it_looks() {
        let object = |image: &str, memory: &str, name: &str| {
            json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [
                {"name": name, "image": image, "resources": {"limits": {"memory": memory}}}
            ]}})
        };
        let read = Read::pod("containers[*].resources.limits.memory");
        let base = object("a:1", "1Gi", "a");
        for (other, differs) in [
            (object("a:1", "1Gi", "a"), false),
            (object("a:2", "1Gi", "a"), false),
            (object("a:1", "2Gi", "a"), true),
            (object("a:1", "1Gi", "b"), true),
            (
                json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": 3}}),
                true,
            ),
            (json!({"apiVersion": "v1", "kind": "Pod"}), true),
        ] {
            let (new, old) = (View::lift(&other).unwrap(), View::lift(&base).unwrap());
            assert_eq!(new.differs(&old, read), differs, "{other}");
        }
    }
}
