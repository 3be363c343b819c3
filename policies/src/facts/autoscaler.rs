//! What rules read of a HorizontalPodAutoscaler.

use sluice_tree::Value;

use super::{name, text};
use crate::view::lookup;

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaler {
    /// Its name.
    pub name: String,
    /// The `apiVersion` of what it scales.
    pub target_api_version: String,
    /// The kind of what it scales.
    pub target_kind: String,
    /// The name of what it scales.
    pub target_name: String,
    /// The fewest pods, after API defaults.
    pub min: i64,
    /// The most pods; zero when that cannot be read.
    pub max: i64,
}

impl Autoscaler {
    /// What is kept of the object.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let int = |path: &str| lookup(object, path).and_then(Value::as_i64);
        Self {
            name: name(object),
            target_api_version: text(object, "spec.scaleTargetRef.apiVersion"),
            target_kind: text(object, "spec.scaleTargetRef.kind"),
            target_name: text(object, "spec.scaleTargetRef.name"),
            min: int("spec.minReplicas").unwrap_or(1),
            max: int("spec.maxReplicas").unwrap_or(0),
        }
    }

    /// Whether it scales this workload of `apps`.
    #[must_use]
    pub fn scales(&self, kind: &str, name: &str) -> bool {
        self.target_kind == kind
            && self.target_name == name
            && self.target_api_version.split('/').next() == Some("apps")
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    #[test]
    fn an_autoscaler_is_kept_as_rules_read_it() {
        let autoscaler = Autoscaler::of(&json!({
            "metadata": {"name": "checkout"},
            "spec": {"maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"}},
        }));
        assert_eq!((autoscaler.min, autoscaler.max), (1, 9));
        assert!(autoscaler.scales("Deployment", "checkout"));
        assert!(!autoscaler.scales("Deployment", "cart"));
        assert!(!autoscaler.scales("StatefulSet", "checkout"));
        assert!(!Autoscaler::of(&json!(3)).scales("Deployment", "checkout"));
    }
}
