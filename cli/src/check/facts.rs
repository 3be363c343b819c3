//! What rules must know beside the object: labels of namespaces, quotas and limit ranges. What is not known stays unknown.

use std::collections::BTreeMap;

use serde_json::Value;
use sluice_policies::Facts;

use crate::manifest::document::Object;

/// Facts by namespace.
#[derive(Clone, Debug, Default)]
pub struct Known {
    namespaces: BTreeMap<String, OfNamespace>,
    /// Every namespace is known: of one that is not listed, there is nothing.
    complete: bool,
}

#[derive(Clone, Debug, Default)]
struct OfNamespace {
    labels: Option<BTreeMap<String, String>>,
    quotas: Option<Vec<Value>>,
    limit_ranges: Option<Vec<Value>>,
}

/// What a set of objects says about a namespace in which they show nothing of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The manifests that are checked: they say what they hold, and nothing about the rest.
    Manifests,
    /// A file of facts: a namespace that is mentioned at all is described in full.
    Facts,
    /// The whole cluster.
    Cluster,
}

impl Known {
    /// Takes in what `objects` say. What they name replaces what was known under the same name.
    pub fn learn(
        &mut self,
        objects: impl IntoIterator<Item = Value>,
        reach: Reach,
        default_namespace: &str,
    ) {
        self.complete |= reach == Reach::Cluster;
        for object in objects.into_iter().filter(is_fact) {
            let kind = object["kind"].as_str().unwrap_or_default();
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let namespace = match kind {
                "Namespace" => name,
                _ => object["metadata"]["namespace"]
                    .as_str()
                    .filter(|name| !name.is_empty())
                    .unwrap_or(default_namespace),
            };
            let facts = self.namespaces.entry(namespace.to_owned()).or_default();
            if reach == Reach::Facts {
                facts.quotas.get_or_insert_default();
                facts.limit_ranges.get_or_insert_default();
            }
            match kind {
                "Namespace" => {
                    let mut labels: BTreeMap<String, String> = object["metadata"]["labels"]
                        .as_object()
                        .into_iter()
                        .flatten()
                        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                        .collect();
                    // the API server sets it on every namespace
                    labels.insert(
                        "kubernetes.io/metadata.name".to_owned(),
                        namespace.to_owned(),
                    );
                    facts.labels = Some(labels);
                }
                "ResourceQuota" => replace(facts.quotas.get_or_insert_default(), object),
                _ => replace(facts.limit_ranges.get_or_insert_default(), object),
            }
        }
    }

    /// Takes in what the manifests themselves say: a quota that is applied together with a workload counts for it.
    pub fn learn_manifests(&mut self, objects: &[Object], default_namespace: &str) {
        self.learn(
            objects
                .iter()
                .filter(|object| is_fact(&object.value))
                .map(|object| object.value.clone()),
            Reach::Manifests,
            default_namespace,
        );
    }

    /// The facts of one namespace.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Facts<'_> {
        let none: &[Value] = &[];
        let known = self.namespaces.get(namespace);
        Facts {
            namespace_labels: known.and_then(|facts| facts.labels.as_ref()),
            quotas: known
                .and_then(|facts| facts.quotas.as_deref())
                .or(self.complete.then_some(none)),
            limit_ranges: known
                .and_then(|facts| facts.limit_ranges.as_deref())
                .or(self.complete.then_some(none)),
            ..Facts::default()
        }
    }
}

/// Whether rules may ask for an object of this kind.
fn is_fact(object: &Value) -> bool {
    object["apiVersion"] == "v1"
        && matches!(
            object["kind"].as_str(),
            Some("Namespace" | "ResourceQuota" | "LimitRange")
        )
}

fn replace(list: &mut Vec<Value>, object: Value) {
    list.retain(|known| known["metadata"]["name"] != object["metadata"]["name"]);
    list.push(object);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn quota(namespace: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": namespace}, "spec": {"hard": {"pods": "3"}}})
    }

    #[test]
    fn what_nobody_said_stays_unknown() {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"a": "b"}}});
        for (reach, objects, shop, other) in [
            (Reach::Manifests, vec![], (None, None, false), (None, None)),
            (
                Reach::Manifests,
                vec![quota("shop")],
                (Some(1), None, false),
                (None, None),
            ),
            (
                Reach::Manifests,
                vec![namespace.clone()],
                (None, None, true),
                (None, None),
            ),
            (
                Reach::Facts,
                vec![namespace.clone()],
                (Some(0), Some(0), true),
                (None, None),
            ),
            (
                Reach::Facts,
                vec![quota("shop")],
                (Some(1), Some(0), false),
                (None, None),
            ),
            (
                Reach::Cluster,
                vec![quota("shop"), namespace],
                (Some(1), Some(0), true),
                (Some(0), Some(0)),
            ),
        ] {
            let mut known = Known::default();
            known.learn(objects, reach, "default");
            let (facts, elsewhere) = (known.of("shop"), known.of("other"));
            assert_eq!(
                (
                    facts.quotas.map(<[Value]>::len),
                    facts.limit_ranges.map(<[Value]>::len),
                    facts.namespace_labels.is_some()
                ),
                shop,
                "{reach:?}"
            );
            assert_eq!(
                (
                    elsewhere.quotas.map(<[Value]>::len),
                    elsewhere.limit_ranges.map(<[Value]>::len)
                ),
                other,
                "{reach:?}"
            );
        }
    }

    #[test]
    fn what_is_applied_now_replaces_what_the_cluster_has() {
        let mut known = Known::default();
        known.learn([quota("shop")], Reach::Cluster, "default");
        let mut newer = quota("shop");
        newer["spec"]["hard"]["pods"] = json!("9");
        known.learn([newer.clone()], Reach::Manifests, "default");
        assert_eq!(known.of("shop").quotas, Some(&[newer][..]));
    }
}
