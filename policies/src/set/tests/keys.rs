//! Where a set asks for the keys of ConfigMaps and Secrets, and what it makes of them.

use super::*;
use crate::{
    FactKind,
    facts::{KeyScope, Keyed, Stock},
};

/// A set of policies, each in a namespace and asking for keys of Secrets or not.
fn asking(policies: &[(&str, bool)]) -> PolicySet {
    let specs: Vec<PolicySpec> = policies
        .iter()
        .map(|(_, keys)| {
            spec(json!({"rules": [{"use": "secret-not-found", "parameters": {"keys": keys}}]}))
        })
        .collect();
    let (set, problems) =
        PolicySet::compile(policies.iter().zip(&specs).map(|((namespace, _), spec)| {
            PolicySource {
                namespace,
                name: "secrets",
                spec,
                cluster_wide: *namespace == "sluice-system",
            }
        }));
    assert!(problems.is_empty(), "{problems:?}");
    set
}

#[test]
fn keys_are_asked_for_only_where_a_policy_says_so() {
    let [shop, bank] = ["shop", "bank"].map(str::to_owned);
    for (policies, scope) in [
        (vec![], KeyScope::default()),
        (
            vec![("sluice-system", false), ("shop", false)],
            KeyScope::default(),
        ),
        (
            vec![("sluice-system", false), ("shop", true), ("bank", true)],
            KeyScope::Namespaces([shop, bank].into()),
        ),
        (
            vec![("sluice-system", true), ("shop", true)],
            KeyScope::Everywhere,
        ),
    ] {
        let set = asking(&policies);
        let [config_maps, secrets] = set.key_scopes();
        assert_eq!(*secrets, scope, "{policies:?}");
        assert_eq!(*config_maps, KeyScope::default());
        assert_eq!(
            set.needs().contains(&FactKind::Keys(Keyed::Secret)),
            scope != KeyScope::default(),
            "{policies:?}"
        );
    }
    for (_, text) in library() {
        let spec = spec(yaml(text)["spec"].clone());
        let (set, _) = PolicySet::compile([PolicySource {
            namespace: "sluice-system",
            name: "shipped",
            spec: &spec,
            cluster_wide: true,
        }]);
        assert_eq!(
            *set.key_scopes(),
            <[KeyScope; Keyed::ALL.len()]>::default(),
            "shipped sets do not ask"
        );
    }
}

#[test]
fn a_key_that_is_not_known_is_told_only_where_the_policy_asks() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{
        "name": "a", "image": "a", "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "database", "key": "usr"}}}],
    }]}});
    let mut stock = Stock::default();
    stock.take(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}}));
    let mut facts = Facts::default();
    stock.lend_namespaced(&mut facts);
    let set = asking(&[("shop", true), ("bank", false)]);
    for (namespace, told) in [("shop", 1), ("bank", 0)] {
        let judgement = set.judge(
            &Subject {
                namespace,
                ..create(&pod)
            },
            &facts,
        );
        assert_eq!(judgement.findings.len(), told, "{judgement:?}");
        assert!(
            judgement
                .findings
                .iter()
                .all(|f| f.certainty == Certainty::Unknown && f.action == Action::Warn)
        );
    }
}
