//! Own rules: what a policy may say, and what comes of it.

mod guide;
mod refused;

use sluice_api::{Action, Certainty};
use sluice_tree::{Value, json};

use super::{create, knows_none, spec, update};
use crate::{Facts, Judgement, PolicySet, PolicySource, Subject, documents::yaml, with_defaults};

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
    let whole = PolicySet::compile([PolicySource {
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
