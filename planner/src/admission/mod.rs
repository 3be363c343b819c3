//! What the webhooks answer to a create or update of a Deployment, from the two objects and from facts in memory.

use serde_json::Value;
use sluice_api::{
    Finding, GateState, WhenClosed, WorkloadKind, gate::ReasonEntry, release::ReleasePhase,
};

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
    /// Whether nothing will be stored.
    pub dry_run: bool,
}

/// What the webhook knows about the workload, from its caches.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// A valid plan applies and the namespace is of mode `enforce`.
    pub plan: bool,
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
