//! The status that a pass is about to store, and when to look again. Bounds every text as the schema does.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sluice_api::{
    Condition, Release, ReleasePhase, ReleaseStatus, Verdict,
    condition::{FAILED, FINISHED, SUCCEEDED},
    reason::WaitReason,
    release::{BatchProgress, BatchRecord, ProbeEvidence, Waiting},
};

use super::{
    bounds::keep_small,
    decision::{Action, Decision, Write},
    observation::{Leap, ProbeAnswer},
    situation::Situation,
};
use crate::text::{bounded, rfc3339, stored};

/// Bounds of the stored schema.
const MESSAGE: usize = 2048;
const WAITING: usize = 32;
const WAITING_MESSAGE: usize = 1024;
const RECORDS: usize = 64;
const EVIDENCE: usize = 64;
const PROBE: usize = 127;

/// A status being written.
pub(super) struct Draft {
    pub now: Timestamp,
    /// The status as it will be stored.
    pub status: ReleaseStatus,
    /// The phase that was stored before this pass.
    pub was: ReleasePhase,
    /// What was waited for, as stored.
    before: Vec<Waiting>,
    generation: Option<i64>,
    wake: Option<Duration>,
    leaps: Vec<Leap>,
}

impl Draft {
    /// Starts from what is stored; what is waited for is found out anew.
    pub fn of(s: &Situation) -> Self {
        let mut status = s.stored();
        let before = std::mem::take(&mut status.waiting_on);
        status.message = None;
        status.pods = Some(s.pods());
        status.exposure = status.exposure.max(s.counts.new).max(s.new_existing);
        Self {
            now: s.seen.now,
            was: status.phase,
            before,
            status,
            generation: s.release.metadata.generation,
            wake: None,
            leaps: s.seen.leaps.clone(),
        }
    }

    /// Everything that people asked for so far was seen.
    pub fn seen_requests(&mut self) {
        self.status.observed_generation = self.generation;
    }

    pub fn wait(&mut self, reason: WaitReason, message: impl AsRef<str>) {
        self.push(reason, message.as_ref(), None);
    }

    /// A wait that ends by itself.
    pub fn wait_until(&mut self, reason: WaitReason, message: impl AsRef<str>, until: Timestamp) {
        self.push(reason, message.as_ref(), Some(rfc3339(until)));
        self.look_again(until);
    }

    /// When a wait that is going on already ends; a wait for one of these reasons that begins now ends after `span`.
    pub fn end_of_wait(&self, reasons: &[WaitReason], span: Duration) -> Option<Timestamp> {
        let known = self
            .before
            .iter()
            .find(|waiting| reasons.contains(&waiting.reason));
        known
            .and_then(|waiting| stored(waiting.until.as_deref()))
            .or_else(|| self.end(Some(&rfc3339(self.now)), span))
    }

    fn push(&mut self, reason: WaitReason, message: &str, until: Option<String>) {
        if self.status.waiting_on.len() < WAITING {
            let message = bounded(message, WAITING_MESSAGE);
            self.status.waiting_on.push(Waiting {
                reason,
                message,
                until,
            });
        }
    }

    /// Look again at this time at the latest.
    pub fn look_again(&mut self, at: Timestamp) {
        let left = at.duration_since(self.now).max(SignedDuration::ZERO);
        // a stored time has lost less than a millisecond, which must not lead to a second look at once
        let left = left.unsigned_abs() + Duration::from_millis(1);
        self.wake = Some(self.wake.map_or(left, |wake| wake.min(left)));
    }

    /// Whether a stored time lies at least `span` back.
    pub fn is_over(&self, since: Option<&str>, span: Duration) -> bool {
        self.end(since, span).is_some_and(|end| self.now >= end)
    }

    /// A stored time plus a span; a stored time that cannot be read counts as now, so that a span is waited for rather than skipped. What the clock leapt
    /// over since then was not waited for.
    pub fn end(&self, since: Option<&str>, span: Duration) -> Option<Timestamp> {
        let since = since.map(|text| stored(Some(text)).unwrap_or(self.now))?;
        let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
        let span = self
            .leaps
            .iter()
            .filter(|leap| leap.after >= since)
            .fold(span, |span, leap| span.saturating_add(leap.by));
        Some(since.checked_add(span).unwrap_or(Timestamp::MAX))
    }

    /// The batch that is not verified yet.
    pub fn open_batch(&mut self) -> Option<&mut BatchRecord> {
        self.status
            .batches
            .last_mut()
            .filter(|record| record.verified.is_none())
    }

