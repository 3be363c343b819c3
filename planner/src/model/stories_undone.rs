//! Releases that are undone, and what is remembered of them.

use serde_json::json;
use sluice_api::{
    ReleasePhase,
    reason::{AbortReason, WaitReason},
    release::HumanRequest,
};

use super::{
    stories::{apply, plan, quarter, until_new, until_waiting, without_template, world},
    world::{Kind, World},
};
use crate::release::{decision::Write, observation::Observation};

fn request(reason: &str) -> HumanRequest {
    HumanRequest {
        reason: reason.into(),
        by: Some("on-call".into()),
    }
}

fn ask(world: &mut World, change: impl FnOnce(&mut sluice_api::ReleaseSpec)) {
    let release = world.releases.last_mut().unwrap();
    change(&mut release.spec);
    release.metadata.generation = release.metadata.generation.map(|generation| generation + 1);
}

#[test]
fn a_failing_canary_is_undone_and_its_template_refused_until_a_retry() {
    let mut world = world(20);
    let users = world.deployment["spec"].clone();
    let stable = world.live();
    let bad = apply(&mut world, "v2", Kind::ReadyButFailing);
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::RolledBack);
    assert_eq!(world.writes, [Write::Start, Write::Rollback]);
    let status = world.last().status.clone().unwrap();
    assert_eq!(status.exposure, 1);
    assert_eq!(status.abort.unwrap().reason, AbortReason::ProbeFailed);
    let line = status.timeline;
    let order = [
        &line.started,
        &line.occurred,
        &line.detected,
        &line.decided,
        &line.rolled_back,
        &line.verified,
    ];
    assert!(order.iter().all(|time| time.is_some()), "{line:?}");
    assert!(order.is_sorted(), "{line:?}");
    assert_eq!(world.deployment["spec"], users);
    assert_eq!(world.split(&stable), (20, 0));

    let again = bad.clone();
    let refusals = world
        .request(|object| object["spec"]["template"] = again)
        .unwrap_err();
    assert_eq!((refusals.len(), refusals[0].code.as_str()), (1, "SLU0002"));
    assert!(
        refusals[0].line().contains("probe shop/checkout failed"),
        "{}",
        refusals[0].line()
    );
    assert!(
        refusals[0]
            .line()
            .contains("sluice release retry deployment-checkout-")
    );
    // undo brings back the whole annotation map of the ReplicaSet too
    let again = bad.clone();
    let refusals = world
        .request(|object| {
            object["spec"]["template"] = again;
            object["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "2"});
        })
        .unwrap_err();
    assert_eq!(refusals[0].code, "SLU0002");

    ask(&mut world, |spec| {
        spec.retry = Some(request("fixed the database"))
    });
    world.settle();
    assert_eq!(world.writes.last(), Some(&Write::Forgive));
    assert_eq!(
        world.deployment["metadata"]["annotations"].get("sluice.dev/denied"),
        None
    );
    world
        .request(|object| object["spec"]["template"] = bad)
        .unwrap();
}

#[test]
fn a_canary_that_never_gets_ready_is_undone_at_its_deadline() {
    let mut world = world(10);
    apply(&mut world, "v2", Kind::NeverReady);
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::RolledBack);
    let status = world.last().status.clone().unwrap();
    assert_eq!(
        status.abort.unwrap().reason,
        AbortReason::ProgressDeadlineExceeded
    );
    assert_eq!(status.exposure, 1);
}

#[test]
fn a_rollback_that_does_not_help_locks_the_workload_until_a_retry() {
    let mut world = world(10);
    world.stable_is_sick = true;
    apply(&mut world, "v2", Kind::ReadyButFailing);
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::RollbackIneffective);
    let message = world.last().status.clone().unwrap().message.unwrap();
    assert!(message.contains("still failing"), "{message}");
    let next = world.add_version("v3", Kind::Good);
    let sent = next.clone();
    let refusals = world
        .request(|object| object["spec"]["template"] = sent)
        .unwrap_err();
    assert_eq!((refusals.len(), refusals[0].code.as_str()), (1, "SLU0003"));
    ask(&mut world, |spec| {
        spec.retry = Some(request("the database is back"))
    });
    world.stable_is_sick = false;
    world
        .request(|object| object["spec"]["template"] = next)
        .unwrap();
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
}

