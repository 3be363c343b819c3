//! What own rules may ask beside the object, as `facts.…`: the same facts that built-in rules have.
//!
//! A list is told only where it is whole: of one that may have more in it, a rule could conclude that something is absent.

use std::collections::BTreeMap;

use sluice_api::WorkloadKind;
use sluice_cel::{Fields, Type};
use sluice_tree::{Value, json};

use super::fields;
use crate::{
    Facts,
    facts::{
        Autoscaler, DisruptionBudget, FactKind, Listed, Named, Node, PodTemplate, Service,
        ServicePort, Target,
    },
    view::IntOrPercent,
};

/// Each by its name in expressions: what an API server has objects of.
pub(super) const FACTS: [(&str, FactKind); FactKind::ALL.len() - 1] = [
    ("facts.quotas", FactKind::Quotas),
    ("facts.limitRanges", FactKind::LimitRanges),
    ("facts.configMaps", FactKind::Names(Named::ConfigMap)),
    ("facts.secrets", FactKind::Names(Named::Secret)),
    (
        "facts.serviceAccounts",
        FactKind::Names(Named::ServiceAccount),
    ),
    (
        "facts.persistentVolumeClaims",
        FactKind::Names(Named::PersistentVolumeClaim),
    ),
    (
        "facts.priorityClasses",
        FactKind::Names(Named::PriorityClass),
    ),
    ("facts.runtimeClasses", FactKind::Names(Named::RuntimeClass)),
    ("facts.storageClasses", FactKind::Names(Named::StorageClass)),
    ("facts.services", FactKind::Services),
    (
        "facts.deployments",
        FactKind::PodTemplates(WorkloadKind::Deployment),
    ),
    (
        "facts.statefulSets",
        FactKind::PodTemplates(WorkloadKind::StatefulSet),
    ),
    (
        "facts.daemonSets",
        FactKind::PodTemplates(WorkloadKind::DaemonSet),
    ),
    ("facts.disruptionBudgets", FactKind::DisruptionBudgets),
    ("facts.autoscalers", FactKind::Autoscalers),
    ("facts.nodes", FactKind::Nodes),
];

/// The type of one.
pub(super) fn type_of(fact: FactKind) -> Type {
    Type::list(match fact {
        FactKind::Quotas | FactKind::LimitRanges => {
            fields::of_named(fact.api_version(), fact.kind())
        }
        FactKind::Names(_) => Type::String,
        // no expression names them
        FactKind::Keys(_) => Type::Dyn,
        FactKind::Services => Type::object(Kept("a service", SERVICE)),
        FactKind::PodTemplates(_) => Type::object(Kept("a workload", WORKLOAD)),
        FactKind::DisruptionBudgets => Type::object(Kept("a disruption budget", BUDGET)),
        FactKind::Autoscalers => Type::object(Kept("an autoscaler", AUTOSCALER)),
        FactKind::Nodes => Type::object(Kept("a node", NODE)),
        // no expression names it
        FactKind::ObservedPeaks => Type::Dyn,
    })
}

/// What is known of one; `None` where that is not all there is.
pub(super) fn value(fact: FactKind, facts: &Facts<'_>) -> Option<Value> {
    fn each<T>(listed: Listed<'_, T>, told: impl Fn(&T) -> Value) -> Option<Value> {
        let items = || listed.items().iter().map(told).collect();
        listed.is_whole().then(items)
    }
    match fact {
        FactKind::Quotas => facts.quotas.map(Value::from),
        FactKind::LimitRanges => facts.limit_ranges.map(Value::from),
        FactKind::Names(named) => facts.names(named).all().map(|names| json!(names)),
        FactKind::Services => each(facts.services, service),
        FactKind::PodTemplates(kind) => each(facts.pod_templates.of(kind), workload),
        FactKind::DisruptionBudgets => each(facts.disruption_budgets, budget),
        FactKind::Autoscalers => each(facts.autoscalers, autoscaler),
        FactKind::Nodes => each(facts.nodes, node),
        FactKind::Keys(_) | FactKind::ObservedPeaks => None,
    }
}

