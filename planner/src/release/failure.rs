//! What makes a release bad. Asked first in every pass, before any stage that could itself fail.
//!
//! Only a Fail is bad: no answer, an old one or an error of the prober is a reason to wait.

use std::time::Duration;

use jiff::Timestamp;
use sluice_api::{
    Verdict,
    reason::{AbortReason, WaitReason},
    release::ProbeEvidence,
};

use super::{
    draft::{Draft, evidence, left_out},
    observation::ProbeAnswer,
    situation::Situation,
};

/// Why a release is undone.
pub(super) struct Failure {
    pub reason: AbortReason,
    pub message: String,
    pub evidence: Vec<ProbeEvidence>,
    pub evidence_left_out: u32,
    pub occurred: Option<Timestamp>,
    pub detected: Option<Timestamp>,
}

impl Failure {
    fn plain(reason: AbortReason, message: String, detected: Timestamp) -> Self {
        Self {
            reason,
            message,
            evidence: Vec::new(),
            evidence_left_out: 0,
            occurred: None,
            detected: Some(detected),
        }
    }
}

/// A human asked for it.
pub(super) fn requested(s: &Situation) -> Option<Failure> {
    let request = s.release.spec.abort.as_ref()?;
    let by = request
        .by
        .as_deref()
        .map(|by| format!(" by {by}"))
        .unwrap_or_default();
    Some(Failure {
        reason: AbortReason::Requested,
        message: format!("abort requested{by}: {}", request.reason),
        evidence: Vec::new(),
        evidence_left_out: 0,
        occurred: None,
        detected: None,
    })
}

/// A probe of the release fails.
pub(super) fn probes<'p>(answers: impl IntoIterator<Item = &'p ProbeAnswer>) -> Option<Failure> {
    let mut failing: Vec<&ProbeAnswer> = Vec::new();
    for answer in answers {
        let known = failing.iter().any(|other| other.probe == answer.probe);
        if answer.verdict == Verdict::Fail && !known {
            failing.push(answer);
        }
    }
    let first = failing.first()?;
    let more = match failing.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(Failure {
        reason: AbortReason::ProbeFailed,
        message: format!("probe {} failed: {}{more}", first.probe, first.message),
        occurred: failing
            .iter()
            .filter_map(|answer| answer.first_bad.or(answer.at))
            .min(),
        detected: failing
            .iter()
            .filter_map(|answer| answer.detected.or(answer.at))
            .min(),
        evidence_left_out: left_out(failing.len()),
        evidence: evidence(failing),
    })
}

/// A step of the open batch did not get its pods ready in time, or pods that were ready once have not been for as long.
pub(super) fn deadline(s: &Situation, draft: &mut Draft, deadline: Duration) -> Option<Failure> {
    let record = draft
        .status
        .batches
        .last()
        .filter(|record| record.verified.is_none())?;
    let all_ready =
        s.counts.new >= record.pods && s.counts.new > 0 && s.counts.new_ready >= s.counts.new;
    if all_ready {
        return None;
    }
    let end = match &record.ready {
        // a step taken is progress; the times are of one form, so the later one is the greater text
        None => {
            let since = record.progressed.as_deref().max(Some(&record.started));
            draft.end(since, deadline)
        }
        Some(_) => end_of_readiness(draft, deadline),
    }?;
    if draft.now < end {
        draft.look_again(end);
        return None;
    }
    let refused = s
        .refused()
        .map(|why| format!("; pods are not created: {why}"))
        .unwrap_or_default();
    let message = format!(
        "batch {}: {} of {} new pods are ready, {}s after its last progress{refused}",
        record.index,
        s.counts.new_ready,
        record.pods,
        deadline.as_secs()
    );
    Some(Failure::plain(
        AbortReason::ProgressDeadlineExceeded,
        message,
        draft.now,
    ))
}

/// When pods that were ready once have been unready for too long. Counted while they are, so a proof that is long in coming uses none of it up.
pub(super) fn end_of_readiness(draft: &Draft, deadline: Duration) -> Option<Timestamp> {
    draft.end_of_wait(
        &[WaitReason::PodsNotReady, WaitReason::PodsRefused],
        deadline,
    )
}

/// The finish does not get on: the Deployment controller itself gave up, or pods have not been ready for too long. (It does not give up on pods that came by
/// scaling up.) One more ready pod than ever before is progress.
pub(super) fn unfinished(s: &Situation, draft: &Draft, deadline: Duration) -> Option<Failure> {
    let counts = s.counts;
    let text = format!(
        "{} of {} pods are new and ready",
        counts.new_ready, counts.replicas
    );
    if s.view.deadline_exceeded && s.view.is_observed() && !s.view.is_pinned() {
        let text = format!("the Deployment controller reports ProgressDeadlineExceeded: {text}");
        return Some(Failure::plain(
            AbortReason::ProgressDeadlineExceeded,
            text,
            draft.now,
        ));
    }
    let waits = counts.replicas > 0
        && counts.new_ready < counts.replicas
        && !draft.is_progress(counts.new_ready);
    let over = waits && end_of_readiness(draft, deadline).is_some_and(|end| draft.now >= end);
    over.then(|| {
        let text = format!("{text}, {}s after the last progress", deadline.as_secs());
        Failure::plain(AbortReason::ProgressDeadlineExceeded, text, draft.now)
    })
}

/// The way back was refused before the first batch.
pub(super) fn no_way_back(why: &str) -> Failure {
    Failure {
        reason: AbortReason::NoWayBack,
        message: format!("the way back was refused in its rehearsal: {why}"),
        evidence: Vec::new(),
        evidence_left_out: 0,
        occurred: None,
        detected: None,
    }
}

/// The stable template was put back by somebody.
pub(super) fn reverted() -> Failure {
    Failure {
        reason: AbortReason::TemplateReverted,
        message: "the stable template was put back".to_owned(),
        evidence: Vec::new(),
        evidence_left_out: 0,
        occurred: None,
        detected: None,
    }
}
