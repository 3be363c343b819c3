//! A container that may take far more than the scheduler set aside for it.

use sluice_api::Action;

use crate::{
    capacity::{Need, Quantity},
    rule::{Case, Category, Parameter, RatioParameter, Report, Rule, RuleInfo, ratio_text},
    view::{Kind, Read},
};

static MOST_MEMORY: RatioParameter = RatioParameter {
    name: "maxMemoryRatio",
    default: 200,
    least: 100,
    most: 10_000,
    meaning: "how many times its memory request the memory limit of a container may be",
};

static MOST_CPU: RatioParameter = RatioParameter {
    name: "maxCpuRatio",
    default: 1000,
    least: 100,
    most: 100_000,
    meaning: "how many times its cpu request the cpu limit of a container may be",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU2012",
    name: "limit-far-above-request",
    title: "a container may take far more than is set aside for it",
    category: Category::Capacity,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[Parameter::Ratio(&MOST_MEMORY), Parameter::Ratio(&MOST_CPU)],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].resources"),
        Read::pod("initContainers[*].resources"),
    ],
    document: include_str!("limit_far_above_request.md"),
};

struct LimitFarAboveRequest;

pub(in crate::rules) const RULE: &dyn Rule = &LimitFarAboveRequest;

impl Rule for LimitFarAboveRequest {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for container in case.view.containers() {
            // what holds no quantity is the finding of others
            let Some(need) = Need::asked_by(&container) else {
                continue;
            };
            for (resource, most) in [("memory", &MOST_MEMORY), ("cpu", &MOST_CPU)] {
                let (Some(limit), Some(request)) =
                    (need.limits.get(resource), need.requests.get(resource))
                else {
                    continue;
                };
                let most = case.hundredths(most);
                // compared in hundredths, so that nothing is rounded
                if limit.times(100) <= request.times(most) {
                    continue;
                }
                let times = times(*limit, *request);
                let found = match times {
                    Some(times) => format!(
                        "{limit}, which is {} times the request of {request}",
                        ratio_text(times)
                    ),
                    None => format!("{limit}, and a request of {request}"),
                };
                let passes = format!("at most {} times the request", ratio_text(most));
                let path = format!("resources.limits.{resource}");
                report.container(case.view, &container, &path, &found, passes);
                // a wider gap is a new finding
                if let Some(finding) = report.last() {
                    finding.measure = Some(times.map_or(i128::MAX, i128::from));
                }
            }
        }
    }
}

/// How many times as much, in hundredths, rounded up; `None` for a multiple of nothing.
fn times(limit: Quantity, request: Quantity) -> Option<i64> {
    let (limit, request) = (limit.nanos(), request.nanos());
    if request <= 0 {
        return None;
    }
    let hundredfold = limit.saturating_mul(100);
    i64::try_from(hundredfold / request + i128::from(hundredfold % request != 0)).ok()
}
