//! Own rules: what a policy may say, and what comes of it.

use sluice_api::{Action, Certainty};
use sluice_tree::{Value, json};

use super::{create, knows_none, spec, update};
use crate::{Facts, Judgement, PolicySet, PolicySource, Subject, documents::yaml, with_defaults};

fn problems_in(rule: &str) -> Vec<String> {
    let spec = spec(yaml(&format!("params: {{max: 5}}\nrules:\n{rule}")));
    PolicySet::check(&spec)
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn set(policy: &str) -> PolicySet {
    let spec = spec(yaml(policy));
    let (set, problems) = PolicySet::compile([PolicySource {
        namespace: "sluice-system",
        name: "own",
        spec: &spec,
        cluster_wide: true,
    }]);
    assert!(problems.is_empty(), "{problems:?}");
    set
}

fn lines(judgement: &Judgement) -> Vec<String> {
    judgement
        .findings
        .iter()
        .filter(|finding| finding.code == "OWN")
        .map(|finding| format!("{} {}", finding.action.as_str(), finding.line()))
        .collect()
}

fn deployment(image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {
            "initContainers": [{"name": "init", "image": "busybox@sha256:1"}],
            "containers": [{"name": "web", "image": image, "resources": {"limits": {"cpu": 2}}}, {"name": "side", "image": "side@sha256:2"}]}}}})
}

const DIGEST: &str = r#"
rules:
- name: unpinned-image
  kinds: [Deployment, CronJob]
  each: container
  cel: container.image.contains("@sha256:")
  message: use a digest for {{ container.image }}
"#;

#[test]
fn a_rule_for_each_container_tells_every_container_that_breaks_it() {
    let set = set(DIGEST);
    let told = lines(&set.judge(&create(&deployment("web:1")), &knows_none()));
    assert_eq!(
        told,
        [
            r#"Deny OWN unpinned-image at spec.template.spec.containers[0]: use a digest for web:1 (container web); passes: container.image.contains("@sha256:") (policy sluice-system/own)"#
        ]
    );
    assert_eq!(
        lines(&set.judge(&create(&deployment("web@sha256:3")), &knows_none())),
        [""; 0]
    );
    let job = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "j"}, "spec": {"schedule": "0 0 * * *",
        "jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "c"}]}}}}}});
    assert!(lines(&set.judge(&create(&job), &knows_none()))[0].contains(
        "at spec.jobTemplate.spec.template.spec.containers[0]: use a digest for c (container c)"
    ));
    // another kind is none of its business
    let mut other = deployment("web:1");
    other["kind"] = "DaemonSet".into();
    assert_eq!(lines(&set.judge(&create(&other), &knows_none())), [""; 0]);
}