    /// Whether so many pods are more than the last batch ever reached.
    pub fn is_progress(&self, pods: u32) -> bool {
        self.status
            .batches
            .last()
            .is_some_and(|record| pods > record.reached)
    }

    /// Opens a batch.
    pub fn begin_batch(&mut self, index: u32, pods: u32) {
        self.status.batches.push(BatchRecord {
            index,
            pods,
            started: rfc3339(self.now),
            ..BatchRecord::default()
        });
        let surplus = self.status.batches.len().saturating_sub(RECORDS);
        self.status.batches.drain(..surplus);
    }

    pub fn show_batch(&mut self, index: u32, of: u32, pods: u32) {
        self.status.batch = Some(BatchProgress {
            index,
            of,
            pods,
            text: format!("{index}/{of}"),
        });
    }

    /// The release ended.
    pub fn end_as(&mut self, phase: ReleasePhase, reason: &str, message: &str) {
        self.status.phase = phase;
        self.status.waiting_on.clear();
        self.status.message = Some(bounded(message, MESSAGE));
        let now = rfc3339(self.now);
        self.status
            .timeline
            .finished
            .get_or_insert_with(|| now.clone());
        let succeeded = phase == ReleasePhase::Succeeded;
        for (kind, holds) in [
            (SUCCEEDED, succeeded),
            (FAILED, !succeeded),
            (FINISHED, true),
        ] {
            Condition::set(
                &mut self.status.conditions,
                Condition {
                    type_: kind.to_owned(),
                    status: if holds { "True" } else { "False" }.to_owned(),
                    reason: reason.to_owned(),
                    message: bounded(message, MESSAGE),
                    observed_generation: self.generation,
                    last_transition_time: now.clone(),
                },
            );
        }
    }

    pub fn then_nothing(self) -> Decision {
        self.then(Action::None)
    }

    pub fn then_patch(self, write: Write, patch: Vec<Value>) -> Decision {
        self.then(Action::Patch { write, patch })
    }

    pub fn then(mut self, action: Action) -> Decision {
        if self.status.message.is_none() {
            self.status.message = self
                .status
                .waiting_on
                .first()
                .map(|waiting| bounded(&waiting.message, MESSAGE));
        }
        keep_small(&mut self.status);
        Decision {
            status: Some(self.status),
            action,
            wake: self.wake,
            close: Vec::new(),
        }
    }
}

/// The status of a release that another one has replaced.
pub(super) fn closed(release: &Release, now: Timestamp, by: &str) -> ReleaseStatus {
    let mut draft = Draft {
        now,
        status: release.status.clone().unwrap_or_default(),
        was: ReleasePhase::default(),
        before: Vec::new(),
        generation: release.metadata.generation,
        wake: None,
        leaps: Vec::new(),
    };
    draft.status.way_back.clear();
    draft.end_as(
        ReleasePhase::Superseded,
        "Superseded",
        &format!("release {by} took its place"),
    );
    keep_small(&mut draft.status);
    draft.status
}

/// What probes said, as it is stored.
pub(super) fn evidence<'p>(
    answers: impl IntoIterator<Item = &'p ProbeAnswer>,
) -> Vec<ProbeEvidence> {
    answers
        .into_iter()
        .take(EVIDENCE)
        .map(|answer| ProbeEvidence {
            probe: bounded(&answer.probe, PROBE),
            verdict: answer.verdict,
            message: bounded(&answer.message, WAITING_MESSAGE),
            at: answer.at.map(rfc3339).unwrap_or_default(),
        })
        .collect()
}

/// How many of so many answers [`evidence`] does not store.
pub(super) fn left_out(answers: usize) -> u32 {
    u32::try_from(answers.saturating_sub(EVIDENCE)).unwrap_or(u32::MAX)
}

/// Why probes do not prove anything yet since `after`; empty when every one passed with a sample taken later.
///
/// `required` says whether any are asked for at all: asked for and not answered is no pass.
pub(super) fn unproved(
    answers: &[ProbeAnswer],
    required: bool,
    after: Option<Timestamp>,
) -> Vec<String> {
    if answers.is_empty() && required {
        return vec!["the plan's probes have not answered".to_owned()];
    }
    answers
        .iter()
        .filter_map(|answer| {
            let ProbeAnswer { probe, message, .. } = answer;
            match (answer.verdict, answer.at, after) {
                (Verdict::Pass, Some(at), Some(after)) if at >= after => None,
                (Verdict::Pass, ..) => Some(format!(
                    "probe {probe} has not passed since the pods were ready"
                )),
                (verdict, ..) => Some(format!("probe {probe} says {verdict}: {message}")),
            }
        })
        .collect()
}
