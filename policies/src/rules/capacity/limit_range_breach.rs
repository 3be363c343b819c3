//! A workload whose pods or claims a LimitRange of the namespace refuses.

use std::collections::BTreeMap;

use sluice_api::Action;

use crate::{
    capacity::{Bounded, Bounds, Claim, ContainerDefaults, Need, PodNeed, Quantity, Unreadable},
    rule::{Case, Category, FactKind, RawFinding, Report, Rule, RuleInfo},
    view::{Anchor, Container, Kind, Read, View, join},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU2010",
    name: "limit-range-breach",
    title: "a LimitRange of the namespace refuses the pods or claims of the workload",
    category: Category::Capacity,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::LimitRanges],
    reads: &[
        Read::pod("containers[*].resources"),
        Read::pod("initContainers[*].resources"),
        Read::pod("initContainers[*].restartPolicy"),
        Read::pod("resources"),
        Read::pod("volumes"),
        Read::object("spec.volumeClaimTemplates"),
    ],
    document: include_str!("limit_range_breach.md"),
};

struct LimitRangeBreach;

pub(in crate::rules) const RULE: &dyn Rule = &LimitRangeBreach;

impl Rule for LimitRangeBreach {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let namespace = case.namespace;
        let Some(ranges) = case.facts.limit_ranges else {
            report.unknown(
                format!("the LimitRanges of namespace {namespace} are not known"),
                "the LimitRanges, from the cluster or a file of facts",
            );
            return;
        };
        if ranges.is_empty() {
            return;
        }
        let (bounds, defaults) = match (Bounds::of(ranges), ContainerDefaults::of(ranges)) {
            (Ok(bounds), Ok(defaults)) => (bounds, defaults),
            (Err(problem), _) | (_, Err(problem)) => {
                report.unknown(problem, "a LimitRange that can be read");
                return;
            }
        };
        match PodNeed::of(case.view, &defaults) {
            Ok(need) => {
                for (container, need) in &need.containers {
                    defaulted(case.view, container, need, report);
                }
                for bounds in &bounds {
                    hold(case.view, bounds, &need, report);
                }
            }
            Err(Unreadable { path, problem }) => report.add(RawFinding::at(
                path,
                problem,
                "a quantity, such as 500m or 1Gi",
            )),
        }
    }
}

/// A default limit below a request makes every pod invalid, while what makes the pods is accepted.
fn defaulted(view: &View<'_>, container: &Container<'_>, need: &Need, report: &mut Report) {
    let own = Need::asked_by(container).unwrap_or_default();
    for (resource, limit) in &need.limits {
        if let Some(request) = need.requests.get(resource)
            && request > limit
            && (own.limits.get(resource), own.requests.get(resource))
                != (Some(limit), Some(request))
        {
            let found = format!(
                "request {request} above the limit {limit}, one of which a LimitRange of the namespace gives"
            );
            let path = format!("resources.limits.{resource}");
            let passes = "a limit that is not below the request";
            report.container(view, container, &path, &found, passes);
        }
    }
}

fn hold(view: &View<'_>, bounds: &Bounds<'_>, need: &PodNeed<'_>, report: &mut Report) {
    match bounds.of {
        Bounded::Container => {
            for (container, need) in &need.containers {
                // what a container asks for itself, whether the API server wrote it out or not
                let own = Need::asked_by(container).unwrap_or_default();
                for breach in breaches(bounds, need) {
                    let given = breach.amount && !breach.is_in(&own);
                    let found = if given {
                        format!("{}, given by a LimitRange", breach.found)
                    } else {
                        breach.found
                    };
                    report.container(view, container, &breach.path, &found, breach.passes);
                }
            }
        }
        Bounded::Pod => {
            for breach in breaches(bounds, &need.bare) {
                let prefix = view.prefix(Anchor::Pod).unwrap_or_default();
                let found = format!("{} for the pod as a whole", breach.found);
                let mut finding = RawFinding::at(prefix.to_owned(), found, breach.passes);
                finding.identity = join(prefix, &format!("{} {}", breach.path, bounds.name));
                report.add(finding);
            }
        }
        Bounded::Claim => {
            for claim in &need.claims {
                for (found, passes) in of_claim(bounds, claim) {
                    report.add(RawFinding::at(claim.path.clone(), found, passes));
                }
            }
        }
    }
}

