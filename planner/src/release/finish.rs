//! After the last batch: nothing of ours stands on the workload, the Deployment controller finishes, the end is watched and proved (C8).

use sluice_api::{ReleasePhase, reason::WaitReason};

use super::{
    decision::Decision,
    draft::{Draft, evidence, left_out, unproved},
    failure,
    observation::Plan,
    situation::Situation,
};
use crate::text::{rfc3339, stored};

pub(super) fn decide(s: &Situation, mut draft: Draft) -> Decision {
    draft.status.phase = ReleasePhase::Finishing;
    if s.view.paused {
        draft.wait(
            WaitReason::PausedByUser,
            "a human paused the rollout; resume it",
        );
        return draft.then_nothing();
    }
    if let Some(why) = s.unsettled() {
        draft.wait(WaitReason::GenerationNotObserved, why);
        return draft.then_nothing();
    }
    let counts = s.counts;
    if counts.replicas == 0 {
        draft.wait(
            WaitReason::PodsNotReady,
            "scaled to zero: no pod can prove the end",
        );
        return draft.then_nothing();
    }
    if counts.new < counts.replicas || counts.new_ready < counts.replicas {
        return wait_for_pods(s, draft);
    }
    if counts.old > 0 || counts.old_existing > 0 {
        draft.wait(
            WaitReason::OldPodsRemain,
            format!("{} old pods remain", counts.old_existing.max(counts.old)),
        );
        return draft.then_nothing();
    }
    let now = rfc3339(draft.now);
    if let Some(record) = draft.open_batch() {
        // a release as a whole has one batch, which is proved by the end
        record.ready.get_or_insert(now.clone());
    }
    let completed = draft.status.timeline.completed.get_or_insert(now).clone();
    let spec = match &s.seen.plan {
        Plan::Active { spec, .. } => spec,
        Plan::Missing { why } => {
            draft.wait(
                WaitReason::PlanMissing,
                format!("the end cannot be proved: {why}"),
            );
            return draft.then_nothing();
        }
    };
    if let Some(end) = draft.end(Some(&completed), spec.after.watch.get())
        && draft.now < end
    {
        let text = format!("all pods are new and watched for {}", spec.after.watch);
        draft.wait_until(WaitReason::Watching, text, end);
        return draft.then_nothing();
    }
    let required = !(spec.after.probes.is_empty() && spec.during.probes.is_empty());
    let missing = unproved(&s.seen.after, required, stored(Some(&completed)));
    if !missing.is_empty() {
        for why in missing {
            draft.wait(WaitReason::ProbeNotPassed, why);
        }
        return draft.then_nothing();
    }
    let now = rfc3339(draft.now);
    if let Some(record) = draft.open_batch() {
        record.verified = Some(now.clone());
        record.evidence = evidence(&s.seen.after);
        record.evidence_left_out = left_out(s.seen.after.len());
    }
    draft.status.timeline.verified.get_or_insert(now);
    draft.status.way_back.clear();
    draft.end_as(
        ReleasePhase::Succeeded,
        "Succeeded",
        &format!(
            "all {} pods run the new version and were proved",
            counts.replicas
        ),
    );
    draft.then_nothing()
}

fn wait_for_pods(s: &Situation, mut draft: Draft) -> Decision {
    let ready = s.counts.new_ready;
    let text = format!("{ready} of {} pods are new and ready", s.counts.replicas);
    let (reason, text) = match s.refused() {
        Some(why) => (
            WaitReason::PodsRefused,
            format!("{text}; pods are not created: {why}"),
        ),
        None => (WaitReason::PodsNotReady, text),
    };
    let Some((plan, _)) = s.plan() else {
        draft.wait(reason, text);
        return draft.then_nothing();
    };
    let deadline = plan.progress_deadline.get();
    let end = if draft.is_progress(ready) {
        draft.end(Some(&rfc3339(draft.now)), deadline)
    } else {
        failure::end_of_readiness(&draft, deadline)
    };
    if let Some(record) = draft.status.batches.last_mut() {
        record.reached = record.reached.max(ready);
    }
    match end {
        Some(end) => draft.wait_until(reason, text, end),
        None => draft.wait(reason, text),
    }
    draft.then_nothing()
}
