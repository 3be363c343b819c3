//! A batch: pods come up, are watched, are proved, and only then the next ones follow (C4 to C7).

use jiff::Timestamp;
use sluice_api::{BatchSize, ReleasePhase, RolloutPlanSpec, reason::WaitReason};

use super::{
    decision::{Decision, Write},
    draft::{Draft, evidence, left_out, unproved},
    failure,
    observation::Plan,
    situation::Situation,
    writes,
};
use crate::{
    batches::{Batch, Batches},
    share::Share,
    steps::{self, Limits, Mode, Step},
    text::{rfc3339, stored},
};

/// The next step of a release whose pin stands.
pub(super) fn decide(s: &Situation, mut draft: Draft) -> Decision {
    if let Some(why) = standing_still(s, &mut draft) {
        draft.status.phase = ReleasePhase::Paused;
        draft.wait(why.0, why.1);
        return draft.then_nothing();
    }
    let Some((plan, batches)) = s.plan() else {
        return draft.then_nothing();
    };
    resume_clock(&mut draft);
    if let Some(stable) = s.stable() {
        // follows what the user changes meanwhile
        draft.status.way_back = writes::way_back(&s.originals, &stable.template);
    }
    let live = s.limits().unwrap_or(Limits {
        surge: 0,
        unavailable: 0,
    });
    loop {
        let Some(batch) = current(s, &mut draft, &batches) else {
            return finish(s, draft);
        };
        if let Some(why) = s.unsettled() {
            draft.status.phase = phase_of(&mut draft);
            draft.wait(WaitReason::GenerationNotObserved, why);
            return draft.then_nothing();
        }
        let step = steps::step(s.counts, batch.pods, s.mode(plan), live);
        // a verdict and the step after it go in one pass: the verdict is stored first
        if !(matches!(step, Step::Complete(_)) && is_verified(s, &mut draft, plan, batch)) {
            return act(s, draft, plan, batch, step, live);
        }
    }
}

/// Why nothing may move, although the release is on.
fn standing_still(s: &Situation, draft: &mut Draft) -> Option<(WaitReason, String)> {
    if s.view.paused {
        return Some((
            WaitReason::PausedByUser,
            "a human paused the rollout; resume it".to_owned(),
        ));
    }
    if let Plan::Missing { why } = &s.seen.plan {
        return Some((WaitReason::PlanMissing, format!("the batch is held: {why}")));
    }
    if s.view.replicas == 0 {
        draft.status.batch.get_or_insert_default();
        return Some((
            WaitReason::PodsNotReady,
            "scaled to zero: no pod can prove the new version".to_owned(),
        ));
    }
    None
}

/// The time a batch stood still does not count against its deadline.
fn resume_clock(draft: &mut Draft) {
    let now = rfc3339(draft.now);
    if draft.was == ReleasePhase::Paused
        && let Some(record) = draft.open_batch()
        && record.ready.is_none()
    {
        record.started = now;
    }
}

/// The batch that is on: the open one, or the next; `None` when everything is new and verified.
fn current(s: &Situation, draft: &mut Draft, batches: &Batches) -> Option<Batch> {
    let replicas = s.view.replicas;
    let batch = match draft.open_batch() {
        Some(record) => {
            let batch = batches.at(record.index, replicas);
            record.pods = batch.pods;
            batch
        }
        None => {
            let proved = draft.status.batches.last().map_or(0, |record| record.pods);
            let next = batches
                .after(s.counts.new, replicas)
                // pods that came by scaling were proved by no batch
                .or_else(|| (proved < replicas).then(|| batches.at(batches.count(), replicas)))?;
            draft.begin_batch(next.index, next.pods);
            next
        }
    };
    draft.show_batch(batch.index, batches.count(), batch.pods);
    Some(batch)
}

/// Everything new is there; whether it was watched long enough and proved. Notes when, and what is missing.
fn is_verified(s: &Situation, draft: &mut Draft, plan: &RolloutPlanSpec, batch: Batch) -> bool {
    let now = draft.now;
    let Some(record) = draft.open_batch() else {
        return false;
    };
    // compared with sample times below: what was stored is what counts, so that a restart decides the same
    let ready = record.ready.get_or_insert_with(|| rfc3339(now)).clone();
    draft.status.phase = ReleasePhase::Baking;
    if let Some(end) = draft.end(Some(&ready), plan.bake.get())
        && now < end
    {
        let text = format!(
            "batch {}: all pods are ready and watched for {}",
            batch.index, plan.bake
        );
        draft.wait_until(WaitReason::Baking, text, end);
        return false;
    }
    let missing = missing(s, plan, stored(Some(&ready)));
    if !missing.is_empty() {
        for why in missing {
            draft.wait(WaitReason::ProbeNotPassed, why);
        }
        return false;
    }
    if let Some(record) = draft.open_batch() {
        record.verified = Some(rfc3339(now));
        record.evidence = evidence(&s.seen.during);
        record.evidence_left_out = left_out(s.seen.during.len());
    }
    true
}

