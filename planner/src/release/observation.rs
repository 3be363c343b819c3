//! What a reconcile pass knows: gathered by the controller, complete, with nothing left to look up.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sluice_api::{
    GateState, Release, RolloutPlanSpec, Verdict,
    annotation::{Denied, Hold, Originals},
    gate::ReasonEntry,
    release::{PlanRef, StableTemplate},
};

/// One Deployment, its pods and its release at one moment.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The controller's wall clock; only for stored times and for deadlines that were stored by it.
    pub now: Timestamp,
    /// When that clock leapt ahead of the time that really passed: spans that had begun before are longer by so much.
    pub leaps: Vec<Leap>,
    /// The live Deployment, whole: decisions about byte-for-byte restoring need what really stands there.
    pub deployment: Value,
    /// ReplicaSets whose controller owner is this Deployment's uid.
    pub replica_sets: Vec<ReplicaSet>,
    /// The annotation [`sluice_api::annotation::HOLD`], parsed; `Err` text when it is unreadable.
    pub hold: Result<Option<Hold>, String>,
    /// The annotation [`sluice_api::annotation::ORIGINALS`], parsed.
    pub originals: Result<Option<Originals>, String>,
    /// The Release named by the hold, or else the youngest unfinished Release of this workload uid, if it exists.
    pub release: Option<Release>,
    /// Other unfinished Releases of this workload uid: superseded ones that must be closed.
    pub others: Vec<Release>,
    /// Templates that releases of this workload uid proved bad and nobody forgave, oldest first: what [`sluice_api::annotation::DENIED`] should remember.
    pub condemned: Vec<Denied>,
    /// The stable version for a release that is about to be recorded: from the last Succeeded Release, else from the
    /// ReplicaSet (other than the target's) with the most ready pods.
    pub stable: Option<StableTemplate>,
    /// The plan that applies.
    pub plan: Plan,
    /// Every gate of the component.
    pub gates: Vec<Gate>,
    /// Answers of the plan's `during` probes for this release, asked of its canary and stable pods.
    pub during: Vec<ProbeAnswer>,
    /// Answers of the plan's `after` probes (of `during` when there are none) in the context of this release, canary = the new version.
    pub after: Vec<ProbeAnswer>,
    /// The same probes asked of the stable version as if it were the canary: the proof that a rollback helped.
    pub stable_proof: Vec<ProbeAnswer>,
    /// The answer to the rehearsal of the way back, if it was asked in this or an earlier pass of this process.
    pub rehearsal: Option<Rehearsal>,
}

/// A leap of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leap {
    /// What the clock said last before it.
    pub after: Timestamp,
    /// By how much it leapt.
    pub by: SignedDuration,
}

/// One ReplicaSet of the Deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaSet {
    /// Its name.
    pub name: String,
    /// Its pod-template-hash.
    pub pod_template_hash: String,
    /// [`crate::template::template_hash`] of its template.
    pub template_hash: String,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `status.replicas`: pods that exist.
    pub existing: u32,
    /// `status.readyReplicas`.
    pub ready: u32,
    /// `status.availableReplicas`.
    pub available: u32,
    /// Whether `status.observedGeneration` has reached `metadata.generation`.
    pub observed: bool,
    /// The message of its `ReplicaFailure` condition, when it is true.
    pub failure: Option<String>,
}

/// The plan of the workload.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one per pass, and almost always the large one"
)]
pub enum Plan {
    /// Found, valid, the winner.
    Active {
        /// Which one.
        reference: PlanRef,
        /// What it says.
        spec: RolloutPlanSpec,
    },
    /// No plan matches, the plan cannot work, or the namespace is not of mode `enforce` any more: nothing is started, what runs is held.
    Missing {
        /// Why, for people.
        why: String,
    },
}

/// A gate as a reader may trust it: [`crate::gate::effective`] was applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// `namespace/name`.
    pub name: String,
    /// Open, closed or unknown, freshness included.
    pub state: GateState,
    /// Why it is not open.
    pub reasons: Vec<ReasonEntry>,
}

/// What one probe says right now.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeAnswer {
    /// `namespace/name`.
    pub probe: String,
    /// The verdict, freshness included.
    pub verdict: Verdict,
    /// What it saw.
    pub message: String,
    /// When the sample that made the verdict ended. A pass counts for a batch only if it is younger than the batch's readiness.
    pub at: Option<Timestamp>,
    /// The first failing sample of the row, for the timeline.
    pub first_bad: Option<Timestamp>,
    /// When the verdict became Fail.
    pub detected: Option<Timestamp>,
}

/// The answer of the API server to a dry-run of the way back.
#[derive(Clone, Debug, PartialEq)]
pub struct Rehearsal {
    /// The target hash it was asked for.
    pub target: String,
    /// `Err` holds what the server said.
    pub result: Result<(), String>,
}
