//! What is asked for: the resource that an object is of, as the rules of a `ValidatingAdmissionPolicy` name it.
//!
//! A file says a kind, a rule says a resource. Between the two stand the definitions of custom kinds where they are given, and for the rest how Kubernetes
//! itself makes one of the other.

use std::collections::BTreeMap;

use sluice_tree::Value;

use crate::{
    Operation, Subject,
    schema::{KubernetesVersion, table::Table},
    view::lookup,
};

/// Custom kinds by group and kind: what their resources are called, and whether they lie in namespaces.
#[derive(Clone, Debug, Default)]
pub(super) struct CustomKinds(BTreeMap<(String, String), (String, bool)>);

impl CustomKinds {
    /// Takes in what a CustomResourceDefinition says; of anything else, nothing.
    pub fn learn(&mut self, object: &Value) {
        let text = |path: &str| lookup(object, path).and_then(Value::as_str);
        if text("kind") != Some("CustomResourceDefinition") {
            return;
        }
        if let (Some(group), Some(kind), Some(plural)) = (
            text("spec.group"),
            text("spec.names.kind"),
            text("spec.names.plural"),
        ) {
            let namespaced = text("spec.scope") != Some("Cluster");
            let key = (group.to_owned(), kind.to_owned());
            self.0.insert(key, (plural.to_owned(), namespaced));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they mean, for the digest.
    pub fn meaning(&self) -> String {
        let kinds: Vec<_> = self.0.iter().collect();
        sluice_tree::json!({ "customKinds": kinds }).to_string()
    }

    fn get(&self, group: &str, kind: &str) -> Option<&(String, bool)> {
        self.0.get(&(group.to_owned(), kind.to_owned()))
    }

    /// Whether objects of a kind lie in namespaces.
    pub fn is_namespaced(&self, api_version: &str, kind: &str) -> bool {
        let (group, _) = api_version.split_once('/').unwrap_or(("", api_version));
        if let Some((_, namespaced)) = self.get(group, kind) {
            return *namespaced;
        }
        // of a kind that nobody described, the usual
        is_namespaced(api_version, kind).unwrap_or(true)
    }
}

/// Whether a kind of Kubernetes lies in namespaces; `None` for kinds of others.
fn is_namespaced(api_version: &str, kind: &str) -> Option<bool> {
    Table::shipped().namespaced(api_version, kind)
}

/// A request as the rules see it.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub group: &'a str,
    pub version: &'a str,
    pub kind: &'a str,
    pub resource: String,
    pub name: &'a str,
    /// Whether it lies in a namespace.
    pub namespaced: bool,
    pub operation: Operation,
}

impl<'a> Asked<'a> {
    pub fn of(subject: &Subject<'a>, custom: &CustomKinds) -> Self {
        let object = subject.object;
        let text = |path: &str| {
            lookup(object, path)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group,
            version,
            kind,
            resource: match custom.get(group, kind) {
                Some((plural, _)) => plural.clone(),
                None => plural(kind),
            },
            name: text("metadata.name"),
            namespaced: custom.is_namespaced(api_version, kind),
            operation: subject.operation,
        }
    }

    /// Whether it is a namespace.
    pub fn is_namespace(&self) -> bool {
        (self.group, self.kind) == ("", "Namespace")
    }

    /// Whether the API server keeps its policies away from it, so that they can always be mended.
    pub fn is_exempt(&self) -> bool {
        self.group == super::spec::GROUP
    }

    /// The first of these versions in which the API server may serve the same resource, and into which it converts the object before it judges.
    pub fn converted_to<'v>(&self, versions: &'v [String]) -> Option<&'v str> {
        let named = |version: &str| match self.group {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        };
        let own = is_namespaced(&named(self.version), self.kind).is_some();
        versions.iter().map(String::as_str).find(|version| {
            // of a custom kind nobody knows which versions there are
            *version != "*" && (!own || newest_knows(&named(version), self.kind))
        })
    }
}

fn newest_knows(api_version: &str, kind: &str) -> bool {
    let newest = KubernetesVersion::newest();
    crate::schema::Schemas::new(newest)
        .kind(api_version, kind)
        .is_some()
}

/// What Kubernetes calls the resource of a kind of its own.
fn plural(kind: &str) -> String {
    let lower = kind.to_ascii_lowercase();
    if lower == "endpoints" {
        return lower;
    }
    if let Some(start) = lower.strip_suffix('y')
        && !start.ends_with(['a', 'e', 'i', 'o', 'u'])
    {
        return format!("{start}ies");
    }
    let hisses = ["s", "x", "z", "ch", "sh"]
        .iter()
        .any(|end| lower.ends_with(end));
    format!("{lower}{}", if hisses { "es" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_become_resources_as_kubernetes_calls_them() {
        for (kind, resource) in [
            ("Deployment", "deployments"),
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("StorageClass", "storageclasses"),
            ("Endpoints", "endpoints"),
            ("EndpointSlice", "endpointslices"),
            ("CSIStorageCapacity", "csistoragecapacities"),
            ("Gateway", "gateways"),
            ("PriorityClass", "priorityclasses"),
            ("", "s"),
        ] {
            assert_eq!(plural(kind), resource);
        }
        assert_eq!(is_namespaced("v1", "Namespace"), Some(false));
        assert_eq!(is_namespaced("v1", "ConfigMap"), Some(true));
        assert_eq!(is_namespaced("apps/v1", "Deployment"), Some(true));
        assert_eq!(
            is_namespaced("rbac.authorization.k8s.io/v1", "ClusterRole"),
            Some(false)
        );
        assert_eq!(is_namespaced("example.com/v1", "Thing"), None);
    }
}
