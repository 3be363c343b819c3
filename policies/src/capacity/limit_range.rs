//! What LimitRanges give to containers that leave something out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Quantity, need::amounts};
use crate::view::lookup;

/// The requests and limits that containers of a namespace get where they have none.
#[derive(Debug, Default)]
pub(crate) struct ContainerDefaults {
    pub(super) requests: BTreeMap<String, Quantity>,
    pub(super) limits: BTreeMap<String, Quantity>,
}

impl ContainerDefaults {
    /// The defaults of all LimitRanges together; where several say something the first by name wins.
    ///
    /// # Errors
    /// Names the LimitRange and what could not be read.
    pub(crate) fn of(limit_ranges: &[Value]) -> Result<Self, String> {
        let name = |range: &Value| {
            lookup(range, "metadata.name")
                .and_then(Value::as_str)
                .unwrap_or("-")
                .to_owned()
        };
        let mut sorted: Vec<&Value> = limit_ranges.iter().collect();
        sorted.sort_by_key(|range| name(range));
        let mut all = Self::default();
        for range in sorted {
            let own =
                one(range).map_err(|problem| format!("LimitRange {}: {problem}", name(range)))?;
            for (resource, amount) in own.limits {
                all.limits.entry(resource).or_insert(amount);
            }
            for (resource, amount) in own.requests {
                all.requests.entry(resource).or_insert(amount);
            }
        }
        Ok(all)
    }
}

fn one(range: &Value) -> Result<ContainerDefaults, String> {
    let mut defaults = ContainerDefaults::default();
    let items = lookup(range, "spec.limits")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    for item in items {
        if item.get("type").and_then(Value::as_str) != Some("Container") {
            continue;
        }
        let list = |name: &str| {
            amounts(lookup(item, name))
                .map_err(|(resource, problem)| format!("{name}.{resource}: {problem}"))
        };
        // what the API server fills into a LimitRange: the limit from the maximum, the request from the limit, then from the minimum
        let mut limits = list("default")?;
        let mut requests = list("defaultRequest")?;
        for (resource, amount) in list("max")? {
            limits.entry(resource).or_insert(amount);
        }
        for (resource, amount) in &limits {
            requests.entry(resource.clone()).or_insert(*amount);
        }
        for (resource, amount) in list("min")? {
            requests.entry(resource).or_insert(amount);
        }
        defaults.limits.extend(limits);
        defaults.requests.extend(requests);
    }
    Ok(defaults)
}
