use serde_json::{Value, json};
use sluice_planner::template::template_hash;

use super::*;
use crate::fixtures::{Cluster, cronjob, deployment, object, review};

/// One review through the envelope and the judge.
fn ask(cluster: &Cluster, hook: Hook, object: &Value, old: Option<&Value>) -> Judged {
    ask_with(cluster, hook, &review(object, old, false))
}

fn ask_with(cluster: &Cluster, hook: Hook, review: &Value) -> Judged {
    let body = serde_json::to_vec(review).unwrap();
    let review = Review::parse(&body).unwrap();
    judge(&cluster.0, hook, &review, Now::read()).unwrap()
}

/// `object` as the mutating webhook leaves it.
fn mutated(cluster: &Cluster, new: &Value, old: Option<&Value>) -> Value {
    let answer = ask(cluster, Hook::Release, new, old);
    assert_eq!(
        answer.reply.refused, None,
        "the mutating webhook never refuses"
    );
    let mut object = new.clone();
    if !answer.reply.patch.is_empty() {
        let patch: json_patch::Patch = serde_json::from_slice(&answer.reply.patch).unwrap();
        json_patch::patch(&mut object, &patch).unwrap();
    }
    object
}

fn bounded_jobs() -> Value {
    json!([
        {"use": "cronjob-without-deadline"},
        {"use": "cronjob-allows-overlap"},
        {"use": "cronjob-job-without-deadline"},
    ])
}

