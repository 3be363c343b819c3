//! Objects of sluice.dev.

use serde_json::json;

use super::{super::*, ask, bounded_jobs};
use crate::fixtures::{Cluster, cronjob, object};

#[test]
fn objects_that_cannot_work_are_refused_with_the_path_and_what_would_pass() {
    let cluster = Cluster::new()
        .deployment("shop", "checkout")
        .probe("shop", "http");
    let url = |url: &str| json!({"http": {"target": {"url": url}}});
    for (kind, spec, said) in [
        ("Probe", url("http://"), "spec.http.target.url"),
        (
            "Probe",
            json!({"http": {"target": {"url": "http://a.shop.svc/"}}, "interval": "1s", "timeout": "2s"}),
            "spec.timeout: 2s; passes: ",
        ),
        (
            "Probe",
            json!({"prometheus": {"query": "up", "condition": "around 7"}}),
            "spec.prometheus.condition",
        ),
        (
            "Probe",
            json!({"http": {"target": {"url": "http://a.svc/"}}, "interval": "5d"}),
            "spec.interval",
        ),
        (
            "Gate",
            json!({"components": {}, "before": {"maxAge": "0s"}}),
            "spec.before.maxAge",
        ),
        (
            "RolloutPlan",
            json!({"components": {}, "batches": ["50%", "10%"]}),
            "spec.batches[1]",
        ),
        (
            "Policy",
            json!({"rules": [{"use": "cronjob-without-deadlin"}]}),
            "spec.rules[0].use",
        ),
        (
            "Policy",
            json!({"rules": [{"use": "cronjob-job-without-deadline", "parameters": {"maxActiveDeadline": "soon"}}]}),
            "spec.rules[0].parameters.maxActiveDeadline",
        ),
    ] {
        let answer = ask(
            &cluster,
            Hook::Object,
            &object(kind, "shop", "x", &spec),
            None,
        );
        let text = answer.reply.refused.unwrap_or_default();
        assert!(
            text.starts_with(&format!(
                "{}/x in namespace shop cannot work: ",
                kind.to_lowercase()
            )),
            "{kind} {spec}: {text}"
        );
        assert!(
            text.contains(said) && text.contains("passes: "),
            "{kind} {spec}: {text}"
        );
    }
}

#[test]
fn a_selector_that_selects_nothing_is_a_warning() {
    let cluster = Cluster::new()
        .deployment("shop", "checkout")
        .probe("shop", "http");
    for (kind, namespace, spec, warnings) in [
        (
            "Gate",
            "shop",
            json!({"components": {"names": ["checkout"]}, "before": {"probes": [{"name": "http"}]}}),
            vec![],
        ),
        (
            "Gate",
            "sluice-system",
            json!({"components": {"kinds": ["Deployment"]}, "before": {"probes": [{"name": "http", "namespace": "shop"}]}}),
            vec![],
        ),
        (
            "Gate",
            "shop",
            json!({"components": {"names": ["chekout"]}, "before": {"probes": [{"name": "htp"}]}}),
            vec![
                "spec.components: selects no workload in namespace shop",
                "there is no probe htp",
            ],
        ),
        (
            "RolloutPlan",
            "shop",
            json!({"components": {"kinds": ["DaemonSet"]}, "during": {"probes": [{"selector": {"matchLabels": {"a": "b"}}}]}}),
            vec![
                "spec.components: selects no workload",
                "spec.during.probes[0]: no probe has these labels",
            ],
        ),
        (
            "Policy",
            "sluice-system",
            json!({"match": {"namespaces": {"matchLabels": {"team": "x"}}}, "rules": [{"use": "cronjob-without-deadline"}]}),
            vec!["spec.match.namespaces: selects no namespace"],
        ),
    ] {
        let answer = ask(
            &cluster,
            Hook::Object,
            &object(kind, namespace, "x", &spec),
            None,
        );
        assert_eq!(answer.reply.refused, None, "{kind} {spec}");
        assert_eq!(
            answer.reply.warnings.len(),
            warnings.len(),
            "{:?}",
            answer.reply.warnings
        );
        for (found, expected) in answer.reply.warnings.iter().zip(warnings) {
            assert!(found.contains(expected), "{found}");
        }
    }
}

#[test]
fn a_broken_policy_is_left_out_whole_and_the_others_work() {
    let cluster = Cluster::new().policy("sluice-system", "jobs", &bounded_jobs());
    let before = cluster.0.indexes.rulebook().policies.digest().to_owned();
    cluster.put_policy(&object(
        "Policy",
        "sluice-system",
        "typo",
        &json!({"rules": [{"use": "container-without-requests"}, {"use": "no-such-rule"}]}),
    ));
    cluster.put_policy(&object(
        "Policy",
        "shop",
        "unreadable",
        &json!({"rules": 7}),
    ));
    let problems = &cluster.0.indexes.compile().broken_policies;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("sluice-system/typo")
                && problem.contains("spec.rules[1].use"))
    );
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("shop/unreadable"))
    );
    assert_eq!(cluster.0.indexes.rulebook().policies.digest(), before);
    let answer = ask(&cluster, Hook::Workload, &cronjob(), None);
    assert!(answer.reply.refused.unwrap().contains("3 findings"));
}
