//! Policies of the API server as people write them, and what they say about objects. The answers of the real API server to the same are in `e2e`.

mod matching;
mod parameters;
mod written;

use std::collections::BTreeMap;

use sluice_api::{Action, Certainty};
use sluice_tree::{Value, json};

use crate::{Facts, Judgement, NotJudged, Operation, PolicySet, Subject, documents::yaml};

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(yaml).collect()
}

fn set(text: &str) -> PolicySet {
    let documents = documents(text);
    let (set, problems) = PolicySet::compile_with([], &documents);
    assert!(problems.is_empty(), "{problems:?}");
    set
}

fn problems(text: &str) -> Vec<String> {
    documents(text)
        .iter()
        .flat_map(PolicySet::check_document)
        .map(|problem| problem.to_string())
        .collect()
}

fn create(object: &Value) -> Subject<'_> {
    Subject {
        operation: Operation::Create,
        namespace: "shop",
        object,
        old: None,
        dry_run: false,
    }
}

fn lines(judgement: &Judgement) -> Vec<String> {
    judgement
        .findings
        .iter()
        .filter(|finding| finding.code == "VAP")
        .map(|finding| format!("{} {}", finding.action.as_str(), finding.line()))
        .collect()
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn knows(labels: &BTreeMap<String, String>) -> Facts<'_> {
    Facts {
        namespace_labels: Some(labels),
        ..Facts::default()
    }
}

fn deployment(replicas: i64, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}}})
}

/// A policy over Deployments with these lines of `spec`, and a binding with these.
fn over_deployments(spec: &str, binding: &str) -> String {
    format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: p}}
spec:
  matchConstraints:
    resourceRules:
    - {{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}}
{spec}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: b}}
spec:
  policyName: p
{binding}
"
    )
}

fn denies(spec: &str) -> PolicySet {
    set(&over_deployments(spec, "  validationActions: [Deny]"))
}

fn says(set: &PolicySet, object: &Value) -> Vec<String> {
    lines(&set.judge(
        &create(object),
        &knows(&labels(&[("kubernetes.io/metadata.name", "shop")])),
    ))
}

const AT_MOST_5: &str = "  validations: [{expression: object.spec.replicas <= 5}]";

#[test]
fn a_policy_that_a_binding_names_judges_and_tells_as_the_api_server_does() {
    let set = denies(AT_MOST_5);
    assert_eq!(says(&set, &deployment(5, "a")), [""; 0]);
    assert_eq!(
        says(&set, &deployment(6, "a")),
        [
            "Deny VAP p at -: failed expression: object.spec.replicas <= 5; passes: object.spec.replicas <= 5 (ValidatingAdmissionPolicy p, binding b, spec.validations[0])"
        ]
    );
    // what it judges is judged, what it is not about is not
    let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    assert!(matches!(
        set.judge(&create(&config_map), &Facts::default())
            .not_judged,
        Some(NotJudged::UnknownKind { .. })
    ));
}

#[test]
fn the_actions_of_the_binding_are_what_a_finding_leads_to() {
    for (actions, action) in [
        ("[Deny]", Action::Deny),
        ("[Deny, Audit]", Action::Deny),
        ("[Warn]", Action::Warn),
        ("[Warn, Audit]", Action::Warn),
        ("[Audit]", Action::Audit),
    ] {
        let binding = format!("  validationActions: {actions}");
        let set = set(&over_deployments(AT_MOST_5, &binding));
        let judgement = set.judge(&create(&deployment(6, "a")), &Facts::default());
        assert_eq!(
            judgement.findings.last().unwrap().action,
            action,
            "{actions}"
        );
    }
}

#[test]
fn messages_are_those_of_the_api_server() {
    for (validation, message) in [
        ("message: too many", "too many"),
        ("message: ' too many '", "too many"),
        (
            "messageExpression: \"'at most 5, not ' + string(object.spec.replicas)\"",
            "at most 5, not 6",
        ),
        (
            "message: too many, messageExpression: \"'at most ' + '5'\"",
            "at most 5",
        ),
        // what cannot be said is said by the message, and without one by the expression
        ("message: too many, messageExpression: \"' '\"", "too many"),
        (
            "message: too many, messageExpression: \"'two' + '\\\\n' + 'lines'\"",
            "too many",
        ),
        (
            "message: too many, messageExpression: object.spec.nothing",
            "too many",
        ),
        (
            "messageExpression: object.metadata.labels.nothing",
            "failed expression: object.spec.replicas <= 5",
        ),
        (
            "message: too many, messageExpression: request.userInfo.username",
            "too many",
        ),
        ("message: too many, reason: Forbidden", "too many"),
    ] {
        let set = denies(&format!(
            "  validations: [{{expression: object.spec.replicas <= 5, {validation}}}]"
        ));
        let judgement = set.judge(&create(&deployment(6, "a")), &Facts::default());
        assert_eq!(judgement.findings[0].found, message, "{validation}");
    }
}

