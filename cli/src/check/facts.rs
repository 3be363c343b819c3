//! What rules must know beside the object: labels of namespaces, and what lies in them and around them. What is not known stays unknown.

use std::collections::BTreeMap;

use sluice_policies::{
    FactKind, Facts, PolicySet,
    facts::{ObservedPeak, Params, Stock},
};
use sluice_tree::Value;

use crate::manifest::{Problem, document::Object};

/// Facts by namespace, and of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Known {
    namespaces: BTreeMap<String, OfNamespace>,
    /// What is known of a namespace of which nothing was said: that of some kinds it has none.
    elsewhere: Stock,
    cluster: Stock,
    /// What policies of the API server take their parameters from.
    params: Params,
}

#[derive(Clone, Debug, Default)]
struct OfNamespace {
    labels: Option<BTreeMap<String, String>>,
    stock: Stock,
}

/// What a set of objects says about what it does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The manifests that are checked: they say what they hold, and nothing about the rest.
    Manifests,
    /// A file of facts: the quotas and limits of a namespace it mentions are all there, and so is every kind of which it lists an object there.
    Facts,
    /// Objects of the cluster; [`Known::read_whole`] says of which kinds they are all.
    Cluster,
}

/// What is wrong with facts: of kinds that no API server has checked, and files in which there are none at all.
#[must_use]
pub fn problems(objects: &[Object], files: &[String], sets: &[&PolicySet]) -> Vec<Problem> {
    let is_fact = |object: &Object| {
        let (version, kind) = (object.api_version(), object.kind());
        matches!(kind, "Namespace" | "CustomResourceDefinition")
            || FactKind::of(version, kind).is_some()
            || sets
                .iter()
                .any(|set| set.parameter(&object.value, None).is_some())
    };
    if !files.is_empty() && !objects.iter().any(is_fact) {
        let none = "no fact in it: no Namespace, ResourceQuota, ConfigMap, Service or whatever else a rule asks for";
        return vec![Problem::of_file(&files.join(", "), none)];
    }
    let peaks = FactKind::ObservedPeaks;
    objects
        .iter()
        .filter(|object| {
            (object.api_version(), object.kind()) == (peaks.api_version(), peaks.kind())
        })
        .flat_map(|object| {
            ObservedPeak::misfits_of(&object.value)
                .into_iter()
                .map(|(path, says)| object.problem(&path, says))
        })
        .collect()
}

