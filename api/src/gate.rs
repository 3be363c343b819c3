//! `Gate`: which components it guards and what must be true before a release of them may start.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ComponentSelector, Condition, Duration, component::LabelSelector, reason::GateReason};

/// Which components are guarded and what must be true before a release of them may start.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Gate",
    namespaced,
    status = "GateStatus",
    derive = "PartialEq",
    shortname = "slgate",
    category = "sluice",
    doc = "Which components are guarded and what must be true before a release of them may start. Several gates may match a component: all must be open.",
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "Open, Closed or Unknown as last written; `sluice gate get` also checks that the proof is fresh"
    ),
    printcolumn(
        name = "When closed",
        type_ = "string",
        json_path = ".spec.whenClosed",
        description = "What a release meets while the gate is not open"
    ),
    printcolumn(
        name = "Why",
        type_ = "string",
        json_path = ".status.reasons[0].message",
        description = "The first reason why it is not open"
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status",
        description = "Whether the gate can work at all"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct GateSpec {
    /// The workloads it guards.
    pub components: ComponentSelector,
    /// What a release meets while the gate is not open.
    #[serde(default)]
    pub when_closed: WhenClosed,
    /// What must be true before a release may start.
    #[serde(default)]
    pub before: Before,
}

/// What a release meets at a gate that is not open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenClosed {
    /// The apply is refused with the reason.
    #[default]
    Deny,
    /// The apply is admitted and held at zero new pods until the gate opens. Needs a rollout plan for the workload, else it is refused.
    Hold,
    /// The apply is admitted with a warning.
    Warn,
}

/// What must be true before a release may start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Before {
    /// Probes that must all pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub probes: Vec<ProbeRef>,
    /// How old the evidence of a pass may be; older is `Unknown`. 1s to 1h.
    #[serde(default = "default_max_age")]
    pub max_age: Duration,
}

fn default_max_age() -> Duration {
    Duration::from_secs(60)
}

impl Default for Before {
    /// What a `before` without any field says; the definition's default for a gate without `before` is made of it.
    fn default() -> Self {
        Self {
            probes: Vec::new(),
            max_age: default_max_age(),
        }
    }
}

/// Probes by name or by label, in the referring object's namespace or in Sluice's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.name) != has(self.selector)").message("set either name or selector"))]
pub struct ProbeRef {
    /// One probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub name: Option<String>,
    /// Every probe with these labels; none is `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// The namespace of the probes, when it is not that of the referring object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

/// Open, closed, or no proof either way. Only `Open` lets a release start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum GateState {
    /// Every requirement passes.
    Open,
    /// At least one requirement fails.
    Closed,
    /// At least one requirement cannot be proved, none fails.
    #[default]
    Unknown,
}

impl GateState {
    /// The word as it stands in status fields and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Closed => "Closed",
            Self::Unknown => "Unknown",
        }
    }
}

/// Written on change only. Alone it is never proof: readers combine it with the probe engine's heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateStatus {
    /// The state.
    #[serde(default)]
    pub state: GateState,
    /// Why it is not open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub reasons: Vec<ReasonEntry>,
    /// When the state changed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub since: Option<String>,
    /// The generation that was judged; a state of an older generation is no proof for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The probe engine whose heartbeat backs this state: the name of its Lease in Sluice's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub engine: Option<String>,
    /// `Accepted`, `Open`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub conditions: Vec<Condition>,
}

/// One reason why a gate is not open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReasonEntry {
    /// The typed reason, for programs.
    pub reason: GateReason,
    /// The same for people, with the evidence.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// Since when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub since: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_without_before_means_what_an_empty_before_means() {
        let without: GateSpec = serde_json::from_str(r#"{"components": {}}"#).unwrap();
        let empty: GateSpec = serde_json::from_str(r#"{"components": {}, "before": {}}"#).unwrap();
        assert_eq!(without, empty);
        assert_eq!(without.before.max_age, Duration::from_secs(60));
    }
}
