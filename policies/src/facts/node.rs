//! What rules read of a Node: how much it has for pods.

use std::collections::BTreeMap;

use sluice_tree::Value;

use super::name;
use crate::{capacity::Quantity, view::lookup};

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What its pods may ask for in all, by resource; what cannot be read is left out.
    pub allocatable: BTreeMap<String, Quantity>,
}

impl Node {
    /// What is kept of the object. The API server fills `allocatable` in from `capacity`, so a node that says neither has nothing.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let allocatable = lookup(object, "status.allocatable")
            .or_else(|| lookup(object, "status.capacity"))
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(resource, amount)| {
                Some((resource.as_str().to_owned(), Quantity::of(amount).ok()?))
            })
            .collect();
        Self {
            name: name(object),
            allocatable,
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_tree::json;

    use super::*;

    #[test]
    fn a_node_has_what_is_allocatable_else_its_capacity() {
        for (status, cpu) in [
            (
                json!({"allocatable": {"cpu": "3500m"}, "capacity": {"cpu": "4"}}),
                Some("3500m"),
            ),
            (json!({"capacity": {"cpu": "4"}}), Some("4")),
            (json!({"allocatable": {"cpu": "many"}}), None),
            (json!({}), None),
        ] {
            let node = Node::of(&json!({"metadata": {"name": "a"}, "status": status}));
            let found = node.allocatable.get("cpu").map(ToString::to_string);
            assert_eq!(found.as_deref(), cpu, "{status}");
        }
    }
}
