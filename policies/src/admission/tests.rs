//! Policies of the API server as people write them, and what they say about objects. The answers of the real API server to the same are in `e2e`.

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
fn match_conditions_choose_and_one_that_does_not_hold_decides() {
    for (conditions, judged) in [
        ("[{name: a, expression: object.spec.replicas > 1}]", true),
        ("[{name: a, expression: object.spec.replicas > 9}]", false),
        (
            "[{name: a, expression: 'true'}, {name: b, expression: 'false'}]",
            false,
        ),
        (
            "[{name: a, expression: object.spec.nothing == 1}, {name: b, expression: 'false'}]",
            false,
        ),
        (
            "[{name: a, expression: \"!('system:nodes' in request.userInfo.groups)\"}, {name: b, expression: 'false'}]",
            false,
        ),
        (
            "[{name: a, expression: \"request.kind.kind == 'Deployment' && request.resource.resource == 'deployments' && request.operation == 'CREATE' && request.name == 'web' && request.namespace == 'shop' && !request.dryRun\"}]",
            true,
        ),
    ] {
        let set = denies(&format!("  matchConditions: {conditions}\n{AT_MOST_5}"));
        assert_eq!(
            !says(&set, &deployment(6, "a")).is_empty(),
            judged,
            "{conditions}"
        );
    }
    // whether it applies at all may be what nobody can tell
    let set = denies(&format!(
        "  matchConditions: [{{name: not-kubelet, expression: \"!('system:nodes' in request.userInfo.groups)\"}}]\n{AT_MOST_5}"
    ));
    assert!(set.asks_user());
    assert_eq!(
        says(&set, &deployment(6, "a")),
        [
            "Warn VAP p at -: cannot tell: the user of the request not known, on which depends whether the policy applies; needs: the user of the request (ValidatingAdmissionPolicy p, binding b, spec.matchConditions)"
        ]
    );
    let user = json!({"username": "anna", "groups": ["developers"]});
    let known = Facts {
        user: Some(&user),
        ..Facts::default()
    };
    let told = lines(&set.judge(&create(&deployment(6, "a")), &known));
    assert!(
        told[0].starts_with("Deny VAP p at -: failed expression"),
        "{told:?}"
    );
}

#[test]
fn what_only_the_api_server_knows_is_unknown_unless_something_else_decides() {
    for (expression, told) in [
        (
            "authorizer.group('apps').resource('deployments').namespace('shop').name('web').check('scale').allowed()",
            "what the authorizer of the API server says not known",
        ),
        (
            "authorizer.requestResource.check('scale').reason() == ''",
            "what the authorizer of the API server says not known",
        ),
        (
            "authorizer.serviceAccount('a', 'b').path('/healthz').check('get').allowed()",
            "what the authorizer of the API server says not known",
        ),
        (
            "namespaceObject.metadata.annotations['a'] == 'b'",
            "namespaceObject.metadata.annotations not known",
        ),
        (
            "namespaceObject.metadata.?annotations['a'].orValue('b') == 'b'",
            "namespaceObject.metadata.annotations not known",
        ),
        (
            "has(namespaceObject.metadata.annotations)",
            "namespaceObject.metadata.annotations not known",
        ),
        (
            "namespaceObject.status.phase == 'Active'",
            "namespaceObject.status not known",
        ),
        (
            "request.?userInfo.?username.orValue('') == 'anna'",
            "the user of the request not known",
        ),
        (
            "object.spec.replicas == 6 || authorizer.path('/').check('get').allowed()",
            "",
        ),
        (
            "object.spec.replicas == 7 && authorizer.path('/').check('get').allowed()",
            "failed expression: object.spec.replicas == 7 && authorizer.path('/').check('get').allowed()",
        ),
    ] {
        let validation = json!([{"expression": expression}]);
        let set = denies(&format!("  validations: {validation}"));
        let judgement = set.judge(
            &create(&deployment(6, "a")),
            &knows(&labels(&[("kubernetes.io/metadata.name", "shop")])),
        );
        let found: Vec<&str> = judgement
            .findings
            .iter()
            .map(|finding| finding.found.as_str())
            .collect();
        let expected = if told.is_empty() { vec![] } else { vec![told] };
        assert_eq!(found, expected, "{expression}");
        let unknown = told.ends_with("not known");
        assert!(
            judgement.findings.iter().all(|finding| {
                (finding.certainty == Certainty::Unknown) == unknown
                    && (finding.action == Action::Deny) != unknown
            }),
            "{expression}"
        );
    }
}

