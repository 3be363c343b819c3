//! What a policy is asked about: match conditions, what only the API server knows, and what its constraints match.

use sluice_api::{Action, Certainty};
use sluice_tree::json;

use super::{AT_MOST_5, create, denies, deployment, knows, labels, lines, says, set};
use crate::Facts;

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
