//! Releases that go as told, from the request to the end.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sluice_api::{
    GateState, ReleasePhase, RolloutPlanSpec, WhenClosed, reason::WaitReason, release::Waiting,
};

use super::world::{Kind, World};
use crate::release::{decision::Write, observation::Leap};

pub(super) fn plan(more: Value) -> RolloutPlanSpec {
    let mut spec = json!({
        "components": {}, "batches": [1, "10%", "50%", "100%"], "progressDeadline": "20s",
        "during": {"probes": [{"name": "checkout"}]},
    });
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

pub(super) fn quarter() -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}})
}

pub(super) fn world(replicas: u32) -> World {
    World::new(replicas, quarter(), plan(json!({})))
}

/// Applies `image` and returns its template.
pub(super) fn apply(world: &mut World, image: &str, kind: Kind) -> Value {
    let template = world.add_version(image, kind);
    let wanted = template.clone();
    world
        .request(|object| object["spec"]["template"] = wanted)
        .unwrap();
    template
}

/// Everybody works until a release waits for `reason`.
pub(super) fn until_waiting(world: &mut World, reason: WaitReason) -> Waiting {
    for _ in 0..500 {
        if let Some(waiting) = waiting(world, reason) {
            return waiting;
        }
        world.sync_native();
        world.sync_pods();
        world.ready_all();
        let sets = world.sets.clone();
        world.pass(&sets, false);
        world.now += 200;
    }
    panic!("never waits for {reason}: {:?}", world.releases.last());
}

fn waiting(world: &World, reason: WaitReason) -> Option<Waiting> {
    let status = world.releases.last()?.status.as_ref()?;
    status
        .waiting_on
        .iter()
        .find(|waiting| waiting.reason == reason)
        .cloned()
}

/// Everybody works until the new version has `pods` pods, all of them ready.
pub(super) fn until_new(world: &mut World, pods: u32) {
    for _ in 0..500 {
        let live = world.live();
        if world
            .sets
            .of(&live)
            .is_some_and(|set| set.replicas == pods && set.ready() == pods)
        {
            return;
        }
        world.sync_native();
        world.sync_pods();
        let sets = world.sets.clone();
        world.pass(&sets, false);
        world.ready_all();
        world.now += 200;
    }
    panic!("never has {pods} new pods: {:?}", world.releases.last());
}

pub(super) fn without_template(world: &World) -> Value {
    let mut spec = world.deployment["spec"].clone();
    spec.as_object_mut().unwrap().remove("template");
    spec
}

#[test]
fn a_good_release_spreads_batch_by_batch_and_leaves_nothing_behind() {
    let mut world = world(20);
    let users = without_template(&world);
    let template = apply(&mut world, "v2", Kind::Good);
    assert_eq!(world.deployment["spec"]["paused"], true, "held at zero");
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
    assert_eq!(
        world.writes,
        [
            Write::Start,
            // 1 -> 2
            Write::Retire,
            Write::Surge,
            // 2 -> 10 in steps of the user's surge, five
            Write::Retire,
            Write::Surge,
            Write::Retire,
            Write::Surge,
            // 10 -> 20
            Write::Retire,
            Write::Surge,
            Write::Retire,
            Write::Surge,
            Write::Finish,
        ]
    );
    assert_eq!(without_template(&world), users);
    assert_eq!(world.deployment["spec"]["template"], template);
    let status = world.last().status.clone().unwrap();
    let sizes: Vec<(u32, u32)> = status
        .batches
        .iter()
        .map(|record| (record.index, record.pods))
        .collect();
    assert_eq!(sizes, [(1, 1), (2, 2), (3, 10), (4, 20)]);
    assert!(
        status
            .batches
            .iter()
            .all(|record| record.verified.is_some())
    );
    assert!(
        status
            .batches
            .iter()
            .all(|record| !record.evidence.is_empty())
    );
    assert_eq!(status.batch.unwrap().text, "4/4");
    assert_eq!(status.exposure, 20);
}

