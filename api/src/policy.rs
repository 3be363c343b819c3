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
    /// Values for own rules, which read them as `params`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::any_object")]
    pub params: Option<serde_json::Value>,
    /// What a rule leads to when nobody can tell: a fact is missing, or an own rule failed on the object.
    #[serde(default, skip_serializing_if = "OnUnknown::is_warn")]
    pub on_unknown: OnUnknown,
}

/// What it leads to when nobody can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnUnknown {
    /// Told to the client as a warning.
    #[default]
    Warn,
    /// As if the rule were broken.
    Deny,
}

impl OnUnknown {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    fn is_warn(&self) -> bool {
        *self == Self::Warn
    }
}

/// Which objects a policy judges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyMatch {
    /// Labels of the namespace; every namespace when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<LabelSelector>,
}

/// One rule: a built-in one that is used, or an own one in CEL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.use) != has(self.cel)").message("set either use, or name, kinds and cel"))]
#[x_kube(validation = Rule::new("has(self.cel) == has(self.name) && has(self.cel) == has(self.kinds)").message("name, kinds and cel belong together"))]
#[x_kube(validation = Rule::new("has(self.cel) || !(has(self.each) || has(self.message) || has(self.messageExpression) || has(self.variables))").message("each, message, messageExpression and variables belong to cel"))]
#[x_kube(validation = Rule::new("has(self.use) || !has(self.parameters)").message("parameters belong to use; own rules read params of the policy"))]
#[x_kube(validation = Rule::new("!has(self.message) || !has(self.messageExpression)").message("set either message or messageExpression"))]
pub struct PolicyRule {
    /// The name of a built-in rule, see `sluice rules`.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub use_: Option<String>,
    /// What a finding leads to in a namespace of mode `enforce`.
    #[serde(default)]
    pub action: Action,
    /// Parameters of the built-in rule, typed by the rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::any_object")]
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// The name of the own rule, which findings carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub name: Option<String>,
    /// The kinds that the own rule judges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 63)))]
    pub kinds: Vec<String>,
    /// What the own rule looks at one by one; the whole object when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
    /// The own rule: true for what passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16384))]
    pub cel: Option<String>,
    /// What a finding says; `{{ expression }}` is filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub message: Option<String>,
    /// What a finding says, as an expression whose answer is a string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16384))]
    pub message_expression: Option<String>,
    /// Named expressions that `cel` and the messages read as `variables.name`; each may read those before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub variables: Vec<RuleVariable>,
}

/// What an own rule looks at one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Each {
    /// Every container of the pod: init containers and sidecars too. The rule reads it as `container`.
    Container,
}

/// A named expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleVariable {
    /// Its name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The expression.
    #[schemars(length(min = 1, max = 16384))]
    pub expression: String,
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
