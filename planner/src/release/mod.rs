//! One reconcile pass of one Deployment: [`next`] turns an [`observation::Observation`] into a [`decision::Decision`].
//!
//! ```text
//! hold without Release ──► CreateRelease                                   (C1)
//! hold, pin not written ─► held:   gates, rehearsal, Start                  (C2, C3)
//! hold and pin ──────────► batch:  ready, bake, proof, Retire, Surge, … Finish (C4 to C7)
//! no hold, target live ──► finish: complete, watch, proof, Succeeded        (C8)
//! Aborting, target live ─► abort:  Rollback                                 (A1, A2)
//! stable template live ──► abort:  ready, proof, RolledBack or RollbackIneffective (A3)
//! another template live ─► Superseded, or a new hold where the pin still stands
//! ```
//!
//! Where a release is follows from the live objects and from what was stored before acting; a pass repeated after a crash between any two writes goes on
//! where the first one stopped. What would undo the release is asked before anything that leads it forward.

use std::time::Duration;

use sluice_api::{
    Release, ReleasePhase, ReleaseSpec, Verdict, WorkloadKind,
    annotation::Hold,
    reason::WaitReason,
    release::{PlanRef, TargetTemplate, WorkloadRef},
    release_name::release_name,
};

use crate::{
    annotations,
    deployment::DeploymentView,
    template::{name_hash, template_hash},
    text::{short, stored},
};

mod abort;
mod batch;
mod bounds;
pub mod decision;
mod draft;
mod failure;
mod finish;
mod held;
pub mod observation;
mod situation;
mod writes;

use decision::{Action, Decision, Write};
use draft::Draft;
use observation::{Observation, Plan, ProbeAnswer};
use situation::{Situation, live_values};

/// How soon after a retry what fails on is looked at again.
const LOOK_AFTER_RETRY: Duration = Duration::from_secs(1);

/// Decides what to do about a Deployment now. Total: every observation leads to a write, a question or named reasons for waiting.
#[must_use]
pub fn next(observation: &Observation) -> Decision {
    let view = match DeploymentView::of(&observation.deployment) {
        Ok(view) => view,
        Err(error) => return not_understood(observation, &error.to_string()),
    };
    let live = template_hash(view.template);
    let hold = observation
        .hold
        .as_ref()
        .ok()
        .and_then(Option::as_ref)
        .filter(|hold| annotations::is_of(&hold.uid, &view) && hold.target == live)
        .cloned();
    let release = observation
        .release
        .as_ref()
        .filter(|release| release.spec.workload.uid == view.uid);
    let mut decision = match (hold, release) {
        (Some(hold), Some(release)) if release.metadata.name.as_deref() == Some(&hold.release) => {
            if release.spec.target.hash == live {
                under_hold(observation, view, live, hold, release)
            } else {
                nothing()
            }
        }
        (Some(hold), _) => create(observation, &view, live, &hold),
        (None, Some(release)) if !is_finished(release) => {
            without_hold(observation, view, live, release)
        }
        (None, _) => nothing(),
    };
    if decision.action == Action::None
        && let Some(patch) = writes::remember(&view, &observation.condemned)
    {
        let write = Write::Remember;
        decision.action = Action::Patch { write, patch };
    }
    if decision.action == Action::None && decision.status.is_none() {
        decision.action = forgive(observation, &view);
    }
    decision.close.extend(superseded(observation, &view));
    decision
}

const fn nothing() -> Decision {
    Decision {
        status: None,
        action: Action::None,
        wake: None,
        close: Vec::new(),
    }
}

fn is_finished(release: &Release) -> bool {
    release
        .status
        .as_ref()
        .is_some_and(|status| status.phase.is_finished())
}

