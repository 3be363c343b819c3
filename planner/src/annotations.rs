//! Our annotations on a Deployment, read with the doubt they deserve: a value that names another uid is somebody's copy and is ignored; one that cannot be
//! read is an error and never absence.

use sluice_api::annotation::{
    self, AnnotationError, DENIED, DENIED_KEPT, Denied, HOLD, Hold, ORIGINALS, Originals,
};

use crate::deployment::DeploymentView;

/// Whether an annotation that names `uid` belongs to the Deployment. A hold set while the object was created knows no uid yet.
pub(crate) fn is_of(uid: &str, view: &DeploymentView) -> bool {
    uid.is_empty() || uid == view.uid
}

/// The hold of this Deployment, whatever template it speaks of.
pub(crate) fn hold(view: &DeploymentView) -> Result<Option<Hold>, AnnotationError> {
    let hold: Option<Hold> = annotation::read(HOLD, view.annotation(HOLD))?;
    Ok(hold.filter(|hold| is_of(&hold.uid, view)))
}

/// The originals of this Deployment, whatever template they speak of.
pub(crate) fn originals(view: &DeploymentView) -> Result<Option<Originals>, AnnotationError> {
    let originals: Option<Originals> = annotation::read(ORIGINALS, view.annotation(ORIGINALS))?;
    Ok(originals.filter(|originals| is_of(&originals.uid, view)))
}

/// The templates that were rolled back here, oldest first.
pub(crate) fn denied(view: &DeploymentView) -> Result<Vec<Denied>, AnnotationError> {
    let denied: Option<Vec<Denied>> = annotation::read(DENIED, view.annotation(DENIED))?;
    let mut denied = denied.unwrap_or_default();
    denied.retain(|entry| is_of(&entry.uid, view));
    Ok(denied)
}

/// The list with one more entry; the newest are kept, and one entry per template.
pub(crate) fn with_denied(mut denied: Vec<Denied>, entry: Denied) -> Vec<Denied> {
    denied.retain(|known| known.target != entry.target);
    denied.push(entry);
    let surplus = denied.len().saturating_sub(DENIED_KEPT);
    denied.drain(..surplus);
    denied
}