type KeptFields = [(&'static str, fn() -> Type)];

const SERVICE: &KeptFields = &[
    ("name", || Type::String),
    ("selector", texts),
    ("headless", || Type::Bool),
    ("external", || Type::Bool),
    ("ports", || Type::list(Type::object(Kept("a port", PORT)))),
];
const PORT: &KeptFields = &[
    ("name", || Type::String),
    ("port", || Type::Int),
    ("targetPort", || Type::Dyn),
];
const WORKLOAD: &KeptFields = &[
    ("name", || Type::String),
    ("replicas", || Type::Int),
    ("labels", texts),
];
const BUDGET: &KeptFields = &[
    ("name", || Type::String),
    ("selector", || Type::Dyn),
    ("minAvailable", || Type::Dyn),
    ("maxUnavailable", || Type::Dyn),
];
const AUTOSCALER: &KeptFields = &[
    ("name", || Type::String),
    ("targetKind", || Type::String),
    ("targetName", || Type::String),
    ("minReplicas", || Type::Int),
    ("maxReplicas", || Type::Int),
];
const NODE: &KeptFields = &[("name", || Type::String), ("allocatable", texts)];

fn texts() -> Type {
    Type::map(Type::String, Type::String)
}

fn service(service: &Service) -> Value {
    let port = |port: &ServicePort| {
        let target = match &port.target {
            Target::Number(number) => json!(number),
            Target::Name(name) => json!(name),
        };
        json!({"name": port.name, "port": port.port, "targetPort": target})
    };
    let ports: Vec<Value> = service.ports.iter().map(port).collect();
    json!({
        "name": service.name, "selector": service.selector, "headless": service.headless, "external": service.external, "ports": ports,
    })
}

fn workload(template: &PodTemplate) -> Value {
    let mut value = json!({"name": template.name, "labels": template.labels});
    if let Some(replicas) = template.replicas {
        value["replicas"] = replicas.into();
    }
    value
}

fn budget(budget: &DisruptionBudget) -> Value {
    let mut value = json!({"name": budget.name});
    if let Some(selector) = &budget.selector {
        value["selector"] = json!(selector);
    }
    for (name, amount) in [
        ("minAvailable", budget.min_available),
        ("maxUnavailable", budget.max_unavailable),
    ] {
        match amount {
            IntOrPercent::Int(number) => value[name] = number.into(),
            IntOrPercent::Percent(percent) => value[name] = format!("{percent}%").into(),
            IntOrPercent::Absent | IntOrPercent::Odd => {}
        }
    }
    value
}

fn autoscaler(autoscaler: &Autoscaler) -> Value {
    json!({
        "name": autoscaler.name, "targetKind": autoscaler.target_kind, "targetName": autoscaler.target_name,
        "minReplicas": autoscaler.min, "maxReplicas": autoscaler.max,
    })
}

fn node(node: &Node) -> Value {
    let allocatable: BTreeMap<&String, String> = node
        .allocatable
        .iter()
        .map(|(resource, amount)| (resource, amount.to_string()))
        .collect();
    json!({"name": node.name, "allocatable": allocatable})
}

/// What is kept of an object, and nothing else of it can be asked for.
struct Kept(&'static str, &'static KeptFields);

impl Fields for Kept {
    fn called(&self) -> String {
        self.0.to_owned()
    }

    fn field(&self, name: &str) -> Option<Type> {
        let (_, of) = self.1.iter().find(|(own, _)| *own == name)?;
        Some(of())
    }

    fn names(&self) -> Vec<String> {
        self.1.iter().map(|(name, _)| (*name).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Stock;

    #[test]
    fn every_kind_of_fact_is_told_as_its_type_says_and_only_where_it_is_whole() {
        let known = FactKind::ALL.into_iter().filter(|kind| kind.in_clusters());
        assert!(FACTS.map(|(_, fact)| fact).into_iter().eq(known));
        for (name, fact) in FACTS {
            let object = json!({"apiVersion": fact.api_version(), "kind": fact.kind(), "metadata": {"name": "a"}, "spec": {
                "replicas": 2, "selector": {}, "ports": [{"port": 80}], "minAvailable": "50%", "maxUnavailable": 1,
                "template": {"metadata": {"labels": {"a": "b"}}}}, "status": {"allocatable": {"cpu": "2"}}});
            let mut stock = Stock::default();
            stock.take(&object);
            let told = |stock: &Stock| {
                let mut facts = Facts::default();
                stock.lend_namespaced(&mut facts);
                stock.lend_cluster(&mut facts);
                value(fact, &facts)
            };
            // of quotas and limits a part counts as the whole
            let part = matches!(fact, FactKind::Quotas | FactKind::LimitRanges);
            assert_eq!(told(&stock).is_some(), part, "{name}");
            stock.mark_whole(fact);
            let list = told(&stock).unwrap_or_default();
            assert_eq!(list.as_array().map(<[Value]>::len), Some(1), "{name}");
            let Type::List(element) = type_of(fact) else {
                panic!("{name}")
            };
            let fits = match (&*element, &list[0]) {
                (Type::String, Value::String(text)) => text == "a",
                (Type::Object(_), Value::Object(_)) if part => true,
                (Type::Object(of), Value::Object(fields)) => {
                    let kept = format!("{of:?}");
                    fields.contains_key("name") && kept.starts_with("Described(a")
                }
                _ => false,
            };
            assert!(fits, "{name}: {list}");
        }
    }
}
