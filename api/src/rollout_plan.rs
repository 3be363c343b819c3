//! `RolloutPlan`: how a release spreads.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BatchSize, ComponentSelector, Condition, Duration, gate::ProbeRef};

/// How a release spreads.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "RolloutPlan",
    namespaced,
    status = "RolloutPlanStatus",
    derive = "PartialEq",
    shortname = "slplan",
    category = "sluice",
    doc = "How a release spreads: batches, bake, probes during and after, what happens on failure. Exactly one plan applies to a workload.",
    printcolumn(
        name = "Batches",
        type_ = "string",
        json_path = ".spec.batches",
        description = "Cumulative sizes"
    ),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(
        name = "Bake",
        type_ = "string",
        json_path = ".spec.bake",
        description = "Watched wait after each batch"
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status",
        description = "Whether the plan can work at all"
    ),
    printcolumn(
        name = "Conflicted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Conflicted\")].status",
        description = "Whether another plan wins for a workload of this one"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct RolloutPlanSpec {
    /// The workloads it applies to.
    pub components: ComponentSelector,
    /// Cumulative batch sizes; they may not go down, and what they leave out is done in a last batch of 100 %.
    #[serde(default = "default_batches")]
    #[schemars(length(min = 1, max = 32))]
    pub batches: Vec<BatchSize>,
    /// How a batch takes its place.
    #[serde(default)]
    pub mode: RolloutMode,
    /// Watched wait after each batch, from the moment its pods are ready. 0s to 720h.
    #[serde(default)]
    pub bake: Duration,
    /// How long each step of a batch may take to get its pods running and ready. Only the next step counts as progress: bobbing readiness and restarts do not.
    #[serde(default = "default_progress_deadline")]
    pub progress_deadline: Duration,
    /// Probes asked while batches run and bake; any that fails aborts the release, and each must pass before the next batch.
    #[serde(default)]
    pub during: During,
    /// Probes asked after the last batch.
    #[serde(default)]
    pub after: After,
    /// What a failure leads to.
    #[serde(default)]
    pub on_failure: OnFailure,
}

fn default_batches() -> Vec<BatchSize> {
    vec![
        BatchSize::Pods(1),
        BatchSize::Percent(10),
        BatchSize::Percent(30),
        BatchSize::Percent(100),
    ]
}

fn default_progress_deadline() -> Duration {
    Duration::from_secs(600)
}

/// How a batch takes its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RolloutMode {
    /// New pods come up beside the old ones first, at most the user's own maxSurge at a time; then as many old ones go.
    #[default]
    Surge,
    /// Old pods go first: no pod more than the replicas, capacity dips by the batch. What a maxSurge of 0 means.
    Replace,
}

/// Probes during a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct During {
    /// The probes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub probes: Vec<ProbeRef>,
}

/// Probes after the last batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct After {
    /// The probes; the ones of `during` when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub probes: Vec<ProbeRef>,
    /// How long the finished release is watched before it counts as succeeded. 0s to 720h.
    #[serde(default)]
    pub watch: Duration,
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// Back to the stable version at once.
    #[default]
    Rollback,
    /// The batch is held until a human aborts or retries.
    Pause,
}

/// Whether the plan can work and whether it applies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutPlanStatus {
    /// The generation that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`, `Conflicted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub conditions: Vec<Condition>,
}
