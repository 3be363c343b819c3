//! What a pod takes out of ConfigMaps and Secrets: whether the object is there and, where a policy asks for it, whether the key is.

use std::collections::BTreeSet;

use sluice_api::Certainty;
use sluice_tree::Value;

use super::named::{Reference, inner, list_items, look_up, of_pod, texts};
use crate::{
    facts::{FactKind, Keyed},
    rule::{BoolParameter, Case, ParameterValue, RawFinding, Report},
    suggestion::nearest,
    view::{Anchor, join, lookup},
};

/// Whether keys count too.
pub(super) static KEYS: BoolParameter = BoolParameter {
    name: "keys",
    default: false,
    meaning: "whether the keys that are named must be in the object; in a cluster the webhook then reads whole objects, and keeps their keys",
};

/// What rules about these objects read.
macro_rules! source_reads {
    () => {
        &[
            Read::pod("containers[*].env"),
            Read::pod("containers[*].envFrom"),
            Read::pod("initContainers[*].env"),
            Read::pod("initContainers[*].envFrom"),
            Read::pod("volumes"),
        ]
    };
}
pub(super) use source_reads;

/// What a ConfigMap or a Secret is called where a pod takes something out of it.
pub(super) struct Sources {
    /// Which of the two.
    pub(super) kind: Keyed,
    /// In `valueFrom` of a variable.
    pub(super) variable: &'static str,
    /// In `envFrom`.
    pub(super) environment: &'static str,
    /// As a volume, and the field that names it there.
    pub(super) volume: (&'static str, &'static str),
    /// In a projected volume.
    pub(super) projected: &'static str,
}

/// A part of the manifest with its path.
type Placed<'a> = (String, &'a Value);

/// The places by which a pod cannot start without the object; those that are optional are left out.
struct Places<'a> {
    variables: Vec<Placed<'a>>,
    environments: Vec<Placed<'a>>,
    volumes: Vec<Placed<'a>>,
    projected: Vec<Placed<'a>>,
}

/// A key that the pod asks for.
struct KeyReference<'a> {
    path: String,
    name: &'a str,
    key: &'a str,
}

impl Sources {
    /// What a rule must know where a policy sets these parameters.
    pub(super) fn needs(&self, set: &[(&'static str, ParameterValue)]) -> Vec<FactKind> {
        let mut needs = vec![FactKind::Names(self.kind.named())];
        if set.contains(&(KEYS.name, ParameterValue::Bool(true))) {
            needs.push(FactKind::Keys(self.kind));
        }
        needs
    }

    /// Reports every object that is not there, once, at the first field that names it; and every key, where the policy asks for keys.
    pub(super) fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let named = self.kind.named();
        let places = self.places(case);
        let passes = format!("a {} that is there, or `optional: true`", named.as_str());
        look_up(case, report, named, self.names(&places), &passes);
        if case.yes(&KEYS) {
            self.look_up_keys(case, report, self.keys(&places));
        }
    }

    fn places<'a>(&self, case: &Case<'a>) -> Places<'a> {
        let prefix = case.view.prefix(Anchor::Pod).unwrap_or_default();
        let containers: Vec<_> = case
            .view
            .containers()
            .map(|container| {
                let place = format!("{}[{}]", container.list(), container.index);
                (join(prefix, &place), container.value)
            })
            .collect();
        let volumes = of_pod(case, "volumes");
        let required = |mut places: Vec<Placed<'a>>| {
            places
                .retain(|(_, place)| place.get("optional").and_then(Value::as_bool) != Some(true));
            places
        };
        let variable = format!("valueFrom.{}", self.variable);
        Places {
            variables: required(within_items(&containers, "env", &variable)),
            environments: required(within_items(&containers, "envFrom", self.environment)),
            volumes: required(inner(&volumes, self.volume.0)),
            projected: required(within_items(&volumes, "projected.sources", self.projected)),
        }
    }

    fn names<'a>(&self, places: &Places<'a>) -> Vec<Reference<'a>> {
        let of = |places: &[Placed<'a>], field| texts(places.iter().cloned(), field);
        let mut names = of(&places.variables, "name");
        names.extend(of(&places.environments, "name"));
        names.extend(of(&places.volumes, self.volume.1));
        names.extend(of(&places.projected, "name"));
        names
    }

    fn keys<'a>(&self, places: &Places<'a>) -> Vec<KeyReference<'a>> {
        fn text<'a>(place: &'a Value, field: &str) -> Option<&'a str> {
            place.get(field)?.as_str().filter(|text| !text.is_empty())
        }
        let mut keys = Vec::new();
        for (path, place) in &places.variables {
            if let (Some(name), Some(key)) = (text(place, "name"), text(place, "key")) {
                let path = join(path, "key");
                keys.push(KeyReference { path, name, key });
            }
        }
        let volumes = places.volumes.iter().map(|place| (place, self.volume.1));
        let projected = places.projected.iter().map(|place| (place, "name"));
        for ((path, place), named_by) in volumes.chain(projected) {
            let place: &'a Value = place;
            let Some(name) = text(place, named_by) else {
                continue;
            };
            for (path, item) in list_items(join(path, "items"), place.get("items")) {
                if let Some(key) = text(item, "key") {
                    let path = join(&path, "key");
                    keys.push(KeyReference { path, name, key });
                }
            }
        }
        keys
    }

    fn look_up_keys(&self, case: &Case<'_>, report: &mut Report, keys: Vec<KeyReference<'_>>) {
        let object = self.kind.named().as_str();
        let names = case.facts.names(self.kind.named());
        let known = case.facts.keys(self.kind);
        let mut seen = BTreeSet::new();
        for KeyReference { path, name, key } in keys {
            // whether the object is there was told with its name
            if names.has(name) != Some(true) || !seen.insert((name, key)) {
                continue;
            }
            let (short, short_key) = (short(name), short(key));
            let finding = match known.of(name) {
                Some(keys) if keys.binary_search_by(|own| own.as_str().cmp(key)).is_ok() => {
                    continue;
                }
                Some(keys) => RawFinding::at(
                    path,
                    format!("no key {short_key} in {object} {short}"),
                    self.passes(key, keys),
                ),
                None => RawFinding {
                    certainty: Certainty::Unknown,
                    ..RawFinding::at(
                        path,
                        format!("whether {object} {short} has the key {short_key}"),
                        format!(
                            "the keys of {object} {short}, from the cluster or a file of facts"
                        ),
                    )
                },
            };
            report.add(RawFinding {
                identity: format!("{object}/{short}/{short_key}"),
                ..finding
            });
        }
    }

    /// What would pass, with the key that may be meant; of Secrets nobody is told what is in them.
    fn passes(&self, key: &str, keys: &[String]) -> String {
        let near = match self.kind {
            Keyed::ConfigMap => nearest(key, keys.iter().map(String::as_str)),
            Keyed::Secret => None,
        };
        let meant = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
        format!("a key that is in it{meant}, or `optional: true`")
    }
}

/// Names and keys are short; a text of any size may stand in their place.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The objects at `field` of the items of the list at `list` of each of `values`, with their paths: most items of long lists have none, and no path is made of them.
fn within_items<'a>(values: &[Placed<'a>], list: &str, field: &str) -> Vec<Placed<'a>> {
    let mut found = Vec::new();
    for (path, value) in values {
        let items = lookup(value, list).and_then(Value::as_array);
        for (index, item) in items.into_iter().flatten().enumerate() {
            if let Some(inner) = lookup(item, field) {
                found.push((format!("{path}.{list}[{index}].{field}"), inner));
            }
        }
    }
    found
}