#[test]
fn matching_is_the_api_servers() {
    let deployment = deployment(6, "a");
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "labels": {"team": "a"}}, "spec": {"template": {"spec": {"containers": []}}}});
    let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n"}});
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "labels": {"env": "test"}}});
    let gate =
        json!({"apiVersion": "sluice.dev/v1alpha1", "kind": "Gate", "metadata": {"name": "g"}});
    let autoscaler = json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}});
    let webhook = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "w"}});
    let any = "apiGroups: ['*'], apiVersions: ['*'], operations: ['*']";
    // denied, not its business, or not to be told
    let (yes, no, perhaps) = (Some(Certainty::Sure), None, Some(Certainty::Unknown));
    for (what, constraints, object, judged) in [
        ("its resource", format!("resourceRules: [{{{any}, resources: [deployments]}}]"), &deployment, yes),
        ("every resource", format!("resourceRules: [{{{any}, resources: ['*']}}]"), &deployment, yes),
        ("every resource and what is below", format!("resourceRules: [{{{any}, resources: ['*/*']}}]"), &job, yes),
        ("the resource and what is below", format!("resourceRules: [{{{any}, resources: ['jobs/*']}}]"), &job, yes),
        ("only what is below", format!("resourceRules: [{{{any}, resources: [deployments/scale]}}]"), &deployment, no),
        ("an irregular plural", format!("resourceRules: [{{{any}, resources: [networkpolicies]}}]"), &policy, yes),
        ("a kind of others", format!("resourceRules: [{{{any}, resources: [gates]}}]"), &gate, yes),
        ("another group", "resourceRules: [{apiGroups: [batch], apiVersions: ['*'], operations: ['*'], resources: ['*']}]".into(), &deployment, no),
        ("the core group", "resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: ['*']}]".into(), &namespace, yes),
        ("another operation", "resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: [UPDATE, DELETE], resources: ['*']}]".into(), &deployment, no),
        ("a name", format!("resourceRules: [{{{any}, resources: ['*'], resourceNames: [web]}}]"), &deployment, yes),
        ("another name", format!("resourceRules: [{{{any}, resources: ['*'], resourceNames: [api]}}]"), &deployment, no),
        ("namespaced ones", format!("resourceRules: [{{{any}, resources: ['*'], scope: Namespaced}}]"), &role, no),
        ("those of the cluster", format!("resourceRules: [{{{any}, resources: ['*'], scope: Cluster}}]"), &role, yes),
        ("excluded", format!("resourceRules: [{{{any}, resources: ['*']}}], excludeResourceRules: [{{{any}, resources: [deployments]}}]"), &deployment, no),
        ("not excluded", format!("resourceRules: [{{{any}, resources: ['*']}}], excludeResourceRules: [{{{any}, resources: [jobs]}}]"), &deployment, yes),
        ("labels of the object", format!("objectSelector: {{matchLabels: {{team: a}}}}, resourceRules: [{{{any}, resources: ['*']}}]"), &job, yes),
        ("other labels of the object", format!("objectSelector: {{matchLabels: {{team: a}}}}, resourceRules: [{{{any}, resources: ['*']}}]"), &deployment, no),
        ("labels of the namespace", format!("namespaceSelector: {{matchLabels: {{env: test}}}}, resourceRules: [{{{any}, resources: ['*']}}]"), &deployment, perhaps),
        ("the name of the namespace", format!("namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: shop}}}}, resourceRules: [{{{any}, resources: ['*']}}]"), &deployment, yes),
        ("another name of the namespace", format!("namespaceSelector: {{matchExpressions: [{{key: kubernetes.io/metadata.name, operator: NotIn, values: [shop]}}, {{key: env, operator: Exists}}]}}, resourceRules: [{{{any}, resources: ['*']}}]"), &deployment, no),
        ("what lies in no namespace", format!("namespaceSelector: {{matchLabels: {{env: test}}}}, resourceRules: [{{{any}, resources: ['*']}}]"), &role, yes),
        ("a namespace by its own labels", format!("namespaceSelector: {{matchLabels: {{env: prod}}}}, resourceRules: [{{{any}, resources: ['*']}}]"), &namespace, no),
        ("converted", "resourceRules: [{apiGroups: [autoscaling], apiVersions: [v2], operations: ['*'], resources: ['*']}]".into(), &autoscaler, perhaps),
        ("converted, exactly", "matchPolicy: Exact, resourceRules: [{apiGroups: [autoscaling], apiVersions: [v2], operations: ['*'], resources: ['*']}]".into(), &autoscaler, no),
        ("a version that nobody serves", "resourceRules: [{apiGroups: [autoscaling], apiVersions: [v7], operations: ['*'], resources: ['*']}]".into(), &autoscaler, no),
        ("the policies themselves", format!("resourceRules: [{{{any}, resources: ['*']}}]"), &webhook, no),
    ] {
        let text = format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\nspec: {{matchConstraints: {{{constraints}}}, validations: [{{expression: 'false'}}]}}
---
apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: b}}\nspec: {{policyName: p, validationActions: [Deny]}}"
        );
        let judgement = set(&text).judge(&create(object), &Facts::default());
        let found = judgement.findings.iter().find(|finding| finding.code == "VAP");
        assert_eq!(found.map(|finding| finding.certainty), judged, "{what}: {judgement:?}");
        if let Some(finding) = found {
            let denies = finding.action == Action::Deny;
            assert_eq!(denies, judged == yes, "{what}");
        }
        // the same by the binding
        let by_binding = format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\nspec: {{matchConstraints: {{resourceRules: [{{{any}, resources: ['*']}}]}}, validations: [{{expression: 'false'}}]}}
