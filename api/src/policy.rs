//! `Policy`: which rules judge which manifests, and what a finding leads to.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, component::LabelSelector};

/// Rules for manifests.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "Policy",
    plural = "policies",
    namespaced,
    status = "PolicyStatus",
    derive = "PartialEq",
    shortname = "slpolicy",
    category = "sluice",
    doc = "Rules for manifests. In Sluice's own namespace a policy judges every namespace it matches, elsewhere only its own. The same file is checked offline by `sluice check`.",
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status",
        description = "Whether the policy is in force"
    ),
    printcolumn(
        name = "Why",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].message"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct PolicySpec {
    /// Which namespaces are judged.
    #[serde(default, rename = "match")]
    pub matches: PolicyMatch,
    /// The rules.
    #[schemars(length(min = 1, max = 128))]
    pub rules: Vec<PolicyRule>,
}

/// Which objects a policy judges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyMatch {
    /// Labels of the namespace; every namespace when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<LabelSelector>,
}

/// One built-in rule in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
pub struct PolicyRule {
    /// The name of the rule, see `sluice rules`.
    #[serde(rename = "use")]
    #[schemars(length(min = 1, max = 63))]
    pub use_: String,
    /// What a finding leads to in a namespace of mode `enforce`.
    #[serde(default)]
    pub action: Action,
    /// Parameters of the rule, typed by the rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::any_object")]
    pub parameters: BTreeMap<String, serde_json::Value>,
}

/// What a finding leads to.
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
pub enum Action {
    /// Counted only.
    Audit,
    /// Told to the client as a warning.
    Warn,
    /// The request is refused.
    #[default]
    Deny,
}

impl Action {
    /// The word as it stands in manifests and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "Audit",
            Self::Warn => "Warn",
            Self::Deny => "Deny",
        }
    }
}

/// Whether the policy is in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The generation that was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub conditions: Vec<Condition>,
}
