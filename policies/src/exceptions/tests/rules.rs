//! Which rules can be excepted, and by which name.

use sluice_tree::{Value, json};

use super::{super::*, NOW, at, compiled, cronjob, spec};
use crate::{Operation, PolicySource, documents::set_of, rules};

#[test]
fn every_rule_but_the_one_about_shape_can_be_excepted_by_both_of_its_names() {
    for rule in rules() {
        for name in [rule.name(), rule.code()] {
            let kind = rule
                .kinds()
                .first()
                .map_or("Sprocket", |kind| kind.as_str());
            let spec = spec(&json!({"rule": name, "subject": {"kind": kind}}));
            let problems = Exceptions::check(&spec, &ExceptionBounds::default(), at(NOW));
            assert_eq!(
                problems.is_empty(),
                rule.name() != "malformed-workload",
                "{name}: {problems:?}"
            );
        }
    }
}

#[test]
fn a_rule_about_any_kind_can_be_excepted_for_any_kind() {
    let budget = json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": {"name": "a"}, "spec": {"minAvailable": 1}});
    let set =
        set_of(json!([{"use": "api-version-removed", "parameters": {"targetVersion": "1.36"}}]));
    let subject = Subject {
        operation: Operation::Create,
        namespace: "shop",
        object: &budget,
        old: None,
        dry_run: false,
    };
    for (kind, excepted) in [("PodDisruptionBudget", true), ("Deployment", false)] {
        let change = json!({"rule": "api-version-removed", "subject": {"kind": kind, "name": "a"}});
        let exceptions = compiled(&[("shop", "e", spec(&change))]);
        let judgement = set.judge_excepting(&subject, &Facts::default(), &exceptions, at(NOW));
        let found: Vec<bool> = judgement
            .findings
            .iter()
            .map(|finding| finding.excepted.is_some() && finding.action < Action::Deny)
            .collect();
        assert_eq!(found, [excepted], "{kind}: {judgement:?}");
    }
}

#[test]
fn an_own_rule_is_excepted_as_policy_and_rule_until_the_same_second() {
    let rules = json!({"rules": [
        {"name": "named-well", "kinds": ["CronJob"], "cel": "object.metadata.name.startsWith('team-')", "message": "a name without its team"},
        {"name": "small-images", "kinds": ["CronJob"], "each": "container", "cel": "container.image == 'small'"},
    ]});
    let spec_of_policy = sluice_tree::from_value(rules).unwrap();
    let named = |namespace, name| PolicySource {
        namespace,
        name,
        spec: &spec_of_policy,
        cluster_wide: namespace == "sluice-system",
    };
    let (set, problems) =
        PolicySet::compile([named("sluice-system", "names"), named("shop", "more-names")]);
    assert_eq!(problems, []);
    let job = cronjob();
    let judged = |exceptions: &Exceptions, now: &str| -> Vec<(String, String, Action)> {
        let subject = Subject {
            operation: Operation::Create,
            namespace: "shop",
            object: &job,
            old: None,
            dry_run: false,
        };
        let judgement = set.judge_excepting(&subject, &Facts::default(), exceptions, at(now));
        let findings = judgement.findings.into_iter();
        findings
            .filter(|finding| finding.code == "OWN")
            .map(|finding| {
                let excepted = finding.excepted.is_some();
                assert_eq!(excepted, finding.line().contains("; excepted until 2026-06-20T00:00:00Z by shop/e, for which team-reports answers"));
                assert!(finding.excepted.is_none_or(|by| by.reason == "it is mended next week"));
                (finding.policy.unwrap(), finding.rule, finding.action)
            })
            .collect()
    };
    let refused = |change: Value, now: &str| -> Vec<String> {
        let exceptions = compiled(&[("shop", "e", spec(&change))]);
        judged(&exceptions, now)
            .into_iter()
            .filter(|(_, _, action)| *action == Action::Deny)
            .map(|(policy, rule, _)| format!("{policy}/{rule}"))
            .collect()
    };
    let all = refused(json!({}), NOW);
    assert!(all.len() >= 4, "{all:?}");
    let without = |one: &str| -> Vec<String> {
        let other = |title: &&String| *title != one;
        all.iter().filter(other).cloned().collect()
    };
    assert_eq!(
        refused(json!({"rule": "names/named-well"}), NOW),
        without("sluice-system/names/named-well")
    );
    assert_eq!(
        refused(json!({"rule": "more-names/named-well"}), NOW),
        without("shop/more-names/named-well")
    );
    for change in [
        json!({"rule": "other/named-well"}),
        json!({"rule": "names/other"}),
        json!({"rule": "names/named-well", "subject": {"name": "other"}}),
        json!({"rule": "names/named-well", "subject": {"container": "report"}}),
    ] {
        assert_eq!(refused(change, NOW), all);
    }
    // from the very second on
    let change = json!({"rule": "names/named-well"});
    assert_eq!(
        refused(change.clone(), "2026-06-19T23:59:59Z").len(),
        all.len() - 1
    );
    assert_eq!(refused(change, "2026-06-20T00:00:00Z"), all);
}
