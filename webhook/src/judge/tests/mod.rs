//! Reviews through the envelope and the judge, over a cluster in memory.

mod exceptions;
mod objects;

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