#[test]
fn a_cronjob_without_bounds_is_told_all_findings_as_the_mode_allows() {
    let cluster = |mode| {
        Cluster::new()
            .namespace("shop", mode)
            .policy("sluice-system", "jobs", &bounded_jobs())
    };
    let denied = ask(&cluster("enforce"), Hook::Workload, &cronjob(), None);
    let text = denied.reply.refused.unwrap();
    assert!(
        text.starts_with("cronjob/reports in namespace shop: 3 findings (policy set "),
        "{text}"
    );
    for said in [
        "SLU1001 cronjob-without-deadline at spec.startingDeadlineSeconds: absent; passes: ",
        "SLU1002 cronjob-allows-overlap at spec.concurrencyPolicy: ",
        "SLU1003 cronjob-job-without-deadline at spec.jobTemplate.spec.activeDeadlineSeconds: absent",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    assert_eq!(denied.outcome, Outcome::Denied);

    let warned = ask(&cluster("warn"), Hook::Observe, &cronjob(), None);
    assert_eq!(warned.reply.refused, None);
    assert_eq!(
        warned.reply.warnings.len(),
        3,
        "{:?}",
        warned.reply.warnings
    );
    assert_eq!(warned.outcome, Outcome::Warned);

    for mode in ["audit", "unknown-word"] {
        let audited = ask(&cluster(mode), Hook::Observe, &cronjob(), None);
        assert_eq!(audited.reply.refused, None);
        assert!(audited.reply.warnings.is_empty());
        assert_eq!(audited.findings.len(), 3);
        assert_eq!(audited.outcome, Outcome::Audited);
        assert!(audited.reply.audit["findings"].contains("SLU1001"));
    }
    let off = ask(&cluster("off"), Hook::Observe, &cronjob(), None);
    assert_eq!(off, Judged::nothing(Outcome::NotJudged));
}

#[test]
fn the_entry_that_observes_never_refuses_even_if_our_cache_runs_ahead() {
    let cluster = Cluster::new().policy("sluice-system", "jobs", &bounded_jobs());
    let answer = ask(&cluster, Hook::Observe, &cronjob(), None);
    assert_eq!(answer.reply.refused, None);
    assert_eq!(answer.outcome, Outcome::Warned);
}

#[test]
fn a_policy_outside_sluices_namespace_judges_only_its_own() {
    let cluster = Cluster::new().policy("bank", "jobs", &bounded_jobs());
    let answer = ask(&cluster, Hook::Workload, &cronjob(), None);
    assert_eq!(answer.outcome, Outcome::Allowed);
    let own = Cluster::new().policy("shop", "jobs", &bounded_jobs());
    assert_eq!(
        ask(&own, Hook::Workload, &cronjob(), None).outcome,
        Outcome::Denied
    );
}

#[test]
fn an_old_sin_only_warns() {
    let cluster = Cluster::new().policy("sluice-system", "jobs", &bounded_jobs());
    let old = cronjob();
    let mut new = cronjob();
    new["spec"]["schedule"] = json!("*/10 * * * *");
    let answer = ask(&cluster, Hook::Workload, &new, Some(&old));
    assert_eq!(answer.reply.refused, None);
}

#[test]
fn a_workload_that_no_quota_can_hold_is_refused_with_the_arithmetic() {
    let cluster = Cluster::new()
        .policy("sluice-system", "quota", &json!([{"use": "quota-breach"}]))
        .quota("shop", &json!({"pods": "4"}));
    let answer = ask(&cluster, Hook::Workload, &deployment("v1"), None);
    let text = answer.reply.refused.unwrap();
    assert!(text.contains("SLU2003 quota-breach"), "{text}");
    assert_eq!(
        ask(
            &Cluster::new().policy("sluice-system", "quota", &json!([{"use": "quota-breach"}])),
            Hook::Workload,
            &deployment("v1"),
            None
        )
        .outcome,
        Outcome::Allowed,
        "no quota is known to be no quota"
    );
}

fn everything() -> Value {
    json!({"components": {}})
}

fn hold_of(object: &Value) -> Option<Value> {
    object["metadata"]["annotations"]["sluice.dev/hold"]
        .as_str()
        .map(|text| serde_json::from_str(text).unwrap())
}

#[test]
fn a_new_template_under_a_plan_is_held_and_then_lets_itself_in() {
    let cluster = Cluster::new().plan("shop", "p", &everything());
    let (old, new) = (deployment("v1"), deployment("v2"));
    let held = mutated(&cluster, &new, Some(&old));
    assert_eq!(held["spec"]["paused"], true);
    let hold = hold_of(&held).unwrap();
    let target = template_hash(&new["spec"]["template"]);
    assert_eq!(hold["uid"], "d-1");
    assert_eq!(hold["target"], json!(target));
    assert_eq!(
        hold["release"],
        json!(format!("deployment-checkout-{}-5", &target[..10]))
    );
    let answer = ask(&cluster, Hook::Workload, &held, Some(&old));
    assert_eq!(answer.reply.refused, None);
    assert!(answer.starts_release);

    let unheld = ask(&cluster, Hook::Workload, &new, Some(&old));
    let text = unheld.reply.refused.unwrap();
    assert!(text.contains("not-held"), "{text}");
}

#[test]
fn without_a_plan_or_outside_enforce_nothing_is_held() {
    let (old, new) = (deployment("v1"), deployment("v2"));
    for cluster in [
        Cluster::new(),
        Cluster::new().plan("bank", "p", &everything()),
        Cluster::new().plan("shop", "p", &json!({"components": {"names": ["cart"]}})),
    ] {
        assert_eq!(mutated(&cluster, &new, Some(&old)), new);
        assert_eq!(
            ask(&cluster, Hook::Workload, &new, Some(&old)).outcome,
            Outcome::Allowed
        );
    }
    let warn = Cluster::new()
        .namespace("shop", "warn")
        .plan("shop", "p", &everything());
    assert_eq!(
        ask(&warn, Hook::Observe, &new, Some(&old)).outcome,
        Outcome::Allowed,
        "an unheld template is what a namespace without enforcement gets"
    );
}

#[test]
fn what_the_mutating_webhook_is_not_asked_about_it_would_not_change() {
    // the admission table sends updates of only the replicas to the validating webhook alone
    let cluster = Cluster::new().plan("shop", "p", &everything());
    let old = deployment("v1");
    let held = mutated(&cluster, &deployment("v2"), Some(&old));
    let mut stepped = held.clone();
    stepped["spec"]["paused"] = json!(false);
    stepped["spec"]["minReadySeconds"] = json!(2_147_483_646);
    stepped["spec"]["progressDeadlineSeconds"] = json!(2_147_483_647);
    stepped["spec"]["strategy"]["rollingUpdate"] = json!({"maxSurge": 1, "maxUnavailable": 0});
    stepped["metadata"]["annotations"]["sluice.dev/originals"] = json!(
        json!({
            "uid": "d-1", "target": hold_of(&held).unwrap()["target"],
            "strategy": old["spec"]["strategy"], "progressDeadlineSeconds": 600
        })
        .to_string()
    );
    for (what, live) in [("untouched", old), ("held", held), ("stepped", stepped)] {
        let mut scaled = live.clone();
        scaled["spec"]["replicas"] = json!(9);
        assert_eq!(mutated(&cluster, &scaled, Some(&live)), scaled, "{what}");
        let answer = ask(&cluster, Hook::Workload, &scaled, Some(&live));
        assert_eq!(answer.reply.refused, None, "{what}");
        assert!(!answer.starts_release, "{what}");
    }
}

#[test]
fn a_release_passes_an_open_gate_with_a_living_engine_and_no_other() {
    let (old, new) = (deployment("v1"), deployment("v2"));
    let gate = json!({"components": {"selector": {"matchLabels": {"app": "checkout"}}}});
    let with = |state: &str| Cluster::new().gate("shop", "checkout", &gate, state);
    let refused = |cluster: &Cluster| {
        let answer = ask(cluster, Hook::Workload, &new, Some(&old));
        answer.reply.refused
    };
    assert_eq!(refused(&with("Open").beating()), None);
    let closed = refused(&with("Closed").beating()).unwrap();
    for said in [
        "SLU0001 gate-not-open",
        "gate shop/checkout is Closed",
        "answered 500",
        "sluice gate get checkout -n shop",
    ] {
        assert!(closed.contains(said), "{said}: {closed}");
    }
    let dead = refused(&with("Open")).unwrap();
    assert!(dead.contains("is Unknown"), "{dead}");
    assert!(dead.contains("HeartbeatStale"), "{dead}");

    // scaling is no release
    let mut scaled = old.clone();
    scaled["spec"]["replicas"] = json!(7);
    let answer = ask(&with("Closed"), Hook::Workload, &scaled, Some(&old));
    assert_eq!(answer.reply.refused, None);

    let dry = ask_with(
        &with("Closed").beating(),
        Hook::Workload,
        &review(&new, Some(&old), true),
    );
    assert_eq!(dry.reply.refused, None, "a dry-run is only warned of gates");
    assert!(dry.reply.warnings[0].contains("gate-not-open"));
    assert!(
        !dry.starts_release,
        "on dry-run nothing is counted as an attempt"
    );
}

#[test]
fn nobody_steps_around_a_gate_by_dropping_its_label_in_the_same_request() {
    let gate = json!({"components": {"selector": {"matchLabels": {"app": "checkout"}}}});
    let cluster = Cluster::new()
        .gate("shop", "checkout", &gate, "Closed")
        .beating();
    let mut new = deployment("v2");
    new["metadata"]["labels"] = json!({});
    let answer = ask(&cluster, Hook::Workload, &new, Some(&deployment("v1")));
    assert!(answer.reply.refused.unwrap().contains("shop/checkout"));
}

#[test]
fn a_gate_that_cannot_be_read_is_closed() {
    let broken = object(
        "Gate",
        "shop",
        "newer",
        &json!({"components": {"kinds": ["Yacht"]}}),
    );
    let cluster = Cluster::new().put_gate(&broken).beating();
    let answer = ask(
        &cluster,
        Hook::Workload,
        &deployment("v2"),
        Some(&deployment("v1")),
    );
    let text = answer.reply.refused.unwrap();
    assert!(text.contains("gate shop/newer is Unknown"), "{text}");
    let elsewhere = object("Gate", "bank", "newer", &json!({"components": 7}));
    let answer = ask(
        &Cluster::new().put_gate(&elsewhere),
        Hook::Workload,
        &deployment("v2"),
        Some(&deployment("v1")),
    );
    assert_eq!(answer.reply.refused, None);
}

#[test]
fn one_message_holds_what_policies_and_gates_find() {
    let cluster = Cluster::new()
        .policy(
            "sluice-system",
            "reliability",
            &json!([{"use": "container-without-memory-limit"}]),
        )
        .gate("shop", "checkout", &everything(), "Closed")
        .beating();
    let answer = ask(&cluster, Hook::Workload, &deployment("v2"), None);
    let text = answer.reply.refused.unwrap();
    assert!(text.contains("2 findings"), "{text}");
    assert!(
        text.contains("SLU0001") && text.contains("SLU2001"),
        "{text}"
    );
}

#[test]
fn what_is_not_ours_to_judge_is_let_in_unseen() {
    let cluster = Cluster::new()
        .policy("sluice-system", "jobs", &bounded_jobs())
        .gate("shop", "checkout", &everything(), "Closed");
    let mut status = review(&deployment("v2"), Some(&deployment("v1")), false);
    status["request"]["subResource"] = json!("status");
    let mut gone = review(&deployment("v2"), Some(&deployment("v1")), false);
    gone["request"]["operation"] = json!("DELETE");
    gone["request"]["object"] = Value::Null;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": "p"}, "spec": {}});
    for hook in Hook::ALL {
        for of in [&status, &gone] {
            assert_eq!(
                ask_with(&cluster, hook, of),
                Judged::nothing(Outcome::NotJudged)
            );
        }
    }
    assert_eq!(
        ask(&cluster, Hook::Release, &pod, None),
        Judged::nothing(Outcome::NotJudged)
    );
    let mut owned = cronjob();
    owned["metadata"]["ownerReferences"] = json!([{"apiVersion": "x/v1", "kind": "Operator", "name": "o", "uid": "1", "controller": true}]);
    assert_eq!(
        ask(&cluster, Hook::Workload, &owned, None).outcome,
        Outcome::NotJudged
    );
}

#[test]
fn what_the_mutating_webhook_cannot_read_the_validating_one_refuses() {
    let cluster = Cluster::new().plan("shop", "p", &everything());
    let mut odd = deployment("v2");
    odd["spec"]["replicas"] = json!("many");
    let old = deployment("v1");
    let answer = ask(&cluster, Hook::Release, &odd, Some(&old));
    assert_eq!(answer.outcome, Outcome::Unreadable);
    assert!(answer.reply.patch.is_empty() && answer.reply.refused.is_none());
    let answer = ask(&cluster, Hook::Workload, &odd, Some(&old));
    assert_eq!(answer.outcome, Outcome::Denied);
}

#[test]
fn a_name_the_server_will_choose_is_told_as_its_prefix() {
    let cluster = Cluster::new().policy("sluice-system", "jobs", &bounded_jobs());
    let mut unnamed = cronjob();
    unnamed["metadata"] = json!({"namespace": "shop", "generateName": "reports-"});
    let answer = ask(&cluster, Hook::Workload, &unnamed, None);
    assert!(
        answer
            .reply
            .refused
            .unwrap()
            .starts_with("cronjob/reports-* in namespace shop")
    );
}

#[test]
fn a_release_without_a_name_is_not_held_under_a_name_that_no_record_can_have() {
    let cluster = Cluster::new()
        .plan("shop", "plan", &json!({"components": {}}))
        .gate(
            "shop",
            "gate",
            &json!({"components": {}, "whenClosed": "Hold"}),
            "Closed",
        )
        .beating();
    let named = deployment("v1");
    let held = mutated(&cluster, &named, None);
    assert_eq!(held["spec"]["paused"], true);
    let mut unnamed = deployment("v1");
    unnamed["metadata"] = json!({"namespace": "shop", "generateName": "checkout-"});
    assert_eq!(mutated(&cluster, &unnamed, None), unnamed);
    // the object has its name by then, the request still has none
    let mut judged = review(&unnamed, None, false);
    judged["request"]["object"]["metadata"]["name"] = json!("checkout-x7k2p");
    let refused = ask_with(&cluster, Hook::Workload, &judged).reply.refused;
    let text = refused.unwrap();
    assert!(text.contains("gate shop/gate is Closed"), "{text}");
    assert!(!text.contains("without its hold"), "{text}");
}

#[test]
fn objects_that_cannot_work_are_refused_with_the_path_and_what_would_pass() {
    let cluster = Cluster::new()
        .deployment("shop", "checkout")
        .probe("shop", "http");
    let url = |url: &str| json!({"http": {"target": {"url": url}}});
    for (kind, spec, said) in [
        ("Probe", url("http://"), "spec.http.target.url"),
        (
            "Probe",
            json!({"http": {"target": {"url": "http://a.shop.svc/"}}, "interval": "1s", "timeout": "2s"}),
            "spec.timeout: 2s; passes: ",
        ),
        (
            "Probe",
            json!({"prometheus": {"query": "up", "condition": "around 7"}}),
            "spec.prometheus.condition",
        ),
        (
            "Probe",
            json!({"http": {"target": {"url": "http://a.svc/"}}, "interval": "5d"}),
            "spec.interval",
        ),
        (
            "Gate",
            json!({"components": {}, "before": {"maxAge": "0s"}}),
            "spec.before.maxAge",
        ),
        (
            "RolloutPlan",
            json!({"components": {}, "batches": ["50%", "10%"]}),
            "spec.batches[1]",
        ),
        (
            "Policy",
            json!({"rules": [{"use": "cronjob-without-deadlin"}]}),
            "spec.rules[0].use",
        ),
        (
            "Policy",
            json!({"rules": [{"use": "cronjob-job-without-deadline", "parameters": {"maxActiveDeadline": "soon"}}]}),
            "spec.rules[0].parameters.maxActiveDeadline",
        ),
    ] {
        let answer = ask(
            &cluster,
            Hook::Object,
            &object(kind, "shop", "x", &spec),
            None,
        );
        let text = answer.reply.refused.unwrap_or_default();
        assert!(
            text.starts_with(&format!(
                "{}/x in namespace shop cannot work: ",
                kind.to_lowercase()
            )),
            "{kind} {spec}: {text}"
        );
        assert!(
            text.contains(said) && text.contains("passes: "),
            "{kind} {spec}: {text}"
        );
    }
}

#[test]
fn a_selector_that_selects_nothing_is_a_warning() {
    let cluster = Cluster::new()
        .deployment("shop", "checkout")
        .probe("shop", "http");
    for (kind, namespace, spec, warnings) in [
        (
            "Gate",
            "shop",
            json!({"components": {"names": ["checkout"]}, "before": {"probes": [{"name": "http"}]}}),
            vec![],
        ),
        (
            "Gate",
            "sluice-system",
            json!({"components": {"kinds": ["Deployment"]}, "before": {"probes": [{"name": "http", "namespace": "shop"}]}}),
            vec![],
        ),
        (
            "Gate",
            "shop",
            json!({"components": {"names": ["chekout"]}, "before": {"probes": [{"name": "htp"}]}}),
            vec![
                "spec.components: selects no workload in namespace shop",
                "there is no probe htp",
            ],
        ),
        (
            "RolloutPlan",
            "shop",
            json!({"components": {"kinds": ["DaemonSet"]}, "during": {"probes": [{"selector": {"matchLabels": {"a": "b"}}}]}}),
            vec![
                "spec.components: selects no workload",
                "spec.during.probes[0]: no probe has these labels",
            ],
        ),
        (
            "Policy",
            "sluice-system",
            json!({"match": {"namespaces": {"matchLabels": {"team": "x"}}}, "rules": [{"use": "cronjob-without-deadline"}]}),
            vec!["spec.match.namespaces: selects no namespace"],
        ),
    ] {
        let answer = ask(
            &cluster,
            Hook::Object,
            &object(kind, namespace, "x", &spec),
            None,
        );
        assert_eq!(answer.reply.refused, None, "{kind} {spec}");
        assert_eq!(
            answer.reply.warnings.len(),
            warnings.len(),
            "{:?}",
            answer.reply.warnings
        );
        for (found, expected) in answer.reply.warnings.iter().zip(warnings) {
            assert!(found.contains(expected), "{found}");
        }
    }
}

#[test]
fn a_broken_policy_is_left_out_whole_and_the_others_work() {
    let cluster = Cluster::new().policy("sluice-system", "jobs", &bounded_jobs());
    let before = cluster.0.indexes.rulebook().policies.digest().to_owned();
    cluster.put_policy(&object(
        "Policy",
        "sluice-system",
        "typo",
        &json!({"rules": [{"use": "container-without-requests"}, {"use": "no-such-rule"}]}),
    ));
    cluster.put_policy(&object(
        "Policy",
        "shop",
        "unreadable",
        &json!({"rules": 7}),
    ));
    let problems = &cluster.0.indexes.compile().broken_policies;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("sluice-system/typo")
                && problem.contains("spec.rules[1].use"))
    );
    assert!(
        problems
            .iter()
            .any(|problem| problem.contains("shop/unreadable"))
    );
    assert_eq!(cluster.0.indexes.rulebook().policies.digest(), before);
    let answer = ask(&cluster, Hook::Workload, &cronjob(), None);
    assert!(answer.reply.refused.unwrap().contains("3 findings"));
}

