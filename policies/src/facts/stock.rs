//! Facts collected from objects, one after the other.

use std::collections::BTreeSet;

use sluice_api::WorkloadKind;
use sluice_tree::Value;

use super::{
    Autoscaler, DisruptionBudget, FactKind, Facts, Keyed, Keys, Listed, Named, Names, Node,
    ObjectKeys, ObservedPeak, Peaks, PodTemplate, Service, name,
};

/// What is known of one namespace, or of the cluster around all of them. Of an object no more is kept than rules read.
#[derive(Clone, Debug, Default)]
pub struct Stock {
    whole: BTreeSet<FactKind>,
    quotas: Vec<Value>,
    limit_ranges: Vec<Value>,
    names: [Vec<String>; Named::ALL.len()],
    keys: [Vec<ObjectKeys>; Keyed::ALL.len()],
    services: Vec<Service>,
    pod_templates: [Vec<PodTemplate>; WorkloadKind::ALL.len()],
    disruption_budgets: Vec<DisruptionBudget>,
    autoscalers: Vec<Autoscaler>,
    nodes: Vec<Node>,
    peaks: Vec<ObservedPeak>,
}

impl Stock {
    /// Takes an object in, in place of the one of the same name; answers what it was taken for, `None` when rules never ask for such.
    pub fn take(&mut self, object: &Value) -> Option<FactKind> {
        let text = |field: &str| object.get(field).and_then(Value::as_str);
        let kind = FactKind::of(text("apiVersion")?, text("kind")?)?;
        match kind {
            FactKind::Quotas => put(&mut self.quotas, object.clone(), name),
            FactKind::LimitRanges => put(&mut self.limit_ranges, object.clone(), name),
            FactKind::Names(named) => {
                let names = &mut self.names[named.index()];
                let name = name(object);
                if let Some(keyed) = Keyed::of(named) {
                    let keys = &mut self.keys[keyed.index()];
                    match keys.binary_search_by(|known| known.name.cmp(&name)) {
                        Ok(place) => keys[place] = ObjectKeys::of(object),
                        Err(place) => keys.insert(place, ObjectKeys::of(object)),
                    }
                }
                if let Err(place) = names.binary_search(&name) {
                    names.insert(place, name);
                }
            }
            // objects are of the kind whose names are facts
            FactKind::Keys(_) => {}
            FactKind::Services => put(&mut self.services, Service::of(object), |s| s.name.clone()),
            FactKind::PodTemplates(kind) => {
                if let Some(template) = PodTemplate::of(object) {
                    let known = &mut self.pod_templates[kind as usize];
                    put(known, template, |template| template.name.clone());
                }
            }
            FactKind::DisruptionBudgets => {
                let known = &mut self.disruption_budgets;
                put(known, DisruptionBudget::of(object), |b| b.name.clone());
            }
            FactKind::Autoscalers => {
                let known = &mut self.autoscalers;
                put(known, Autoscaler::of(object), |a| a.name.clone());
            }
            FactKind::Nodes => put(&mut self.nodes, Node::of(object), |n| n.name.clone()),
            FactKind::ObservedPeaks => {
                for peak in ObservedPeak::all_of(object) {
                    peak.put(&mut self.peaks);
                }
            }
        }
        Some(kind)
    }

    /// From now on what is not known of this kind is not there.
    pub fn mark_whole(&mut self, kind: FactKind) {
        self.whole.insert(kind);
    }