#[test]
fn a_closed_gate_holds_at_zero_and_says_why() {
    let mut world = world(5);
    world.gate = (GateState::Closed, WhenClosed::Hold);
    apply(&mut world, "v2", Kind::Good);
    let waiting = until_waiting(&mut world, WaitReason::GateNotOpen);
    assert!(
        waiting
            .message
            .contains("shop/gate is Closed: probe shop/checkout fails"),
        "{waiting:?}"
    );
    assert_eq!(world.phase(), ReleasePhase::Probing);
    world.settle();
    assert_eq!(world.split(&world.live()), (0, 5));
    world.gate.0 = GateState::Unknown;
    world.settle();
    assert_eq!(world.split(&world.live()), (0, 5), "unknown is not open");
    world.gate.0 = GateState::Open;
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
}

#[test]
fn a_probe_that_cannot_tell_never_lets_the_next_batch_in() {
    let mut world = world(10);
    apply(&mut world, "v2", Kind::Good);
    world.now = 0;
    until_new(&mut world, 1);
    // moments in which the model's probes cannot tell
    world.flaky = true;
    for _ in 0..50 {
        world.now = world.now.div_ceil(2100) * 2100;
        world.sync_native();
        world.sync_pods();
        world.ready_all();
        let sets = world.sets.clone();
        world.pass(&sets, false);
        world.now += 1;
    }
    assert_eq!(world.split(&world.live()).0, 1);
    until_waiting(&mut world, WaitReason::ProbeNotPassed);
}

#[test]
fn a_clock_that_leaps_ahead_shortens_no_wait() {
    let plan = plan(json!({"batches": ["50%"], "bake": "5s"}));
    let mut world = World::new(4, quarter(), plan);
    apply(&mut world, "v2", Kind::Good);
    let first = until_waiting(&mut world, WaitReason::Baking).until.unwrap();
    let pass = |world: &mut World| {
        let sets = world.sets.clone();
        world.pass(&sets, false);
    };
    let after = world.time();
    let by = SignedDuration::from_hours(1);
    world.now += 3_600_000;
    world.leaps.push(Leap { after, by });
    pass(&mut world);
    let baking = waiting(&world, WaitReason::Baking).unwrap();
    let until: Timestamp = baking.until.unwrap().parse().unwrap();
    assert_eq!(until, first.parse::<Timestamp>().unwrap() + by);
    // what had begun before is waited for in full, what begins now is not longer for it
    world.now += 5_000;
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
    assert!(world.time() < until + SignedDuration::from_mins(10));
}

#[test]
fn a_bake_is_waited_for_and_a_watch_too() {
    let mut world = World::new(
        4,
        quarter(),
        plan(json!({"batches": ["50%"], "bake": "5s", "after": {"watch": "7s"}})),
    );
    apply(&mut world, "v2", Kind::Good);
    let baking = until_waiting(&mut world, WaitReason::Baking);
    assert!(baking.until.is_some());
    assert_eq!(world.phase(), ReleasePhase::Baking);
    let watching = until_waiting(&mut world, WaitReason::Watching);
    assert!(watching.until.is_some());
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
    let status = world.last().status.clone().unwrap();
    let at =
        |text: &Option<String>| -> jiff::Timestamp { text.as_deref().unwrap().parse().unwrap() };
    for record in &status.batches {
        let baked = at(&record.verified).duration_since(at(&record.ready));
        assert!(baked >= jiff::SignedDuration::from_secs(5), "{record:?}");
    }
    let watched = at(&status.timeline.verified).duration_since(at(&status.timeline.completed));
    assert!(watched >= jiff::SignedDuration::from_secs(7));
}

#[test]
fn a_pause_holds_and_a_resume_goes_on() {
    let mut world = world(10);
    apply(&mut world, "v2", Kind::Good);
    until_new(&mut world, 1);
    world
        .request(|object| object["spec"]["paused"] = json!(true))
        .unwrap();
    until_waiting(&mut world, WaitReason::PausedByUser);
    assert_eq!(world.phase(), ReleasePhase::Paused);
    // longer than the progress deadline
    world.now += 60_000;
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Paused);
    world
        .request(|object| object["spec"]["paused"] = json!(false))
        .unwrap();
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
}

