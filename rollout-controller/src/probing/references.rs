//! Which probes a gate or plan refers to. Pure.

use std::{collections::BTreeMap, sync::Arc};

use sluice_api::{Probe, gate::ProbeRef};

use crate::cache::table::Key;

/// One probe that is referred to.
#[derive(Clone, Debug, PartialEq)]
pub enum Referred {
    /// It exists.
    Found(Key, Arc<Probe>),
    /// It does not exist, or may not be referred to from there.
    Missing {
        /// What was named, `namespace/name` or the selector in words.
        named: String,
        /// What is wrong with the reference, for people.
        why: String,
    },
}

/// Every probe, ready to be looked up.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    by_namespace: BTreeMap<String, BTreeMap<String, Arc<Probe>>>,
    system: String,
}

impl Probes {
    /// Indexes probes; `system` is Sluice's own namespace, whose probes everybody may refer to.
    #[must_use]
    pub fn new(probes: impl IntoIterator<Item = (Key, Arc<Probe>)>, system: &str) -> Self {
        let mut by_namespace: BTreeMap<String, BTreeMap<String, Arc<Probe>>> = BTreeMap::new();
        for (key, probe) in probes {
            by_namespace
                .entry(key.namespace)
                .or_default()
                .insert(key.name, probe);
        }
        Self {
            by_namespace,
            system: system.to_owned(),
        }
    }

    /// Every probe.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Arc<Probe>)> {
        self.by_namespace.iter().flat_map(|(namespace, probes)| {
            probes
                .iter()
                .map(move |(name, probe)| (Key::new(namespace.clone(), name.clone()), probe))
        })
    }

    /// The probes that `references`, written in an object of namespace `own`, mean: each once, in the order of the references.
    #[must_use]
    pub fn resolve(&self, references: &[ProbeRef], own: &str) -> Vec<Referred> {
        let mut found: Vec<Referred> = Vec::new();
        for reference in references {
            for referred in self.resolve_one(reference, own) {
                if !found.contains(&referred) {
                    found.push(referred);
                }
            }
        }
        found
    }

    fn resolve_one(&self, reference: &ProbeRef, own: &str) -> Vec<Referred> {
        let namespace = reference.namespace.as_deref().unwrap_or(own);
        let missing = |named: String, why: String| vec![Referred::Missing { named, why }];
        let probes = self.by_namespace.get(namespace);
        match (&reference.name, &reference.selector) {
            (Some(name), None) => {
                let named = format!("{namespace}/{name}");
                if namespace != own && namespace != self.system {
                    return missing(named, self.out_of_reach(own));
                }
                match probes.and_then(|probes| probes.get(name)) {
                    Some(probe) => vec![Referred::Found(
                        Key::new(namespace, name.clone()),
                        probe.clone(),
                    )],
                    None => {
                        let why = format!("there is no probe {named}");
                        missing(named, why)
                    }
                }
            }
            (None, Some(selector)) => {
                let named = format!("probes by label in {namespace}");
                if namespace != own && namespace != self.system {
                    return missing(named, self.out_of_reach(own));
                }
                let matching: Vec<Referred> = probes
                    .into_iter()
                    .flatten()
                    .filter(|(_, probe)| {
                        let none = BTreeMap::new();
                        selector.matches(probe.metadata.labels.as_ref().unwrap_or(&none))
                    })
                    .map(|(name, probe)| {
                        Referred::Found(Key::new(namespace, name.clone()), probe.clone())
                    })
                    .collect();
                if matching.is_empty() {
                    let why =
                        format!("no probe in namespace {namespace} has the labels of the selector");
                    return missing(named, why);
                }
                matching
            }
            _ => missing(
                "a probe reference".to_owned(),
                "the reference needs either name or selector".to_owned(),
            ),
        }
    }

    fn out_of_reach(&self, own: &str) -> String {
        format!(
            "probes are looked for in namespaces {own} and {} only",
            self.system
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn probe(namespace: &str, name: &str, tier: &str) -> (Key, Arc<Probe>) {
        let probe = serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Probe",
            "metadata": {"name": name, "namespace": namespace, "labels": {"tier": tier}},
            "spec": {"http": {"target": {"url": "http://x.svc/"}}},
        }))
        .unwrap();
        (Key::new(namespace, name), Arc::new(probe))
    }

    fn names(of: &[Referred]) -> Vec<String> {
        of.iter()
            .map(|referred| match referred {
                Referred::Found(key, _) => key.to_string(),
                Referred::Missing { named, .. } => format!("missing {named}"),
            })
            .collect()
    }

    #[test]
    fn probes_are_found_by_name_and_label_in_the_own_namespace_and_in_sluices() {
        let probes = Probes::new(
            [
                probe("shop", "http", "shop"),
                probe("shop", "deep", "shop"),
                probe("sluice-system", "dns", "platform"),
                probe("bank", "http", "bank"),
            ],
            "sluice-system",
        );
        for (reference, expected) in [
            (json!({"name": "http"}), vec!["shop/http"]),
            (json!({"name": "none"}), vec!["missing shop/none"]),
            (
                json!({"name": "http", "namespace": "bank"}),
                vec!["missing bank/http"],
            ),
            (
                json!({"name": "dns", "namespace": "sluice-system"}),
                vec!["sluice-system/dns"],
            ),
            (
                json!({"selector": {"matchLabels": {"tier": "shop"}}}),
                vec!["shop/deep", "shop/http"],
            ),
            (
                json!({"selector": {"matchLabels": {"tier": "platform"}}}),
                vec!["missing probes by label in shop"],
            ),
            (json!({}), vec!["missing a probe reference"]),
        ] {
            let reference: ProbeRef = serde_json::from_value(reference).unwrap();
            let twice = [reference.clone(), reference];
            assert_eq!(names(&probes.resolve(&twice, "shop")), expected);
        }
    }
}
