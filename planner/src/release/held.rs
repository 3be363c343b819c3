//! Held at zero: gates are proved, the way back is rehearsed, then the first pods are let in (C2, C3).
//!
//! A workload scaled to zero is not kept held: scaled up under pause, the Deployment controller would bring back whichever version is youngest, even one that
//! was rolled back. Its new version is let in as a whole, while nothing runs, and proved when there are pods.
//!
//! Also the state of a release that took the place of another one: its pods are zero too, while the pin and the limits of the other one still stand.

use sluice_api::{GateState, ReleasePhase, Verdict, reason::WaitReason};

use super::{
    abort, batch,
    decision::{Action, Decision, Write},
    draft::Draft,
    failure,
    observation::Plan,
    situation::Situation,
    writes,
};
use crate::{steps, text::rfc3339};

pub(super) fn decide(s: &Situation, mut draft: Draft) -> Decision {
    if s.paused_by_user() {
        draft.status.phase = ReleasePhase::Paused;
        draft.wait(
            WaitReason::PausedByUser,
            "a human paused the rollout; resume it",
        );
        return draft.then_nothing();
    }
    let (plan, batches) = match (s.plan(), &s.seen.plan) {
        (Some(found), _) => found,
        (None, Plan::Missing { why }) => {
            draft.status.phase = ReleasePhase::Paused;
            draft.wait(
                WaitReason::PlanMissing,
                format!("held at zero new pods: {why}"),
            );
            return draft.then_nothing();
        }
        (None, Plan::Active { .. }) => return draft.then_nothing(),
    };
    draft.status.phase = ReleasePhase::Held;
    if let Some(why) = s.unsettled() {
        draft.wait(WaitReason::GenerationNotObserved, why);
        return draft.then_nothing();
    }
    draft.status.phase = ReleasePhase::Probing;
    if !proved(s, &mut draft) {
        return draft.then_nothing();
    }
    if let Some(stable) = s.stable() {
        match s
            .seen
            .rehearsal
            .as_ref()
            .filter(|rehearsal| rehearsal.target == s.target())
        {
            None => {
                let patch = writes::rollback(s, &stable.template, None);
                return draft.then(Action::Rehearse {
                    patch,
                    target: s.target().to_owned(),
                });
            }
            Some(rehearsal) => {
                if let Err(why) = &rehearsal.result {
                    return abort::failed(s, draft, failure::no_way_back(why));
                }
            }
        }
        draft.status.way_back = writes::way_back(&s.originals, &stable.template);
    }
    let now = rfc3339(draft.now);
    draft.status.timeline.started.get_or_insert(now.clone());
    if s.is_recreate() || s.counts.old == 0 {
        return as_a_whole(s, draft, batches.count());
    }
    let next = match draft.open_batch() {
        Some(record) => {
            // the first write did not land yet; after a wait its clock starts again
            let index = record.index;
            if draft.was != ReleasePhase::Batch
                && let Some(record) = draft.open_batch()
            {
                record.started = now;
            }
            batches.at(index, s.view.replicas)
        }
        None => {
            let next = batches
                .after(s.counts.new, s.view.replicas)
                .unwrap_or_else(|| batches.at(batches.count(), s.view.replicas));
            draft.begin_batch(next.index, next.pods);
            next
        }
    };
    draft.status.phase = ReleasePhase::Batch;
    draft.show_batch(next.index, batches.count(), next.pods);
    let mode = s.mode(plan);
    let none = steps::Limits {
        surge: 0,
        unavailable: 0,
    };
    let Some(limits) = steps::step(s.counts, next.pods, mode, none).limits() else {
        draft.wait(
            WaitReason::OldPodsRemain,
            "more pods exist than are wanted; they are going",
        );
        return draft.then_nothing();
    };
    batch::expose(s, &mut draft, limits);
    draft.wait(
        WaitReason::PodsNotReady,
        format!("batch {}: {} new pods come up", next.index, next.pods),
    );
    let written = batch::written(s, plan, next.index, limits);
    draft.then_patch(Write::Start, writes::start(s, written))
}

/// Whether every gate is open and no probe of the release fails already.
fn proved(s: &Situation, draft: &mut Draft) -> bool {
    let mut proved = true;
    for gate in s
        .seen
        .gates
        .iter()
        .filter(|gate| gate.state != GateState::Open)
    {
        proved = false;
        let why: Vec<String> = gate
            .reasons
            .iter()
            .take(3)
            .map(|entry| entry.message.clone())
            .collect();
        draft.wait(
            WaitReason::GateNotOpen,
            format!(
                "gate {} is {}: {}",
                gate.name,
                gate.state.as_str(),
                why.join("; ")
            ),
        );
    }
    // what fails before the first new pod is not the release's doing, but nothing starts on top of it
    for answer in s
        .seen
        .during
        .iter()
        .filter(|answer| answer.verdict == Verdict::Fail)
    {
        proved = false;
        draft.wait(
            WaitReason::ProbeNotPassed,
            format!("probe {} fails already: {}", answer.probe, answer.message),
        );
    }
    proved
}

/// No batches: the user's strategy is all or nothing, or no old pod is there to step away from. The Deployment controller does it by itself.
fn as_a_whole(s: &Situation, mut draft: Draft, of: u32) -> Decision {
    let pods = s.view.replicas;
    if draft.open_batch().is_none() {
        draft.begin_batch(of, pods);
    }
    draft.show_batch(of, of, pods);
    draft.status.phase = ReleasePhase::Finishing;
    draft.status.exposure = draft.status.exposure.max(pods);
    draft.wait(
        WaitReason::PodsNotReady,
        format!("{pods} new pods come up, without batches"),
    );
    draft.then_patch(Write::Start, writes::finish(s))
}
