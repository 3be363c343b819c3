//! What is excepted, until when, and how that is said.

mod refused;
mod rules;

use std::collections::BTreeMap;

use sluice_api::Certainty;
use sluice_tree::{Value, json};

use super::*;
use crate::{
    Operation,
    documents::{set_of, yaml},
};

const NOW: &str = "2026-06-01T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn spec(change: &Value) -> PolicyExceptionSpec {
    let mut spec = json!({
        "subject": {"kind": "CronJob", "name": "reports"},
        "rule": "cronjob-without-deadline", "reason": "it is mended next week", "owner": "team-reports",
        "expires": "2026-06-20T00:00:00Z",
    });
    for (field, value) in change.as_object().unwrap() {
        match (field.as_str(), value.as_object()) {
            ("subject", Some(fields)) => {
                for (field, value) in fields {
                    spec["subject"][field] = value.clone();
                }
            }
            _ => spec[field] = value.clone(),
        }
    }
    sluice_tree::from_value(spec).unwrap()
}

fn compiled(specs: &[(&str, &str, PolicyExceptionSpec)]) -> Exceptions {
    let sources = specs.iter().map(|(namespace, name, spec)| ExceptionSource {
        namespace,
        name,
        spec,
        cluster_wide: *namespace == "sluice-system",
    });
    let (exceptions, problems) = Exceptions::compile(sources, ExceptionBounds::default());
    assert_eq!(problems, []);
    exceptions
}

fn set() -> PolicySet {
    set_of(json!([
        {"use": "cronjob-without-deadline"},
        {"use": "cronjob-allows-overlap", "action": "Audit"},
        {"use": "container-without-memory-limit"},
        {"use": "quota-breach"},
    ]))
}

fn cronjob() -> Value {
    yaml(
        "
apiVersion: batch/v1
kind: CronJob
metadata: {name: reports}
spec:
  schedule: '0 3 * * *'
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - {name: main, image: 'r:1'}
          - {name: sidecar, image: 's:1'}
",
    )
}

struct Asked<'a> {
    namespace: &'a str,
    labels: Option<&'a [(&'a str, &'a str)]>,
    object: &'a Value,
    now: &'a str,
}

/// Code, path, action and the exception of each finding.
fn judged(
    exceptions: &Exceptions,
    asked: &Asked<'_>,
) -> Vec<(String, String, Action, Option<String>)> {
    let labels: Option<BTreeMap<String, String>> = asked.labels.map(|labels| {
        labels
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    });
    let facts = Facts {
        namespace_labels: labels.as_ref(),
        quotas: Some(&[]),
        limit_ranges: Some(&[]),
        ..Facts::default()
    };
    let subject = Subject {
        operation: Operation::Create,
        namespace: asked.namespace,
        object: asked.object,
        old: None,
        dry_run: false,
    };
    set()
        .judge_excepting(&subject, &facts, exceptions, at(asked.now))
        .findings
        .into_iter()
        .map(|f| {
            (
                f.code,
                f.path,
                f.action,
                f.excepted.map(|excepted| excepted.by),
            )
        })
        .collect()
}

/// The paths of the findings that are excepted, by whom.
fn excepted(exceptions: &Exceptions, asked: &Asked<'_>) -> Vec<(String, String)> {
    judged(exceptions, asked)
        .into_iter()
        .filter_map(|(_, path, action, by)| {
            assert!(by.is_none() || action < Action::Deny);
            Some((path, by?))
        })
        .collect()
}

const DEADLINE: &str = "spec.startingDeadlineSeconds";

