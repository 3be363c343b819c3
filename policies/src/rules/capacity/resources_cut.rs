//! An update that takes much of its cpu or memory from a container.

use sluice_api::Action;

use crate::{
    capacity::{Need, Quantity},
    rule::{Case, Category, IntParameter, Parameter, QuantityParameter, Report, Rule, RuleInfo},
    view::{Container, Kind, Read, View},
};

static MOST: IntParameter = IntParameter {
    name: "maxCutPercent",
    default: 50,
    least: 1,
    most: 99,
    meaning: "the greatest part of a request or limit that one update may take away, in percent",
};

static IGNORED_CPU: QuantityParameter = QuantityParameter {
    name: "ignoredCpu",
    default: "100m",
    least: "1m",
    most: "1k",
    meaning: "cuts of less cpu than this are let through",
};

static IGNORED_MEMORY: QuantityParameter = QuantityParameter {
    name: "ignoredMemory",
    default: "128Mi",
    least: "1Mi",
    most: "1Ti",
    meaning: "cuts of less memory than this are let through",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU2011",
    name: "resources-cut",
    title: "an update takes much of its cpu or memory from a container",
    category: Category::Capacity,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[
        Parameter::Int(&MOST),
        Parameter::Quantity(&IGNORED_CPU),
        Parameter::Quantity(&IGNORED_MEMORY),
    ],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].resources"),
        Read::pod("initContainers[*].resources"),
    ],
    document: include_str!("resources_cut.md"),
};

struct ResourcesCut;

pub(in crate::rules) const RULE: &dyn Rule = &ResourcesCut;

impl Rule for ResourcesCut {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let Some(old) = case.old else {
            return;
        };
        for container in case.view.containers() {
            let before = named(old, &container).and_then(|old| Need::asked_by(&old));
            let (Some(before), Some(now)) = (before, Need::asked_by(&container)) else {
                continue;
            };
            for (resource, ignored) in [("cpu", &IGNORED_CPU), ("memory", &IGNORED_MEMORY)] {
                let left = 100 - case.int(&MOST);
                let cut = |before: Quantity, now: Quantity| {
                    let deep = now.times(100) < before.times(left);
                    // what is small may be cut freely
                    let much = before.minus(now) >= case.quantity(ignored);
                    (deep && much).then(|| before.hundredths(left))
                };
                let mut add = |list: &str, before: Quantity, now: Option<Quantity>, least| {
                    let path = format!("resources.{list}.{resource}");
                    let found = told(before, now);
                    let passes = format!("at least {least}, and further down with another update");
                    report.container(case.view, &container, &path, &found, passes);
                };
                if let Some(was) = before.requests.get(resource) {
                    let is = now.requests.get(resource).copied();
                    if let Some(least) = cut(*was, is.unwrap_or(Quantity::ZERO)) {
                        add("requests", *was, is, least);
                    }
                }
                // a limit that is gone is no cut
                if let (Some(was), Some(is)) =
                    (before.limits.get(resource), now.limits.get(resource))
                    && let Some(least) = cut(*was, *is)
                {
                    add("limits", *was, Some(*is), least);
                }
            }
        }
    }
}

/// The container of this name in the object before.
fn named<'a>(old: &View<'a>, container: &Container<'_>) -> Option<Container<'a>> {
    let name = container.name();
    old.containers()
        .find(|old| !name.is_empty() && old.name() == name)
}

/// `2Gi before, 512Mi now, 75 % less`.
fn told(before: Quantity, now: Option<Quantity>) -> String {
    let Some(now) = now else {
        return format!("{before} before, none now");
    };
    let percent = before
        .minus(now)
        .nanos()
        .saturating_mul(100)
        .checked_div(before.nanos())
        .unwrap_or_default();
    format!("{before} before, {now} now, {percent} % less")
}
