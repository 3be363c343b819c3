//! The way back: the decision is stored first (A1), then one write brings the stable template (A2), then the same probes must prove that it helped (A3).
//!
//! A rollback that cannot be proved is not called one. Probes that fail, stay silent beyond the plan's progress deadline, or stable pods that do
//! not get ready within it, end the release as `RollbackIneffective`: further releases are locked until a human has looked. Silence locks too, because
//! letting the next release in on no evidence is what gates are there to prevent.

use std::time::Duration;

use sluice_api::{
    OnFailure, ReleasePhase,
    annotation::{Denied, HOLD, ORIGINALS},
    reason::{AbortReason, WaitReason},
    release::AbortRecord,
};

use super::{
    decision::{Decision, Write},
    draft::{Draft, unproved},
    failure::{self, Failure},
    observation::Plan,
    situation::{Situation, counts},
    writes,
};
use crate::text::{bounded, rfc3339, short, stored};

/// How long a rollback may take and stay unproved when no plan says so.
const DEADLINE_WITHOUT_PLAN: Duration = Duration::from_secs(600);
const MESSAGE: usize = 2048;
/// A denied template is remembered on the workload, eight of them at most: one sentence each.
const DENIED_REASON: usize = 240;

/// What a failure leads to: the way back, or a wait for a human.
pub(super) fn failed(s: &Situation, mut draft: Draft, failure: Failure) -> Decision {
    let on_failure = match &s.seen.plan {
        Plan::Active { spec, .. } => spec.on_failure,
        Plan::Missing { .. } => OnFailure::Rollback,
    };
    let automatic = matches!(
        failure.reason,
        AbortReason::ProbeFailed | AbortReason::ProgressDeadlineExceeded
    );
    let nowhere_to_go = s.stable().is_none() && s.counts.old > 0;
    record(&mut draft, &failure);
    if automatic && (on_failure == OnFailure::Pause || nowhere_to_go) {
        return wait_for_human(draft, &failure.message);
    }
    draft.seen_requests();
    draft
        .status
        .timeline
        .decided
        .get_or_insert_with(|| rfc3339(draft.now));
    draft.status.phase = ReleasePhase::Aborting;
    undo(s, draft)
}

/// Held where it is, with the failure on record, until somebody aborts or retries.
pub(super) fn wait_for_human(mut draft: Draft, why: &str) -> Decision {
    // a failure while finishing must not look like a failure in a batch: nothing of ours stands on the workload any more
    if draft.was != ReleasePhase::Finishing {
        draft.status.phase = ReleasePhase::Paused;
    }
    draft.wait(
        WaitReason::HumanNeeded,
        format!("{why}; abort or retry this release"),
    );
    // a retry that was there before the failure is not an answer to it
    draft.seen_requests();
    draft.then_nothing()
}

fn record(draft: &mut Draft, failure: &Failure) {
    draft.status.abort = Some(AbortRecord {
        reason: failure.reason,
        message: bounded(&failure.message, MESSAGE),
        evidence: failure.evidence.clone(),
        evidence_left_out: failure.evidence_left_out,
    });
    let timeline = &mut draft.status.timeline;
    timeline.occurred = timeline.occurred.take().or(failure.occurred.map(rfc3339));
    timeline.detected = timeline.detected.take().or(failure.detected.map(rfc3339));
}

/// A2, while the target is still there.
pub(super) fn undo(s: &Situation, mut draft: Draft) -> Decision {
    let why = draft.status.abort.as_ref();
    let text = why.map_or_else(|| "aborted".to_owned(), |why| why.message.clone());
    let Some(stable) = s.stable() else {
        draft.end_as(
            ReleasePhase::Failed,
            "NothingToRollBackTo",
            &format!("{text}; there is no stable version to roll back to"),
        );
        // with nothing else running there is nothing to hold apart any more
        return if s.counts.old == 0 && (s.landed || s.hold.is_some()) {
            let patch = writes::clean_up(s, s.paused_by_user());
            draft.then_patch(Write::CleanUp, patch)
        } else {
            draft.then_nothing()
        };
    };
    // a human who put the old template back, and a way back that was refused, say nothing about the template
    let remembered = why.is_none_or(|why| why.reason.blames_template());
    let denied = remembered.then(|| Denied {
        uid: s.view.uid.to_owned(),
        target: s.target().to_owned(),
        release: s.name().to_owned(),
        reason: bounded(&text, DENIED_REASON),
    });
    draft.wait(
        WaitReason::RollbackRunning,
        format!("{text}; template {} comes back", short(&stable.hash)),
    );
    let patch = writes::rollback(s, &stable.template, denied);
    draft.then_patch(Write::Rollback, patch)
}

