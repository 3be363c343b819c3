//! `Release`: the record of one release of one workload. Made by Sluice, never by the user; abort and retry act on it.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Condition, Verdict, WorkloadKind,
    annotation::Originals,
    reason::{AbortReason, WaitReason},
};

/// One release of one workload to one template. The name is fixed at admission, see [`crate::release_name`].
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Release",
    namespaced,
    status = "ReleaseStatus",
    derive = "PartialEq",
    shortname = "slrel",
    category = "sluice",
    doc = "The record of one release of one workload: made by Sluice. `spec.abort` and `spec.retry` are for people with the verbs `abort` and `retry` on releases.",
    printcolumn(name = "Workload", type_ = "string", json_path = ".spec.workload.name"),
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "Where the release is"
    ),
    printcolumn(
        name = "Batch",
        type_ = "string",
        json_path = ".status.batch.text",
        description = "Which batch of how many"
    ),
    printcolumn(
        name = "New",
        type_ = "integer",
        json_path = ".status.pods.new",
        description = "Pods of the new version"
    ),
    printcolumn(
        name = "Ready",
        type_ = "integer",
        json_path = ".status.pods.newReady",
        description = "Ready pods of the new version"
    ),
    printcolumn(
        name = "Why",
        type_ = "string",
        json_path = ".status.message",
        description = "What it waits for, or how it ended"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[x_kube(validation = Rule::new("self.workload == oldSelf.workload && self.target == oldSelf.target").message("a release belongs to one workload and one template for ever"))]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSpec {
    /// The workload.
    pub workload: WorkloadRef,
    /// The template that is released.
    pub target: TargetTemplate,
    /// The version to which a rollback returns; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<StableTemplate>,
    /// The user's values of the fields that Sluice sets.
    #[schemars(schema_with = "crate::schema::any_object")]
    pub originals: Value,
    /// The plan it was started under.
    pub plan: PlanRef,
    /// Set by a human: undo this release now. Needs the verb `abort` on this Release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<HumanRequest>,
    /// Set by a human: forget that this template was rolled back, unlock the component, or go on after `onFailure: Pause`. Needs the verb `retry` on this Release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<HumanRequest>,
}

/// The workload of a release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadRef {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name; the namespace is the Release's own.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its uid: a workload deleted and made again starts anew.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
}

/// The released template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetTemplate {
    /// Its content hash.
    #[schemars(length(min = 10, max = 64))]
    pub hash: String,
}

/// The template to return to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StableTemplate {
    /// Its content hash.
    #[schemars(length(min = 10, max = 64))]
    pub hash: String,
    /// The pod-template-hash label of its pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub pod_template_hash: Option<String>,
    /// The whole template, as it stood.
    #[schemars(schema_with = "crate::schema::any_object")]
    pub template: Value,
}

/// The plan of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanRef {
    /// Its namespace.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// What a human asks of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HumanRequest {
    /// Why, for the record.
    #[schemars(length(min = 1, max = 512))]
    pub reason: String,
    /// Who, as they call themselves; the audit log of the API server has the proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub by: Option<String>,
}

/// Where a release is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum ReleasePhase {
    /// Admitted, no new pod yet.
    #[default]
    Held,
    /// Still no new pod: gates are being proved right before the first batch.
    Probing,
    /// A batch is coming up.
    Batch,
    /// A batch is ready and watched.
    Baking,
    /// A human paused it, the plan is gone, or a failure waits for a human.
    Paused,
    /// All pods are new; the end is being verified.
    Finishing,
    /// All pods run the new version and it was proved well.
    Succeeded,
    /// The decision to undo is stored; the way back is under way.
    Aborting,
    /// The stable version is back everywhere and was proved healthy by the same probes.
    RolledBack,
    /// The stable version is back everywhere and still fails: the release was not (alone) to blame. Further releases are locked.
    RollbackIneffective,
    /// A newer template took its place.
    Superseded,
    /// It ended and there was nothing to roll back to.
    Failed,
}

impl ReleasePhase {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::RolledBack
                | Self::RollbackIneffective
                | Self::Superseded
                | Self::Failed
        )
    }
}

