//! The two kinds as they are written. A field that is not known is refused: the API server would drop it.

use serde::{Deserialize, Serialize};
use sluice_api::component::LabelSelector;
use sluice_tree::Value;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicySpec {
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    pub param_kind: Option<ParamKind>,
    pub match_constraints: Option<MatchResources>,
    #[serde(default)]
    pub match_conditions: Vec<Named>,
    #[serde(default)]
    pub variables: Vec<Named>,
    #[serde(default)]
    pub validations: Vec<Validation>,
    #[serde(default)]
    pub audit_annotations: Vec<AuditAnnotation>,
}

/// What an expression that fails leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum FailurePolicy {
    #[default]
    Fail,
    Ignore,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ParamKind {
    pub api_version: String,
    pub kind: String,
}

/// An expression with a name: a match condition, a variable.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub name: String,
    pub expression: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Validation {
    pub expression: String,
    pub message: Option<String>,
    pub message_expression: Option<String>,
    pub reason: Option<Reason>,
}

/// The code of the API server's refusal; Sluice tells its findings in its own words, so it is read and no more.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) enum Reason {
    Unauthorized,
    Forbidden,
    Invalid,
    RequestEntityTooLarge,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AuditAnnotation {
    pub key: String,
    pub value_expression: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MatchResources {
    #[serde(default)]
    pub namespace_selector: LabelSelector,
    #[serde(default)]
    pub object_selector: LabelSelector,
    #[serde(default)]
    pub resource_rules: Vec<ResourceRule>,
    #[serde(default)]
    pub exclude_resource_rules: Vec<ResourceRule>,
    #[serde(default)]
    pub match_policy: MatchPolicy,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum MatchPolicy {
    Exact,
    #[default]
    Equivalent,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ResourceRule {
    #[serde(default)]
    pub api_groups: Vec<String>,
    #[serde(default)]
    pub api_versions: Vec<String>,
    #[serde(default)]
    pub operations: Vec<Operation>,
    #[serde(default)]
    pub resources: Vec<String>,
    #[serde(default)]
    pub resource_names: Vec<String>,
    #[serde(default)]
    pub scope: Scope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Operation {
    #[serde(rename = "*")]
    Any,
    #[serde(rename = "CREATE")]
    Create,
    #[serde(rename = "UPDATE")]
    Update,
    #[serde(rename = "DELETE")]
    Delete,
    #[serde(rename = "CONNECT")]
    Connect,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Scope {
    Cluster,
    Namespaced,
    #[default]
    #[serde(rename = "*")]
    Any,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BindingSpec {
    pub policy_name: String,
    pub param_ref: Option<ParamRef>,
    pub match_resources: Option<MatchResources>,
    #[serde(default)]
    pub validation_actions: Vec<ValidationAction>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ParamRef {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub selector: Option<LabelSelector>,
    pub parameter_not_found_action: Option<NotFound>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum NotFound {
    Allow,
    Deny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub(super) enum ValidationAction {
    Audit,
    Warn,
    Deny,
}

/// One object of either kind.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Written<S> {
    #[serde(default)]
    pub metadata: Metadata,
    pub spec: S,
}

/// What is read of the metadata; the rest is none of our business.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Metadata {
    #[serde(default)]
    pub name: String,
}

/// What a document of a policy folder is to the policies of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Document {
    Policy,
    Binding,
    Other,
}

pub(super) const GROUP: &str = "admissionregistration.k8s.io";

impl Document {
    pub fn of(object: &Value) -> Self {
        let text = |field: &str| {
            object
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let group = text("apiVersion").split_once('/').map(|(group, _)| group);
        match text("kind") {
            _ if group != Some(GROUP) => Self::Other,
            "ValidatingAdmissionPolicy" => Self::Policy,
            "ValidatingAdmissionPolicyBinding" => Self::Binding,
            _ => Self::Other,
        }
    }
}
