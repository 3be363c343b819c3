//! Rules that judge objects of any kind by their head.

use sluice_api::Action;
use sluice_tree::{Value, json};

use super::{create, knows_none, update};
use crate::{NotJudged, PolicySet, documents::set_of};

fn removed() -> PolicySet {
    set_of(json!([{"use": "api-version-removed", "parameters": {"targetVersion": "1.36"}}]))
}

fn budget(api_version: &str) -> Value {
    json!({"apiVersion": api_version, "kind": "PodDisruptionBudget", "metadata": {"name": "a"}, "spec": {"minAvailable": 1}})
}

fn unknown(api_version: &str, kind: &str) -> Option<NotJudged> {
    Some(NotJudged::UnknownKind {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
    })
}

#[test]
fn a_kind_that_no_view_knows_is_judged_by_its_head_and_else_is_not_judged() {
    let mut owned = budget("policy/v1beta1");
    owned["metadata"]["ownerReferences"] =
        json!([{"kind": "Operator", "name": "o", "controller": true}]);
    let mut going = budget("policy/v1beta1");
    going["metadata"]["deletionTimestamp"] = json!("2026-11-21T12:00:00Z");
    let kind = "PodDisruptionBudget";
    for (object, findings, not_judged) in [
        (budget("policy/v1beta1"), 1, None),
        (budget("policy/v1"), 0, unknown("policy/v1", kind)),
        (owned, 0, unknown("policy/v1beta1", kind)),
        (going, 0, unknown("policy/v1beta1", kind)),
        (json!({"kind": kind}), 0, unknown("-", kind)),
        (json!(null), 0, unknown("-", "-")),
    ] {
        let judgement = removed().judge(&create(&object), &knows_none());
        assert_eq!(judgement.findings.len(), findings, "{object}");
        assert_eq!(judgement.not_judged, not_judged, "{object}");
    }
    let none = set_of(json!([{"use": "single-replica"}]));
    let judgement = none.judge(&create(&budget("policy/v1beta1")), &knows_none());
    assert_eq!(judgement.not_judged, unknown("policy/v1beta1", kind));
}

#[test]
fn a_version_asked_for_counts_where_a_policy_names_none_and_the_digest_stays() {
    // gone with 1.37
    let cidr = json!({"apiVersion": "networking.k8s.io/v1beta1", "kind": "ServiceCIDR", "metadata": {"name": "a"}});
    for (parameters, asked, findings) in [
        (json!({}), None, 0),
        (json!({}), Some("1.36"), 0),
        (json!({}), Some("1.37"), 1),
        (json!({"targetVersion": "1.36"}), Some("1.37"), 0),
        (json!({"targetVersion": "1.37"}), Some("1.36"), 1),
    ] {
        let rule = json!([{"use": "api-version-removed", "parameters": parameters}]);
        let mut set = set_of(rule.clone());
        if let Some(version) = asked {
            set = set.for_kubernetes(version.parse().unwrap());
        }
        assert_eq!(set.digest(), set_of(rule).digest());
        let judgement = set.judge(&create(&cidr), &knows_none());
        assert_eq!(judgement.findings.len(), findings, "{parameters} {asked:?}");
    }
}

#[test]
fn an_update_is_judged_when_it_changes_the_version_and_warns_when_that_was_gone_before() {
    let set = set_of(json!([{"use": "api-version-removed"}]));
    let with = |api_version: &str| {
        let mut object = budget(api_version);
        object["spec"]["minAvailable"] = json!(2);
        object
    };
    let hpa = |api_version: &str| json!({"apiVersion": api_version, "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}});
    for (new, old, expected) in [
        (with("policy/v1beta1"), budget("policy/v1beta1"), vec![]),
        (
            budget("policy/v1beta1"),
            budget("policy/v1"),
            vec![Action::Deny],
        ),
        (budget("policy/v1"), budget("policy/v1beta1"), vec![]),
        (
            hpa("autoscaling/v2beta1"),
            hpa("autoscaling/v2beta2"),
            vec![Action::Warn],
        ),
    ] {
        let found = set.judge(&update(&new, &old), &knows_none()).findings;
        let actions: Vec<Action> = found.iter().map(|finding| finding.action).collect();
        assert_eq!(actions, expected, "{new} after {old}");
    }
}

#[test]
fn kinds_that_the_view_knows_are_judged_by_their_head_beside_their_parts() {
    let set = set_of(json!([
        {"use": "api-version-deprecated", "action": "Warn"},
        {"use": "deployment-without-readiness-probe"},
    ]));
    let endpoints = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "a"}});
    let found = set.judge(&create(&endpoints), &knows_none()).findings;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].code.as_str(), found[0].action),
        ("SLU7002", Action::Warn)
    );
}
