//! Whether a release may come in. Judges the object as it would be stored.

use serde_json::Value;
use sluice_api::{
    Action, Certainty, Finding, GateState, ReleasePhase, WhenClosed, WorkloadKind, annotation::OWN,
    reason::RefusalReason,
};

use super::{Answer, Facts, GateFact, Request, change::Change, mutate::Wanted, refusal::refused};
use crate::{annotations, text::short};

const TEMPLATE: &str = "spec.template";

pub(super) fn validate(request: &Request, facts: &Facts) -> Answer {
    let mut answer = match Change::of(request) {
        Ok(change) => judge(&change, facts),
        Err(error) => {
            let source = std::error::Error::source(&error);
            let found =
                source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
            let mut finding = refused(
                RefusalReason::NotHeld,
                "-",
                found,
                "an object that the API server's own schema lets in",
                None,
            );
            finding.certainty = Certainty::Unknown;
            Answer {
                findings: vec![finding],
                starts_release: false,
            }
        }
    };
    if request.dry_run {
        // GitOps dry-runs everything it owns before it applies anything: one closed gate must not stop the rest
        for finding in &mut answer.findings {
            finding.action = Action::Warn;
        }
    }
    answer
        .findings
        .sort_by_key(|finding| finding.action != Action::Deny);
    answer
}

fn judge(change: &Change, facts: &Facts) -> Answer {
    let mut findings = Vec::new();
    let release = change.is_release();
    if release && !change.is_return(facts) {
        findings.extend(denied_template(change, facts));
        findings.extend(locked(change, facts));
        for gate in facts
            .gates
            .iter()
            .filter(|gate| gate.state != GateState::Open)
        {
            findings.push(closed_gate(change, facts, gate));
        }
        findings.extend(unfinished_rollout(change, facts));
    }
    findings.extend(untouched(change, facts));
    findings.extend(becomes_owned(change, facts));
    Answer {
        findings,
        starts_release: release,
    }
}

/// This very template was rolled back here. Found in the old object, so no cache can be late.
fn denied_template(change: &Change, facts: &Facts) -> Option<Finding> {
    let old = change.old.as_ref()?;
    let denied = match annotations::denied(&old.view) {
        Ok(denied) => denied,
        Err(error) => return Some(unreadable_memory(change, facts, &error.to_string())),
    };
    let entry = denied
        .into_iter()
        .find(|entry| entry.target == change.target())?;
    let forgiven = facts
        .releases
        .iter()
        .any(|release| release.name == entry.release && release.retry);
    (!forgiven).then(|| {
        refused(
            RefusalReason::TemplateDenied,
            TEMPLATE,
            format!(
                "template {} was rolled back: {} (release {})",
                short(&entry.target),
                entry.reason,
                entry.release
            ),
            "another template",
            format!(
                "`{}` to let this one in again",
                retry(change, &entry.release)
            ),
        )
    })
}

/// Memory that cannot be read is no pass: the records of releases, from which the controller is about to write it anew, decide in its place. They are stored
/// before the workload is touched, so the one that is being undone right now counts too.
fn unreadable_memory(change: &Change, facts: &Facts, error: &str) -> Finding {
    let undoing = || {
        facts.releases.iter().rev().find(|release| {
            release.target == change.target() && release.phase == ReleasePhase::Aborting
        })
    };
    if let Some(release) = facts.condemns(change.target()).or_else(undoing) {
        return refused(
            RefusalReason::TemplateDenied,
            TEMPLATE,
            format!(
                "template {} was proved bad (release {}; {error})",
                short(change.target()),
                release.name
            ),
            "another template",
            format!(
                "`{}` to let this one in again",
                retry(change, &release.name)
            ),
        );
    }
    let mut finding = refused(
        RefusalReason::TemplateDenied,
        "metadata.annotations",
        format!("{error}; no record of a release speaks against this template"),
        "a readable list of the templates that were rolled back here",
        "Sluice's controller writes it anew from the records of releases".to_owned(),
    );
    finding.certainty = Certainty::Unknown;
    finding.action = Action::Warn;
    finding
}

/// A rollback did not help. The lock ends with a retry, or when the workload runs something else than the version that was rolled back to.
fn locked(change: &Change, facts: &Facts) -> Option<Finding> {
    let old = change.old.as_ref()?;
    let lock = facts.releases.iter().rev().find(|release| {
        release.phase == ReleasePhase::RollbackIneffective
            && !release.retry
            && release.stable.as_deref() == Some(&old.hash)
    })?;
    Some(refused(
        RefusalReason::Locked,
        TEMPLATE,
        format!(
            "release {} was rolled back and the stable version still fails, so the cause lies elsewhere",
            lock.name
        ),
        "no release until the cause is found",
        format!("`{}` to unlock", retry(change, &lock.name)),
    ))
}

