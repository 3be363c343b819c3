//! What makes a release bad. Asked first in every pass, before any stage that could itself fail.
//!
//! Only a Fail is bad: no answer, an old one or an error of the prober is a reason to wait.

use std::time::Duration;

use jiff::Timestamp;
use sluice_api::{Verdict, reason::AbortReason, release::ProbeEvidence};

use super::{
    draft::{Draft, evidence},
    observation::ProbeAnswer,
    situation::Situation,
};

/// Why a release is undone.
pub(super) struct Failure {
    pub reason: AbortReason,
    pub message: String,
    pub evidence: Vec<ProbeEvidence>,
    pub occurred: Option<Timestamp>,
    pub detected: Option<Timestamp>,
}

impl Failure {
    fn plain(reason: AbortReason, message: String, detected: Timestamp) -> Self {
        Self {
            reason,
            message,
            evidence: Vec::new(),
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
        evidence: evidence(failing),
    })
}

/// The open batch did not get its pods ready in time, or did not get them ready again after its bake.
pub(super) fn deadline(
    s: &Situation,
    draft: &mut Draft,
    bake: Duration,
    deadline: Duration,
) -> Option<Failure> {
    let record = draft
        .status
        .batches
        .last()
        .filter(|record| record.verified.is_none())?;
    let (since, span) = match &record.ready {
        None => (record.started.clone(), deadline),
        Some(ready) => (ready.clone(), bake.saturating_add(deadline)),
    };
    let all_ready =
        s.counts.new >= record.pods && s.counts.new > 0 && s.counts.new_ready >= s.counts.new;
    if all_ready {
        return None;
    }
    if !draft.is_over(Some(&since), span) {
        if let Some(end) = draft.end(Some(&since), span) {
            draft.look_again(end);
        }
        return None;
    }
    let index = record.index;
    let refused = s
        .refused()
        .map(|why| format!("; pods are not created: {why}"))
        .unwrap_or_default();
    let message = format!(
        "batch {index}: {} of {} new pods were ready {}s after {since}{refused}",
        s.counts.new_ready,
        record.pods,
        span.as_secs()
    );
    Some(Failure::plain(
        AbortReason::ProgressDeadlineExceeded,
        message,
        draft.now,
    ))
}

/// The Deployment controller itself gave up on the finish.
pub(super) fn native_deadline(s: &Situation, now: Timestamp) -> Option<Failure> {
    let exceeded = s.view.deadline_exceeded && s.view.is_observed() && !s.view.is_pinned();
    exceeded.then(|| {
        Failure::plain(
            AbortReason::ProgressDeadlineExceeded,
            format!(
                "the Deployment controller reports ProgressDeadlineExceeded: {} of {} new pods are ready",
                s.counts.new_ready, s.view.replicas
            ),
            now,
        )
    })
}

/// The way back was refused before the first batch.
pub(super) fn no_way_back(why: &str) -> Failure {
    Failure {
        reason: AbortReason::NoWayBack,
        message: format!("the way back was refused in its rehearsal: {why}"),
        evidence: Vec::new(),
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
        occurred: None,
        detected: None,
    }
}
