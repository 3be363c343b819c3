//! What the webhooks answer to a create or update of a Deployment, from the two objects and from facts in memory.
//!
//! [`mutate`] holds a release at zero and keeps what a release under way has set; it never refuses. [`validate`] is the judge of the final object. Both are
//! pure functions of the request and of [`Facts`], because the API server may ask twice, ask several replicas, and drop the result.
//!
//! What was under way is read from the old object only: the annotations of a foreign request may come from anywhere, such as the copies that
//! `kubectl rollout undo` brings back.
//!
//! Left to the caller: who is never judged (controlled and deleted objects, our own identity), the namespace's mode, and every rule about manifests.
//!
//! Only Deployments are held. One with `strategy: Recreate` is held at zero and then released as a whole, which is what its user chose. A workload that is
//! being created has nothing to step away from: its gates are asked, and it is held only by a gate with `whenClosed: Hold`. One that is scaled to zero has
//! nothing to step away from either: its release is recorded and proved like any other, but is paused only at such a gate.

mod change;
mod mutate;
pub(crate) mod originals;
mod refusal;
#[cfg(test)]
mod tests;
mod validate;

use std::fmt;

use serde_json::Value;
use sluice_api::{
    Finding, GateState, WhenClosed, WorkloadKind, gate::ReasonEntry, release::ReleasePhase,
};

use crate::deployment::DeploymentError;

use change::Change;
use mutate::Wanted;

/// Why a request cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// The object as it was is not what it says it is.
    #[error("the stored object cannot be read")]
    Old(#[source] DeploymentError),
    /// The object as it shall be is not what it says it is.
    #[error("the object cannot be read")]
    New(#[source] DeploymentError),
}

/// A request as the API server sent it. `old` is `None` on create.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The kind of the workload; only Deployments are held and stepped so far, gates guard all kinds.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The object as it was, defaults included.
    pub old: Option<&'a Value>,
    /// The object as it shall be, defaults included.
    pub new: &'a Value,
    /// Who takes the hashes of their pod templates, where the caller has a way; then the objects need not hold their templates, only something in their place.
    /// Without, they are taken here.
    pub hashes: Option<&'a dyn Hashes>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
}

/// What [`crate::template::template_hash`] says of the pod templates of a request. Asked only for what the answer hangs on: hashing costs more than most answers.
pub trait Hashes: fmt::Debug {
    /// Of the object as it was; `None` on create.
    fn before(&self) -> Option<&str>;
    /// Of the object as it shall be.
    fn after(&self) -> &str;
}

/// What the webhook knows about the workload, from its caches.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// A valid plan applies and the namespace is of mode `enforce`.
    pub plan: bool,
    /// A plan applies, and nothing is held because the namespace is not of mode `enforce`.
    pub plan_idle: bool,
    /// Every gate that matches, freshness of its proof included.
    pub gates: Vec<GateFact>,
    /// The template hash of the last release of this workload uid that succeeded.
    pub stable: Option<String>,
    /// The releases of this workload uid, youngest last.
    pub releases: Vec<ReleaseFact>,
}

/// A gate as a reader may trust it.
#[derive(Clone, Debug, PartialEq)]
pub struct GateFact {
    /// `namespace/name`.
    pub name: String,
    /// Open, closed or unknown, freshness included.
    pub state: GateState,
    /// Why it is not open.
    pub reasons: Vec<ReasonEntry>,
    /// What a release meets there.
    pub when_closed: WhenClosed,
}

impl Facts {
    /// The release that proved a template bad, unless a later one proved it well or a human forgave it.
    pub(crate) fn condemns(&self, template: &str) -> Option<&ReleaseFact> {
        self.releases
            .iter()
            .rev()
            .find(|release| {
                release.target == template
                    && (release.blamed || release.phase == ReleasePhase::Succeeded)
            })
            .filter(|release| release.blamed && !release.retry)
    }
}

/// A release as far as admission needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReleaseFact {
    /// Its name.
    pub name: String,
    /// Its target hash.
    pub target: String,
    /// The stable hash it would return to.
    pub stable: Option<String>,
    /// Where it is.
    pub phase: ReleasePhase,
    /// It ended and its target is to blame, see [`sluice_api::ReleaseStatus::blames_template`].
    pub blamed: bool,
    /// A human asked to retry it.
    pub retry: bool,
}

/// The answer of the mutating webhook: JSON Patch operations, none when the object stays as it is.
pub type Mutation = Vec<Value>;

/// The answer of the validating webhook about the release side (manifest rules are the policies' business).
/// Findings with action `Deny` refuse; on dry-run they come back as `Warn`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// Whether the request starts a release: the one side note the webhook may leave.
    pub starts_release: bool,
}

/// Turns a foreign request into what may be stored: holds a release at zero, keeps the fields of a release under way, records what the user changed in
/// them, and puts our annotations back to what they were.
///
/// Applied to its own outcome it asks for nothing more.
///
/// # Errors
/// When one of the objects cannot be read; nothing is decided then.
pub fn mutate(request: &Request, facts: &Facts) -> Result<Mutation, AdmissionError> {
    let change = Change::of(request)?;
    Ok(Wanted::of(&change, facts).operations(&change))
}

/// Judges the final object of a request, as it would be stored.
///
/// Total: an object that cannot be read is a finding that refuses. On dry-run nothing here refuses.
#[must_use]
pub fn validate(request: &Request, facts: &Facts) -> Answer {
    validate::validate(request, facts)
}