#[test]
fn an_expression_that_fails_leads_to_what_the_failure_policy_says() {
    let error = "expression 'object.spec.nothing == 1' resulted in error: no such key: nothing";
    for (policy, action, certainty, found) in [
        ("", Action::Deny, Certainty::Sure, error.to_owned()),
        (
            "  failurePolicy: Fail\n",
            Action::Deny,
            Certainty::Sure,
            error.to_owned(),
        ),
        (
            "  failurePolicy: Ignore\n",
            Action::Audit,
            Certainty::Unknown,
            format!("{error} (failurePolicy Ignore lets it in)"),
        ),
    ] {
        for part in [
            "  validations: [{expression: object.spec.nothing == 1}]",
            "  matchConditions: [{name: c, expression: object.spec.nothing == 1}]\n  validations: [{expression: 'false'}]",
        ] {
            let set = denies(&format!("{policy}{part}"));
            let judgement = set.judge(&create(&deployment(1, "a")), &Facts::default());
            let finding = &judgement.findings[0];
            assert_eq!(
                (finding.action, finding.certainty, &finding.found),
                (action, certainty, &found),
                "{policy}{part}"
            );
        }
    }
}

#[test]
fn variables_and_the_namespace_are_read_as_in_kubernetes_own_example() {
    let set = denies(
        "  variables:
  - {name: environment, expression: \"'environment' in namespaceObject.metadata.labels ? namespaceObject.metadata.labels['environment'] : 'prod'\"}
  - {name: exempt, expression: \"'exempt' in object.metadata.labels && object.metadata.labels['exempt'] == 'true'\"}
  - {name: containers, expression: object.spec.template.spec.containers}
  - {name: containersToCheck, expression: \"variables.containers.filter(c, c.image.contains('example.com/'))\"}
  validations:
  - expression: \"variables.exempt || variables.containersToCheck.all(c, c.image.startsWith(variables.environment + '.'))\"
    messageExpression: \"'only ' + variables.environment + ' images are allowed in namespace ' + namespaceObject.metadata.name\"",
    );
    let test = labels(&[
        ("environment", "test"),
        ("kubernetes.io/metadata.name", "shop"),
    ]);
    let prod = labels(&[("kubernetes.io/metadata.name", "shop")]);
    for (labels, image, told) in [
        (&test, "test.example.com/web", ""),
        (
            &test,
            "prod.example.com/web",
            "only test images are allowed in namespace shop",
        ),
        (&prod, "prod.example.com/web", ""),
        (
            &prod,
            "test.example.com/web",
            "only prod images are allowed in namespace shop",
        ),
        (&prod, "elsewhere/web", ""),
    ] {
        let judgement = set.judge(&create(&deployment(1, image)), &knows(labels));
        let found = judgement
            .findings
            .first()
            .map_or("", |finding| finding.found.as_str());
        assert_eq!(found, told, "{image}");
    }
    // without the labels nobody can tell
    let told = lines(&set.judge(
        &create(&deployment(1, "test.example.com/web")),
        &Facts::default(),
    ));
    assert!(
        told[0].starts_with("Warn VAP p at -: cannot tell: labels of namespace shop not known"),
        "{told:?}"
    );
}

#[test]
fn an_update_is_judged_without_a_ratchet_as_the_api_server_does() {
    let set = denies(
        "  validations:
  - {expression: object.spec.replicas <= 5, message: too many}
  - {expression: 'oldObject == null || object.spec.replicas - oldObject.spec.replicas < 3', message: too fast}",
    );
    let (old, new) = (deployment(6, "a"), deployment(9, "a"));
    let subject = Subject {
        operation: Operation::Update,
        old: Some(&old),
        ..create(&new)
    };
    let told = lines(&set.judge(&subject, &Facts::default()));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter()
            .all(|line| line.starts_with("Deny VAP p at -: too ")),
        "{told:?}"
    );
}

#[test]
fn the_guards_that_sluice_ships_say_what_they_can_say_without_an_authorizer() {
    let text = include_str!("../../../../manifests/guards.yaml");
    let documents: Vec<Value> = text
        .split("\n---\n")
        .map(yaml)
        .filter(|document| !document.is_null())
        .collect();
    let (set, problems) = PolicySet::compile_with([], &documents);
    assert!(problems.is_empty(), "{problems:?}");
    assert!(set.policies() >= 2 && set.asks_user());
    let release = |target: &str| json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "Release", "metadata": {"name": "r", "namespace": "shop"}, "spec": {"target": target}});
    let (old, new) = (release("a"), release("b"));
    for (user, sure, unknown) in [
        (
            "system:serviceaccount:sluice-system:sluice-controller",
            0,
            0,
        ),
        // a record is changed; whether by an administrator only the authorizer knows
        ("anna", 0, 1),
    ] {
        let user = json!({"username": user, "groups": []});
        let facts = Facts {
            user: Some(&user),
            ..Facts::default()
        };
        let subject = Subject {
            operation: Operation::Update,
            old: Some(&old),
            ..create(&new)
        };
        let judgement = set.judge(&subject, &facts);
        let count = |certainty| {
            let of = |finding: &&sluice_api::Finding| finding.certainty == certainty;
            judgement.findings.iter().filter(of).count()
        };
        assert_eq!(
            (count(Certainty::Sure), count(Certainty::Unknown)),
            (sure, unknown),
            "{judgement:?}"
        );
    }
}