#[test]
fn a_rollback_that_nobody_can_prove_is_not_called_one() {
    let mut world = world(10);
    apply(&mut world, "v2", Kind::ReadyButFailing);
    until_new(&mut world, 1);
    until_waiting(&mut world, WaitReason::RollbackRunning);
    // whoever asks from now on gets no answer
    world
        .plan
        .as_mut()
        .unwrap()
        .during
        .probes
        .push(serde_json::from_value(json!({"name": "silent"})).unwrap());
    world.silent = true;
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::RollbackIneffective);
    let message = world.last().status.clone().unwrap().message.unwrap();
    assert!(
        message.contains("not proved healthy within 20s"),
        "{message}"
    );
}

#[test]
fn a_refused_way_back_ends_the_release_before_the_first_pod() {
    let mut world = world(10);
    world.refuses_rehearsal = true;
    apply(&mut world, "v2", Kind::Good);
    world.settle();
    let status = world.last().status.clone().unwrap();
    assert_eq!(status.abort.unwrap().reason, AbortReason::NoWayBack);
    assert_eq!(
        (world.phase(), status.exposure),
        (ReleasePhase::RolledBack, 0)
    );
    assert_eq!(world.writes, [Write::Rollback]);
    assert_eq!(
        world.deployment["metadata"]["annotations"].get("sluice.dev/denied"),
        None
    );
}

#[test]
fn a_failure_that_pauses_waits_for_an_answer_that_came_after_it() {
    let failing = plan(json!({"onFailure": "Pause"}));
    for answer in ["abort", "retry"] {
        let mut world = World::new(10, quarter(), failing.clone());
        let bad = apply(&mut world, "v2", Kind::ReadyButFailing);
        let waiting = until_waiting(&mut world, WaitReason::HumanNeeded);
        assert!(
            waiting.message.contains("probe shop/checkout failed"),
            "{waiting:?}"
        );
        world.settle();
        assert_eq!(
            (world.phase(), world.split(&world.live()).0),
            (ReleasePhase::Paused, 1)
        );
        if answer == "abort" {
            ask(&mut world, |spec| spec.abort = Some(request("no")));
            world.settle();
            assert_eq!(world.phase(), ReleasePhase::RolledBack);
        } else {
            // still failing: paused again, the retry is used up
            ask(&mut world, |spec| spec.retry = Some(request("once more")));
            world.settle();
            assert_eq!(world.phase(), ReleasePhase::Paused);
            let hash = crate::template::template_hash(&bad);
            world.versions.get_mut(&hash).unwrap().1 = Kind::Good;
            world.settle();
            assert_eq!(world.phase(), ReleasePhase::Paused);
            ask(&mut world, |spec| {
                spec.retry = Some(request("fixed behind it"))
            });
            world.settle();
            assert_eq!(world.phase(), ReleasePhase::Succeeded);
        }
    }
}

#[test]
fn a_verdict_from_before_a_retry_does_not_undo_it() {
    let mut world = World::new(10, quarter(), plan(json!({"onFailure": "Pause"})));
    apply(&mut world, "v2", Kind::ReadyButFailing);
    until_waiting(&mut world, WaitReason::HumanNeeded);
    let before = world.observe_with(&world.sets);
    world.now += 300;
    ask(&mut world, |spec| {
        spec.retry = Some(request("fixed behind it"))
    });
    let again = Observation {
        during: before.during,
        ..world.observe_with(&world.sets)
    };
    let decision = crate::release::next(&again);
    let status = decision.status.expect("the retry is noted");
    assert_eq!(status.abort, None);
    assert_ne!(status.phase, ReleasePhase::Paused);
    assert!(decision.wake.is_some(), "what fails on is looked at again");
}

