//! One table: an installation that is well, one thing broken in it, and the one check that must say so.

use jiff::SignedDuration;
use serde_json::json;
use sluice_runtime::replicas::Said;

use super::{DAY, entry, examine, later, material, now, published, release, well};
use crate::{
    cluster::replicas::Standing,
    doctor::{
        answer::Health,
        facts::{Endpoints, Facts, SelfTest},
    },
    installation::supported::KubernetesVersion,
};

type Break<'a> = Box<dyn Fn(&mut Facts) + 'a>;

#[test]
fn each_broken_thing_is_told_by_its_check_with_what_mends_it() {
    use Health::{Broken, CannotTell, Ok as Fine};
    let material = material(now());
    let other = self::material(now());
    let said = |facts: &mut Facts, change: &dyn Fn(&mut Said)| {
        change(
            facts.replicas.as_mut().unwrap().replicas[1]
                .said
                .as_mut()
                .unwrap(),
        );
    };
    let rows: Vec<(&str, &str, Health, &str, Break<'_>)> = vec![
        (
            "an old cluster",
            "kubernetes",
            Broken,
            "1.29",
            Box::new(|facts| {
                facts.kubernetes = Ok(KubernetesVersion {
                    major: 1,
                    minor: 29,
                });
            }),
        ),
        (
            "a guard is gone",
            "installed",
            Broken,
            "role/sluice-webhook",
            Box::new(|facts| {
                facts.parts.as_mut().unwrap()[1].there = false;
            }),
        ),
        (
            "a dry-run slips through",
            "webhook",
            Broken,
            "went through",
            Box::new(|facts| {
                facts.self_test = Ok(SelfTest::LetThrough);
            }),
        ),
        (
            "no right to dry-run",
            "webhook",
            CannotTell,
            "forbidden",
            Box::new(|facts| {
                facts.self_test = Ok(SelfTest::Elsewhere(
                    "policies.sluice.dev is forbidden".to_owned(),
                ));
            }),
        ),
        (
            "nothing published",
            "webhook",
            Broken,
            "not published: zz-sluice",
            Box::new(|facts| {
                facts.configurations.as_mut().unwrap().remove(0);
            }),
        ),
        (
            "no endpoint",
            "webhook",
            Broken,
            "no ready endpoint (1 in all)",
            Box::new(|facts| {
                facts.endpoints = Ok(Some(Endpoints { ready: 0, all: 1 }));
            }),
        ),
        (
            "another authority is published",
            "certificates",
            Broken,
            "does not accept",
            Box::new(|facts| {
                facts.configurations = Ok(published(&other.ca_bundle()));
            }),
        ),
        (
            "no Secret",
            "certificates",
            Broken,
            "there is no Secret",
            Box::new(|facts| {
                facts.certificates = Ok(None);
            }),
        ),
        (
            "no right to the Secret",
            "certificates",
            CannotTell,
            "forbidden",
            Box::new(|facts| {
                facts.certificates = Err("secrets is forbidden".to_owned());
            }),
        ),
        (
            "sees nodes",
            "admission-table",
            Broken,
            "sees UPDATE nodes/v1, which a cluster needs",
            Box::new(|facts| {
                let rules = entry(facts, "sluice-admission").rules.as_mut().unwrap();
                let mut rule = rules[0].clone();
                rule.api_groups = Some(vec![String::new()]);
                rule.resources = Some(vec!["nodes".to_owned()]);
                rule.operations = Some(vec!["UPDATE".to_owned()]);
                rules.push(rule);
            }),
        ),
        (
            "sees everything",
            "admission-table",
            Broken,
            "which a cluster needs",
            Box::new(|facts| {
                let rules = entry(facts, "zz-sluice").rules.as_mut().unwrap();
                rules[0].resources = Some(vec!["*".to_owned()]);
            }),
        ),
        (
            "beyond namespaces",
            "admission-table",
            Broken,
            "beyond namespaces",
            Box::new(|facts| {
                entry(facts, "zz-sluice").rules.as_mut().unwrap()[0].scope = Some("*".to_owned());
            }),
        ),
        (
            "fails closed",
            "admission-table",
            Broken,
            "failurePolicy Fail, not Ignore",
            Box::new(|facts| {
                entry(facts, "sluice-objects").failure_policy = Some("Fail".to_owned());
            }),
        ),
        (
            "a condition is gone",
            "admission-table",
            Broken,
            "lacks the condition",
            Box::new(|facts| {
                entry(facts, "zz-sluice")
                    .match_conditions
                    .as_mut()
                    .unwrap()
                    .remove(0);
            }),
        ),
        (
            "reaches kube-system",
            "admission-table",
            Broken,
            "lacks kubernetes.io/metadata.name NotIn",
            Box::new(|facts| {
                let selector = entry(facts, "sluice-admission")
                    .namespace_selector
                    .as_mut()
                    .unwrap();
                selector.match_expressions.as_mut().unwrap()[1].values =
                    Some(vec!["default".to_owned()]);
            }),
        ),
        (
            "no longer sees jobs",
            "admission-table",
            Broken,
            "unchecked",
            Box::new(|facts| {
                entry(facts, "sluice-admission")
                    .rules
                    .as_mut()
                    .unwrap()
                    .pop();
            }),
        ),
        (
            "somebody else asks us",
            "admission-table",
            Broken,
            "none of its own",
            Box::new(|facts| {
                let mut copy = facts.configurations.as_ref().unwrap()[1].clone();
                copy.name = "copied".to_owned();
                facts.configurations.as_mut().unwrap().push(copy);
            }),
        ),
        (
            "nobody leads",
            "leader",
            Broken,
            "no controller leads",
            Box::new(|facts| {
                facts
                    .leader
                    .as_mut()
                    .unwrap()
                    .as_mut()
                    .unwrap()
                    .holder
                    .clear();
            }),
        ),
        (
            "the leader is dead",
            "leader",
            Broken,
            "did not renew",
            Box::new(|facts| {
                facts.leader.as_mut().unwrap().as_mut().unwrap().heard = None;
            }),
        ),
        (
            "the engine hangs",
            "leader",
            Broken,
            "every gate counts as Unknown",
            Box::new(|facts| {
                facts.heartbeat = Ok(false);
            }),
        ),
        (
            "one old replica",
            "versions",
            Broken,
            "webhook b 0.0.9",
            Box::new(move |facts| {
                said(facts, &|said| said.version = "0.0.9".to_owned());
            }),
        ),
        (
            "an old controller",
            "versions",
            Broken,
            "the controller 0.0.9",
            Box::new(|facts| {
                facts.leader.as_mut().unwrap().as_mut().unwrap().version = Some("0.0.9".to_owned());
            }),
        ),
        (
            "two digests",
            "policies",
            Broken,
            "replica b enforces",
            Box::new(|facts| {
                facts.replicas.as_mut().unwrap().replicas[1].digest = Some("other".to_owned());
            }),
        ),
        (
            "a replica says nothing",
            "policies",
            CannotTell,
            "b says nothing",
            Box::new(|facts| {
                facts.replicas.as_mut().unwrap().replicas[1].standing = Standing::Silent;
            }),
        ),
        (
            "a broken file",
            "policies",
            Broken,
            "cannot use team.yaml",
            Box::new(move |facts| {
                said(facts, &|said| {
                    said.quarantined = vec!["team.yaml".to_owned()]
                });
            }),
        ),
        (
            "a broken policy",
            "policies",
            Broken,
            "leaves 1 policies",
            Box::new(move |facts| {
                said(facts, &|said| said.left_out = 1);
            }),
        ),
        (
            "a right is missing",
            "rights",
            Broken,
            "may not list namespaces",
            Box::new(|facts| {
                facts.rights.as_mut().unwrap()[0].granted = false;
            }),
        ),
        (
            "names of Secrets left out",
            "rights",
            Fine,
            "may not list the names of Secrets",
            Box::new(|facts| {
                facts.rights.as_mut().unwrap()[1].granted = false;
            }),
        ),
        (
            "a webhook's clock",
            "clocks",
            Broken,
            "webhook b is 3600 s ahead",
            Box::new(move |facts| {
                said(facts, &|said| said.at = later(3603));
            }),
        ),
        (
            "our own clock",
            "clocks",
            Broken,
            "this machine is 60 s behind",
            Box::new(|facts| {
                facts.server_ahead = Ok(SignedDuration::from_secs(60));
                // the others go with the API server
                facts.leader.as_mut().unwrap().as_mut().unwrap().stamp = Some(later(62));
                for one in &mut facts.replicas.as_mut().unwrap().replicas {
                    one.said.as_mut().unwrap().at = later(62);
                }
            }),
        ),
        (
            "a release stands still",
            "releases",
            Broken,
            "nothing has changed for 1h",
            Box::new(|facts| {
                let waits = json!({"reason": "PodsNotReady", "message": "pods"});
                facts.releases = Ok(vec![release("Batch", &waits)]);
            }),
        ),
        (
            "a bake that is long over",
            "releases",
            Broken,
            "is stuck: Baking",
            Box::new(|facts| {
                let waits = json!({"reason": "Baking", "message": "bakes", "until": later(-1800).to_string()});
                facts.releases = Ok(vec![release("Baking", &waits)]);
            }),
        ),
        (
            "a release waits for a human",
            "releases",
            Fine,
            "Paused: you",
            Box::new(|facts| {
                let waits = json!({"reason": "HumanNeeded", "message": "you"});
                facts.releases = Ok(vec![release("Paused", &waits)]);
            }),
        ),
        (
            "its workload is gone",
            "releases",
            Broken,
            "is gone",
            Box::new(|facts| {
                facts.deployments = Ok(Vec::new());
            }),
        ),
        (
            "a workload is left pinned",
            "pinned",
            Broken,
            "none is under way",
            Box::new(|facts| {
                facts.releases = Ok(vec![release(
                    "RolledBack",
                    &json!({"reason": "Baking", "message": ""}),
                )]);
            }),
        ),
        (
            "pinned, and what was applied is lost",
            "pinned",
            Broken,
            "recorded nowhere",
            Box::new(|facts| {
                facts.releases = Ok(Vec::new());
            }),
        ),
        (
            "pinned, and releases cannot be read",
            "pinned",
            CannotTell,
            "cannot be read",
            Box::new(|facts| {
                facts.releases = Err("forbidden".to_owned());
            }),
        ),
    ];
    for (what, check, result, words, change) in &rows {
        let mut facts = well(&material);
        change(&mut facts);
        for answer in examine(&facts) {
            // what cannot be read is missing in every check that needs it
            let expected = if answer.check == *check {
                *result
            } else {
                Fine
            };
            let also = answer.result == CannotTell && *result == CannotTell;
            assert!(answer.result == expected || also, "{what}: {answer:?}");
            for finding in &answer.findings {
                assert_eq!(
                    finding.repair.is_none(),
                    finding.result == Fine,
                    "{what}: {finding:?}"
                );
            }
            if answer.check == *check {
                let said: Vec<&str> = answer
                    .findings
                    .iter()
                    .map(|finding| finding.seen.as_str())
                    .collect();
                assert!(
                    said.iter().any(|said| said.contains(words)),
                    "{what}: {said:?}"
                );
            }
        }
    }
    // every check was broken at least once
    for answer in examine(&well(&material)) {
        let broken =
            |row: &&(&str, &str, Health, &str, Break<'_>)| row.1 == answer.check && row.2 == Broken;
        assert!(
            rows.iter().any(|row| broken(&row)),
            "{} is never broken",
            answer.check
        );
    }
}

#[test]
fn certificates_are_told_by_the_days_that_are_left() {
    for (age, result, words) in [
        (0, Health::Ok, "serving certificate: 90 days left"),
        (59, Health::Ok, "serving certificate: 31 days left"),
        // due for renewal since two days: the leader has some time
        (62, Health::Ok, "serving certificate: 28 days left"),
        (
            70,
            Health::Broken,
            "serving certificate: 20 days left, and should have been renewed",
        ),
        (91, Health::Broken, "serving certificate: expired"),
    ] {
        let material = material(later(-age * DAY));
        let answers = examine(&well(&material));
        let answer = answers
            .iter()
            .find(|answer| answer.check == "certificates")
            .unwrap();
        assert_eq!(answer.result, result, "{age}: {answer:?}");
        assert!(
            answer
                .findings
                .iter()
                .any(|finding| finding.seen.contains(words)),
            "{age}: {answer:?}"
        );
    }
}
