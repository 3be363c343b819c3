//! Every kind through the same three tests: apply, delete, reset. A kind that is added without a row here is not tested.

use std::fmt::Debug;

use serde::de::DeserializeOwned;

use super::*;
use crate::index::bucket::Index;

/// A wire object as the API server sends it.
fn wire<W: DeserializeOwned>(object: &Value) -> W {
    serde_json::from_value(object.clone()).unwrap()
}

/// Takes two objects of a kind through apply, delete and reset; `shape` says how the first one must be kept.
fn keeps<T: Reduce + Debug>(kind: &str, one: &Value, other: &Value, shape: &str)
where
    T::Wire: DeserializeOwned,
{
    let index = Index::<T>::default();
    let (one_key, kept) = T::reduce(wire(one));
    let (other_key, _) = T::reduce(wire(other));
    assert_ne!(one_key, other_key, "{kind}");
    let text = format!("{kept:?}");
    assert!(text.contains(shape), "{kind}: {text}");
    assert!(
        !text.contains("managedFields") && !text.contains("last-applied"),
        "{kind} keeps what nobody reads: {text}"
    );

    index.change(change(Event::Apply(wire(one))));
    index.change(change(Event::Apply(wire(other))));
    assert_eq!(index.len(), 2, "{kind}: applied");
    index.change(change(Event::Delete(wire(one))));
    assert!(
        index
            .bucket(&one_key.bucket)
            .is_none_or(|bucket| bucket.get(&one_key.name).is_none()),
        "{kind}: deleted"
    );
    assert!(
        index
            .bucket(&other_key.bucket)
            .unwrap()
            .get(&other_key.name)
            .is_some(),
        "{kind}: the other one stays"
    );

    for event in [
        Event::Init,
        Event::InitApply(wire::<T::Wire>(one)),
        Event::InitDone,
    ] {
        index.change(change(event));
    }
    assert_eq!(index.len(), 1, "{kind}: reset");
    assert!(
        index
            .bucket(&one_key.bucket)
            .unwrap()
            .get(&one_key.name)
            .is_some(),
        "{kind}: reset keeps what is listed"
    );
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app": name},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x"},
            "managedFields": [{"manager": "kubectl", "operation": "Apply"}]
        },
        "spec": spec,
    })
}

#[test]
fn every_kind_is_applied_deleted_and_reset() {
    let probe = json!({"http": {"target": {"url": "http://a.b.svc/"}}});
    let gate = json!({"components": {"names": ["checkout"]}});
    let release = |uid: &str| {
        json!({
            "workload": {"kind": "Deployment", "name": "checkout", "uid": uid},
            "target": {"hash": "0123456789"},
            "originals": {}, "plan": {"namespace": "shop", "name": "p"}
        })
    };
    let policy = json!({"rules": [{"use": "cronjob-without-deadline"}]});
    let exception = json!({
        "subject": {"kind": "CronJob", "name": "a"}, "rule": "SLU1001", "reason": "r", "owner": "team-reports",
        "expires": "2026-06-20T00:00:00Z",
    });
    let quota = json!({"hard": {"pods": "4"}});

    keeps::<Labels>(
        "Namespace",
        &object("Namespace", "a", json!({})),
        &object("Namespace", "b", json!({})),
        "\"app\": \"a\"",
    );
    keeps::<Labels>(
        "Probe",
        &object("Probe", "a", probe.clone()),
        &object("Probe", "b", probe),
        "\"app\": \"a\"",
    );
    keeps::<GateEntry>(
        "Gate",
        &object("Gate", "a", gate.clone()),
        &object("Gate", "b", gate.clone()),
        "checkout",
    );
    keeps::<GateEntry>(
        "unreadable Gate",
        &object("Gate", "a", json!({"components": 7})),
        &object("Gate", "b", gate.clone()),
        "Unreadable",
    );
    keeps::<PlanEntry>(
        "RolloutPlan",
        &object("RolloutPlan", "a", gate.clone()),
        &object("RolloutPlan", "b", gate),
        "checkout",
    );
    keeps::<ReleaseEntry>(
        "Release",
        &object("Release", "a", release("u1")),
        &object("Release", "b", release("u2")),
        "0123456789",
    );
    keeps::<Stored<PolicySpec>>(
        "Policy",
        &object("Policy", "a", policy.clone()),
        &object("Policy", "b", policy.clone()),
        "cronjob-without-deadline",
    );
    keeps::<Stored<PolicySpec>>(
        "unreadable Policy",
        &object("Policy", "a", json!({"rules": 7})),
        &object("Policy", "b", policy),
        "Err",
    );
    keeps::<Stored<PolicyExceptionSpec>>(
        "PolicyException",
        &object("PolicyException", "a", exception.clone()),
        &object("PolicyException", "b", exception.clone()),
        "team-reports",
    );
    keeps::<Stored<PolicyExceptionSpec>>(
        "unreadable PolicyException",
        &object("PolicyException", "a", json!({"expires": "soon"})),
        &object("PolicyException", "b", exception),
        "Err",
    );
    keeps::<sluice_tree::Value>(
        "ResourceQuota",
        &object("ResourceQuota", "a", quota.clone()),
        &object("ResourceQuota", "b", quota),
        "pods",
    );
}

#[test]
fn a_gate_that_cannot_be_read_still_guards_its_namespace() {
    let (key, entry) = GateEntry::reduce(wire(&object(
        "Gate",
        "a",
        json!({"components": {"kinds": ["Yacht"]}}),
    )));
    assert_eq!((key.bucket.as_str(), key.name.as_str()), ("shop", "a"));
    assert!(matches!(entry, GateEntry::Unreadable(_)));
    assert_eq!(entry.components(), &ComponentSelector::default());
    assert_eq!(entry.namespace(), "shop");
}

#[test]
fn a_release_of_an_unknown_phase_counts_as_unfinished() {
    let mut newer = object(
        "Release",
        "deployment-checkout-0123456789-7",
        json!({"workload": {"kind": "Deployment", "name": "c", "uid": "u"}, "target": {"hash": "0123456789"}}),
    );
    newer["status"] = json!({"phase": "Levitating"});
    newer["spec"]["retry"] = json!({"reason": "because"});
    let (key, entry) = ReleaseEntry::reduce(wire(&newer));
    assert_eq!(key.bucket, "u");
    assert_eq!(entry.fact.phase, ReleasePhase::Held);
    assert!(entry.fact.retry);
    assert_eq!(entry.age().1, 7);
}

#[test]
fn a_release_that_ended_badly_blames_its_template_unless_its_reason_excuses_it() {
    for (phase, reason, blamed) in [
        ("Failed", json!("ProbeFailed"), true),
        ("RolledBack", json!("Requested"), true),
        ("RollbackIneffective", json!(null), true),
        // a word of a newer version is no excuse
        ("RolledBack", json!("StarsMisaligned"), true),
        ("RolledBack", json!("TemplateReverted"), false),
        ("Failed", json!("NoWayBack"), false),
        ("Aborting", json!("ProbeFailed"), false),
        ("Succeeded", json!(null), false),
    ] {
        let mut release = object(
            "Release",
            "r",
            json!({"workload": {"kind": "Deployment", "name": "c", "uid": "u"}, "target": {"hash": "0123456789"}}),
        );
        release["status"] = json!({"phase": phase, "abort": {"reason": reason}});
        let (_, entry) = ReleaseEntry::reduce(wire(&release));
        assert_eq!(entry.fact.blamed, blamed, "{phase} {reason}");
    }
}