/// One bound that is not held.
struct Breach {
    /// The path below what is bounded: a list and a resource in it.
    path: String,
    /// Whether an amount is there.
    amount: bool,
    found: String,
    passes: String,
}

impl Breach {
    fn is_in(&self, need: &Need) -> bool {
        let holds = |list: &BTreeMap<String, Quantity>, prefix: &str| {
            self.path
                .strip_prefix(prefix)
                .is_some_and(|resource| list.contains_key(resource))
        };
        holds(&need.requests, "resources.requests.") || holds(&need.limits, "resources.limits.")
    }
}

fn breaches(bounds: &Bounds<'_>, need: &Need) -> Vec<Breach> {
    let name = bounds.name;
    let mut breaches = Vec::new();
    let mut add = |list: &str, resource: &str, amount: Option<Quantity>, passes: String| {
        breaches.push(Breach {
            path: format!("resources.{list}.{resource}"),
            amount: amount.is_some(),
            found: amount.map_or_else(
                || format!("no {resource} in {list}"),
                |amount| format!("{amount} of {resource} in {list}"),
            ),
            passes: format!("{passes}, says LimitRange {name}"),
        });
    };
    for (resource, least) in &bounds.min {
        let (request, limit) = (need.requests.get(resource), need.limits.get(resource));
        if request.is_none_or(|request| request < least) {
            add(
                "requests",
                resource,
                request.copied(),
                format!("at least {least}"),
            );
        } else if limit.is_some_and(|limit| limit < least) {
            add(
                "limits",
                resource,
                limit.copied(),
                format!("at least {least}"),
            );
        }
    }
    for (resource, most) in &bounds.max {
        let (request, limit) = (need.requests.get(resource), need.limits.get(resource));
        if limit.is_none_or(|limit| limit > most) {
            add(
                "limits",
                resource,
                limit.copied(),
                format!("at most {most}"),
            );
        } else if request.is_some_and(|request| request > most) {
            add(
                "requests",
                resource,
                request.copied(),
                format!("at most {most}"),
            );
        }
    }
    for (resource, ratio) in &bounds.ratio {
        let (request, limit) = (need.requests.get(resource), need.limits.get(resource));
        let passes = |request: &Quantity| format!("at most {ratio} times the request of {request}");
        match (request, limit) {
            (None, _) => add(
                "requests",
                resource,
                None,
                format!("a request, of which the limit is at most {ratio} times as much"),
            ),
            (Some(request), _) if request.is_zero() => {
                add(
                    "requests",
                    resource,
                    Some(*request),
                    format!("a request, of which the limit is at most {ratio} times as much"),
                );
            }
            (Some(request), Some(limit)) if !limit.is_zero() => {
                // limit / request > ratio, without a division: both sides in nano-units of nano-units
                let exceeds = limit.nanos().saturating_mul(NANO)
                    > request.nanos().saturating_mul(ratio.nanos());
                if exceeds {
                    add("limits", resource, Some(*limit), passes(request));
                }
            }
            (Some(request), limit) => add("limits", resource, limit.copied(), passes(request)),
        }
    }
    breaches
}

/// Nano-units in a unit.
const NANO: i128 = 1_000_000_000;

/// A claim is held by what it requests alone, and storage is all it requests.
fn of_claim(bounds: &Bounds<'_>, claim: &Claim<'_>) -> Vec<(String, String)> {
    let (name, storage) = (bounds.name, claim.storage);
    let mut breaches = Vec::new();
    if let Some(least) = bounds.min.get("storage").filter(|least| storage < **least) {
        breaches.push((
            storage.to_string(),
            format!("at least {least}, says LimitRange {name}"),
        ));
    }
    if let Some(most) = bounds.max.get("storage").filter(|most| storage > **most) {
        breaches.push((
            storage.to_string(),
            format!("at most {most}, says LimitRange {name}"),
        ));
    }
    breaches
}