/// A3, once the stable template is live: by our write or by somebody else's.
pub(super) fn returned(s: &Situation, mut draft: Draft) -> Decision {
    if draft.status.phase != ReleasePhase::Aborting {
        record(&mut draft, &failure::reverted());
        draft.seen_requests();
        draft
            .status
            .timeline
            .decided
            .get_or_insert_with(|| rfc3339(draft.now));
        draft.status.phase = ReleasePhase::Aborting;
    }
    let left_behind = s.view.is_pinned()
        || [HOLD, ORIGINALS]
            .iter()
            .any(|key| s.view.annotation(key).is_some());
    if left_behind {
        let held = s.view.annotation(HOLD).is_some();
        let paused =
            s.view.paused && !(held && s.hold_of_release().is_some_and(|hold| !hold.paused));
        draft.wait(
            WaitReason::RollbackRunning,
            "what the release set on the workload is taken away",
        );
        let patch = writes::clean_up(s, paused);
        return draft.then_patch(Write::CleanUp, patch);
    }
    let limit = match &s.seen.plan {
        Plan::Active { spec, .. } => spec.progress_deadline.get(),
        Plan::Missing { .. } => DEADLINE_WITHOUT_PLAN,
    };
    if let Some(waiting) = not_back(s) {
        return wait_for_pods(s, draft, waiting, limit);
    }
    let now = rfc3339(draft.now);
    let rolled_back = draft.status.timeline.rolled_back.get_or_insert(now).clone();
    prove(s, draft, &rolled_back, limit)
}

/// Why the stable version is not back everywhere yet.
fn not_back(s: &Situation) -> Option<String> {
    if let Some(why) = s.unsettled_as(&s.live) {
        return Some(why);
    }
    let back = counts(&s.view, &s.seen.replica_sets, &s.live);
    let there = back.new == back.replicas && back.new_ready >= back.replicas;
    (!there || back.old > 0 || back.old_existing > 0).then(|| {
        format!(
            "{} of {} stable pods are ready, {} other pods remain",
            back.new_ready, back.replicas, back.old_existing
        )
    })
}

fn wait_for_pods(s: &Situation, mut draft: Draft, waiting: String, limit: Duration) -> Decision {
    // the clock of a paused Deployment stands still, as it does for the Deployment controller
    if s.view.paused {
        draft.wait(
            WaitReason::PausedByUser,
            format!("{waiting}; the rollout is paused"),
        );
        return draft.then_nothing();
    }
    // the wait keeps its end while it lasts, and a pause ends the wait
    let end = draft.end_of_wait(&[WaitReason::RollbackRunning], limit);
    if end.is_none_or(|end| draft.now >= end) {
        return ineffective(
            draft,
            "StableNotReady",
            &format!(
                "rolled back, but not within {}s: {waiting}",
                limit.as_secs()
            ),
        );
    }
    if let Some(end) = end {
        draft.wait_until(WaitReason::RollbackRunning, waiting, end);
    }
    draft.then_nothing()
}

fn prove(s: &Situation, mut draft: Draft, rolled_back: &str, limit: Duration) -> Decision {
    let since = stored(Some(rolled_back));
    let why = draft
        .status
        .abort
        .as_ref()
        .map_or_else(|| "aborted".to_owned(), |abort| abort.message.clone());
    // nobody ran the new version, so nobody can have been harmed by it; and no pods can be asked when there are none
    let nothing_to_prove = draft.status.exposure == 0 || s.view.replicas == 0;
    let fresh: Vec<_> = s
        .seen
        .stable_proof
        .iter()
        .filter(|answer| answer.at >= since && answer.at.is_some())
        .cloned()
        .collect();
    if !nothing_to_prove && let Some(failing) = failure::probes(&fresh) {
        return ineffective(
            draft,
            "StillFailing",
            &format!(
                "rolled back, still failing: {}; the cause lies elsewhere",
                failing.message
            ),
        );
    }
    let required = match &s.seen.plan {
        Plan::Active { spec, .. } => {
            !(spec.during.probes.is_empty() && spec.after.probes.is_empty())
        }
        // which probes would have to be asked is not known: an empty list proves nothing if the release was watched by probes
        Plan::Missing { .. } => {
            draft
                .status
                .batches
                .iter()
                .any(|record| !record.evidence.is_empty())
                || draft
                    .status
                    .abort
                    .as_ref()
                    .is_some_and(|abort| !abort.evidence.is_empty())
        }
    };
    let missing = unproved(&s.seen.stable_proof, required, since);
    if nothing_to_prove || missing.is_empty() {
        draft
            .status
            .timeline
            .verified
            .get_or_insert_with(|| rfc3339(draft.now));
        draft.end_as(
            ReleasePhase::RolledBack,
            "RolledBack",
            &format!("rolled back: {why}"),
        );
        return draft.then_nothing();
    }
    if draft.is_over(Some(rolled_back), limit) {
        return ineffective(
            draft,
            "Unproved",
            &format!(
                "rolled back, but not proved healthy within {}s: {}",
                limit.as_secs(),
                missing.join("; ")
            ),
        );
    }
    if let Some(end) = draft.end(Some(rolled_back), limit) {
        for why in missing {
            draft.wait_until(WaitReason::RollbackUnverified, why, end);
        }
    }
    draft.then_nothing()
}

fn ineffective(mut draft: Draft, reason: &str, message: &str) -> Decision {
    draft
        .status
        .timeline
        .verified
        .get_or_insert_with(|| rfc3339(draft.now));
    draft.end_as(ReleasePhase::RollbackIneffective, reason, message);
    draft.then_nothing()
}