#[test]
fn an_exception_covers_what_it_names_and_nothing_else() {
    let memory = |index: usize| {
        format!("spec.jobTemplate.spec.template.spec.containers[{index}].resources.limits.memory")
    };
    let mut generated = cronjob();
    generated["metadata"] = json!({"generateName": "reports-"});
    for (what, namespace, change, object, paths) in [
        (
            "by name",
            "shop",
            json!({}),
            cronjob(),
            vec![DEADLINE.to_owned()],
        ),
        (
            "by code",
            "shop",
            json!({"rule": "SLU1001"}),
            cronjob(),
            vec![DEADLINE.to_owned()],
        ),
        (
            "by pattern",
            "shop",
            json!({"subject": {"name": "rep*s"}}),
            cronjob(),
            vec![DEADLINE.to_owned()],
        ),
        (
            "another name",
            "shop",
            json!({"subject": {"name": "report"}}),
            cronjob(),
            vec![],
        ),
        (
            "another kind",
            "shop",
            json!({"rule": "container-without-memory-limit", "subject": {"kind": "Job"}}),
            cronjob(),
            vec![],
        ),
        (
            "another rule",
            "shop",
            json!({"rule": "cronjob-job-without-deadline"}),
            cronjob(),
            vec![],
        ),
        ("another namespace", "bank", json!({}), cronjob(), vec![]),
        (
            "Sluice's namespace",
            "sluice-system",
            json!({}),
            cronjob(),
            vec![DEADLINE.to_owned()],
        ),
        (
            "its labels",
            "sluice-system",
            json!({"subject": {"namespaces": {"matchLabels": {"team": "a"}}}}),
            cronjob(),
            vec![DEADLINE.to_owned()],
        ),
        (
            "other labels",
            "sluice-system",
            json!({"subject": {"namespaces": {"matchLabels": {"team": "b"}}}}),
            cronjob(),
            vec![],
        ),
        (
            "every container",
            "shop",
            json!({"rule": "SLU2001"}),
            cronjob(),
            vec![memory(0), memory(1)],
        ),
        (
            "one container",
            "shop",
            json!({"rule": "SLU2001", "subject": {"container": "side*"}}),
            cronjob(),
            vec![memory(1)],
        ),
        (
            "no such container",
            "shop",
            json!({"rule": "SLU2001", "subject": {"container": "x"}}),
            cronjob(),
            vec![],
        ),
        (
            "no container",
            "shop",
            json!({"subject": {"container": "main"}}),
            cronjob(),
            vec![],
        ),
        (
            "a field",
            "shop",
            json!({"rule": "SLU2001", "subject": {"path": memory(0)}}),
            cronjob(),
            vec![memory(0)],
        ),
        (
            "fields",
            "shop",
            json!({"rule": "SLU2001", "subject": {"path": "spec.jobTemplate.spec.template.spec.containers[*].resources"}}),
            cronjob(),
            vec![memory(0), memory(1)],
        ),
        (
            "a name to come",
            "shop",
            json!({"subject": {"name": "reports-*"}}),
            generated.clone(),
            vec![DEADLINE.to_owned()],
        ),
        (
            "a name to come, five characters",
            "shop",
            json!({"subject": {"name": "reports-?????"}}),
            generated.clone(),
            vec![DEADLINE.to_owned()],
        ),
        (
            "perhaps a name to come",
            "shop",
            json!({"subject": {"name": "reports-a*"}}),
            generated,
            vec![],
        ),
    ] {
        let exceptions = compiled(&[(namespace, "e", spec(&change))]);
        let asked = Asked {
            namespace: "shop",
            labels: Some(&[("team", "a")]),
            object: &object,
            now: NOW,
        };
        let found: Vec<String> = excepted(&exceptions, &asked)
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        assert_eq!(found, paths, "{what}");
        if what == "its labels" {
            let unknown = Asked {
                labels: None,
                ..asked
            };
            assert_eq!(
                excepted(&exceptions, &unknown),
                [],
                "labels that nobody knows match nothing"
            );
        }
    }
}