impl std::fmt::Display for ReleasePhase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What was seen, verified and decided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseStatus {
    /// Where the release is.
    #[serde(default)]
    pub phase: ReleasePhase,
    /// What it waits for, or how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub message: Option<String>,
    /// Which batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchProgress>,
    /// Pods by version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<PodCounts>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub waiting_on: Vec<Waiting>,
    /// The batches so far, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub batches: Vec<BatchRecord>,
    /// The most pods that were ever asked to run the new version at once.
    #[serde(default)]
    pub exposure: u32,
    /// The way back by hand: `kubectl patch deployment NAME --type=json` with these operations. Rehearsed before the first batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::any_list")]
    pub way_back: Vec<Value>,
    /// Why it was aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<AbortRecord>,
    /// When what happened.
    #[serde(default)]
    pub timeline: Timeline,
    /// The generation of the Release that was read last: which human requests are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Succeeded`, `Failed`, `Finished`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub conditions: Vec<Condition>,
}

/// Which batch of how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BatchProgress {
    /// The batch, counted from one.
    pub index: u32,
    /// How many there are.
    pub of: u32,
    /// Pods that may run the new version in it.
    pub pods: u32,
    /// `2/4`, for a column.
    #[schemars(length(max = 16))]
    pub text: String,
}

/// Pods by version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodCounts {
    /// Wanted in all.
    pub replicas: u32,
    /// Of the new version.
    pub new: u32,
    /// Of the new version and ready.
    pub new_ready: u32,
    /// Of every other version.
    pub old: u32,
    /// Of every other version and ready.
    pub old_ready: u32,
}

/// One thing a release waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// The typed reason.
    pub reason: WaitReason,
    /// The same for people: what would end the wait.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// When it ends by itself, RFC 3339, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub until: Option<String>,
}

/// One batch. A field that is set is a fact that survives a restart of the controller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchRecord {
    /// The batch, counted from one.
    pub index: u32,
    /// Pods that may run the new version in it.
    pub pods: u32,
    /// When its first step was decided, RFC 3339.
    #[schemars(length(max = 40))]
    pub started: String,
    /// Pods of the new version that its steps have asked for so far.
    #[serde(default)]
    pub reached: u32,
    /// When the last step that asked for more was decided, RFC 3339: the progress deadline counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub progressed: Option<String>,
    /// When all its pods were ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub ready: Option<String>,
    /// When it had baked and its probes had passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub verified: Option<String>,
    /// What the probes said then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub evidence: Vec<ProbeEvidence>,
    /// Answers beyond these that are not kept, so that the record stays small.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub evidence_left_out: u32,
}

/// What one probe said at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeEvidence {
    /// The probe, `namespace/name`.
    #[schemars(length(max = 127))]
    pub probe: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// What it saw.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// When the sample that made the verdict ended, RFC 3339.
    #[schemars(length(max = 40))]
    pub at: String,
}

/// Why a release was aborted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AbortRecord {
    /// The typed reason.
    pub reason: AbortReason,
    /// The same for people, with the evidence.
    #[schemars(length(max = 2048))]
    pub message: String,
    /// What the failing probes said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub evidence: Vec<ProbeEvidence>,
    /// Answers beyond these that are not kept, so that the record stays small.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub evidence_left_out: u32,
}

/// When what happened, RFC 3339 with milliseconds. Set once each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The first batch was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub started: Option<String>,
    /// Every pod was of the new version and ready, and no other was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub completed: Option<String>,
    /// The first failing sample of the row that made the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub occurred: Option<String>,
    /// The verdict Fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub detected: Option<String>,
    /// The decision to abort was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub decided: Option<String>,
    /// The stable version was back everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub rolled_back: Option<String>,
    /// It was proved healthy, or proved still failing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub verified: Option<String>,
    /// The release ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub finished: Option<String>,
}

const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl ReleaseStatus {
    /// Whether it ended and its template is to blame, as far as is known: such a template is nothing to return to and is not let in again. A human who put the
    /// old template back and a way back that was refused say nothing about the template.
    #[must_use]
    pub fn blames_template(&self) -> bool {
        let badly = matches!(
            self.phase,
            ReleasePhase::Failed | ReleasePhase::RolledBack | ReleasePhase::RollbackIneffective
        );
        badly
            && self
                .abort
                .as_ref()
                .is_none_or(|abort| abort.reason.blames_template())
    }
}

impl ReleaseSpec {
    /// The user's values as they were stored.
    ///
    /// # Errors
    /// When the stored object is not what Sluice writes.
    pub fn originals(&self) -> Result<Originals, serde_json::Error> {
        Originals::deserialize(&self.originals)
    }
}
