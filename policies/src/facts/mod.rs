//! What is known beside the object: what lies in its namespace, and in the cluster around it.
//!
//! Decides: what is kept of each kind, so that webhook and CLI keep the same and no rule can see more in one than in the other.
//! Leaves to others: where it comes from, and whether a list is whole.
//!
//! Everything has three values. A list that is whole proves absence; of one that is not, only presence can be concluded; by default nothing is known.

mod autoscaler;
mod disruption_budget;
mod keys;
mod kind;
mod node;
mod observed_peak;
mod params;
mod pod_template;
mod service;
mod stock;

use std::collections::BTreeMap;

use sluice_tree::Value;

pub use autoscaler::Autoscaler;
pub use disruption_budget::DisruptionBudget;
pub use keys::{KeyScope, Keys, ObjectKeys};
pub use kind::{FactKind, Keyed, Named};
pub use node::Node;
pub use observed_peak::{ObservedPeak, Peaks};
pub use params::{Param, Params};
pub use pod_template::{NamedPort, PodTemplate, PodTemplates};
pub use service::{Service, ServicePort, Target};
pub use stock::Stock;

/// What is known beside the object. By default nothing is, so rules that need it answer Unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Labels of the namespace.
    pub namespace_labels: Option<&'a BTreeMap<String, String>>,
    /// The `ResourceQuota` objects of the namespace; an empty list means known to be none.
    pub quotas: Option<&'a [Value]>,
    /// The `LimitRange` objects of the namespace; an empty list means known to be none.
    pub limit_ranges: Option<&'a [Value]>,
    /// Names of objects, in the order of [`Named::ALL`]; see [`Self::names`].
    pub names: [Names<'a>; Named::ALL.len()],
    /// Keys of objects, in the order of [`Keyed::ALL`]; see [`Self::keys`].
    pub keys: [Keys<'a>; Keyed::ALL.len()],
    /// The Services of the namespace.
    pub services: Listed<'a, Service>,
    /// The pod templates of the namespace.
    pub pod_templates: PodTemplates<'a>,
    /// The PodDisruptionBudgets of the namespace.
    pub disruption_budgets: Listed<'a, DisruptionBudget>,
    /// The HorizontalPodAutoscalers of the namespace.
    pub autoscalers: Listed<'a, Autoscaler>,
    /// The nodes of the cluster.
    pub nodes: Listed<'a, Node>,
    /// The most memory that containers of the namespace were seen to use.
    pub peaks: Peaks<'a>,
    /// Objects from which policies of the API server take their parameters, beside those among the policy files.
    pub params: Option<&'a Params>,
    /// Who makes the request: `userInfo` of the admission review.
    pub user: Option<&'a Value>,
}

impl<'a> Facts<'a> {
    /// The names of one kind: in the namespace of the object, or in the cluster where the kind is not namespaced.
    #[must_use]
    pub const fn names(&self, kind: Named) -> Names<'a> {
        self.names[kind.index()]
    }

    /// The keys of the objects of one kind in the namespace of the object.
    #[must_use]
    pub const fn keys(&self, kind: Keyed) -> Keys<'a> {
        self.keys[kind.index()]
    }
}

/// Names of objects of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    sorted: &'a [String],
    whole: bool,
}

impl<'a> Names<'a> {
    /// These are all; they must be sorted.
    #[must_use]
    pub const fn whole(sorted: &'a [String]) -> Self {
        Self {
            sorted,
            whole: true,
        }
    }

    /// These are there, and perhaps others; they must be sorted.
    #[must_use]
    pub const fn part(sorted: &'a [String]) -> Self {
        Self {
            sorted,
            whole: false,
        }
    }

    /// All of them, sorted; `None` when nobody knows whether there are others.
    #[must_use]
    pub const fn all(&self) -> Option<&'a [String]> {
        if self.whole { Some(self.sorted) } else { None }
    }

    /// Whether an object of this name is there; `None` when nobody knows.
    #[must_use]
    pub fn has(&self, name: &str) -> Option<bool> {
        let there = self
            .sorted
            .binary_search_by(|known| known.as_str().cmp(name))
            .is_ok();
        (there || self.whole).then_some(there)
    }
}

/// Objects of one kind.
#[derive(Debug)]
pub struct Listed<'a, T> {
    items: &'a [T],
    whole: bool,
}

// derived, they would ask the same of T
impl<T> Clone for Listed<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Listed<'_, T> {}

impl<T> Default for Listed<'_, T> {
    fn default() -> Self {
        Self::part(&[])
    }
}

impl<'a, T> Listed<'a, T> {
    /// These are all.
    #[must_use]
    pub const fn whole(items: &'a [T]) -> Self {
        Self { items, whole: true }
    }

    /// These are there, and perhaps others.
    #[must_use]
    pub const fn part(items: &'a [T]) -> Self {
        Self {
            items,
            whole: false,
        }
    }

    /// What is known to be there.
    #[must_use]
    pub const fn items(&self) -> &'a [T] {
        self.items
    }

    /// Whether there is nothing else.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether `test` holds for any; `None` when nobody knows.
    pub fn any(&self, test: impl FnMut(&T) -> bool) -> Option<bool> {
        let there = self.items.iter().any(test);
        (there || self.whole).then_some(there)
    }
}

/// The name of an object; empty when it has none.
fn name(object: &Value) -> String {
    text(object, "metadata.name")
}

/// A text of an object; empty when there is none.
fn text(object: &Value, path: &str) -> String {
    crate::view::lookup(object, path)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// A map of texts, such as labels; what is no text is left out.
fn texts(object: &Value, path: &str) -> BTreeMap<String, String> {
    crate::view::lookup(object, path)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str().to_owned(), value.as_str()?.to_owned())))
        .collect()
}

/// The items of a list; none where there is no list.
fn items<'a>(object: &'a Value, path: &str) -> &'a [Value] {
    crate::view::lookup(object, path)
        .and_then(Value::as_array)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_list_proves_absence() {
        let names = ["a".to_owned(), "c".to_owned()];
        for (names, name, has) in [
            (Names::default(), "a", None),
            (Names::part(&names), "a", Some(true)),
            (Names::part(&names), "b", None),
            (Names::whole(&names), "c", Some(true)),
            (Names::whole(&names), "b", Some(false)),
            (Names::whole(&[]), "b", Some(false)),
        ] {
            assert_eq!(names.has(name), has, "{names:?} {name}");
        }
        for (listed, number, any) in [
            (Listed::default(), 1, None),
            (Listed::part(&[1, 2]), 1, Some(true)),
            (Listed::part(&[1, 2]), 3, None),
            (Listed::whole(&[1, 2]), 3, Some(false)),
        ] {
            assert_eq!(listed.any(|item| *item == number), any);
        }
    }
}
