//! Which gates guard a workload and which one plan applies to it. Webhook, controller and command line ask the same functions.
//!
//! An object in Sluice's own namespace speaks about the workloads of every namespace, elsewhere only about those of its own.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::Timestamp;
use sluice_api::{ComponentSelector, Gate, RolloutPlan, WorkloadKind};

/// A workload as far as selectors look at it.
#[derive(Clone, Copy, Debug)]
pub struct Workload<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: &'a str,
    /// Its own labels, not those of its pods.
    pub labels: &'a BTreeMap<String, String>,
}

/// An object that selects workloads.
pub trait Selects {
    /// Its namespace.
    fn namespace(&self) -> &str;
    /// Its name.
    fn name(&self) -> &str;
    /// When it was created; an object without that counts as younger than all others.
    fn created(&self) -> Option<Timestamp>;
    /// What it selects.
    fn components(&self) -> &ComponentSelector;
}

/// Reads the metadata of an API object for [`Selects`].
macro_rules! selects {
    ($($kind:ty),*) => {$(
        impl Selects for $kind {
            fn namespace(&self) -> &str {
                self.metadata.namespace.as_deref().unwrap_or_default()
            }

            fn name(&self) -> &str {
                self.metadata.name.as_deref().unwrap_or_default()
            }

            fn created(&self) -> Option<Timestamp> {
                self.metadata.creation_timestamp.as_ref().map(|time| time.0)
            }

            fn components(&self) -> &ComponentSelector {
                &self.spec.components
            }
        }
    )*};
}
selects!(Gate, RolloutPlan);

/// Whether `object` selects `workload`, its reach included.
#[must_use]
pub fn selects<S: Selects + ?Sized>(
    object: &S,
    workload: Workload<'_>,
    system_namespace: &str,
) -> bool {
    (object.namespace() == workload.namespace || object.namespace() == system_namespace)
        && object
            .components()
            .matches(workload.kind, workload.name, workload.labels)
}

/// Every gate that guards `workload`, by namespace and name. All of them must be open.
#[must_use]
pub fn matching_gates<'g, G: Selects>(
    workload: Workload<'_>,
    system_namespace: &str,
    gates: impl IntoIterator<Item = &'g G>,
) -> Vec<&'g G> {
    let mut matching: Vec<&G> = gates
        .into_iter()
        .filter(|gate| selects(*gate, workload, system_namespace))
        .collect();
    matching.sort_by_key(|gate| (gate.namespace(), gate.name()));
    matching
}

/// The one plan that applies to `workload`: the workload's own namespace wins over Sluice's, then the most specific selector, then the oldest, then
/// the first by name. Whether the winner can work is not asked here: a broken winner holds releases, it does not make room for another.
#[must_use]
pub fn applicable_plan<'p, P: Selects>(
    workload: Workload<'_>,
    system_namespace: &str,
    plans: impl IntoIterator<Item = &'p P>,
) -> Option<&'p P> {
    plans
        .into_iter()
        .filter(|plan| selects(*plan, workload, system_namespace))
        .min_by_key(|plan| rank(*plan, workload))
}

/// The order of plans for one workload, the winner first.
fn rank<'p, P: Selects>(plan: &'p P, workload: Workload<'_>) -> impl Ord + use<'p, P> {
    (
        plan.namespace() != workload.namespace,
        Reverse(plan.components().specificity()),
        plan.created().unwrap_or(Timestamp::MAX),
        plan.namespace(),
        plan.name(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug)]
    struct Plan {
        namespace: &'static str,
        name: &'static str,
        created: i64,
        components: ComponentSelector,
    }

    impl Selects for Plan {
        fn namespace(&self) -> &str {
            self.namespace
        }
        fn name(&self) -> &str {
            self.name
        }
        fn created(&self) -> Option<Timestamp> {
            (self.created >= 0).then(|| Timestamp::from_second(self.created).unwrap())
        }
        fn components(&self) -> &ComponentSelector {
            &self.components
        }
    }

    fn plan(
        namespace: &'static str,
        name: &'static str,
        created: i64,
        components: serde_json::Value,
    ) -> Plan {
        Plan {
            namespace,
            name,
            created,
            components: serde_json::from_value(components).unwrap(),
        }
    }

    fn winner(plans: &[Plan]) -> Option<&'static str> {
        let labels = BTreeMap::from([("app".to_owned(), "checkout".to_owned())]);
        let workload = Workload {
            namespace: "shop",
            kind: WorkloadKind::Deployment,
            name: "checkout",
            labels: &labels,
        };
        applicable_plan(workload, "sluice-system", plans).map(|plan| plan.name)
    }

    #[test]
    fn one_plan_applies_and_the_order_of_the_list_does_not_matter() {
        let all = || json!({});
        let by_kind = || json!({"kinds": ["Deployment"]});
        let by_label = || json!({"selector": {"matchLabels": {"app": "checkout"}}});
        let by_name = || json!({"names": ["checkout"]});
        let cases = [
            ("no plan", vec![], None),
            (
                "own namespace wins over a narrower one of Sluice's",
                vec![
                    plan("sluice-system", "narrow", 1, by_name()),
                    plan("shop", "wide", 2, all()),
                ],
                Some("wide"),
            ),
            (
                "names before labels before kinds",
                vec![
                    plan("shop", "kind", 1, by_kind()),
                    plan("shop", "label", 2, by_label()),
                    plan("shop", "name", 3, by_name()),
                ],
                Some("name"),
            ),
            (
                "labels before kinds",
                vec![
                    plan("shop", "kind", 1, by_kind()),
                    plan("shop", "label", 2, by_label()),
                ],
                Some("label"),
            ),
            (
                "the oldest of equals",
                vec![
                    plan("shop", "young", 9, by_kind()),
                    plan("shop", "old", 3, by_kind()),
                    plan("shop", "ageless", -1, by_kind()),
                ],
                Some("old"),
            ),
            (
                "the first name of equals of one age",
                vec![
                    plan("shop", "b", 3, by_kind()),
                    plan("shop", "a", 3, by_kind()),
                ],
                Some("a"),
            ),
            (
                "Sluice's own when nothing else matches",
                vec![
                    plan("sluice-system", "default", 1, all()),
                    plan("shop", "other", 1, json!({"names": ["cart"]})),
                ],
                Some("default"),
            ),
            (
                "a plan of a third namespace never",
                vec![plan("bank", "theirs", 1, all())],
                None,
            ),
        ];
        for (what, mut plans, expected) in cases {
            assert_eq!(winner(&plans), expected, "{what}");
            plans.reverse();
            assert_eq!(winner(&plans), expected, "{what}, reversed");
        }
    }

    #[test]
    fn every_matching_gate_counts_in_a_fixed_order() {
        let labels = BTreeMap::new();
        let workload = Workload {
            namespace: "shop",
            kind: WorkloadKind::DaemonSet,
            name: "agent",
            labels: &labels,
        };
        let gates = [
            plan("sluice-system", "platform", 1, json!({})),
            plan("shop", "b", 1, json!({"kinds": ["DaemonSet"]})),
            plan("shop", "a", 1, json!({"names": ["agent"]})),
            plan("shop", "deployments", 1, json!({"kinds": ["Deployment"]})),
            plan("bank", "theirs", 1, json!({})),
        ];
        let names: Vec<&str> = matching_gates(workload, "sluice-system", &gates)
            .into_iter()
            .map(|gate| gate.name)
            .collect();
        assert_eq!(names, ["a", "b", "platform"]);
    }
}
