//! What a set makes of policies and objects, beyond what single rules find.

mod any_kind;
mod compile;
mod compiler;
mod hostile;
mod keys;
mod own;

use std::collections::BTreeMap;

use sluice_api::{Action, Certainty, Finding, PolicySpec};
use sluice_tree::{Value, json};

use super::{PolicySet, PolicySource};
use crate::{
    Facts, Judgement, NotJudged, Operation, Subject,
    documents::{set_of, yaml},
    library, rules, sets_with, with_defaults,
};

fn knows_none() -> Facts<'static> {
    Facts {
        quotas: Some(&[]),
        limit_ranges: Some(&[]),
        ..Facts::default()
    }
}

fn spec(value: Value) -> PolicySpec {
    sluice_tree::from_value(value).unwrap()
}

fn create<'a>(object: &'a Value) -> Subject<'a> {
    Subject {
        operation: Operation::Create,
        namespace: "shop",
        object,
        old: None,
        dry_run: false,
    }
}

fn update<'a>(object: &'a Value, old: &'a Value) -> Subject<'a> {
    Subject {
        operation: Operation::Update,
        old: Some(old),
        ..create(object)
    }
}

fn reliability() -> PolicySet {
    let (_, text) = library()[0];
    let policy = yaml(text);
    let spec = spec(policy["spec"].clone());
    let (set, problems) = PolicySet::compile([PolicySource {
        namespace: "sluice-system",
        name: "reliability",
        spec: &spec,
        cluster_wide: true,
    }]);
    assert!(problems.is_empty(), "{problems:?}");
    set
}

fn brief(judgement: &Judgement) -> Vec<(&str, &str, Action)> {
    judgement
        .findings
        .iter()
        .map(|f| (f.code.as_str(), f.path.as_str(), f.action))
        .collect()
}

fn deployment(replicas: i64, request: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "checkout", "namespace": "shop"}, "spec": {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "checkout"}},
        "template": {"metadata": {"labels": {"app": "checkout"}}, "spec": {"containers": [{
            "name": "app", "image": "registry.example.org/checkout:1", "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"port": 8080}},
            "resources": {"requests": {"cpu": request}, "limits": {"memory": "256Mi"}},
        }]}},
    }})
}

fn unbounded_cronjob() -> Value {
    yaml(
        r#"
apiVersion: batch/v1
kind: CronJob
metadata: {name: foobar, namespace: shop}
spec:
  schedule: "*/15 9-19 * * Mon-Fri"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          concurrencyPolicy: Forbid
          successfulJobsHistoryLimit: 1
          failedJobsHistoryLimit: 1
          containers:
            - name: job
              image: registry.example.org/job:1
              resources: {requests: {cpu: 100m}, limits: {memory: 128Mi}}
"#,
    )
}

