//! What cannot work or costs too much is refused at load, with the spot and what would pass.

use sluice_tree::json;

use super::spec;
use crate::{PolicySet, documents::yaml};

pub(super) fn problems_in(rule: &str) -> Vec<String> {
    let spec = spec(yaml(&format!("params: {{max: 5}}\nrules:\n{rule}")));
    PolicySet::check(&spec)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_bad_rule_is_refused_with_the_spot_and_what_would_pass() {
    for (rule, told) in [
        (
            "- {name: r, kinds: [Deployment], cel: 'objct.kind == \"a\"'}",
            "spec.rules[0].cel: line 1, column 1: unknown variable objct; passes: did you mean object?\n    objct.kind == \"a\"\n    ^",
        ),
        (
            "- {name: r, kinds: [Deployment], cel: 'object.spec.replica > 1'}",
            "spec.rules[0].cel: line 1, column 12: object.spec has no field replica; passes: did you mean object.spec.replicas?\n    object.spec.replica > 1\n               ^",
        ),
        (
            "- {name: r, kinds: [Deployment], each: container, cel: 'container.imgae != \"\"'}",
            "spec.rules[0].cel: line 1, column 10: container has no field imgae; passes: did you mean container.image?\n    container.imgae != \"\"\n             ^",
        ),
        (
            "- {name: r, kinds: [Deployment], cel: 'pod.spec.hostNetwrk'}",
            "spec.rules[0].cel: line 1, column 9: pod.spec has no field hostNetwrk; passes: did you mean pod.spec.hostNetwork?\n    pod.spec.hostNetwrk\n            ^",
        ),
        (
            "- {name: r, kinds: [Deployment], cel: 'size(object.metadata.name)'}",
            "spec.rules[0].cel: line 1, column 5: the answer is int; passes: an expression whose answer is bool\n    size(object.metadata.name)\n        ^",
        ),
        (
            "- {name: r, kinds: [Deployment], cel: 'params.maximum > 1'}",
            "spec.rules[0].cel: line 1, column 7: params has no field maximum; passes: it has max\n    params.maximum > 1\n          ^",
        ),
        (
            "- {name: r, kinds: [Deployment], cel: 'true', message: 'a {{ container.name }}'}",
            "spec.rules[0].message: line 1, column 6: unknown variable container; passes: there are object, oldObject, namespaceObject, request, params, pod, facts\n    a {{ container.name }}\n         ^",
        ),
        (
            "- {name: r, kinds: [Deployment], cel: 'true', messageExpression: '1'}",
            "spec.rules[0].messageExpression: line 1, column 1: the answer is int; passes: an expression whose answer is string\n    1\n    ^",
        ),
        (
            "- {name: r, kinds: [Deployment], cel: 'variables.x', variables: [{name: x, expression: 'variables.y'}]}",
            "spec.rules[0].variables[0].expression: line 1, column 1: unknown variable variables; passes: there are object, oldObject, namespaceObject, request, params, pod, facts\n    variables.y\n    ^",
        ),
        (
            "- {name: r, kinds: [Deploymnt], cel: 'true'}",
            "spec.rules[0].kinds[0]: unknown kind \"Deploymnt\"; passes: did you mean Deployment?",
        ),
        (
            "- {name: r, kinds: [Deployment, Deployment], cel: 'true'}",
            "spec.rules[0].kinds[1]: Deployment a second time; passes: each kind once",
        ),
        (
            "- {name: r, cel: 'true'}",
            "spec.rules[0].kinds: no kind; passes: at least one kind, such as Deployment",
        ),
        (
            "- {name: R R, kinds: [Pod], cel: 'true'}",
            "spec.rules[0].name: \"R R\"; passes: lower-case words with dashes, such as registry-pinned",
        ),
        (
            "- {kinds: [Pod], cel: 'true'}",
            "spec.rules[0].name: \"\"; passes: lower-case words with dashes, such as registry-pinned",
        ),
        (
            "- {}",
            "spec.rules[0]: neither use nor cel; passes: use with the name of a built-in rule, or name, kinds and cel",
        ),
        (
            "- {use: cronjob-without-deadline, name: r, kinds: [Pod], cel: 'true'}",
            "spec.rules[0].use: beside cel; passes: either use, or name, kinds and cel",
        ),
        (
            "- {name: r, kinds: [Service], each: container, cel: 'true'}",
            "spec.rules[0].each: container, but not all of kinds have containers; passes: kinds that carry pods",
        ),
        (
            "- {name: r, kinds: [Pod], cel: 'true', message: a, messageExpression: '\"b\"'}",
            "spec.rules[0].messageExpression: beside message; passes: either message or messageExpression",
        ),
        (
            "- {name: r, kinds: [Pod], cel: 'true', variables: [{name: a-b, expression: '1'}]}",
            "spec.rules[0].variables[0].name: \"a-b\"; passes: a name of letters, digits and _",
        ),
        (
            "- {name: r, kinds: [Pod], cel: 'true'}\n- {name: r, kinds: [Pod], cel: 'true'}",
            "spec.rules[1].name: r a second time; passes: each name once in a policy",
        ),
    ] {
        assert_eq!(problems_in(rule), [told], "{rule}");
    }
    for kind in [
        "Node",
        "Lease",
        "CertificateSigningRequest",
        "ClusterRole",
        "RoleBinding",
        "ValidatingWebhookConfiguration",
    ] {
        let told = problems_in(&format!("- {{name: r, kinds: [{kind}], cel: 'true'}}"));
        assert!(told[0].contains("could lock the cluster"), "{told:?}");
    }
    // a built-in rule that comes with a later version must not put a policy out of force
    assert_eq!(
        problems_in("- {name: cronjob-without-deadline, kinds: [Pod], cel: 'true'}"),
        [""; 0]
    );
    // one bad rule keeps the policy out, and every mistake of it is told
    assert_eq!(
        problems_in(
            "- {name: r, kinds: [Pod], cel: 'objct'}\n- {name: s, kinds: [Podd], cel: '('}"
        )
        .len(),
        3
    );
}

#[test]
fn a_rule_or_policy_that_costs_too_much_is_refused_with_its_estimate() {
    let nested = |depth: usize| {
        let open: String = (0..depth)
            .map(|at| format!("pod.spec.containers.all(x{at}, "))
            .collect();
        format!("{open}true{}", ")".repeat(depth))
    };
    let rule = |name: usize, more: &str, depth: usize| {
        format!(
            "- {{name: r{name}, kinds: [Deployment], cel: '{}'{more}}}\n",
            nested(depth)
        )
    };
    // one expression, told at its place
    let told = problems_in(&rule(0, "", 6)).join("\n");
    assert!(
        told.starts_with("spec.rules[0].cel: line 1, column ")
            && told.contains(": estimated at ")
            && told.contains("; passes: at most 1000000 steps; nest fewer loops"),
        "{told}"
    );
    // parts that pass one by one and not together
    assert_eq!(problems_in(&rule(0, "", 4)), [""; 0]);
    let variables: Vec<String> = (0..6)
        .map(|at| format!("{{name: v{at}, expression: '{}'}}", nested(4)))
        .collect();
    for (more, told) in [
        (
            ", each: container".to_owned(),
            "estimated at 2446656 steps with its variables and message, for 16 containers, lists of 16 elements assumed",
        ),
        (
            format!(", variables: [{}]", variables.join(", ")),
            "estimated at 1070412 steps with its variables and message, lists of 16 elements assumed",
        ),
    ] {
        assert_eq!(
            problems_in(&rule(0, &more, 4)),
            [format!(
                "spec.rules[0].cel: {told}; passes: at most 1000000 steps; nest fewer loops"
            )]
        );
    }
    // rules that pass one by one and not together
    let rules = |count: usize| -> String { (0..count).map(|at| rule(at, "", 4)).collect() };
    assert_eq!(problems_in(&rules(65)), [""; 0]);
    assert_eq!(
        problems_in(&rules(66)),
        [
            "spec.rules: estimated at 10092456 steps together, 152916 of them in r65; passes: at most 10000000 steps in one policy"
        ]
    );
}

#[test]
fn a_field_that_no_object_has_is_refused_however_deep() {
    let containers = "object.spec.template.spec.containers";
    for (kinds, cel, told) in [
        // a field further down, and through everything that leads there
        (
            "Deployment",
            "object.spec.template.spec.hostNetwrk",
            "object.spec.template.spec has no field hostNetwrk; passes: did you mean object.spec.template.spec.hostNetwork?",
        ),
        (
            "Deployment",
            "has(object.spec.strategy.rollingUpdat)",
            "object.spec.strategy has no field rollingUpdat; passes: did you mean object.spec.strategy.rollingUpdate?",
        ),
        (
            "Deployment",
            &format!("{containers}.all(c, c.imag != '')"),
            "c has no field imag; passes: did you mean c.image?",
        ),
        (
            "Deployment",
            &format!("{containers}.all(i, c, c.ports.exists(p, p.containrPort == 1))"),
            "p has no field containrPort; passes: did you mean p.containerPort?",
        ),
        (
            "Deployment",
            &format!("{containers}[0].imag == ''"),
            "Container has no field imag; passes: did you mean image?",
        ),
        (
            "Deployment",
            &format!("{containers}.filter(c, c.stdin).map(c, c.resources).all(r, has(r.limit))"),
            "r has no field limit; passes: did you mean r.limits?",
        ),
        (
            "Deployment",
            &format!("{containers}.all(c, c.?securityContext.?runAsNonRot.orValue(false))"),
            "SecurityContext has no field runAsNonRot; passes: did you mean runAsNonRoot?",
        ),
        (
            "Deployment",
            "object.spec.?template.spec.containrs.hasValue()",
            "PodSpec has no field containrs; passes: did you mean containers?",
        ),
        (
            "Deployment",
            "object['spec']['replica'] == 1",
            "DeploymentSpec has no field replica; passes: did you mean replicas?",
        ),
        (
            "Deployment",
            "object.metadata.label.app == 'a'",
            "object.metadata has no field label; passes: did you mean object.metadata.labels?",
        ),
        (
            "Deployment",
            "oldObject != null && oldObject.spec.selector.matchLabel == {}",
            "oldObject.spec.selector has no field matchLabel; passes: did you mean oldObject.spec.selector.matchLabels?",
        ),
        (
            "Deployment",
            "cel.bind(s, object.spec, s.replica == 1)",
            "s has no field replica; passes: did you mean s.replicas?",
        ),
        (
            "Deployment",
            "pod.spec.securityContext.runAsUsr == 0",
            "pod.spec.securityContext has no field runAsUsr; passes: did you mean pod.spec.securityContext.runAsUser?",
        ),
        (
            "Deployment",
            "facts.services.exists(s, s.selecter == {})",
            "s has no field selecter; passes: did you mean s.selector?",
        ),
        (
            "Deployment",
            "facts.quotas.all(q, has(q.spec.hart))",
            "q.spec has no field hart; passes: did you mean q.spec.hard?",
        ),
        (
            "Service",
            "object.spec.ports.all(p, p.targetport == 1)",
            "p has no field targetport; passes: did you mean p.targetPort?",
        ),
        (
            "CronJob",
            "object.spec.jobTemplate.spec.backoffLimits == 1",
            "object.spec.jobTemplate.spec has no field backoffLimits; passes: did you mean object.spec.jobTemplate.spec.backoffLimit?",
        ),
        (
            "Deployment, Pod",
            "object.spec.templates == object.spec.containers",
            "object.spec has no field templates",
        ),
        // types that never meet, now that fields have types
        (
            "Deployment",
            "object.spec.replicas == '3'",
            "int == string; passes: two values of one type; these are never equal",
        ),
        (
            "Deployment",
            &format!("{containers}.all(c, c.image > 3)"),
            "string > int",
        ),
        ("Deployment", "object.spec.paused + 1 == 2", "bool + int"),
        (
            "Deployment",
            "object.metadata.labels",
            "the answer is map(string, string)",
        ),
        (
            "Deployment",
            "object.spec && true",
            "DeploymentSpec where && asks for a bool",
        ),
        (
            "Deployment",
            "object.spec.replicas.image == ''",
            "int has no field image",
        ),
        (
            "Deployment",
            &format!("{containers}.image == ''"),
            "list(Container) has no field image",
        ),
        ("Deployment", "'a' in facts.nodes", "string in list(a node)"),
    ] {
        let found = problems_in(&format!(
            "- {{name: r, kinds: [{kinds}], cel: {}}}",
            json!(cel)
        ));
        assert!(
            found.len() == 1 && found[0].contains(told),
            "{cel}\n{told}\n{found:?}"
        );
    }
    // what may be there passes
    for (kinds, cel) in [
        (
            "Deployment, Pod",
            "has(object.spec.template) ? object.spec.template.spec.hostNetwork : object.spec.hostNetwork",
        ),
        (
            "Deployment",
            "object.metadata.labels.anything == object.metadata.annotations['any/thing']",
        ),
        (
            "Deployment",
            "object.metadata.?labels.?team.orValue('') == 'a' || object.metadata.?labels[?'team'].orValue('') == 'b'",
        ),
        (
            "Deployment",
            "object.spec.selector.matchLabels.all(k, object.spec.template.metadata.labels[k] == object.spec.selector.matchLabels[k])",
        ),
        (
            "Deployment",
            "object.spec.template.spec.containers.all(c, quantity(c.resources.limits.cpu).isLessThan(quantity('2')) && c.resources.requests['nvidia.com/gpu'] != '1')",
        ),
        (
            "Deployment",
            "object.spec.strategy.rollingUpdate.maxSurge == '25%' || object.spec.strategy.rollingUpdate.maxSurge == 1",
        ),
        (
            "Deployment",
            "object.spec.replicas >= 1.5 || object.spec.replicas in [1, 2]",
        ),
        (
            "Deployment",
            "'replicas' in object.spec && object.spec.all(k, k != 'x') && size(object.spec) > 1",
        ),
        (
            "Deployment",
            "oldObject == null || object.spec == oldObject.spec && object.status.readyReplicas == 1",
        ),
        (
            "Deployment",
            "(object.spec.template.spec.containers + object.spec.template.spec.initContainers).all(c, c.image != '')",
        ),
        (
            "Deployment",
            "(has(object.spec.template.spec.initContainers) ? object.spec.template.spec.initContainers : []).all(c, c.image != '')",
        ),
        ("Deployment", "object.spec[string(params.max)] == 1"),
        (
            "Deployment",
            "timestamp(object.metadata.creationTimestamp) < timestamp('2030-01-01T00:00:00Z')",
        ),
        (
            "Pod",
            "pod.spec.containers.all(c, c.resizePolicy.all(p, p.resourceName != 'cpu')) && pod.metadata.name == object.metadata.name",
        ),
        (
            "HorizontalPodAutoscaler",
            "object.spec.targetCPUUtilizationPercentage > 5 || object.spec.metrics.size() > 1",
        ),
        (
            "Ingress",
            "object.spec.rules.all(r, r.http.paths.all(p, p.backend.service.port.number == 80))",
        ),
        ("PodDisruptionBudget", "object.spec.maxUnavailable != '0%'"),
        (
            "PodTemplate",
            "object.template.spec.containers.size() == 1 && pod.spec.hostPID",
        ),
    ] {
        let rule = format!("- {{name: r, kinds: [{kinds}], cel: {}}}", json!(cel));
        assert_eq!(problems_in(&rule), [""; 0], "{cel}");
    }
}

#[test]
fn a_policy_over_namespaces_on_which_the_cluster_stands_is_refused() {
    for (selector, told) in [
        (
            "matchLabels: {kubernetes.io/metadata.name: kube-system}",
            "spec.match.namespaces.matchLabels[\"kubernetes.io/metadata.name\"]: kube-system, and to judge it could lock the cluster; passes: other namespaces",
        ),
        (
            "matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [shop, sluice-system]}]",
            "spec.match.namespaces.matchExpressions[0].values[1]: sluice-system, and to judge it could lock the cluster",
        ),
        (
            "matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system]}]",
            "",
        ),
        ("matchLabels: {kubernetes.io/metadata.name: shop}", ""),
    ] {
        let spec = spec(yaml(&format!(
            "match: {{namespaces: {{{selector}}}}}\nrules: [{{use: cronjob-without-deadline}}]"
        )));
        let found: Vec<String> = PolicySet::check(&spec)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found.len(), usize::from(!told.is_empty()), "{found:?}");
        assert!(
            found.iter().all(|found| found.starts_with(told)),
            "{found:?}"
        );
    }
}
