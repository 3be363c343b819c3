//! What rules read of a PodDisruptionBudget.

use std::collections::BTreeMap;

use sluice_api::component::LabelSelector;
use sluice_tree::Value;

use super::name;
use crate::view::{IntOrPercent, lookup};

/// A PodDisruptionBudget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisruptionBudget {
    /// Its name.
    pub name: String,
    /// Its pods; without a selector, or with one that cannot be read, it has none.
    pub selector: Option<LabelSelector>,
    /// How many pods must stay.
    pub min_available: IntOrPercent,
    /// How many may go.
    pub max_unavailable: IntOrPercent,
}

impl DisruptionBudget {
    /// What is kept of the object.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        Self {
            name: name(object),
            selector: lookup(object, "spec.selector")
                .and_then(|selector| sluice_tree::from_value(selector).ok()),
            min_available: IntOrPercent::of(lookup(object, "spec.minAvailable")),
            max_unavailable: IntOrPercent::of(lookup(object, "spec.maxUnavailable")),
        }
    }

    /// Whether it is about pods with these labels. An empty selector is about all of them.
    #[must_use]
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.selector
            .as_ref()
            .is_some_and(|selector| selector.matches(labels))
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    #[test]
    fn no_selector_is_about_nothing_and_an_empty_one_about_everything() {
        let labels = [("app".to_owned(), "a".to_owned())].into();
        for (spec, selects) in [
            (json!({"minAvailable": 1}), false),
            (json!({"selector": null}), false),
            (json!({"selector": {}}), true),
            (json!({"selector": {"matchLabels": {"app": "a"}}}), true),
            (json!({"selector": {"matchLabels": {"app": "b"}}}), false),
            (json!({"selector": {"matchLabels": 3}}), false),
        ] {
            let budget = DisruptionBudget::of(&json!({"spec": spec}));
            assert_eq!(budget.selects(&labels), selects, "{spec}");
        }
        let budget =
            DisruptionBudget::of(&json!({"spec": {"minAvailable": 2, "maxUnavailable": "50%"}}));
        assert_eq!(budget.min_available, IntOrPercent::Int(2));
        assert_eq!(budget.max_unavailable, IntOrPercent::Percent(50));
    }
}
