//! Objects that nobody would write.

use sluice_tree::{Value, json};

use super::{create, deployment, unbounded_cronjob, update};
use crate::{
    FactKind, Facts, defaults_samples, documents::set_of, facts::Stock, rules, with_defaults,
};

/// A small generator: the same seed gives the same objects.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    /// Replaces, removes or adds something somewhere.
    fn spoil(&mut self, value: &mut Value) {
        let odd = [
            json!(null),
            json!(true),
            json!(-1),
            json!(i64::MAX),
            json!(1e300),
            json!("x"),
            json!("99999999999%"),
            json!("9e999999999"),
            json!([]),
            json!({}),
            json!([null]),
            json!([[{}]]),
            json!({"name": 3}),
            json!("ä\u{0}\n"),
        ];
        let pick = self.next(odd.len());
        match value {
            Value::Object(map) if !map.is_empty() && self.next(8) > 0 => {
                let at = self.next(map.len());
                let name = map.keys().nth(at).unwrap().clone();
                if self.next(12) == 0 {
                    map.remove(&name);
                } else {
                    self.spoil(map.get_mut(&name).unwrap());
                }
            }
            Value::Array(list) if !list.is_empty() && self.next(8) > 0 => {
                let at = self.next(list.len());
                self.spoil(&mut list[at]);
            }
            other => *other = odd[pick].clone(),
        }
    }
}

#[test]
fn no_object_makes_a_rule_panic_and_defaults_never_change_a_verdict() {
    let names: Vec<Value> = rules()
        .iter()
        .map(|rule| json!({"use": rule.name()}))
        .collect();
    let set = set_of(names.into());
    let mut random = Random(7);
    let mut bases = defaults_samples();
    bases.push(unbounded_cronjob());
    bases.push(deployment(20, "500m"));
    let quota = json!({"metadata": {"name": "team"}, "spec": {"hard": {"requests.cpu": "10", "limits.memory": "10Gi", "pods": "20"}, "scopes": ["NotTerminating"]}, "status": {"used": {"pods": "3"}}});
    let counted = json!({"metadata": {"name": "counts"}, "spec": {"hard": {"requests.storage": "10Gi", "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "0", "count/jobs.batch": "2", "count/replicasets.apps": "1"}}, "status": {"used": {"requests.storage": "1Gi"}}});
    let range = json!({"metadata": {"name": "r"}, "spec": {"limits": [
        {"type": "Container", "default": {"cpu": "1"}, "min": {"cpu": "10m"}, "maxLimitRequestRatio": {"cpu": "2.5", "memory": "9e18"}},
        {"type": "Pod", "max": {"memory": "1Gi"}, "min": {"memory": "9e18"}},
        {"type": "PersistentVolumeClaim", "max": {"storage": "512Mi"}},
    ]}});
    for round in 0..20_000 {
        let mut object = bases[random.next(bases.len())].clone();
        let (mut quotas, mut ranges) = (vec![quota.clone(), counted.clone()], vec![range.clone()]);
        for _ in 0..random.next(4) {
            random.spoil(&mut object);
        }
        if random.next(3) == 0 {
            random.spoil(&mut quotas[round % 2]);
            random.spoil(&mut ranges[0]);
        }
        let mut old = object.clone();
        random.spoil(&mut old);
        let mut stock = Stock::default();
        for base in &bases {
            let mut beside = base.clone();
            random.spoil(&mut beside);
            stock.take(&beside);
        }
        if random.next(2) == 0 {
            FactKind::ALL
                .into_iter()
                .for_each(|kind| stock.mark_whole(kind));
        }
        let mut facts = Facts::default();
        stock.lend_namespaced(&mut facts);
        stock.lend_cluster(&mut facts);
        facts.quotas = Some(&quotas);
        facts.limit_ranges = Some(&ranges);
        let first = set.judge(&create(&object), &facts);
        let full = with_defaults(&object);
        let second = set.judge(&create(&full), &facts);
        assert_eq!(first, second, "round {round}: {object}");
        let _ = set.judge(&update(&object, &old), &facts);
        for finding in &first.findings {
            assert!(
                finding.line().len() < 1500,
                "round {round}: {}",
                finding.line()
            );
        }
    }
}