/// The Deployment cannot be read, so nothing may be concluded; its release says so.
fn not_understood(observation: &Observation, why: &str) -> Decision {
    let mut decision = nothing();
    if let Some(release) = observation
        .release
        .as_ref()
        .filter(|release| !is_finished(release))
    {
        let mut status = release.status.clone().unwrap_or_default();
        let message = crate::text::bounded(&format!("the Deployment cannot be read: {why}"), 1024);
        status.message = Some(message.clone());
        status.waiting_on = vec![sluice_api::release::Waiting {
            reason: WaitReason::HumanNeeded,
            message,
            until: None,
        }];
        decision.status = Some(status);
    }
    decision
}

/// C1. The stable version of what takes the place of an unfinished release is the one that release would have returned to.
fn create(observation: &Observation, view: &DeploymentView, live: String, hold: &Hold) -> Decision {
    let replaced = observation
        .release
        .iter()
        .chain(observation.others.iter().rev())
        .find(|release| {
            !is_finished(release)
                && release.spec.workload.uid == view.uid
                && release.metadata.name.as_deref() != Some(&hold.release)
        });
    let stable = match replaced {
        Some(replaced) => replaced.spec.stable.clone(),
        None => observation.stable.clone(),
    };
    let annotated = observation.originals.as_ref().ok().and_then(Option::as_ref);
    let originals = annotated
        .filter(|found| {
            annotations::is_of(&found.uid, view) && (view.is_pinned() || found.target == live)
        })
        .cloned()
        .or_else(|| {
            // the annotation is lost: the release that wrote the pin knows
            replaced
                .filter(|_| view.is_pinned())
                .and_then(|found| found.spec.originals().ok())
        })
        .unwrap_or_else(|| live_values(view, &live));
    let plan = match &observation.plan {
        Plan::Active { reference, .. } => reference.clone(),
        // recorded all the same: a release that waits for a plan must be seen to wait
        Plan::Missing { .. } => PlanRef {
            namespace: String::new(),
            name: String::new(),
        },
    };
    let spec = ReleaseSpec {
        workload: WorkloadRef {
            kind: WorkloadKind::Deployment,
            name: view.name.to_owned(),
            uid: view.uid.to_owned(),
        },
        stable: stable.filter(|stable| stable.hash != live),
        target: TargetTemplate { hash: live },
        originals: serde_json::to_value(&originals).unwrap_or_default(),
        plan,
        abort: None,
        retry: None,
    };
    let name = hold.release.clone();
    Decision {
        action: Action::CreateRelease {
            name,
            spec: Box::new(spec),
        },
        ..nothing()
    }
}

/// The release that the hold names.
fn under_hold(
    observation: &Observation,
    view: DeploymentView,
    live: String,
    hold: Hold,
    release: &Release,
) -> Decision {
    let s = Situation::of(observation, view, live, Some(hold), release);
    if is_finished(release) {
        return left_over(&s);
    }
    in_progress(&s, |s, draft| {
        if s.landed {
            batch::decide(s, draft)
        } else {
            held::decide(s, draft)
        }
    })
}

/// An unfinished release whose workload carries no hold of the live template.
fn without_hold(
    observation: &Observation,
    view: DeploymentView,
    live: String,
    release: &Release,
) -> Decision {
    let s = Situation::of(observation, view, live, None, release);
    if s.live == s.target() {
        return in_progress(&s, |s, draft| match draft.was {
            ReleasePhase::Finishing => finish::decide(s, draft),
            _ => hold_lost(s, draft),
        });
    }
    if s.stable().is_some_and(|stable| stable.hash == s.live) {
        return abort::returned(&s, Draft::of(&s));
    }
    third_template(&s)
}