fn exception(expires: jiff::SignedDuration) -> Value {
    let expires = jiff::Timestamp::now() + expires;
    json!({
        "subject": {"kind": "CronJob", "name": "rep*"}, "rule": "SLU1001", "reason": "mended soon",
        "owner": "team-reports", "expires": expires,
    })
}

#[test]
fn what_is_excepted_is_let_in_with_a_warning_until_the_exception_expires() {
    let cluster = |namespace, hours| {
        Cluster::new()
            .policy(
                "sluice-system",
                "jobs",
                &json!([{"use": "cronjob-without-deadline"}]),
            )
            .exception(
                namespace,
                "e",
                &exception(jiff::SignedDuration::from_hours(hours)),
            )
    };
    for (namespace, hours, outcome) in [
        ("shop", 24, Outcome::Warned),
        ("sluice-system", 24, Outcome::Warned),
        ("bank", 24, Outcome::Denied),
        ("shop", -1, Outcome::Denied),
        ("shop", 24 * 91, Outcome::Denied),
    ] {
        let answer = ask(&cluster(namespace, hours), Hook::Workload, &cronjob(), None);
        assert_eq!(answer.outcome, outcome, "{namespace} {hours}");
        if outcome == Outcome::Warned {
            let told = answer.reply.warnings.concat();
            assert!(
                told.contains(&format!("by {namespace}/e, for which team-reports answers")),
                "{told}"
            );
            assert!(answer.findings[0].excepted.is_some());
        }
    }
    // the same cluster, a moment before and at the very second
    let cluster = cluster("shop", 24);
    let at = cluster
        .0
        .indexes
        .rulebook()
        .exceptions
        .standings(jiff::Timestamp::now())
        .next()
        .unwrap()
        .expires;
    let body = serde_json::to_vec(&review(&cronjob(), None, false)).unwrap();
    let review = Review::parse(&body).unwrap();
    let outcome = |time| {
        let now = Now {
            time,
            ..Now::read()
        };
        judge(&cluster.0, Hook::Workload, &review, now)
            .unwrap()
            .outcome
    };
    assert_eq!(
        outcome(at - jiff::SignedDuration::from_nanos(1)),
        Outcome::Warned
    );
    assert_eq!(outcome(at), Outcome::Denied);
}