fn bounded_cronjob() -> Value {
    let mut cronjob = unbounded_cronjob();
    let spec = cronjob["spec"].as_object_mut().unwrap();
    spec.extend(
        json!({"startingDeadlineSeconds": 300, "concurrencyPolicy": "Forbid", "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1})
            .as_object()
            .unwrap()
            .clone(),
    );
    let job = spec["jobTemplate"]["spec"].as_object_mut().unwrap();
    job.insert("activeDeadlineSeconds", json!(600));
    job.insert("backoffLimit", json!(2));
    cronjob
}

#[test]
fn the_shipped_set_names_everything_the_stampeding_cronjob_lacks_and_passes_the_bounded_one() {
    let set = reliability();
    let cronjob = unbounded_cronjob();
    let judgement = set.judge(&create(&cronjob), &knows_none());
    assert_eq!(
        brief(&judgement),
        [
            ("SLU1001", "spec.startingDeadlineSeconds", Action::Deny),
            ("SLU1002", "spec.concurrencyPolicy", Action::Deny),
            (
                "SLU1003",
                "spec.jobTemplate.spec.activeDeadlineSeconds",
                Action::Deny
            ),
            ("SLU1004", "spec.successfulJobsHistoryLimit", Action::Deny),
            (
                "SLU1005",
                "spec.jobTemplate.spec.backoffLimit",
                Action::Deny
            ),
        ]
    );
    let bounded = bounded_cronjob();
    assert_eq!(
        set.judge(&create(&bounded), &knows_none()),
        Judgement::default()
    );
}

#[test]
fn the_shipped_files_are_policies_that_work() {
    for (file, text) in library() {
        let policy = yaml(text);
        assert_eq!(policy["apiVersion"], "sluice.dev/v1alpha1", "{file}");
        assert_eq!(policy["kind"], "Policy", "{file}");
        assert_eq!(policy["metadata"]["namespace"], "sluice-system", "{file}");
        assert_eq!(
            PolicySet::check(&spec(policy["spec"].clone())),
            [],
            "{file}"
        );
        let name = file.strip_suffix(".yaml").unwrap();
        assert_eq!(policy["metadata"]["name"], name);
        // what the catalogue reads out of the text is what the policy says
        let mut used: Vec<&str> = policy["spec"]["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["use"].as_str().unwrap())
            .collect();
        let mut told: Vec<&str> = rules()
            .iter()
            .map(|rule| rule.name())
            .filter(|rule| sets_with(rule).contains(&name))
            .collect();
        used.sort_unstable();
        told.sort_unstable();
        assert_eq!(used, told, "{file}");
    }
}

#[test]
fn what_was_wrong_before_only_warns() {
    let set = reliability();
    let old = unbounded_cronjob();
    let mut new = old.clone();
    new["spec"]["schedule"] = json!("*/30 * * * *");
    assert_eq!(brief(&set.judge(&update(&new, &old), &knows_none())), []);
    // touched, still wrong
    new["spec"]["jobTemplate"]["spec"]["backoffLimit"] = json!(9);
    assert_eq!(
        brief(&set.judge(&update(&new, &old), &knows_none())),
        [(
            "SLU1005",
            "spec.jobTemplate.spec.backoffLimit",
            Action::Warn
        )]
    );
    // what was right and is made wrong is refused
    let bounded = bounded_cronjob();
    let mut worse = bounded.clone();
    worse["spec"]
        .as_object_mut()
        .unwrap()
        .remove("startingDeadlineSeconds");
    assert_eq!(
        brief(&set.judge(&update(&worse, &bounded), &knows_none())),
        [("SLU1001", "spec.startingDeadlineSeconds", Action::Deny)]
    );
    // spelling a default out is no change
    let full = with_defaults(&old).into_owned();
    let judgement = set.judge(&update(&full, &old), &knows_none());
    assert!(
        judgement.findings.iter().all(|f| f.action == Action::Warn),
        "{judgement:?}"
    );
    // an old object of no use is no excuse
    let judgement = set.judge(&update(&old, &json!({"kind": "CronJob"})), &knows_none());
    assert!(
        judgement.findings.iter().all(|f| f.action == Action::Deny),
        "{judgement:?}"
    );
}

#[test]
fn objects_of_others_and_objects_on_their_way_out_are_never_judged() {
    let set = reliability();
    let with = |metadata: Value| {
        let mut object = unbounded_cronjob();
        object["metadata"] = metadata;
        object
    };
    for (object, expected) in [
        (
            with(
                json!({"name": "a", "ownerReferences": [{"kind": "Tenant", "name": "t", "controller": true}]}),
            ),
            Some(NotJudged::OwnedByController {
                kind: "Tenant".into(),
                name: "t".into(),
            }),
        ),
        (
            with(json!({"name": "a", "ownerReferences": [{"kind": "Tenant", "name": "t"}]})),
            None,
        ),
        (
            with(
                json!({"name": "a", "ownerReferences": [{"kind": "Tenant", "name": "t", "controller": false}]}),
            ),
            None,
        ),
        (
            with(json!({"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"})),
            Some(NotJudged::BeingDeleted),
        ),
        (with(json!({"name": "a", "deletionTimestamp": null})), None),
        (
            json!({"apiVersion": "v1", "kind": "ConfigMap"}),
            Some(NotJudged::UnknownKind {
                api_version: "v1".into(),
                kind: "ConfigMap".into(),
            }),
        ),
        (
            json!(3),
            Some(NotJudged::UnknownKind {
                api_version: "-".into(),
                kind: "-".into(),
            }),
        ),
    ] {
        let judgement = set.judge(&create(&object), &knows_none());
        assert_eq!(judgement.not_judged, expected, "{object}");
        assert_eq!(
            judgement.findings.is_empty(),
            expected.is_some(),
            "{object}"
        );
    }
}

#[test]
fn nobody_steps_aside_by_naming_an_owner_in_the_request_that_is_judged() {
    let set = reliability();
    let with = |policy: &str, owners: Value| {
        let mut object = unbounded_cronjob();
        object["spec"]["concurrencyPolicy"] = json!(policy);
        object["metadata"] = json!({"name": "a", "ownerReferences": owners});
        object
    };
    let owner = json!([{"kind": "Tenant", "name": "t", "controller": true}]);
    let (free, owned) = (with("Forbid", json!([])), with("Allow", owner.clone()));
    let judgement = set.judge(&update(&owned, &free), &knows_none());
    assert_eq!(judgement.not_judged, None);
    assert!(
        judgement.findings.iter().any(|f| f.action == Action::Deny),
        "{judgement:?}"
    );
    let judgement = set.judge(&update(&owned, &with("Forbid", owner)), &knows_none());
    assert!(judgement.not_judged.is_some(), "{judgement:?}");
}

#[test]
fn missing_facts_are_unknown_and_never_deny() {
    let set = set_of(json!([{"use": "quota-breach"}]));
    let object = deployment(4, "1");
    let quota = json!({"metadata": {"name": "team"}, "spec": {"hard": {"requests.cpu": "2"}}, "status": {"used": {}}});
    let roomy = json!({"metadata": {"name": "team"}, "spec": {"hard": {"requests.cpu": "200"}}});
    let by_class = json!({"metadata": {"name": "team"}, "spec": {"hard": {"requests.cpu": "2"}, "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}}, "status": {"used": {}}});
    let unreadable =
        json!({"metadata": {"name": "team"}, "spec": {"hard": {"requests.cpu": "lots"}}});
    let known: &[Value] = &[];
    for (what, quotas, limit_ranges, expected) in [
        (
            "no quotas known",
            None,
            Some(known),
            Some((Certainty::Unknown, Action::Warn)),
        ),
        (
            "no limit ranges known",
            Some(vec![quota.clone()]),
            None,
            Some((Certainty::Unknown, Action::Warn)),
        ),
        (
            "all known",
            Some(vec![quota]),
            Some(known),
            Some((Certainty::Sure, Action::Deny)),
        ),
        ("known to be none", Some(vec![]), None, None),
        (
            "nobody counted yet",
            Some(vec![roomy]),
            Some(known),
            Some((Certainty::Unknown, Action::Warn)),
        ),
        (
            "a class the cluster may give",
            Some(vec![by_class]),
            Some(known),
            Some((Certainty::Unknown, Action::Warn)),
        ),
        (
            "a quota that cannot be read",
            Some(vec![unreadable]),
            Some(known),
            Some((Certainty::Unknown, Action::Warn)),
        ),
    ] {
        let facts = Facts {
            quotas: quotas.as_deref(),
            limit_ranges,
            ..Facts::default()
        };
        let findings = set.judge(&create(&object), &facts).findings;
        let got = findings.first().map(|f| (f.certainty, f.action));
        assert_eq!(got, expected, "{what}: {findings:?}");
    }
}

#[test]
fn rules_that_need_other_objects_never_deny_on_dry_run_and_others_do() {
    let set = reliability();
    let quotas = [
        json!({"metadata": {"name": "team"}, "spec": {"hard": {"pods": "2"}}, "status": {"used": {}}}),
    ];
    let facts = Facts {
        quotas: Some(&quotas),
        limit_ranges: Some(&[]),
        ..Facts::default()
    };
    let mut object = deployment(4, "1");
    object["spec"]["template"]["spec"]["containers"][0]
        .as_object_mut()
        .unwrap()
        .remove("readinessProbe");
    let subject = Subject {
        dry_run: true,
        ..create(&object)
    };
    assert_eq!(
        brief(&set.judge(&subject, &facts)),
        [
            ("SLU2003", "spec.replicas", Action::Warn),
            (
                "SLU3001",
                "spec.template.spec.containers[0].readinessProbe",
                Action::Deny
            ),
        ]
    );
}

#[test]
fn policies_apply_where_they_say() {
    let everywhere =
        spec(json!({"rules": [{"use": "cronjob-without-deadline", "action": "Audit"}]}));
    let own = spec(json!({"rules": [{"use": "cronjob-allows-overlap", "action": "Warn"}]}));
    let labelled = spec(
        json!({"match": {"namespaces": {"matchLabels": {"tier": "prod"}}}, "rules": [{"use": "cronjob-without-deadline", "action": "Deny"}]}),
    );
    let source = |namespace, name, spec, cluster_wide| PolicySource {
        namespace,
        name,
        spec,
        cluster_wide,
    };
    let (set, problems) = PolicySet::compile([
        source("sluice-system", "everywhere", &everywhere, true),
        source("shop", "own", &own, false),
        source("sluice-system", "labelled", &labelled, true),
    ]);
    assert!(problems.is_empty());
    let object = unbounded_cronjob();
    let judge = |namespace, labels: Option<&[(&str, &str)]>| {
        let labels: Option<BTreeMap<String, String>> =
            labels.map(|l| l.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect());
        let facts = Facts {
            namespace_labels: labels.as_ref(),
            ..knows_none()
        };
        let judgement = set.judge(
            &Subject {
                namespace,
                ..create(&object)
            },
            &facts,
        );
        judgement
            .findings
            .iter()
            .map(|f| (f.code.clone(), f.action, f.certainty))
            .collect::<Vec<_>>()
    };
    let deadline = |action, certainty| ("SLU1001".to_owned(), action, certainty);
    let overlap = ("SLU1002".to_owned(), Action::Warn, Certainty::Sure);
    assert_eq!(
        judge("shop", Some(&[])),
        [deadline(Action::Audit, Certainty::Sure), overlap.clone()]
    );
    assert_eq!(
        judge("other", Some(&[])),
        [deadline(Action::Audit, Certainty::Sure)]
    );
    // the stricter of two policies wins
    assert_eq!(
        judge("other", Some(&[("tier", "prod")])),
        [deadline(Action::Deny, Certainty::Sure)]
    );
    // whether the second applies nobody can tell
    assert_eq!(
        judge("other", None),
        [
            deadline(Action::Audit, Certainty::Sure),
            deadline(Action::Warn, Certainty::Unknown)
        ]
    );
}

#[test]
fn findings_come_in_order_whatever_the_order_of_policies() {
    let all: Vec<PolicySpec> = rules()
        .iter()
        .map(|rule| spec(json!({"rules": [{"use": rule.name()}]})))
        .collect();
    let judge = |order: &mut dyn Iterator<Item = usize>| -> Vec<Finding> {
        let names: Vec<(usize, String)> = order.map(|i| (i, format!("p{i}"))).collect();
        let (set, _) = PolicySet::compile(names.iter().map(|(i, name)| PolicySource {
            namespace: "shop",
            name,
            spec: &all[*i],
            cluster_wide: false,
        }));
        set.judge(&create(&unbounded_cronjob()), &Facts::default())
            .findings
    };
    let forward = judge(&mut (0..all.len()));
    assert_eq!(forward, judge(&mut (0..all.len()).rev()));
    assert!(forward.is_sorted_by_key(|f| (f.code.clone(), f.path.clone())));
}