#[test]
fn what_was_paused_before_stays_held_until_resumed() {
    let mut world = world(5);
    world
        .request(|object| object["spec"]["paused"] = json!(true))
        .unwrap();
    apply(&mut world, "v2", Kind::Good);
    until_waiting(&mut world, WaitReason::PausedByUser);
    world.settle();
    assert_eq!(world.split(&world.live()), (0, 5));
    // the resume lets nothing through by itself
    world
        .request(|object| object["spec"]["paused"] = json!(false))
        .unwrap();
    assert_eq!(world.deployment["spec"]["paused"], true);
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
    assert_eq!(world.deployment["spec"].get("paused"), None);
}

#[test]
fn a_plan_that_goes_holds_the_batch_and_never_finishes_it() {
    let mut world = world(10);
    apply(&mut world, "v2", Kind::Good);
    until_new(&mut world, 1);
    let plan = world.plan.take();
    until_waiting(&mut world, WaitReason::PlanMissing);
    world.settle();
    assert_eq!(
        (world.phase(), world.split(&world.live()).0),
        (ReleasePhase::Paused, 1)
    );
    world.plan = plan;
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
}

#[test]
fn an_edited_plan_recomputes_what_remains() {
    let mut world = world(10);
    world.plan = Some(plan(json!({"batches": [1, "50%"]})));
    apply(&mut world, "v2", Kind::Good);
    until_new(&mut world, 1);
    world.plan = Some(plan(json!({"batches": [1, 2, 3, "100%"]})));
    world.settle();
    let status = world.last().status.clone().unwrap();
    let sizes: Vec<u32> = status.batches.iter().map(|record| record.pods).collect();
    assert_eq!(sizes, [1, 2, 3, 10]);
}

#[test]
fn a_third_template_takes_the_place_and_keeps_the_way_back() {
    let mut world = world(10);
    let stable = world.live();
    apply(&mut world, "v2", Kind::Good);
    until_new(&mut world, 1);
    apply(&mut world, "v3", Kind::ReadyButFailing);
    world.settle();
    assert_eq!(
        super::world::phase(&world.releases[0]),
        ReleasePhase::Superseded
    );
    assert_eq!(world.releases.len(), 2);
    assert_eq!(world.last().spec.stable.as_ref().unwrap().hash, stable);
    assert_eq!(world.phase(), ReleasePhase::RolledBack);
    assert_eq!(world.split(&stable), (10, 0));
}

#[test]
fn a_strategy_changed_in_the_middle_applies_at_the_end() {
    let mut world = world(10);
    apply(&mut world, "v2", Kind::Good);
    until_new(&mut world, 1);
    let wanted =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 4, "maxUnavailable": 2}});
    let sent = wanted.clone();
    world
        .request(|object| object["spec"]["strategy"] = sent)
        .unwrap();
    assert!(world.view().is_pinned());
    assert_ne!(world.deployment["spec"]["strategy"], wanted);
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
    assert_eq!(world.deployment["spec"]["strategy"], wanted);
}

#[test]
fn recreate_is_held_and_then_released_as_a_whole() {
    let mut world = World::new(3, json!({"type": "Recreate"}), plan(json!({})));
    world.gate = (GateState::Closed, WhenClosed::Hold);
    apply(&mut world, "v2", Kind::Good);
    world.settle();
    assert_eq!(world.split(&world.live()), (0, 3));
    world.gate.0 = GateState::Open;
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
    assert_eq!(world.writes, [Write::Start]);
    assert_eq!(
        world.deployment["spec"]["strategy"],
        json!({"type": "Recreate"})
    );
}

#[test]
fn a_workload_scaled_to_zero_gets_its_version_as_a_whole_and_proves_it_when_it_runs() {
    let mut world = world(3);
    world
        .request(|object| object["spec"]["replicas"] = json!(0))
        .unwrap();
    world.settle_without_release();
    apply(&mut world, "v2", Kind::Good);
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Finishing);
    world
        .request(|object| object["spec"]["replicas"] = json!(3))
        .unwrap();
    world.settle();
    assert_eq!(world.phase(), ReleasePhase::Succeeded);
    assert_eq!(world.split(&world.live()), (3, 0));
}
