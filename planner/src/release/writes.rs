//! The patches of a release's life. Each tests the resourceVersion it was computed from, replaces the template whole (a merge would leave keys of the bad
//! one behind), and puts the user's fields back exactly as they stood, absent ones included.

use serde_json::{Value, json};
use sluice_api::annotation::{self, DENIED, Denied, HOLD, Hold, ORIGINALS, Originals};

use super::situation::{Situation, users_value};
use crate::{
    admission::originals::STEPPED,
    annotations,
    deployment::{DeploymentView, PIN_MIN_READY_SECONDS, PIN_PROGRESS_DEADLINE_SECONDS},
    patch,
    share::Share,
};

/// C3: the pin, the first limits, the user's values in safety, and the end of the hold at zero.
pub(super) fn start(s: &Situation, limits: (Share, Share)) -> Vec<Value> {
    let mut operations = vec![patch::test_version(s.view.resource_version)];
    pin(&mut operations, limits);
    let originals = Originals {
        target: s.target().to_owned(),
        uid: s.view.uid.to_owned(),
        ..s.originals.clone()
    };
    annotate(
        &mut operations,
        &s.view,
        ORIGINALS,
        annotation::write(&originals),
    );
    unpause(&mut operations, &s.view);
    operations
}

/// C6, and the correction of foreign values: the limits and the pin.
pub(super) fn step(s: &Situation, limits: (Share, Share)) -> Vec<Value> {
    let mut operations = vec![patch::test_version(s.view.resource_version)];
    pin(&mut operations, limits);
    operations
}

/// C7: everything of ours goes, the Deployment controller finishes within the user's own limits.
pub(super) fn finish(s: &Situation) -> Vec<Value> {
    let mut operations = vec![patch::test_version(s.view.resource_version)];
    restore(&mut operations, &s.view, &s.originals);
    unpause(&mut operations, &s.view);
    clear(&mut operations, &s.view);
    operations
}

/// Everything of ours goes, `paused` becomes what the user wants. For what a release left behind.
pub(super) fn clean_up(s: &Situation, paused: bool) -> Vec<Value> {
    let mut operations = vec![patch::test_version(s.view.resource_version)];
    restore(&mut operations, &s.view, &s.originals);
    if !paused {
        unpause(&mut operations, &s.view);
    }
    clear(&mut operations, &s.view);
    operations
}

/// A2: the stable template and the user's values in one write, and the memory of what was bad.
pub(super) fn rollback(s: &Situation, stable: &Value, denied: Option<Denied>) -> Vec<Value> {
    let mut operations = vec![
        patch::test_version(s.view.resource_version),
        patch::replace("/spec/template", stable.clone()),
    ];
    restore(&mut operations, &s.view, &s.originals);
    // pods of two versions would not go back under pause; where there is nothing to go back, the user's pause stays
    if !(s.paused_by_user() && s.counts.new == 0 && s.new_existing == 0) {
        unpause(&mut operations, &s.view);
    }
    clear(&mut operations, &s.view);
    if let Some(denied) = denied {
        // an unreadable list cannot be added to; the records of releases know what it said
        let known = annotations::denied(&s.view).unwrap_or_else(|_| s.seen.condemned.clone());
        let list = annotations::with_denied(known, denied);
        annotate(&mut operations, &s.view, DENIED, annotation::write(&list));
    }
    operations
}

/// The same for hands: no precondition, and no operation that depends on what stands there when it is used.
pub(super) fn way_back(originals: &Originals, stable: &Value) -> Vec<Value> {
    let mut operations = vec![patch::set("/spec/template", stable.clone())];
    let field = |name: &str| users_value(originals, name).cloned();
    if let Some(strategy) = field("strategy") {
        operations.push(patch::set("/spec/strategy", strategy));
    }
    // the API server stores a zero and a false as absent fields, and an absent deadline as 600
    operations.push(patch::set(
        "/spec/minReadySeconds",
        field("minReadySeconds").unwrap_or(json!(0)),
    ));
    operations.push(patch::set(
        "/spec/progressDeadlineSeconds",
        field("progressDeadlineSeconds").unwrap_or(json!(600)),
    ));
    operations.push(patch::set("/spec/paused", false));
    for key in [HOLD, ORIGINALS] {
        let path = patch::annotation(key);
        // set first, so that taking it away works whether or not it is there
        operations.push(patch::set(&path, ""));
        operations.push(patch::remove(&path));
    }
    operations
}