#[test]
fn a_human_abort_undoes_at_every_stage() {
    for pods in [0, 1, 4, 5] {
        let mut world = world(10);
        let users = world.deployment["spec"].clone();
        apply(&mut world, "v2", Kind::Good);
        if pods == 0 {
            world.gate.0 = sluice_api::GateState::Closed;
            until_waiting(&mut world, WaitReason::GateNotOpen);
        } else {
            until_new(&mut world, pods);
        }
        ask(&mut world, |spec| spec.abort = Some(request("not today")));
        world.settle();
        assert_eq!(world.phase(), ReleasePhase::RolledBack, "at {pods}");
        assert_eq!(world.deployment["spec"], users, "at {pods}");
        let status = world.last().status.clone().unwrap();
        assert_eq!(
            status.abort.unwrap().message,
            "abort requested by on-call: not today"
        );
    }
}

#[test]
fn an_abort_after_the_finish_undoes_too() {
    let mut world = World::new(6, quarter(), plan(json!({"after": {"watch": "10s"}})));
    let users = world.deployment["spec"].clone();
    apply(&mut world, "v2", Kind::Good);
    until_waiting(&mut world, WaitReason::Watching);
    let hash = world.live();
    world.versions.get_mut(&hash).unwrap().1 = Kind::ReadyButFailing;
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::RolledBack);
    assert_eq!(world.deployment["spec"], users);
}

#[test]
fn the_stable_template_is_let_back_at_any_time() {
    for pods in [0, 1, 5, 10] {
        let mut world = world(10);
        let users = world.deployment["spec"].clone();
        apply(&mut world, "v2", Kind::Good);
        match pods {
            0 => {}
            10 => drop(until_waiting(&mut world, WaitReason::OldPodsRemain)),
            pods => until_new(&mut world, pods),
        }
        // even with every gate closed
        world.gate = (sluice_api::GateState::Closed, sluice_api::WhenClosed::Deny);
        let back = users["template"].clone();
        world
            .request(|object| object["spec"]["template"] = back)
            .unwrap();
        assert_eq!(
            world.deployment["spec"], users,
            "in the same request, at {pods}"
        );
        world.settle();
        if let Some(release) = world.releases.last() {
            assert_eq!(
                super::world::phase(release),
                ReleasePhase::RolledBack,
                "at {pods}"
            );
            let abort = release.status.as_ref().unwrap().abort.as_ref().unwrap();
            assert_eq!(abort.reason, AbortReason::TemplateReverted);
        }
        assert_eq!(
            world.deployment["metadata"]["annotations"].get("sluice.dev/denied"),
            None
        );
    }
}

#[test]
fn the_way_back_by_hand_works_at_every_stage_with_every_part_of_sluice_dead() {
    for pods in [1, 4, 5] {
        let mut world = world(10);
        let users = world.deployment["spec"].clone();
        apply(&mut world, "v2", Kind::Good);
        until_new(&mut world, pods);
        let patch = world.last().status.clone().unwrap().way_back;
        world.unseen_patch(&patch);
        assert_eq!(world.deployment["spec"], users);
        world.settle_without_release();
        assert_eq!(world.sets.replicas(), 10);
        // and when Sluice comes back it understands
        world.settle();
        assert_eq!(world.phase(), ReleasePhase::RolledBack);
    }
}

#[test]
fn nothing_to_roll_back_to_is_said() {
    let mut world = world(3);
    // the first version of a workload, as if there had never been another one
    world.sets.all.clear();
    apply(&mut world, "v1-first", Kind::NeverReady);
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Failed);
    let message = world.last().status.clone().unwrap().message.unwrap();
    assert!(message.contains("no stable version"), "{message}");
    assert_eq!(without_template(&world).get("minReadySeconds"), None);
}