    /// Lends what is known of a namespace.
    pub fn lend_namespaced<'a>(&'a self, facts: &mut Facts<'a>) {
        facts.quotas = self.values(FactKind::Quotas, &self.quotas);
        facts.limit_ranges = self.values(FactKind::LimitRanges, &self.limit_ranges);
        self.lend_names(facts, true);
        for (lent, keys) in facts.keys.iter_mut().zip(&self.keys) {
            *lent = Keys::new(keys);
        }
        facts.services = self.listed(FactKind::Services, &self.services);
        for (kind, templates) in WorkloadKind::ALL.into_iter().zip(&self.pod_templates) {
            facts.pod_templates.by_kind[kind as usize] =
                self.listed(FactKind::PodTemplates(kind), templates);
        }
        facts.disruption_budgets =
            self.listed(FactKind::DisruptionBudgets, &self.disruption_budgets);
        facts.autoscalers = self.listed(FactKind::Autoscalers, &self.autoscalers);
        facts.peaks = Peaks::new(&self.peaks, "");
    }

    /// Lends what is known of the cluster.
    pub fn lend_cluster<'a>(&'a self, facts: &mut Facts<'a>) {
        self.lend_names(facts, false);
        facts.nodes = self.listed(FactKind::Nodes, &self.nodes);
    }

    fn lend_names<'a>(&'a self, facts: &mut Facts<'a>, namespaced: bool) {
        for (named, names) in Named::ALL.into_iter().zip(&self.names) {
            if named.is_namespaced() == namespaced {
                facts.names[named.index()] = if self.whole.contains(&FactKind::Names(named)) {
                    Names::whole(names)
                } else {
                    Names::part(names)
                };
            }
        }
    }

    fn listed<'a, T>(&self, kind: FactKind, items: &'a [T]) -> Listed<'a, T> {
        if self.whole.contains(&kind) {
            Listed::whole(items)
        } else {
            Listed::part(items)
        }
    }

    /// Of these a part counts as the whole: whoever applies a quota together with a workload wants it to count.
    fn values<'a>(&self, kind: FactKind, values: &'a [Value]) -> Option<&'a [Value]> {
        (self.whole.contains(&kind) || !values.is_empty()).then_some(values)
    }
}

/// Puts an object in place of the one of the same name, else at the end.
fn put<T>(known: &mut Vec<T>, new: T, name: impl Fn(&T) -> String) {
    let called = name(&new);
    match known.iter().position(|old| name(old) == called) {
        Some(place) => known[place] = new,
        None => known.push(new),
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    fn object(kind: FactKind, name: &str) -> Value {
        json!({"apiVersion": kind.api_version(), "kind": kind.kind(), "metadata": {"name": name}, "data": {"password": "hunter2"}})
    }

    #[test]
    fn every_kind_is_taken_in_once_and_lent() {
        for kind in FactKind::ALL.into_iter().filter(|kind| kind.in_clusters()) {
            let mut stock = Stock::default();
            for name in ["b", "a", "b"] {
                assert_eq!(stock.take(&object(kind, name)), Some(kind));
            }
            let count = |stock: &Stock| {
                let mut facts = Facts::default();
                stock.lend_namespaced(&mut facts);
                stock.lend_cluster(&mut facts);
                let names = facts
                    .names
                    .iter()
                    .filter(|n| n.has("a") == Some(true))
                    .count()
                    * 2;
                let values = [facts.quotas, facts.limit_ranges];
                let values: usize = values.into_iter().flatten().map(<[Value]>::len).sum();
                names
                    + values
                    + facts.services.items().len()
                    + facts.pod_templates.items().count()
                    + facts.disruption_budgets.items().len()
                    + facts.autoscalers.items().len()
                    + facts.nodes.items().len()
            };
            assert_eq!(count(&stock), 2, "{kind}");
        }
        let config_map = object(FactKind::Names(Named::ConfigMap), "a");
        let mut stock = Stock::default();
        stock.take(&config_map);
        assert!(!format!("{stock:?}").contains("hunter2"));
        let keys = |stock: &Stock| {
            let mut facts = Facts::default();
            stock.lend_namespaced(&mut facts);
            facts.keys(Keyed::ConfigMap).of("a").map(<[String]>::to_vec)
        };
        assert_eq!(keys(&stock), Some(vec!["password".to_owned()]));
        // of its successor only the metadata is known
        stock.take(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}));
        assert_eq!(keys(&stock), None);
        assert_eq!(
            stock.take(&json!({"apiVersion": "v1", "kind": "Event"})),
            None
        );
        assert_eq!(stock.take(&json!(3)), None);
    }

    #[test]
    fn only_what_is_whole_proves_absence() {
        // a peak that was not observed is no absence
        for kind in FactKind::ALL.into_iter().filter(|kind| kind.in_clusters()) {
            let absent = |stock: &Stock| {
                let mut facts = Facts::default();
                stock.lend_namespaced(&mut facts);
                stock.lend_cluster(&mut facts);
                facts.quotas.is_some()
                    || facts.limit_ranges.is_some()
                    || facts
                        .names
                        .iter()
                        .any(|names| names.has("x") == Some(false))
                    || facts.services.is_whole()
                    || facts.pod_templates.by_kind.iter().any(Listed::is_whole)
                    || facts.disruption_budgets.is_whole()
                    || facts.autoscalers.is_whole()
                    || facts.nodes.is_whole()
            };
            let mut stock = Stock::default();
            assert!(!absent(&stock));
            stock.mark_whole(kind);
            assert!(absent(&stock), "{kind}");
        }
    }
}
