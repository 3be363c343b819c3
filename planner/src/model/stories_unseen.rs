//! What is written while webhooks are down, and annotations that lie.

use serde_json::json;
use sluice_api::{
    ReleasePhase,
    annotation::{DENIED, HOLD, ORIGINALS},
    reason::WaitReason,
};

use super::{
    stories::{apply, until_new, until_waiting, world},
    world::Kind,
};
use crate::release::decision::Write;

#[test]
fn foreign_limits_are_put_right() {
    let mut world = world(20);
    apply(&mut world, "v2", Kind::Good);
    until_new(&mut world, 2);
    world.unseen(|object| object["spec"]["minReadySeconds"] = json!(0));
    let sets = world.sets.clone();
    for _ in 0..3 {
        world.sync_native();
        world.pass(&sets, false);
    }
    assert_eq!(world.writes.last(), Some(&Write::Correct));
    assert!(world.view().is_pinned());
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
}

#[test]
fn a_lost_hold_comes_back_and_the_release_goes_on() {
    let mut world = world(10);
    let users = world.deployment["spec"].clone();
    let template = apply(&mut world, "v2", Kind::Good);
    until_new(&mut world, 1);
    world.unseen(|object| {
        object["metadata"]["annotations"] = json!({});
    });
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
    let mut expected = users;
    expected["template"] = template;
    assert_eq!(world.deployment["spec"], expected);
}

#[test]
fn a_third_template_that_nobody_saw_is_held_where_the_pin_stands() {
    let mut world = world(10);
    let stable = world.live();
    apply(&mut world, "v2", Kind::Good);
    until_new(&mut world, 1);
    let third = world.add_version("v3", Kind::Good);
    world.unseen(|object| object["spec"]["template"] = third);
    let sets = world.sets.clone();
    world.pass(&sets, false);
    assert!(world.view().paused);
    world.settle();
    assert_eq!(world.releases.len(), 2);
    assert_eq!(
        super::world::phase(&world.releases[0]),
        ReleasePhase::Superseded
    );
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
    assert_eq!(world.last().spec.stable.as_ref().unwrap().hash, stable);
    assert_eq!(world.deployment["spec"].get("minReadySeconds"), None);
}

#[test]
fn an_undo_that_nobody_saw_is_freed_of_the_pin() {
    let mut world = world(10);
    let users = world.deployment["spec"].clone();
    apply(&mut world, "v2", Kind::Good);
    until_new(&mut world, 1);
    let back = users["template"].clone();
    world.unseen(|object| {
        object["spec"]["template"] = back;
        object["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "1"});
    });
    world.settle();
    assert_eq!(world.deployment["spec"], users);
    assert_eq!(world.phase(), ReleasePhase::RolledBack);
    assert!(world.writes.contains(&Write::CleanUp));
}

#[test]
fn a_template_that_slipped_by_before_anything_was_set_is_recorded_and_left_alone() {
    let mut world = world(10);
    apply(&mut world, "v2", Kind::Good);
    world.gate.0 = sluice_api::GateState::Closed;
    until_waiting(&mut world, WaitReason::GateNotOpen);
    let third = world.add_version("v3", Kind::Good);
    world.unseen(|object| {
        object["spec"]["template"] = third;
        object["spec"]["paused"] = json!(false);
        object["metadata"]["annotations"] = json!({});
    });
    world.settle();
    assert_eq!(world.releases.len(), 1);
    assert_eq!(world.phase(), ReleasePhase::Superseded);
    let message = world.last().status.clone().unwrap().message.unwrap();
    assert!(message.contains("without admission"), "{message}");
}

#[test]
fn unreadable_annotations_stop_the_way_forward_and_not_the_way_back() {
    for key in [HOLD, ORIGINALS] {
        let mut world = world(10);
        let users = world.deployment["spec"].clone();
        let bad = apply(&mut world, "v2", Kind::Good);
        until_new(&mut world, 1);
        world.unseen(|object| object["metadata"]["annotations"][key] = json!("{not json"));
        let waiting = until_waiting(&mut world, WaitReason::HumanNeeded);
        assert!(waiting.message.contains(key), "{waiting:?}");
        world.settle();
        assert_eq!(world.split(&world.live()).0, 1);
        let hash = crate::template::template_hash(&bad);
        world.versions.get_mut(&hash).unwrap().1 = Kind::ReadyButFailing;
        let release = world.releases.last_mut().unwrap();
        release.spec.abort = Some(sluice_api::release::HumanRequest {
            reason: "no".into(),
            by: None,
        });
        world.settle();
        assert_eq!(world.phase(), ReleasePhase::RolledBack, "{key}");
        assert_eq!(world.deployment["spec"], users, "{key}");
    }
}

#[test]
fn unreadable_memory_is_written_anew_from_the_records_of_releases() {
    let mut world = world(10);
    let bad = apply(&mut world, "v2", Kind::ReadyButFailing);
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::RolledBack);
    for garbage in ["", "[{not json", "{}"] {
        world.unseen(|object| object["metadata"]["annotations"][DENIED] = json!(garbage));
        let wanted = bad.clone();
        let refused = world.request(|object| object["spec"]["template"] = wanted);
        assert_eq!(refused.unwrap_err()[0].rule, "template-denied", "{garbage}");
        world.settle();
        assert_eq!(world.writes.last(), Some(&Write::Remember));
        let memory = world.deployment["metadata"]["annotations"][DENIED].clone();
        assert!(memory.as_str().unwrap().contains("\"target\""), "{memory}");
        let wanted = bad.clone();
        let refused = world.request(|object| object["spec"]["template"] = wanted);
        assert_eq!(refused.unwrap_err()[0].rule, "template-denied", "{garbage}");
    }
    apply(&mut world, "v3", Kind::Good);
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
}

#[test]
fn a_hold_of_another_workload_or_template_is_ignored() {
    let mut world = world(5);
    world.unseen(|object| {
        object["metadata"]["annotations"][HOLD] =
            json!(r#"{"uid":"another","target":"t","release":"r"}"#);
    });
    world.settle();
    assert!(world.releases.is_empty());
    apply(&mut world, "v2", Kind::Good);
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
}
