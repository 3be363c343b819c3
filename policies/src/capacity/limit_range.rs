//! What LimitRanges give to containers that leave something out, and what they hold them to.

use std::collections::BTreeMap;

use sluice_tree::Value;

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
        let mut all = Self::default();
        for range in sorted(limit_ranges) {
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

/// What a LimitRange holds the things of one sort to.
#[derive(Debug)]
pub(crate) struct Bounds<'a> {
    /// The name of the LimitRange.
    pub(crate) name: &'a str,
    /// What it bounds.
    pub(crate) of: Bounded,
    pub(crate) min: BTreeMap<String, Quantity>,
    pub(crate) max: BTreeMap<String, Quantity>,
    /// How many times the request the limit may be.
    pub(crate) ratio: BTreeMap<String, Quantity>,
}

/// What a LimitRange may bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bounded {
    Container,
    Pod,
    Claim,
}

impl<'a> Bounds<'a> {
    /// The bounds of all LimitRanges, by name; what they bound that is known to nobody is left out.
    ///
    /// # Errors
    /// Names the LimitRange and what could not be read.
    pub(crate) fn of(limit_ranges: &'a [Value]) -> Result<Vec<Self>, String> {
        let mut all = Vec::new();
        for range in sorted(limit_ranges) {
            let name = name(range);
            for item in items(range) {
                let of = match item.get("type").and_then(Value::as_str) {
                    Some("Container") => Bounded::Container,
                    Some("Pod") => Bounded::Pod,
                    Some("PersistentVolumeClaim") => Bounded::Claim,
                    _ => continue,
                };
                let list = |list: &str| {
                    amounts(lookup(item, list)).map_err(|(resource, problem)| {
                        format!("LimitRange {name}: {list}.{resource}: {problem}")
                    })
                };
                all.push(Self {
                    name,
                    of,
                    min: list("min")?,
                    max: list("max")?,
                    ratio: list("maxLimitRequestRatio")?,
                });
            }
        }
        Ok(all)
    }
}

fn name(range: &Value) -> &str {
    lookup(range, "metadata.name")
        .and_then(Value::as_str)
        .unwrap_or("-")
}

fn sorted(limit_ranges: &[Value]) -> Vec<&Value> {
    let mut sorted: Vec<&Value> = limit_ranges.iter().collect();
    sorted.sort_by_key(|range| name(range));
    sorted
}

fn items(range: &Value) -> &[Value] {
    lookup(range, "spec.limits")
        .and_then(Value::as_array)
        .unwrap_or_default()
}

fn one(range: &Value) -> Result<ContainerDefaults, String> {
    let mut defaults = ContainerDefaults::default();
    for item in items(range) {
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