impl Known {
    /// Takes in what `objects` say. What they name replaces what was known under the same name.
    pub fn learn<'o>(
        &mut self,
        objects: impl IntoIterator<Item = &'o Value>,
        reach: Reach,
        default_namespace: &str,
    ) {
        for object in objects {
            self.learn_one(object, reach, default_namespace);
        }
    }

    fn learn_one(&mut self, object: &Value, reach: Reach, default_namespace: &str) {
        let version = object["apiVersion"].as_str().unwrap_or_default();
        let kind = object["kind"].as_str().unwrap_or_default();
        let metadata = &object["metadata"];
        if (version, kind) == ("v1", "Namespace") {
            let name = metadata["name"].as_str().unwrap_or_default();
            let mut labels: BTreeMap<String, String> = metadata["labels"]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(key, value)| {
                    Some((key.as_str().to_owned(), value.as_str()?.to_owned()))
                })
                .collect();
            // the API server sets it on every namespace
            labels.insert("kubernetes.io/metadata.name".to_owned(), name.to_owned());
            let known = self.namespace(name);
            known.labels = Some(labels);
            if reach == Reach::Facts {
                known.stock.mark_whole(FactKind::Quotas);
                known.stock.mark_whole(FactKind::LimitRanges);
            }
            return;
        }
        let Some(fact) = FactKind::of(version, kind) else {
            return;
        };
        let stock = if fact.is_namespaced() {
            let namespace = metadata["namespace"]
                .as_str()
                .filter(|name| !name.is_empty())
                .unwrap_or(default_namespace);
            &mut self.namespace(namespace).stock
        } else {
            &mut self.cluster
        };
        stock.take(object);
        if reach == Reach::Facts {
            stock.mark_whole(fact);
            if matches!(fact, FactKind::Quotas | FactKind::LimitRanges) {
                stock.mark_whole(FactKind::Quotas);
                stock.mark_whole(FactKind::LimitRanges);
            }
        }
    }

    /// Takes in the objects from which policies of a set take their parameters, and no others.
    pub fn learn_parameters<'o>(
        &mut self,
        set: &PolicySet,
        objects: impl IntoIterator<Item = &'o Value>,
        reach: Reach,
        default_namespace: &str,
    ) {
        // what a cluster shows without a namespace lies in none
        let elsewhere = (reach != Reach::Cluster).then_some(default_namespace);
        for object in objects {
            let Some(param) = set.parameter(object, elsewhere) else {
                continue;
            };
            let version = object["apiVersion"].as_str().unwrap_or_default();
            let kind = object["kind"].as_str().unwrap_or_default();
            if reach == Reach::Facts {
                self.params
                    .mark_whole_in(version, kind, param.namespace.clone());
            }
            if set.means(&param) {
                self.params.put(version, kind, param);
            }
        }
    }

    /// Every object of this kind from which parameters are taken was learned.
    pub fn read_every_parameter(&mut self, api_version: &str, kind: &str) {
        self.params.mark_whole(api_version, kind);
    }

    fn namespace(&mut self, name: &str) -> &mut OfNamespace {
        self.namespaces
            .entry(name.to_owned())
            .or_insert_with(|| OfNamespace {
                labels: None,
                stock: self.elsewhere.clone(),
            })
    }

    /// Every object of this kind was learned: what was not is not there.
    pub fn read_whole(&mut self, kind: FactKind) {
        self.elsewhere.mark_whole(kind);
        self.cluster.mark_whole(kind);
        for known in self.namespaces.values_mut() {
            known.stock.mark_whole(kind);
        }
    }

    /// Takes in what the manifests themselves say: what is applied together with a workload counts as there for it.
    pub fn learn_manifests(&mut self, objects: &[Object], default_namespace: &str) {
        self.learn(
            objects.iter().map(|object| &object.value),
            Reach::Manifests,
            default_namespace,
        );
    }

    /// The facts of one namespace.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Facts<'_> {
        let known = self.namespaces.get(namespace);
        let mut facts = Facts {
            namespace_labels: known.and_then(|known| known.labels.as_ref()),
            params: Some(&self.params),
            ..Facts::default()
        };
        known
            .map_or(&self.elsewhere, |known| &known.stock)
            .lend_namespaced(&mut facts);
        self.cluster.lend_cluster(&mut facts);
        facts
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use sluice_policies::Named;

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
            known.learn(&objects, reach, "default");
            if reach == Reach::Cluster {
                known.read_whole(FactKind::Quotas);
                known.read_whole(FactKind::LimitRanges);
            }
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
        known.learn([&quota("shop")], Reach::Cluster, "default");
        let mut newer = quota("shop");
        newer["spec"]["hard"]["pods"] = json!("9");
        known.learn([&newer], Reach::Manifests, "default");
        assert_eq!(known.of("shop").quotas, Some(&[newer][..]));
    }

    fn object(kind: FactKind, namespace: &str, name: &str) -> Value {
        json!({"apiVersion": kind.api_version(), "kind": kind.kind(), "metadata": {"name": name, "namespace": namespace}})
    }

    #[test]
    fn a_name_is_absent_only_where_every_name_is_known() {
        let config_map = object(FactKind::Names(Named::ConfigMap), "shop", "a");
        let class = object(FactKind::Names(Named::PriorityClass), "", "high");
        // has a, has b; the same elsewhere; class high, class low
        for (reach, whole, shop, other, classes) in [
            (
                Reach::Manifests,
                false,
                [Some(true), None],
                [None, None],
                [Some(true), None],
            ),
            (
                Reach::Facts,
                false,
                [Some(true), Some(false)],
                [None, None],
                [Some(true), Some(false)],
            ),
            (
                Reach::Cluster,
                false,
                [Some(true), None],
                [None, None],
                [Some(true), None],
            ),
            (
                Reach::Cluster,
                true,
                [Some(true), Some(false)],
                [Some(false), Some(false)],
                [Some(true), Some(false)],
            ),
        ] {
            let mut known = Known::default();
            known.learn([&config_map, &class], reach, "default");
            if whole {
                known.read_whole(FactKind::Names(Named::ConfigMap));
                known.read_whole(FactKind::Names(Named::PriorityClass));
            }
            let has = |namespace: &str, kind: Named, names: [&str; 2]| {
                let facts = known.of(namespace);
                names.map(|name| facts.names(kind).has(name))
            };
            assert_eq!(has("shop", Named::ConfigMap, ["a", "b"]), shop, "{reach:?}");
            assert_eq!(
                has("other", Named::ConfigMap, ["a", "b"]),
                other,
                "{reach:?}"
            );
            assert_eq!(
                has("other", Named::PriorityClass, ["high", "low"]),
                classes,
                "{reach:?}"
            );
        }
    }

    #[test]
    fn what_is_applied_now_is_there_beside_what_the_cluster_has() {
        let services = FactKind::Services;
        let mut known = Known::default();
        known.learn([&object(services, "shop", "a")], Reach::Cluster, "default");
        known.read_whole(services);
        known.learn([&object(services, "new", "b")], Reach::Manifests, "default");
        let names = |namespace: &str| {
            let listed = known.of(namespace).services;
            let names: Vec<_> = listed.items().iter().map(|s| s.name.clone()).collect();
            (names, listed.is_whole())
        };
        assert_eq!(names("shop"), (vec!["a".to_owned()], true));
        assert_eq!(names("new"), (vec!["b".to_owned()], true));
        assert_eq!(names("other"), (vec![], true));
    }
}