---
apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: b}}\nspec: {{policyName: p, validationActions: [Deny], matchResources: {{{constraints}}}}}"
        );
        let judgement = self::set(&by_binding).judge(&create(object), &Facts::default());
        let found = judgement.findings.iter().find(|finding| finding.code == "VAP");
        assert_eq!(found.map(|finding| finding.certainty), judged, "{what}, by the binding");
    }
}

const LIMIT: &str = "  paramKind: {apiVersion: rules.example.com/v1, kind: ReplicaLimit}
  validations: [{expression: 'params == null || object.spec.replicas <= params.maxReplicas', messageExpression: \"'at most ' + string(params.maxReplicas)\"}]";

fn limit(name: &str, namespace: &str, most: i64) -> String {
    format!(
        "---\napiVersion: rules.example.com/v1\nkind: ReplicaLimit\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{size: {name}}}}}\nmaxReplicas: {most}\n"
    )
}

#[test]
fn parameters_are_objects_among_the_files() {
    let here = limit("small", "shop", 3) + &limit("big", "shop", 9) + &limit("small", "other", 1);
    for (reference, objects, replicas, told) in [
        (
            "name: small, parameterNotFoundAction: Deny",
            here.as_str(),
            4,
            vec!["Deny VAP p at -: at most 3; "],
        ),
        (
            "name: small, parameterNotFoundAction: Deny",
            &here,
            3,
            vec![],
        ),
        ("name: big, parameterNotFoundAction: Deny", &here, 4, vec![]),
        (
            "name: small, namespace: other, parameterNotFoundAction: Deny",
            &here,
            2,
            vec!["Deny VAP p at -: at most 1; "],
        ),
        (
            "selector: {matchLabels: {size: small}}, parameterNotFoundAction: Deny",
            &here,
            4,
            vec!["Deny VAP p at -: at most 3; "],
        ),
        (
            "selector: {}, parameterNotFoundAction: Deny",
            &here,
            10,
            vec![
                "Deny VAP p at -: at most 3; ",
                "Deny VAP p at -: at most 9; ",
            ],
        ),
        (
            "name: none, parameterNotFoundAction: Allow",
            &here,
            4,
            vec![
                "Warn VAP p at -: cannot tell: ReplicaLimit none of namespace shop not known; needs: ReplicaLimit none of namespace shop among the policy files, from the cluster or a file of facts",
            ],
        ),
        (
            "selector: {matchLabels: {size: none}}, parameterNotFoundAction: Deny",
            "",
            4,
            vec![
                "Warn VAP p at -: cannot tell: ReplicaLimit objects that the binding selects of namespace shop not known",
            ],
        ),
    ] {
        let text = over_deployments(
            LIMIT,
            &format!("  validationActions: [Deny]\n  paramRef: {{{reference}}}"),
        ) + objects;
        let told_now = says(&set(&text), &deployment(replicas, "a"));
        assert_eq!(told_now.len(), told.len(), "{reference}: {told_now:?}");
        for (line, begins) in told_now.iter().zip(&told) {
            assert!(line.starts_with(begins), "{reference}: {line}");
        }
    }
    // a binding without a reference asks with null
    let set = set(&(over_deployments(LIMIT, "  validationActions: [Deny]") + &here));
    assert_eq!(says(&set, &deployment(99, "a")), [""; 0]);
}

#[test]
fn where_the_facts_show_that_there_is_no_parameter_the_binding_decides() {
    let policy = "  paramKind: {apiVersion: v1, kind: ConfigMap}\n  validations: [{expression: 'object.spec.replicas <= int(params.data.max)'}]";
    let of = |action: &str, failure: &str| {
        set(&over_deployments(
            &format!("{failure}{policy}"),
            &format!(
                "  validationActions: [Audit]\n  paramRef: {{name: limits, parameterNotFoundAction: {action}}}"
            ),
        ))
    };
    let mut facts = Facts::default();
    facts.names[crate::Named::ConfigMap.index()] = crate::facts::Names::whole(&[]);
    let judged = |set: &PolicySet| lines(&set.judge(&create(&deployment(1, "a")), &facts));
    assert_eq!(judged(&of("Allow", "")), [""; 0]);
    // whatever the actions of the binding are, as the API server does
    assert!(judged(&of("Deny", ""))[0].starts_with("Deny VAP p at -: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"));
    assert!(
        judged(&of("Deny", "  failurePolicy: Ignore\n"))[0]
            .starts_with("Audit VAP p at -: cannot tell: failed to configure binding")
    );
    // that nobody said what there is proves nothing
    let told = lines(&of("Deny", "").judge(&create(&deployment(1, "a")), &Facts::default()));
    assert!(
        told[0].contains("cannot tell: ConfigMap limits of namespace shop not known"),
        "{told:?}"
    );
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
fn what_has_no_effect_is_told() {
    let whole = over_deployments(
        &format!(
            "{AT_MOST_5}\n  auditAnnotations: [{{key: replicas, valueExpression: string(object.spec.replicas)}}]"
        ),
        "  validationActions: [Deny]",
    );
    let (policy, binding) = whole.split_once("\n---\n").unwrap();
    for (text, notes, policies) in [
        (
            whole.as_str(),
            vec![
                "auditAnnotations of ValidatingAdmissionPolicy p: the API server alone has an audit log",
            ],
            1,
        ),
        (
            policy,
            vec!["ValidatingAdmissionPolicy p: no binding among the files puts it in force"],
            0,
        ),
        (
            binding,
            vec!["ValidatingAdmissionPolicyBinding b: there is no policy p among the files"],
            0,
        ),
    ] {
        let set = set(text);
        assert_eq!(set.notes(), notes);
        assert_eq!(set.policies(), policies);
    }
}

#[test]
fn the_digest_says_what_they_mean_and_not_how_they_are_written() {
    let digest = |text: &str| set(text).digest().to_owned();
    let with = |spec: &str, reference: &str, objects: &str| {
        digest(
            &(over_deployments(
                spec,
                &format!(
                    "  validationActions: [Deny]\n  paramRef: {{{reference}, parameterNotFoundAction: Deny}}"
                ),
            ) + objects),
        )
    };
    let small = limit("small", "shop", 3);
    let one = with(LIMIT, "name: small", &small);
    assert_eq!(
        one,
        with(
            &format!("  failurePolicy: Fail\n{LIMIT}"),
            "name: small",
            &small
        )
    );
    let other = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    assert_eq!(one, with(LIMIT, "name: small", &(small.clone() + other)));
    for different in [
        with(
            &format!("  failurePolicy: Ignore\n{LIMIT}"),
            "name: small",
            &small,
        ),
        with(LIMIT, "name: big", &small),
        with(LIMIT, "name: small", &limit("small", "shop", 4)),
        PolicySet::default().digest().to_owned(),
    ] {
        assert_ne!(one, different);
    }
    // documents in another order
    let mut turned = documents(&over_deployments(AT_MOST_5, "  validationActions: [Deny]"));
    turned.reverse();
    let (set, _) = PolicySet::compile_with([], &turned);
    assert_eq!(set.digest(), denies(AT_MOST_5).digest());
}

#[test]
fn what_cannot_work_is_refused_with_its_place() {
    let rules = "matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]}";
    let policy = |spec: &str| {
        format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\nspec: {{{spec}}}"
        )
    };
    let binding = |spec: &str| {
        format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: b}}\nspec: {{{spec}}}"
        )
    };
    for (document, told) in [
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'object.spec.replicas <='}}]"
            )),
            "spec.validations[0].expression: line 1, column 24: the text ends where something is still to come",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: object.spec.replicas}}]"
            )),
            "",
        ),
        (
            policy(&format!("{rules}, validations: [{{expression: \"'a'\"}}]")),
            "spec.validations[0].expression: line 1, column 1: the answer is string; passes: an expression whose answer is bool",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: variables.limit > 1}}]"
            )),
            "spec.validations[0].expression: line 1, column 1: unknown variable variables",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: params.a == 1}}]"
            )),
            "spec.validations[0].expression: line 1, column 1: unknown variable params",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: request.operatoin == 'CREATE'}}]"
            )),
            "spec.validations[0].expression: line 1, column 8: request has no field operatoin; passes: did you mean request.operation?",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'authorizer.check(\"a\").allowed()'}}]"
            )),
            "spec.validations[0].expression: line 1, column 17: no overload for authorizer.check(string)",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'cel.bind(x, 1, x == 1)'}}]"
            )),
            "spec.validations[0].expression: line 1, column 9: no version of Kubernetes has cel.bind",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'true', messageExpression: '1'}}]"
            )),
            "spec.validations[0].messageExpression: line 1, column 1: the answer is int",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'true', message: \"a\\nb\"}}]"
            )),
            "spec.validations[0].message: several lines; passes: one line",
        ),
        (
            policy(&format!("{rules}, validations: [{{expresion: 'true'}}]")),
            "spec.validations[0].expresion: unknown field `expresion`",
        ),
        (
            policy(&format!(
                "{rules}, validations: [{{expression: 'true', reason: Because}}]"
            )),
            "spec.validations[0].reason: unknown variant `Because`",
        ),
        (
            policy(&format!(
                "{rules}, failurePolicy: Maybe, validations: [{{expression: 'true'}}]"
            )),
            "spec.failurePolicy: unknown variant `Maybe`",
        ),
        (
            policy(rules),
            "spec.validations: none; passes: at least one",
        ),
        (
            policy("validations: [{expression: 'true'}]"),
            "spec.matchConstraints.resourceRules: no rule",
        ),
        (
            policy(&format!(
                "{rules}, matchConditions: [{{name: a, expression: 'true'}}, {{name: a, expression: 'true'}}], validations: [{{expression: 'true'}}]"
            )),
            "spec.matchConditions[1].name: a a second time",
        ),
        (
            policy(&format!("{rules}, validations: [{{expression: 'true'}}]"))
                .replace("/v1\n", "/v1alpha1\n"),
            "apiVersion: admissionregistration.k8s.io/v1alpha1; passes: admissionregistration.k8s.io/v1",
        ),
        (
            policy(&format!("{rules}, validations: [{{expression: 'true'}}]"))
                .replace("{name: p}", "{}"),
            "metadata.name: absent",
        ),
        (
            policy(&format!(
                "{rules}, auditAnnotations: [{{key: a, valueExpression: nothing}}]"
            )),
            "spec.auditAnnotations[0].valueExpression: line 1, column 1: unknown variable nothing",
        ),
        (
            binding("policyName: p"),
            "spec.validationActions: nothing; passes: at least one of Deny, Warn, Audit",
        ),
        (
            binding("policyName: p, validationActions: [Deny, Warn]"),
            "spec.validationActions: Deny and Warn",
        ),
        (
            binding("policyName: p, validationActions: [Refuse]"),
            "spec.validationActions[0]: unknown variant `Refuse`",
        ),
        (
            binding("validationActions: [Deny]"),
            "missing field `policyName`",
        ),
        (
            binding("policyName: p, validationActions: [Deny], paramRef: {name: a}"),
            "spec.paramRef.parameterNotFoundAction: absent; passes: Allow or Deny",
        ),
        (
            binding(
                "policyName: p, validationActions: [Deny], paramRef: {parameterNotFoundAction: Deny}",
            ),
            "spec.paramRef: neither name nor selector",
        ),
        (
            binding(
                "policyName: p, validationActions: [Deny], paramRef: {name: a, selector: {}, parameterNotFoundAction: Deny}",
            ),
            "spec.paramRef: name and selector",
        ),
    ] {
        let found = problems(&document);
        match told {
            "" => assert_eq!(found, [""; 0], "{document}"),
            told => assert!(
                found.len() == 1 && found[0].contains(told),
                "{told}\n{found:?}"
            ),
        }
        // what is refused judges nothing
        let whole = documents(&document);
        let (set, left_out) = PolicySet::compile_with([], &whole);
        assert_eq!((set.policies(), left_out.is_empty()), (0, told.is_empty()));
    }
    let twice = over_deployments(AT_MOST_5, "  validationActions: [Deny]");
    let mut both = documents(&twice);
    both.extend(documents(&twice.replace("<= 5", "<= 6")));
    let (_, problems) = PolicySet::compile_with([], &both);
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "policy ValidatingAdmissionPolicy/p: metadata.name: there a second time; passes: each name once in the folder"
        ]
    );
}

#[test]
fn the_guards_that_sluice_ships_say_what_they_can_say_without_an_authorizer() {
    let text = include_str!("../../../manifests/guards.yaml");
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