/// What undoes a release comes before `forward`.
fn in_progress<'a>(
    s: &Situation<'a>,
    forward: impl FnOnce(&Situation<'a>, Draft) -> Decision,
) -> Decision {
    let mut draft = Draft::of(s);
    if draft.was == ReleasePhase::Aborting {
        return abort::undo(s, draft);
    }
    if let Some(failure) = failure::requested(s) {
        return abort::failed(s, draft, failure);
    }
    if waits_for_human(s, &mut draft) {
        let why = draft
            .status
            .abort
            .as_ref()
            .map(|abort| abort.message.clone());
        let seen = draft.status.observed_generation;
        let mut decision = abort::wait_for_human(draft, &why.unwrap_or_default());
        if let Some(status) = &mut decision.status {
            status.observed_generation = seen;
        }
        return decision;
    }
    draft.seen_requests();
    if let Some(failure) = failing(s, &mut draft) {
        return abort::failed(s, draft, failure);
    }
    if let Some(why) = &s.unreadable {
        draft.wait(
            WaitReason::HumanNeeded,
            format!("nothing moves until this is mended: {why}"),
        );
        return draft.then_nothing();
    }
    forward(s, draft)
}

/// A failure with `onFailure: Pause` is on record and nobody has answered it yet. A retry clears it and starts the clocks anew.
fn waits_for_human(s: &Situation, draft: &mut Draft) -> bool {
    if draft.status.abort.is_none() {
        return false;
    }
    let answered = s.release.spec.retry.is_some()
        && s.release.metadata.generation > draft.status.observed_generation;
    if !answered {
        return true;
    }
    draft.status.abort = None;
    draft.status.timeline.occurred = None;
    draft.status.timeline.detected = None;
    let now = crate::text::rfc3339(draft.now);
    if let Some(record) = draft.open_batch() {
        record.started = now;
        record.ready = None;
    }
    false
}

/// What makes the release bad right now. Nothing can be bad before the first new pod was asked for.
fn failing(s: &Situation, draft: &mut Draft) -> Option<failure::Failure> {
    let finishing = draft.was == ReleasePhase::Finishing && !s.landed;
    if finishing && s.hold.is_none() {
        return failure::probes(s.seen.during.iter().chain(&s.seen.after)).or_else(|| {
            let (plan, _) = s.plan().filter(|_| !s.view.paused)?;
            failure::unfinished(s, draft, plan.progress_deadline.get())
        });
    }
    if !s.landed {
        return None;
    }
    let said = since_retry(s, draft);
    failure::probes(said).or_else(|| {
        let (plan, _) = s.plan()?;
        // the clock of a batch that stands still stands still, and the pass that sets it going again starts it anew
        let stands = s.view.paused || s.view.replicas == 0 || draft.was == ReleasePhase::Paused;
        if stands {
            return None;
        }
        failure::deadline(s, draft, plan.progress_deadline.get())
    })
}

/// What probes say of the release. After a retry only what they saw since then: the verdict that the human has answered must not undo the answer.
fn since_retry<'a>(s: &Situation<'a>, draft: &mut Draft) -> Vec<&'a ProbeAnswer> {
    let all = s.seen.during.iter();
    let started = draft
        .open_batch()
        .and_then(|record| stored(Some(&record.started)));
    let Some(started) = started.filter(|_| s.release.spec.retry.is_some()) else {
        return all.collect();
    };
    let (said, answered): (Vec<_>, Vec<_>) =
        all.partition(|answer| answer.at.is_none_or(|at| at >= started));
    if answered
        .iter()
        .any(|answer| answer.verdict == Verdict::Fail)
    {
        draft.look_again(draft.now + LOOK_AFTER_RETRY);
    }
    said
}

/// A hold of a release that is over: what it left goes, where nothing is kept apart by it any more.
fn left_over(s: &Situation) -> Decision {
    let phase = s.release.status.as_ref().map(|status| status.phase);
    let over = matches!(phase, Some(ReleasePhase::Succeeded | ReleasePhase::Failed));
    if !over || s.counts.old > 0 {
        return nothing();
    }
    let patch = writes::clean_up(s, s.paused_by_user());
    Decision {
        action: Action::Patch {
            write: Write::CleanUp,
            patch,
        },
        ..nothing()
    }
}

