//! What rules read of the workloads whose pods others select: kind, name, labels of the pods and their named ports.

use std::collections::BTreeMap;

use sluice_api::WorkloadKind;
use sluice_tree::Value;

use super::{Listed, items, name, text, texts};
use crate::{
    scale::Scalable,
    view::{Anchor, Int, Read, View, lookup},
};

/// A workload as others see its pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodTemplate {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
    /// How many pods it asks for, after API defaults; `None` for a DaemonSet and where that is no number.
    pub replicas: Option<i64>,
    /// The labels of its pods.
    pub labels: BTreeMap<String, String>,
    /// The ports of its pods that have a name.
    pub ports: Vec<NamedPort>,
    /// What is looked at when it is scaled; kept only where that is judged.
    pub scalable: Option<Scalable>,
}

/// A port of a container that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPort {
    /// Its name.
    pub name: String,
    /// Its number; zero when that cannot be read.
    pub number: i64,
}

impl PodTemplate {
    /// What is kept of the object; `None` for kinds that are not looked at.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let view = View::lift(object)?;
        let kind = WorkloadKind::of(view.kind().as_str())?;
        let replicas = match view.field(Read::object("spec.replicas")).int() {
            Int::Is(replicas) if kind != WorkloadKind::DaemonSet => Some(replicas),
            _ => None,
        };
        Some(Self {
            kind,
            name: name(object),
            replicas,
            labels: texts(object, "spec.template.metadata.labels"),
            ports: view.part(Anchor::Pod).map(named_ports).unwrap_or_default(),
            scalable: None,
        })
    }

    /// The same, and with it what is looked at when the workload is scaled.
    #[must_use]
    pub fn with_scalable(object: &Value) -> Option<Self> {
        let template = Self::of(object)?;
        Some(Self {
            scalable: Scalable::of(object),
            ..template
        })
    }
}

/// The named ports of the containers of a pod; sidecars have ports too.
fn named_ports(pod: &Value) -> Vec<NamedPort> {
    ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| items(pod, list))
        .flat_map(|container| items(container, "ports"))
        .map(|port| NamedPort {
            name: text(port, "name"),
            number: lookup(port, "containerPort")
                .and_then(Value::as_i64)
                .unwrap_or(0),
        })
        .filter(|port| !port.name.is_empty())
        .collect()
}

/// The workloads of a namespace, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct PodTemplates<'a> {
    /// In the order of [`WorkloadKind::ALL`].
    pub by_kind: [Listed<'a, PodTemplate>; WorkloadKind::ALL.len()],
}

impl<'a> PodTemplates<'a> {
    /// The workloads of one kind.
    #[must_use]
    pub const fn of(&self, kind: WorkloadKind) -> Listed<'a, PodTemplate> {
        self.by_kind[kind as usize]
    }

    /// What is known to be there.
    pub fn items(&self) -> impl Iterator<Item = &'a PodTemplate> + use<'a> {
        self.by_kind.into_iter().flat_map(|listed| listed.items())
    }

    /// Whether there is nothing else.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.by_kind.iter().all(Listed::is_whole)
    }

    /// Whether `test` holds for any; `None` when nobody knows.
    pub fn any(&self, test: impl FnMut(&PodTemplate) -> bool) -> Option<bool> {
        let there = self.items().any(test);
        (there || self.is_whole()).then_some(there)
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    fn deployment() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checkout"}, "spec": {"template": {
            "metadata": {"labels": {"app": "checkout", "odd": 3}},
            "spec": {
                "initContainers": [{"name": "proxy", "restartPolicy": "Always", "ports": [{"name": "admin", "containerPort": 15000}]}],
                "containers": [{"name": "app", "ports": [{"containerPort": 1}, {"name": "web", "containerPort": 8080}]}, 3],
            },
        }}})
    }

    #[test]
    fn a_workload_is_kept_as_others_see_its_pods() {
        let template = PodTemplate::of(&deployment()).unwrap();
        assert_eq!(
            template.labels,
            [("app".to_owned(), "checkout".to_owned())].into()
        );
        let ports: Vec<_> = template
            .ports
            .iter()
            .map(|port| (port.name.as_str(), port.number))
            .collect();
        assert_eq!(ports, [("web", 8080), ("admin", 15000)]);
        assert_eq!(template.replicas, Some(1));
        assert!(PodTemplate::of(&json!({"apiVersion": "v1", "kind": "Pod"})).is_none());
    }

    #[test]
    fn absence_needs_every_kind() {
        for (place, kind) in WorkloadKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
        let templates = [PodTemplate::of(&deployment()).unwrap()];
        let mut known = PodTemplates::default();
        known.by_kind[0] = Listed::whole(&templates);
        assert_eq!(
            known.any(|template| template.name == "checkout"),
            Some(true)
        );
        assert_eq!(known.any(|template| template.name == "cart"), None);
        assert_eq!(
            known
                .of(WorkloadKind::Deployment)
                .any(|template| template.name == "cart"),
            Some(false)
        );
        known.by_kind[1] = Listed::whole(&[]);
        known.by_kind[2] = Listed::whole(&[]);
        assert_eq!(known.any(|template| template.name == "cart"), Some(false));
    }
}
