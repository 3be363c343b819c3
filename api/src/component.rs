//! Which workloads an object speaks about.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The workload kinds of `apps/v1` that can be released.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
}

impl WorkloadKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Deployment, Self::StatefulSet, Self::DaemonSet];

    /// The kind as written in manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }

    /// The resource name in API paths and admission rules.
    #[must_use]
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
        }
    }

    /// The kind that is written like `text`.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One workload object.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct ComponentRef {
    /// Its namespace.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
}

impl fmt::Display for ComponentRef {
    /// `deployment/checkout` as kubectl writes it; the namespace is said apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str().to_lowercase(), self.name)
    }
}

/// A set of workloads: by kind, by name and by the labels of the workload object itself (not of its pods).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentSelector {
    /// The kinds; all three when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub kinds: Vec<WorkloadKind>,
    /// Exact names; any name when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub names: Vec<String>,
    /// Labels of the workload; any labels when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

impl ComponentSelector {
    /// Whether a workload of this kind, name and labels belongs to the set. The namespace is the caller's business.
    #[must_use]
    pub fn matches(
        &self,
        kind: WorkloadKind,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.names.is_empty() || self.names.iter().any(|wanted| wanted == name))
            && self
                .selector
                .as_ref()
                .is_none_or(|selector| selector.matches(labels))
    }

    /// How narrow the set is, for "most specific wins": names before labels before kinds.
    #[must_use]
    pub fn specificity(&self) -> (bool, usize, bool) {
        let terms = self
            .selector
            .as_ref()
            .map_or(0, |s| s.match_labels.len() + s.match_expressions.len());
        (!self.names.is_empty(), terms, !self.kinds.is_empty())
    }
}

/// `metav1.LabelSelector`, with bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements; all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub match_expressions: Vec<LabelRequirement>,
}

/// One requirement of a [`LabelSelector`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct LabelRequirement {
    /// The label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How it is compared.
    pub operator: LabelOperator,
    /// The values for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// How a [`LabelRequirement`] compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LabelOperator {
    /// The label is there with one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl LabelSelector {
    /// Whether `labels` satisfy every requirement, with the semantics of `metav1.LabelSelector`.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| {
                let value = labels.get(&requirement.key);
                let listed = value.is_some_and(|value| requirement.values.contains(value));
                match requirement.operator {
                    LabelOperator::In => listed,
                    LabelOperator::NotIn => !listed,
                    LabelOperator::Exists => value.is_some(),
                    LabelOperator::DoesNotExist => value.is_none(),
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn selects_by_kind_name_and_labels() {
        let all = ComponentSelector::default();
        let some: ComponentSelector = serde_json::from_value(serde_json::json!({
            "kinds": ["Deployment"],
            "selector": {"matchLabels": {"app": "checkout"}, "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["batch"]}]}
        }))
        .unwrap();
        for (kind, of, matches) in [
            (
                WorkloadKind::Deployment,
                labels(&[("app", "checkout")]),
                true,
            ),
            (
                WorkloadKind::StatefulSet,
                labels(&[("app", "checkout")]),
                false,
            ),
            (WorkloadKind::Deployment, labels(&[("app", "cart")]), false),
            (
                WorkloadKind::Deployment,
                labels(&[("app", "checkout"), ("tier", "batch")]),
                false,
            ),
        ] {
            assert_eq!(some.matches(kind, "x", &of), matches, "{kind} {of:?}");
            assert!(all.matches(kind, "x", &of));
        }
    }
}
