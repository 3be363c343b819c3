//! Sets compiled one after the other.

use sluice_api::PolicySpec;
use sluice_tree::{Value, json};

use super::{create, knows_none, spec};
use crate::set::{Compiler, PolicySet, PolicySource};

type Named = (String, PolicySpec);

fn own(name: &str, expression: &str) -> Named {
    let rules = json!([
        {"name": "mine", "kinds": ["Deployment"], "action": "Deny", "cel": expression, "message": name},
        {"use": "single-replica"},
    ]);
    (name.to_owned(), spec(json!({"rules": rules})))
}

fn sources(policies: &[Named]) -> impl Iterator<Item = PolicySource<'_>> {
    policies.iter().map(|(name, spec)| PolicySource {
        namespace: "sluice-system",
        name,
        spec,
        cluster_wide: true,
    })
}

fn binding(name: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": "few", "validationActions": ["Deny"]},
    })
}

fn admission(expression: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "few"},
        "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}]},
            "validations": [{"expression": expression}],
        },
    })
}

/// What a compiler makes of these, which must be what they mean by themselves; and how many policies it compiled for it.
fn compiled(compiler: &mut Compiler, policies: &[Named], documents: &[Value]) -> u64 {
    let before = compiler.compiled();
    let (set, problems) = compiler.compile(sources(policies), documents);
    let (fresh, expected) = PolicySet::compile_with(sources(policies), documents);
    assert_eq!(problems, expected);
    assert_eq!(set.digest(), fresh.digest());
    assert_eq!(set.needs(), fresh.needs());
    assert_eq!(set.policies(), fresh.policies());
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"replicas": 1,
        "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}}});
    let judge = |set: &PolicySet| set.judge(&create(&object), &knows_none());
    assert_eq!(judge(&set), judge(&fresh));
    assert!(policies.is_empty() || !judge(&set).findings.is_empty());
    compiler.compiled() - before
}

#[test]
fn what_says_what_it_said_is_not_compiled_again() {
    let mut compiler = Compiler::default();
    let mut policies: Vec<Named> = Vec::new();
    for number in 0..20 {
        let expression =
            format!("object.spec.replicas != 1 || object.metadata.name == 'n{number}'");
        policies.push(own(&format!("p{number}"), &expression));
        assert_eq!(compiled(&mut compiler, &policies, &[]), 1, "{number}");
    }
    assert_eq!(compiled(&mut compiler, &policies, &[]), 0);
    // in another order, which means nothing
    policies.reverse();
    assert_eq!(compiled(&mut compiler, &policies, &[]), 0);
    policies[7] = own(&policies[7].0.clone(), "object.metadata.name == 'other'");
    assert_eq!(compiled(&mut compiler, &policies, &[]), 1);
    policies.remove(3);
    assert_eq!(compiled(&mut compiler, &policies, &[]), 0);
    // under another name it is another policy, and what was taken away was forgotten
    policies[0].0 = "renamed".into();
    assert_eq!(compiled(&mut compiler, &policies, &[]), 1);
    policies[0].0 = "p19".into();
    assert_eq!(compiled(&mut compiler, &policies, &[]), 1);
}

#[test]
fn a_broken_policy_is_told_every_time_and_compiled_once() {
    let mut compiler = Compiler::default();
    let policies = [
        own("broken", "object.spec.replicsa == 1"),
        own("fine", "false"),
    ];
    assert_eq!(compiled(&mut compiler, &policies, &[]), 2);
    assert_eq!(compiled(&mut compiler, &policies, &[]), 0);
    let mended = [
        own("broken", "object.spec.replicas == 2"),
        policies[1].clone(),
    ];
    assert_eq!(compiled(&mut compiler, &mended, &[]), 1);
}

#[test]
fn two_of_one_name_are_told_apart_by_what_they_say() {
    let mut compiler = Compiler::default();
    let policies = [
        own("twice", "false"),
        own("twice", "object.spec.replicas > 1"),
    ];
    assert_eq!(compiled(&mut compiler, &policies, &[]), 2);
    assert_eq!(compiled(&mut compiler, &policies, &[]), 0);
    assert_eq!(compiled(&mut compiler, &policies[..1], &[]), 0);
    assert_eq!(compiled(&mut compiler, &policies, &[]), 1);
}

#[test]
fn policies_of_the_api_server_change_with_their_documents() {
    let mut compiler = Compiler::default();
    for documents in [
        vec![],
        vec![admission("object.spec.replicas > 1"), binding("everywhere")],
        vec![admission("object.spec.replicas > 1"), binding("everywhere")],
        vec![admission("object.spec.replicas > 2"), binding("everywhere")],
        vec![admission("object.spec.replicas >"), binding("everywhere")],
        vec![binding("everywhere")],
        vec![],
    ] {
        compiled(&mut compiler, &[own("one", "false")], &documents);
    }
}