fn closed_gate(change: &Change, facts: &Facts, gate: &GateFact) -> Finding {
    let mut reasons: Vec<String> = gate
        .reasons
        .iter()
        .take(3)
        .map(|entry| format!("{}: {}", entry.reason, entry.message))
        .collect();
    let more = gate.reasons.len().saturating_sub(reasons.len());
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    let (namespace, name) = gate.name.split_once('/').unwrap_or(("", &gate.name));
    let mut finding = refused(
        RefusalReason::GateNotOpen,
        TEMPLATE,
        format!(
            "gate {} is {} ({})",
            gate.name,
            gate.state.as_str(),
            reasons.join("; ")
        ),
        "the gate open: every probe it names passes, freshly",
        format!("see `sluice gate get {name} -n {namespace}`"),
    );
    match gate.when_closed {
        WhenClosed::Deny => {}
        WhenClosed::Warn => finding.action = Action::Warn,
        WhenClosed::Hold if can_be_held(change, facts) => {
            finding.action = Action::Warn;
            finding
                .found
                .push_str("; the release is held at zero new pods until it opens");
        }
        WhenClosed::Hold if could_be_held(change, facts) => {
            finding.action = Action::Warn;
            finding.found.push_str(
                "; in mode enforce the release would be held at zero new pods until it opens",
            );
        }
        WhenClosed::Hold => {
            finding.passes =
                "the gate open, or a Deployment with a rollout plan, which can be held".to_owned();
        }
    }
    finding
}

fn can_be_held(change: &Change, facts: &Facts) -> bool {
    facts.plan && holdable(change)
}

/// The same, were the namespace of mode `enforce`.
fn could_be_held(change: &Change, facts: &Facts) -> bool {
    facts.plan_idle && holdable(change)
}

fn holdable(change: &Change) -> bool {
    change.request.kind == WorkloadKind::Deployment && !change.request.name.is_empty()
}

/// A hold that may last, over a rollout that is not finished: while paused, scaling grows every version in proportion, the unfinished one too.
fn unfinished_rollout(change: &Change, facts: &Facts) -> Option<Finding> {
    let old = change.old.as_ref()?;
    let gate = facts
        .gates
        .iter()
        .find(|gate| gate.state != GateState::Open && gate.when_closed == WhenClosed::Hold)?;
    // held at zero: one version has all the pods
    let held = old.hold.is_some() && !old.started;
    let whole = old.view.is_observed() && old.view.updated == old.view.existing;
    (can_be_held(change, facts) && !held && !whole).then(|| {
        refused(
            RefusalReason::UnfinishedRollout,
            TEMPLATE,
            format!(
                "{} of {} pods run the present template and gate {} would hold this one for long; scaling would grow both versions meanwhile",
                old.view.updated, old.view.existing, gate.name
            ),
            "the present rollout finished, or the gate open",
            "put the stable template back, which is always let in".to_owned(),
        )
    })
}

/// A guarded workload gets a controller as owner. Operators do that to what they adopt, so it is not refused; but from now on nothing about it is judged,
/// and whoever did not mean that must hear of it.
fn becomes_owned(change: &Change, facts: &Facts) -> Option<Finding> {
    let old = change.request.old?;
    let guarded = facts.plan || facts.plan_idle || !facts.gates.is_empty();
    if !guarded || controller_of(old).is_some() {
        return None;
    }
    let owner = controller_of(change.request.new)?;
    let mut finding = refused(
        RefusalReason::BecomesOwned,
        "metadata.ownerReferences",
        format!(
            "{owner} becomes the controller of a workload that a gate or a rollout plan guards; what a controller owns is neither judged nor held nor stepped"
        ),
        "no controlling owner, or none where a gate or plan matches",
        "guard what makes the owner write: its releases are its own business".to_owned(),
    );
    finding.action = Action::Warn;
    Some(finding)
}

/// The controller that owns an object, as people call it.
fn controller_of(object: &Value) -> Option<String> {
    let owner = object
        .pointer("/metadata/ownerReferences")?
        .as_array()?
        .iter()
        .find(|owner| owner["controller"] == true)?;
    let text = |field: &str| -> String {
        let text = owner[field].as_str().unwrap_or("-");
        text.chars().take(80).collect()
    };
    Some(format!("{}/{}", text("kind"), text("name")))
}

/// The object must be what [`super::mutate`] made of it.
fn untouched(change: &Change, facts: &Facts) -> Option<Finding> {
    let wanted = Wanted::of(change, facts);
    let holds = wanted.holds;
    let operations = wanted.operations(change);
    let first = operations.first()?;
    let path = first["path"].as_str().unwrap_or("-");
    let found = format!("differs at {path} from what the mutating webhook of Sluice sets");
    let own = OWN.join(", ");
    Some(if holds {
        refused(
            RefusalReason::NotHeld,
            TEMPLATE,
            format!("a new template without its hold: {found}"),
            "the hold in the same request; the mutating webhook sets it, so try again",
            None,
        )
    } else {
        refused(
            RefusalReason::StateChanged,
            "metadata.annotations",
            found,
            format!("{own} and the stepped fields as Sluice left them"),
            None,
        )
    })
}

fn retry(change: &Change, release: &str) -> String {
    format!(
        "sluice release retry {release} -n {}",
        change.request.namespace
    )
}