fn missing(s: &Situation, plan: &RolloutPlanSpec, ready: Option<Timestamp>) -> Vec<String> {
    unproved(&s.seen.during, !plan.during.probes.is_empty(), ready)
}

fn phase_of(draft: &mut Draft) -> ReleasePhase {
    match draft.open_batch() {
        Some(record) if record.ready.is_some() => ReleasePhase::Baking,
        _ => ReleasePhase::Batch,
    }
}

fn act(
    s: &Situation,
    mut draft: Draft,
    plan: &RolloutPlanSpec,
    batch: Batch,
    step: Step,
    live: Limits,
) -> Decision {
    let phase = phase_of(&mut draft);
    draft.status.phase = phase;
    let progress = format!(
        "batch {}: {} of {} new pods are ready",
        batch.index, s.counts.new_ready, batch.pods
    );
    match step {
        Step::Complete(_) => {}
        Step::OldRemain(_) | Step::Retire(_) => {
            draft.wait(
                WaitReason::OldPodsRemain,
                format!("{progress}; old pods go first"),
            );
        }
        Step::Surge(_) | Step::NotReady(_) | Step::Filling(_) => {
            let (reason, text) = match s.refused() {
                Some(why) => (
                    WaitReason::PodsRefused,
                    format!("{progress}; pods are not created: {why}"),
                ),
                None => (WaitReason::PodsNotReady, progress),
            };
            let was_ready = draft
                .open_batch()
                .is_some_and(|record| record.ready.is_some());
            match failure::end_of_readiness(&draft, plan.progress_deadline.get()) {
                Some(end) if was_ready => draft.wait_until(reason, text, end),
                _ => draft.wait(reason, text),
            }
        }
    }
    let Some(limits) = step.limits() else {
        return draft.then_nothing();
    };
    if limits == live && s.pin_stands() {
        return draft.then_nothing();
    }
    let write = match (step, s.pin_stands()) {
        (Step::Surge(_), true) => Write::Surge,
        (Step::Retire(_), true) => Write::Retire,
        _ => Write::Correct,
    };
    expose(s, &mut draft, limits);
    let written = written(s, plan, batch.index, limits);
    draft.then_patch(write, writes::step(s, written))
}

/// C7: the user's own values come back, the Deployment controller takes the last old pods away.
fn finish(s: &Situation, mut draft: Draft) -> Decision {
    draft.status.phase = ReleasePhase::Finishing;
    draft.wait(
        WaitReason::OldPodsRemain,
        "every new pod was proved; the last old pods go",
    );
    draft.then_patch(Write::Finish, writes::finish(s))
}

/// Counts the pods that a write asks for, before it is sent. Asking for more than before is progress; asking again for the same is not.
pub(super) fn expose(s: &Situation, draft: &mut Draft, limits: Limits) {
    let vacant = s
        .view
        .replicas
        .saturating_sub(s.counts.old)
        .max(limits.unavailable);
    let (_, asked) = steps::fixed_point(s.view.replicas, limits.surge, vacant);
    draft.status.exposure = draft.status.exposure.max(asked);
    let now = rfc3339(draft.now);
    if let Some(record) = draft.open_batch()
        && asked > record.reached
    {
        record.reached = asked;
        record.progressed = Some(now);
    }
}

/// Limits as they are written to the Deployment.
pub(super) fn written(
    s: &Situation,
    plan: &RolloutPlanSpec,
    index: u32,
    limits: Limits,
) -> (Share, Share) {
    let percentages: Vec<u8> = plan
        .batches
        .iter()
        .take(index as usize)
        .filter_map(|size| match size {
            BatchSize::Percent(percent) => Some(*percent),
            BatchSize::Pods(_) => None,
        })
        .collect();
    let users = match s.mode(plan) {
        Mode::Surge { .. } => s.users_surge(),
        Mode::Replace { .. } => Share::Pods(0),
    };
    steps::written(limits, s.view.replicas, &percentages, users)
}