#[test]
fn an_exception_counts_from_its_longest_span_before_to_the_very_second_it_expires() {
    let exceptions = compiled(&[("shop", "e", spec(&json!({})))]);
    let object = cronjob();
    for (now, standing) in [
        ("2026-03-21T23:59:59Z", Standing::TooFar),
        ("2026-03-22T00:00:00Z", Standing::InForce),
        ("2026-06-12T23:59:59Z", Standing::InForce),
        ("2026-06-13T00:00:00Z", Standing::ExpiresSoon),
        ("2026-06-19T23:59:59Z", Standing::ExpiresSoon),
        ("2026-06-19T23:59:59.999Z", Standing::ExpiresSoon),
        ("2026-06-20T00:00:00Z", Standing::Expired),
        ("2036-06-20T00:00:00Z", Standing::Expired),
    ] {
        let asked = Asked {
            namespace: "shop",
            labels: None,
            object: &object,
            now,
        };
        let (code, path, action, by) = judged(&exceptions, &asked).remove(0);
        assert_eq!((code.as_str(), path.as_str()), ("SLU1001", DEADLINE));
        let expected = if standing.counts() {
            (Action::Warn, Some("shop/e".to_owned()))
        } else {
            (Action::Deny, None)
        };
        assert_eq!((action, by), expected, "{now}");
        let told: Vec<Standing> = exceptions
            .standings(at(now))
            .map(|one| one.standing)
            .collect();
        assert_eq!(told, [standing], "{now}");
    }
}

#[test]
fn a_finding_that_is_excepted_names_the_exception_its_owner_and_its_end() {
    let exceptions = compiled(&[
        (
            "shop",
            "short",
            spec(&json!({"expires": "2026-06-10T00:00:00Z", "owner": "nobody"})),
        ),
        ("shop", "long", spec(&json!({}))),
        (
            "shop",
            "equal",
            spec(&json!({"expires": "2026-06-10T02:00:00+02:00"})),
        ),
    ]);
    let object = cronjob();
    let subject = Subject {
        operation: Operation::Create,
        namespace: "shop",
        object: &object,
        old: None,
        dry_run: false,
    };
    let facts = Facts {
        quotas: Some(&[]),
        limit_ranges: Some(&[]),
        ..Facts::default()
    };
    let judgement = set().judge_excepting(&subject, &facts, &exceptions, at(NOW));
    let line = judgement.findings[0].line();
    assert!(
        line.ends_with(
            "; excepted until 2026-06-20T00:00:00Z by shop/long, for which team-reports answers"
        ),
        "{line}"
    );
    let plain = set().judge(&subject, &facts).findings[0].line();
    assert!(line.starts_with(&plain), "{line}");
}

#[test]
fn an_exception_never_makes_a_finding_stronger_and_covers_what_nobody_can_tell() {
    let exceptions = compiled(&[
        (
            "shop",
            "overlap",
            spec(&json!({"rule": "cronjob-allows-overlap"})),
        ),
        ("shop", "quota", spec(&json!({"rule": "quota-breach"}))),
    ]);
    let object = cronjob();
    let subject = Subject {
        operation: Operation::Create,
        namespace: "shop",
        object: &object,
        old: None,
        dry_run: false,
    };
    let judgement = set().judge_excepting(&subject, &Facts::default(), &exceptions, at(NOW));
    let found: Vec<(&str, Action, Certainty, bool)> = judgement
        .findings
        .iter()
        .map(|f| (f.code.as_str(), f.action, f.certainty, f.excepted.is_some()))
        .filter(|(code, ..)| ["SLU1002", "SLU2003"].contains(code))
        .collect();
    assert_eq!(
        found,
        [
            ("SLU1002", Action::Audit, Certainty::Sure, true),
            ("SLU2003", Action::Warn, Certainty::Unknown, true),
        ]
    );
}

#[test]
fn the_digest_follows_the_meaning_and_not_the_order() {
    let digest = |of: &[(&str, &str, PolicyExceptionSpec)]| compiled(of).digest().to_owned();
    let (one, two) = (spec(&json!({})), spec(&json!({"rule": "SLU2001"})));
    let both = digest(&[("a", "one", one.clone()), ("b", "two", two.clone())]);
    assert_eq!(
        both,
        digest(&[("b", "two", two.clone()), ("a", "one", one.clone())])
    );
    let mut others = vec![
        both,
        digest(&[]),
        digest(&[("a", "one", one.clone())]),
        digest(&[("b", "one", one.clone())]),
        digest(&[("sluice-system", "one", one.clone())]),
        digest(&[(
            "a",
            "one",
            spec(&json!({"expires": "2026-06-20T00:00:01Z"})),
        )]),
    ];
    others.sort();
    others.dedup();
    assert_eq!(others.len(), 6);
    assert_eq!(set().digest(), set().digest());
}