/// The hold was taken away while webhooks were down: it comes back, and the release goes on from the live counts.
fn hold_lost(s: &Situation, mut draft: Draft) -> Decision {
    if let Plan::Missing { why } = &s.seen.plan {
        draft.status.phase = ReleasePhase::Paused;
        draft.wait(
            WaitReason::PlanMissing,
            format!("the hold is gone and stays so: {why}"),
        );
        return draft.then_nothing();
    }
    let hold = Hold {
        uid: s.view.uid.to_owned(),
        target: s.target().to_owned(),
        stable: s.stable().map(|stable| stable.hash.clone()),
        release: s.name().to_owned(),
        paused: s.landed && s.view.paused,
    };
    draft.wait(
        WaitReason::GenerationNotObserved,
        "the hold of this release was lost and is set again",
    );
    let patch = writes::adopt(&s.view, &hold, !s.landed);
    draft.then_patch(Write::Correct, patch)
}

/// A third template came in without a hold while webhooks were down. Where the pin or our pause still stands it is held like any other; where
/// nothing of ours stands it rolls out natively, and the release it took the place of says so.
fn third_template(s: &Situation) -> Decision {
    let ours = s.view.is_pinned() || (s.view.paused && s.hold_of_release().is_some());
    if !ours {
        let mut draft = Draft::of(s);
        let text = format!(
            "template {} came in without admission and rolls out natively",
            short(&s.live)
        );
        draft.end_as(ReleasePhase::Superseded, "Superseded", &text);
        return draft.then_nothing();
    }
    let mut draft = Draft::of(s);
    if let Plan::Missing { why } = &s.seen.plan {
        draft.status.phase = ReleasePhase::Paused;
        draft.wait(
            WaitReason::PlanMissing,
            format!("another template came in: {why}"),
        );
        return draft.then_nothing();
    }
    let hold = Hold {
        uid: s.view.uid.to_owned(),
        target: s.live.clone(),
        stable: s.stable().map(|stable| stable.hash.clone()),
        release: release_name(
            WorkloadKind::Deployment,
            s.view.name,
            &s.live,
            s.view.generation - 1,
            &name_hash(s.view.name),
        ),
        paused: false,
    };
    draft.wait(
        WaitReason::GenerationNotObserved,
        format!(
            "template {} came in without admission and is held now",
            short(&s.live)
        ),
    );
    let patch = writes::adopt(&s.view, &hold, true);
    draft.then_patch(Write::Correct, patch)
}

/// Unfinished releases of this workload that a newer one has replaced.
fn superseded(
    observation: &Observation,
    view: &DeploymentView,
) -> Vec<(String, sluice_api::ReleaseStatus)> {
    let Some(current) = &observation.release else {
        return Vec::new();
    };
    let by = current.metadata.name.as_deref().unwrap_or_default();
    observation
        .others
        .iter()
        .filter(|other| !is_finished(other) && other.metadata.name != current.metadata.name)
        .filter(|other| other.spec.workload.uid == view.uid)
        .map(|other| {
            let name = other.metadata.name.clone().unwrap_or_default();
            (name, draft::closed(other, observation.now, by))
        })
        .collect()
}

/// A human's retry of a release that is over: its template is forgotten.
fn forgive(observation: &Observation, view: &DeploymentView) -> Action {
    let retried: Vec<&Release> = observation
        .release
        .iter()
        .chain(&observation.others)
        .filter(|release| is_finished(release) && release.spec.retry.is_some())
        .collect();
    if retried.is_empty() {
        return Action::None;
    }
    let patch = writes::forgive(view, |denied| {
        retried
            .iter()
            .any(|release| release.metadata.name.as_deref() == Some(&denied.release))
    });
    match patch {
        Some(patch) => Action::Patch {
            write: Write::Forgive,
            patch,
        },
        None => Action::None,
    }
}