#[test]
fn an_object_is_judged_as_it_would_be_stored() {
    let set = set(r#"
rules:
- name: defaults
  kinds: [Deployment]
  cel: object.spec.strategy.type != "RollingUpdate" || object.spec.template.spec.containers.all(c, !has(c.resources.limits) || c.resources.limits.cpu != "2")
  messageExpression: '"replicas " + string(object.spec.replicas) + ", namespace " + object.metadata.namespace'
"#);
    let file = deployment("web:1");
    let mut bare = file.clone();
    bare["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("namespace");
    let mut stored = with_defaults(&file).into_owned();
    stored["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"limits": {"cpu": "2"}, "requests": {"cpu": "2"}});
    stored["metadata"]["uid"] = "1".into();
    let told = lines(&set.judge(&create(&file), &knows_none()));
    assert!(
        told[0].starts_with("Deny OWN defaults at -: replicas 1, namespace shop; passes: "),
        "{told:?}"
    );
    for object in [&bare, &stored] {
        assert_eq!(lines(&set.judge(&create(object), &knows_none())), told);
    }
}

#[test]
fn the_ratchet_holds_for_own_rules() {
    let set = set(DIGEST);
    let (old, other, good) = (
        deployment("web:1"),
        deployment("web:2"),
        deployment("web@sha256:3"),
    );
    // what was there before only warns, what is new denies
    assert!(lines(&set.judge(&update(&other, &old), &knows_none()))[0].starts_with("Warn "));
    assert!(lines(&set.judge(&update(&old, &good), &knows_none()))[0].starts_with("Deny "));
    // an update that leaves the template alone is not judged
    let mut scaled = old.clone();
    scaled["spec"]["replicas"] = 9.into();
    scaled["metadata"]["labels"]["x"] = "y".into();
    assert_eq!(
        lines(&set.judge(&update(&scaled, &old), &knows_none())),
        [""; 0]
    );
    // nor one in which only the server's own fields differ
    let whole = super::super::PolicySet::compile([PolicySource {
        namespace: "sluice-system",
        name: "own",
        cluster_wide: true,
        spec: &spec(yaml(
            "rules: [{name: never, kinds: [Deployment], cel: object.kind == 'x'}]",
        )),
    }])
    .0;
    let mut touched = old.clone();
    touched["metadata"]["resourceVersion"] = "7".into();
    touched["status"] = json!({"replicas": 3});
    assert_eq!(
        lines(&whole.judge(&update(&touched, &old), &knows_none())),
        [""; 0]
    );
    assert_eq!(
        lines(&whole.judge(&update(&scaled, &old), &knows_none())).len(),
        1
    );
}

#[test]
fn no_answer_is_never_a_pass() {
    let policy = |cel: &str, unknown: &str| {
        set(&format!(
            "onUnknown: {unknown}\nrules: [{{name: r, kinds: [Deployment], cel: {}}}]",
            json!(cel)
        ))
    };
    let object = deployment("web:1");
    for (cel, told) in [
        (
            "facts.quotas.size() == 0",
            "OWN r at -: cannot tell: ResourceQuotas of the namespace not known; needs: ResourceQuotas of the namespace, for policy sluice-system/own",
        ),
        (
            "namespaceObject.metadata.labels.team == 'a'",
            "OWN r at -: cannot tell: labels of namespace shop not known; needs: labels of namespace shop, for policy sluice-system/own",
        ),
        (
            "request.userInfo.username == 'a'",
            "OWN r at -: cannot tell: the user of the request not known; needs: the user of the request, for policy sluice-system/own",
        ),
        (
            "object.spec.paused",
            "OWN r at -: cannot tell: the rule failed: no such key: paused (line 1, column 12); needs: a rule of policy sluice-system/own that has an answer for this object",
        ),
        (
            "object.spec.strategy.rollingUpdate.maxSurge",
            "OWN r at -: cannot tell: the rule answers neither true nor false; needs: a rule of policy sluice-system/own that does",
        ),
        (
            "object.spec.template.spec.containers.all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, object.metadata.name.matches('x' + string(b) + string(c)) || true)))",
            "OWN r at -: cannot tell: the rule failed: used up its budget of steps; needs: a rule of policy sluice-system/own that has an answer for this object",
        ),
    ] {
        let judgement = policy(cel, "Warn").judge(&create(&object), &Facts::default());
        assert_eq!(lines(&judgement), [format!("Warn {told}")]);
        assert_eq!(judgement.findings[0].certainty, Certainty::Unknown);
        let judgement = policy(cel, "Deny").judge(&create(&object), &Facts::default());
        let finding = judgement.findings.iter().find(|f| f.code == "OWN").unwrap();
        // what no fact can mend is no question of facts
        assert_eq!(
            finding.certainty == Certainty::Unknown,
            told.contains("not known"),
            "{cel}"
        );
        assert_eq!(finding.action, Action::Deny, "{cel}");
    }
    // what is known has an answer, and the set says what it needs
    let set = policy(
        "facts.quotas.size() == 0 && facts.limitRanges.size() == 0",
        "Warn",
    );
    assert_eq!(set.needs().len(), 2);
    assert_eq!(lines(&set.judge(&create(&object), &knows_none())), [""; 0]);
    assert!(!set.asks_user());
    let set = policy("request.userInfo.username == 'a'", "Warn");
    assert!(set.asks_user());
    let user = json!({"username": "a"});
    let facts = Facts {
        user: Some(&user),
        ..Facts::default()
    };
    assert_eq!(lines(&set.judge(&create(&object), &facts)), [""; 0]);
}

#[test]
fn every_variable_has_its_value() {
    let labels = [("team".to_owned(), "shop".to_owned())].into();
    let facts = Facts {
        namespace_labels: Some(&labels),
        ..knows_none()
    };
    let (object, old) = (deployment("web:1"), deployment("web:0"));
    for cel in [
        "object.metadata.name == 'web' && oldObject.spec.template.spec.containers[0].image == 'web:0'",
        "pod.metadata.labels.app == 'web' && pod.spec.containers.size() == 2",
        "namespaceObject.metadata.labels.team == 'shop' && namespaceObject.metadata.name == 'shop'",
        "request.operation == 'UPDATE' && request.namespace == 'shop' && request.name == 'web' && !request.dryRun",
        "params.max == 5 && params.names.exists(n, n == 'web')",
        "variables.images.size() == 2 && variables.both",
        "object.spec.replicas <= params.max",
    ] {
        let set = set(&format!(
            "params: {{max: 5, names: [web]}}\nrules:\n- name: r\n  kinds: [Deployment]\n  variables:\n  - {{name: images, expression: 'pod.spec.containers.map(c, c.image)'}}\n  - {{name: both, expression: 'variables.images.size() == 2'}}\n  - {{name: unused, expression: 'object.spec.paused'}}\n  cel: {}",
            json!(cel)
        ));
        assert_eq!(
            lines(&set.judge(&update(&object, &old), &facts)),
            [""; 0],
            "{cel}"
        );
    }
    let created = set(
        "rules: [{name: r, kinds: [Deployment], cel: 'request.operation == \"CREATE\" && oldObject == null && request.dryRun'}]",
    );
    let subject = Subject {
        dry_run: true,
        ..create(&object)
    };
    assert_eq!(lines(&created.judge(&subject, &facts)), [""; 0]);
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
fn the_digest_covers_everything_an_own_rule_says() {
    let base = "params: {max: 5}\nrules:\n- name: r\n  action: Warn\n  kinds: [Deployment]\n  cel: object.spec.replicas < 5\n  message: few\n  variables: [{name: x, expression: '1'}]\n";
    let digest = |policy: &str| set(policy).digest().to_owned();
    assert_eq!(
        digest(base),
        digest(&base.replace("[Deployment]", "[Deployment]   # a comment"))
    );
    for (from, to) in [
        ("max: 5", "max: 6"),
        ("name: r\n", "name: s\n"),
        ("Warn", "Deny"),
        ("[Deployment]", "[Deployment, StatefulSet]"),
        ("< 5", "< 6"),
        ("few", "many"),
        ("name: x", "name: z"),
        ("'1'", "'2'"),
        ("params:", "onUnknown: Deny\nparams:"),
        (
            "cel: object.spec.replicas < 5\n  message",
            "each: container\n  cel: object.spec.replicas < 5\n  message",
        ),
    ] {
        assert_ne!(digest(base), digest(&base.replace(from, to)), "{from}");
    }
}

/// The blocks of the guide's section about own rules, by their language.
fn guide(language: &str) -> Vec<&'static str> {
    let (_, section) = include_str!("../../../../docs/concepts/policy.md")
        .split_once("## Own rules")
        .unwrap();
    let section = section.split("\n## ").next().unwrap();
    section
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

#[test]
fn the_guide_says_what_is_so() {
    let policy = yaml(guide("yaml")[0]);
    let spec = spec(policy["spec"].clone());
    let (set, problems) = PolicySet::compile([PolicySource {
        namespace: "sluice-system",
        name: "images",
        spec: &spec,
        cluster_wide: true,
    }]);
    assert!(problems.is_empty(), "{problems:?}");
    let texts = guide("text");
    let mut object = deployment("web:1");
    object["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .truncate(1);
    object["spec"]["template"]["spec"]
        .as_object_mut()
        .unwrap()
        .remove("initContainers");
    let mut told = lines(&set.judge(&create(&object), &knows_none()));
    told.sort();
    let told: Vec<String> = told
        .iter()
        .map(|line| line.replacen("Deny", "deny", 1).replacen("Warn", "warn", 1))
        .collect();
    assert_eq!(told, texts[0].lines().collect::<Vec<_>>());
    assert_eq!(
        problems_in(
            "- {name: r, kinds: [Pod], each: container, cel: 'container.imgae.contains(\"@sha256:\")'}"
        ),
        [texts[1].trim_end()]
    );
}

#[test]
fn the_sample_file_works() {
    let policy = yaml(include_str!("../../../samples/own-rules.yaml"));
    let spec = spec(policy["spec"].clone());
    let (set, problems) = PolicySet::compile([PolicySource {
        namespace: "sluice-system",
        name: "own-rules",
        spec: &spec,
        cluster_wide: true,
    }]);
    assert!(problems.is_empty(), "{problems:?}");
    let labels = [("team".to_owned(), "shop".to_owned())].into();
    let facts = Facts {
        namespace_labels: Some(&labels),
        ..knows_none()
    };
    let digest = "@sha256:6aefddb645ee6963afd681b1845c661d0ea4c3b20ab9db86d9e753b203d385f2";
    let mut good = deployment(&format!("registry.example.com/web{digest}"));
    let pod = &mut good["spec"]["template"]["spec"];
    pod.as_object_mut().unwrap().remove("initContainers");
    pod["containers"].as_array_mut().unwrap().truncate(1);
    good["metadata"]["labels"]["team"] = "shop".into();
    assert_eq!(lines(&set.judge(&create(&good), &facts)), [""; 0]);
    for (path, value, rule) in [
        (
            "/spec/template/spec/containers/0/image",
            json!("registry.example.com/web:1"),
            "unpinned-image",
        ),
        (
            "/spec/template/spec/containers/0/image",
            json!(format!("evil.example.com/web{digest}")),
            "foreign-registry",
        ),
        ("/spec/replicas", json!(21), "too-many-replicas"),
        (
            "/spec/template/spec/containers/0/resources",
            json!({"limits": {"memory": "3Gi"}, "requests": {"memory": "1Gi"}}),
            "memory-limit-over-twice-request",
        ),
        (
            "/metadata/labels/team",
            json!("other"),
            "team-label-of-another-namespace",
        ),
    ] {
        let mut bad = good.clone();
        bad["spec"]["replicas"] = 3.into();
        *bad.pointer_mut(path).unwrap() = value;
        let told = lines(&set.judge(&create(&bad), &facts));
        assert!(
            told.len() == 1 && told[0].contains(&format!("OWN {rule} at ")),
            "{rule}: {told:?}"
        );
    }
    let mut moved = good.clone();
    moved["spec"]["selector"] = json!({"matchLabels": {"app": "other"}});
    assert!(
        lines(&set.judge(&update(&moved, &good), &facts))[0].contains("OWN selector-changed at ")
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
fn facts_are_told_where_they_are_whole_and_unknown_otherwise() {
    use crate::facts::{Listed, Named, Names, Service};
    let set = set("rules:
- {name: config-there, kinds: [Deployment], cel: \"'web' in facts.configMaps\"}
- {name: service-there, kinds: [Deployment], cel: 'facts.services.exists(s, s.selector.all(k, object.spec.template.metadata.labels[k] == s.selector[k]))'}");
    assert!(
        set.needs()
            .contains(&crate::FactKind::Names(Named::ConfigMap))
    );
    assert!(set.needs().contains(&crate::FactKind::Services));
    let services = [Service {
        name: "web".to_owned(),
        selector: [("app".to_owned(), "web".to_owned())].into(),
        ..Service::default()
    }];
    let names = ["web".to_owned()];
    let object = deployment("web:1");
    let judged = |names: Names<'_>, services: Listed<'_, Service>| {
        let mut facts = Facts {
            services,
            ..Facts::default()
        };
        facts.names[Named::ConfigMap.index()] = names;
        let told = lines(&set.judge(&create(&object), &facts));
        told.into_iter()
            .map(|line| line.split(';').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        judged(Names::whole(&names), Listed::whole(&services)),
        [""; 0]
    );
    assert_eq!(
        judged(Names::whole(&[]), Listed::whole(&[])),
        [
            "Deny OWN config-there at -: the rule does not hold",
            "Deny OWN service-there at -: the rule does not hold"
        ]
    );
    for (names, services) in [
        (Names::default(), Listed::default()),
        (Names::part(&names), Listed::part(&services)),
    ] {
        assert_eq!(
            judged(names, services),
            [
                "Warn OWN config-there at -: cannot tell: ConfigMaps of the namespace not known",
                "Warn OWN service-there at -: cannot tell: Services of the namespace not known"
            ]
        );
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