#[test]
fn an_exception_that_cannot_work_is_refused_and_one_that_ends_soon_is_warned_of() {
    let day = |days: i64| exception(jiff::SignedDuration::from_hours(24 * days));
    let mut misspelt = day(30);
    misspelt["rule"] = json!("cronjob-without-dedline");
    for (spec, refused, warned) in [
        (
            misspelt,
            Some("spec.rule: unknown rule \"cronjob-without-dedline\"; passes: "),
            None,
        ),
        (day(100), Some(", too far ahead, it counts from "), None),
        (day(30), None, None),
        (
            day(3),
            None,
            Some("spec.expires: the exception expires soon"),
        ),
        (
            day(-3),
            None,
            Some("spec.expires: the exception expired at"),
        ),
    ] {
        let object = object("PolicyException", "shop", "e", &spec);
        let answer = ask(&Cluster::new(), Hook::Object, &object, None);
        match refused {
            Some(words) => {
                let text = answer.reply.refused.unwrap();
                assert!(
                    text.starts_with("policyexception/e in namespace shop cannot work: 1 problem")
                        && text.contains(words),
                    "{text}"
                );
            }
            None => assert_eq!(answer.reply.refused, None),
        }
        let warnings = answer.reply.warnings;
        assert_eq!(
            warnings.len(),
            usize::from(warned.is_some()),
            "{warnings:?}"
        );
        assert!(warned.is_none_or(|words| warnings[0].contains(words)));
    }
}

#[test]
fn a_broken_exception_counts_for_nothing_and_is_said() {
    let cluster = Cluster::new()
        .policy(
            "sluice-system",
            "jobs",
            &json!([{"use": "cronjob-without-deadline"}]),
        )
        .exception("shop", "unreadable", &json!({"subject": 7}))
        .exception("shop", "misspelt", &{
            let mut spec = exception(jiff::SignedDuration::from_hours(24));
            spec["subject"]["kind"] = json!("Cronjob");
            spec
        });
    let answer = ask(&cluster, Hook::Workload, &cronjob(), None);
    assert_eq!(answer.outcome, Outcome::Denied);
    let broken = &cluster.0.indexes.rulebook().broken_exceptions;
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert!(
        broken
            .iter()
            .any(|said| said.starts_with("exception shop/unreadable: spec: "))
    );
    assert!(
        broken
            .iter()
            .any(|said| said.contains("exception shop/misspelt: spec.subject.kind: "))
    );
}
