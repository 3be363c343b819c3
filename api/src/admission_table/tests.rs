use super::*;

fn service() -> ClientConfigChoice {
    ClientConfigChoice::Service {
        namespace: "sluice-system".into(),
        name: "sluice-webhook".into(),
        port: 443,
    }
}

/// What a cluster needs in order to become healthy, as (group, resource); none of it may ever wait for Sluice.
const BOOTSTRAP: [(&str, &str); 24] = [
    ("", "nodes"),
    ("", "nodes/status"),
    ("", "namespaces"),
    ("", "events"),
    ("", "pods"),
    ("", "pods/binding"),
    ("", "pods/eviction"),
    ("", "configmaps"),
    ("", "secrets"),
    ("", "serviceaccounts"),
    ("", "serviceaccounts/token"),
    ("", "endpoints"),
    ("events.k8s.io", "events"),
    ("coordination.k8s.io", "leases"),
    ("certificates.k8s.io", "certificatesigningrequests"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("apiregistration.k8s.io", "apiservices"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apps", "deployments/status"),
    ("apps", "replicasets"),
    ("batch", "jobs/status"),
];

#[test]
fn no_bootstrap_kind_matches_any_rule() {
    for entry in &TABLE {
        for rule in entry.rules {
            for (group, resource) in BOOTSTRAP {
                assert!(
                    !(rule.groups.contains(&group) && rule.resources.contains(&resource)),
                    "{} sees {group}/{resource}",
                    entry.name
                );
            }
            for word in [rule.groups, rule.versions, rule.resources, rule.operations].concat() {
                assert!(!word.contains('*'), "{}: {word}", entry.name);
                let scales =
                    entry.failure_policy == FailurePolicy::Ignore && word.ends_with("s/scale");
                assert!(scales || !word.contains('/'), "{}: {word}", entry.name);
            }
        }
    }
}

#[test]
fn only_workloads_of_enforced_namespaces_may_fail_closed() {
    let (mutating, validating) =
        configurations(&service(), b"ca", "sluice-system", &["infra".into()]);
    let mut failing = Vec::new();
    let entries = mutating
        .webhooks
        .iter()
        .flatten()
        .map(|hook| {
            (
                &hook.name,
                &hook.failure_policy,
                &hook.namespace_selector,
                &hook.rules,
            )
        })
        .chain(validating.iter().flat_map(|configuration| {
            configuration.webhooks.iter().flatten().map(|hook| {
                (
                    &hook.name,
                    &hook.failure_policy,
                    &hook.namespace_selector,
                    &hook.rules,
                )
            })
        }));
    for (name, policy, selector, rules) in entries {
        for rule in rules.iter().flatten() {
            assert_eq!(rule.scope.as_deref(), Some("Namespaced"), "{name}");
        }
        if policy.as_deref() != Some("Fail") {
            assert_eq!(policy.as_deref(), Some("Ignore"), "{name}");
            continue;
        }
        failing.push(name.as_str());
        let expressions = selector
            .as_ref()
            .unwrap()
            .match_expressions
            .as_ref()
            .unwrap();
        assert_eq!(expressions[0].key, "sluice.dev/mode");
        assert_eq!(expressions[0].operator, "In");
        assert_eq!(expressions[0].values.as_ref().unwrap(), &["enforce"]);
        assert_eq!(expressions[1].key, "kubernetes.io/metadata.name");
        assert_eq!(expressions[1].operator, "NotIn");
        for never in [
            "kube-system",
            "kube-node-lease",
            "kube-public",
            "sluice-system",
            "infra",
        ] {
            assert!(
                expressions[1]
                    .values
                    .as_ref()
                    .unwrap()
                    .contains(&never.to_owned()),
                "{name} sees {never}"
            );
        }
        for rule in rules.iter().flatten() {
            for group in rule.api_groups.iter().flatten() {
                assert!(
                    ["apps", "batch"].contains(&group.as_str()),
                    "{name}: {group}"
                );
            }
        }
    }
    assert_eq!(failing, ["release.sluice.dev", "enforce.sluice.dev"]);
}

#[test]
fn every_entry_that_judges_workloads_leaves_out_owners_natives_and_sluice() {
    for entry in TABLE.iter().filter(|entry| entry.scope != Scope::All) {
        let names: Vec<&str> = entry
            .conditions
            .iter()
            .map(|condition| condition.name)
            .collect();
        for needed in [
            "not-sluice-itself",
            "not-the-control-plane",
            "not-owned-by-a-controller",
            "not-being-deleted",
        ] {
            assert!(names.contains(&needed), "{} lacks {needed}", entry.name);
        }
    }
}

#[test]
fn conditions_read_fields_that_may_be_absent_only_as_optionals() {
    // `spec.minReadySeconds` of a Deployment without it is an error in CEL, and an error refuses the request
    for entry in &TABLE {
        for condition in entry.conditions {
            let text = condition.expression("sluice-system");
            for field in [
                "paused",
                "minReadySeconds",
                "strategy",
                "ownerReferences",
                "annotations",
                "controller.",
                "progressDeadlineSeconds",
            ] {
                assert!(
                    !text.contains(&format!(".{field}")),
                    "{}: {text}",
                    condition.name
                );
            }
        }
    }
}

#[test]
fn the_service_or_the_url_carries_the_path_of_the_entry() {
    let (by_service, _) = configurations(&service(), b"ca", "s", &[]);
    let hook = &by_service.webhooks.unwrap()[0];
    assert_eq!(
        hook.client_config.service.as_ref().unwrap().path.as_deref(),
        Some("/admit/release")
    );
    assert!(hook.client_config.url.is_none());
    let (_, by_url) = configurations(
        &ClientConfigChoice::Url("https://127.0.0.1:9443/".into()),
        b"ca",
        "s",
        &[],
    );
    assert_eq!(
        by_url[1].webhooks.as_ref().unwrap()[0]
            .client_config
            .url
            .as_deref(),
        Some("https://127.0.0.1:9443/admit/object")
    );
}

#[test]
fn the_page_names_every_entry_and_condition() {
    let page = markdown();
    for entry in &TABLE {
        assert!(page.contains(entry.name) && page.contains(entry.configuration));
        for condition in entry.conditions {
            assert!(page.contains(condition.name) && page.contains(condition.reason));
        }
    }
}