/// A hold for a template that came in without one while something of ours stands on the Deployment.
pub(super) fn adopt(view: &DeploymentView, hold: &Hold, pause: bool) -> Vec<Value> {
    let mut operations = vec![patch::test_version(view.resource_version)];
    annotate(&mut operations, view, HOLD, annotation::write(hold));
    if pause && !view.paused {
        operations.push(patch::set("/spec/paused", true));
    }
    operations
}

/// A denied template is forgotten; `None` when it is not remembered.
pub(super) fn forgive(
    view: &DeploymentView,
    forgiven: impl Fn(&Denied) -> bool,
) -> Option<Vec<Value>> {
    let known = annotations::denied(view).ok()?;
    let kept: Vec<&Denied> = known.iter().filter(|entry| !forgiven(entry)).collect();
    if kept.len() == known.len() {
        return None;
    }
    let path = patch::annotation(DENIED);
    let change = if kept.is_empty() {
        patch::remove(&path)
    } else {
        patch::set(&path, annotation::write(&kept))
    };
    Some(vec![patch::test_version(view.resource_version), change])
}

/// The memory of denied templates, written anew; `None` when it can be read.
pub(super) fn remember(view: &DeploymentView, condemned: &[Denied]) -> Option<Vec<Value>> {
    annotations::denied(view).err()?;
    let list = condemned
        .iter()
        .cloned()
        .fold(Vec::new(), annotations::with_denied);
    let path = patch::annotation(DENIED);
    let change = if list.is_empty() {
        patch::remove(&path)
    } else {
        patch::set(&path, annotation::write(&list))
    };
    Some(vec![patch::test_version(view.resource_version), change])
}

fn pin(operations: &mut Vec<Value>, (surge, unavailable): (Share, Share)) {
    operations.push(patch::set(
        "/spec/strategy",
        json!({
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": surge.value(), "maxUnavailable": unavailable.value()},
        }),
    ));
    operations.push(patch::set("/spec/minReadySeconds", PIN_MIN_READY_SECONDS));
    operations.push(patch::set(
        "/spec/progressDeadlineSeconds",
        PIN_PROGRESS_DEADLINE_SECONDS,
    ));
}

fn restore(operations: &mut Vec<Value>, view: &DeploymentView, originals: &Originals) {
    for field in STEPPED {
        let path = format!("/spec/{field}");
        match (users_value(originals, field), view.spec.get(field)) {
            (Some(value), found) if found != Some(value) => {
                operations.push(patch::set(&path, value.clone()));
            }
            (None, Some(_)) => operations.push(patch::remove(&path)),
            _ => {}
        }
    }
}

fn unpause(operations: &mut Vec<Value>, view: &DeploymentView) {
    if view.paused {
        operations.push(patch::remove("/spec/paused"));
    }
}

fn clear(operations: &mut Vec<Value>, view: &DeploymentView) {
    for key in [HOLD, ORIGINALS] {
        if view
            .annotations
            .is_some_and(|annotations| annotations.contains_key(key))
        {
            operations.push(patch::remove(&patch::annotation(key)));
        }
    }
}

fn annotate(operations: &mut Vec<Value>, view: &DeploymentView, key: &str, text: String) {
    if view.annotations.is_none() {
        operations.push(patch::set("/metadata/annotations", json!({})));
    }
    operations.push(patch::set(&patch::annotation(key), text));
}
