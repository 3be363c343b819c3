//! A rolling update that may take every pod down at once.

use sluice_api::Action;

use super::stepped::stepped;
use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Int, IntOrPercent, Kind, Read},
};

const REPLICAS: Read = Read::object("spec.replicas");
const DEPLOYMENT_TYPE: Read = Read::object("spec.strategy.type");
const DEPLOYMENT_UNAVAILABLE: Read = Read::object("spec.strategy.rollingUpdate.maxUnavailable");
const DEPLOYMENT_SURGE: Read = Read::object("spec.strategy.rollingUpdate.maxSurge");
const SET_TYPE: Read = Read::object("spec.updateStrategy.type");
const SET_UNAVAILABLE: Read = Read::object("spec.updateStrategy.rollingUpdate.maxUnavailable");
const SET_PARTITION: Read = Read::object("spec.updateStrategy.rollingUpdate.partition");

static INFO: RuleInfo = RuleInfo {
    code: "SLU3005",
    name: "rollout-stops-every-pod",
    title: "a rolling update may take every pod down at once",
    category: Category::RolloutSafety,
    severity: Action::Deny,
    kinds: &[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        REPLICAS,
        Read::object("spec.strategy"),
        Read::object("spec.updateStrategy"),
    ],
    document: include_str!("rollout_stops_every_pod.md"),
};

struct RolloutStopsEveryPod;

pub(in crate::rules) const RULE: &dyn Rule = &RolloutStopsEveryPod;

impl Rule for RolloutStopsEveryPod {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        match case.view.kind() {
            Kind::Deployment if !stepped(case.view) => deployment(case, report),
            Kind::StatefulSet => stateful_set(case, report),
            Kind::DaemonSet => daemon_set(case, report),
            _ => {}
        }
    }
}

fn rolls(case: &Case<'_>, read: Read) -> bool {
    case.field(read).text() == Some("RollingUpdate")
}

/// How many pods there shall be; `None` when there shall be none, or nobody can read it.
fn replicas(case: &Case<'_>) -> Option<i64> {
    match case.field(REPLICAS).int() {
        Int::Is(replicas) if replicas > 0 => Some(replicas),
        _ => None,
    }
}

/// A number or percentage of `of` as the controllers round it.
fn scaled(value: IntOrPercent, of: i64, up: bool) -> Option<i64> {
    match value {
        IntOrPercent::Int(number) => Some(number.max(0)),
        IntOrPercent::Percent(percent) => {
            let whole = i128::from(percent) * i128::from(of) + if up { 99 } else { 0 };
            i64::try_from(whole / 100).ok()
        }
        IntOrPercent::Absent => Some(0),
        IntOrPercent::Odd => None,
    }
}

/// `1 replica`, `3 replicas`.
fn of(replicas: i64) -> String {
    format!("{replicas} replica{}", if replicas == 1 { "" } else { "s" })
}

fn stays(replicas: i64) -> String {
    format!("at most {}, so that one of {replicas} stays", replicas - 1)
}

fn deployment(case: &Case<'_>, report: &mut Report) {
    let Some(replicas) = replicas(case).filter(|_| rolls(case, DEPLOYMENT_TYPE)) else {
        return;
    };
    let (field, surge) = (
        case.field(DEPLOYMENT_UNAVAILABLE),
        case.field(DEPLOYMENT_SURGE),
    );
    let (Some(says), Some(more)) = (
        scaled(field.int_or_percent(), replicas, false),
        scaled(surge.int_or_percent(), replicas, true),
    ) else {
        return;
    };
    // where both round to nothing the controller could not move, so it takes one
    let stuck = says == 0 && more == 0;
    let unavailable = if stuck { 1 } else { says };
    if unavailable < replicas {
        return;
    }
    let mut found = format!("{} of {}", field.found(), of(replicas));
    if stuck {
        found.push_str(&format!(
            " is 0, and so is maxSurge {}: the controller takes 1, which is all",
            surge.found()
        ));
    } else {
        found.push_str(&format!(" is {unavailable}: none has to stay"));
    }
    let finding = |passes: String| {
        RawFinding::at(
            case.view.path(DEPLOYMENT_UNAVAILABLE),
            found.clone(),
            passes,
        )
    };
    report.add(if replicas == 1 {
        // with one pod there is not much to keep, and a volume may not bear two
        finding("0 with a maxSurge of 1 or more; or more replicas".to_owned()).at_most_a_warning()
    } else {
        finding(stays(replicas))
    });
}

fn stateful_set(case: &Case<'_>, report: &mut Report) {
    let Some(replicas) = replicas(case).filter(|_| rolls(case, SET_TYPE)) else {
        return;
    };
    let field = case.field(SET_UNAVAILABLE);
    let Some(unavailable) = scaled(field.int_or_percent(), replicas, false) else {
        return;
    };
    // a partition keeps the pods below it as they are; a single pod is another rule
    let kept = matches!(case.field(SET_PARTITION).int(), Int::Is(from) if from > 0);
    if replicas > 1 && unavailable >= replicas && !kept {
        let found = format!(
            "{} of {} is {unavailable}: none has to stay",
            field.found(),
            of(replicas)
        );
        let passes = stays(replicas);
        // a server without the feature MaxUnavailableStatefulSet drops the field
        report.add(
            RawFinding::at(case.view.path(SET_UNAVAILABLE), found, passes).at_most_a_warning(),
        );
    }
}

fn daemon_set(case: &Case<'_>, report: &mut Report) {
    let field = case.field(SET_UNAVAILABLE);
    if rolls(case, SET_TYPE)
        && matches!(field.int_or_percent(), IntOrPercent::Percent(percent) if percent >= 100)
    {
        report.add(RawFinding::at(
            case.view.path(SET_UNAVAILABLE),
            format!("{} of the nodes: none has to keep its pod", field.found()),
            "a number, or a percentage below 100%",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_as_the_controllers_round_them() {
        for (value, of, down, up) in [
            (IntOrPercent::Percent(25), 1, Some(0), Some(1)),
            (IntOrPercent::Percent(25), 3, Some(0), Some(1)),
            (IntOrPercent::Percent(25), 4, Some(1), Some(1)),
            (IntOrPercent::Percent(25), 10, Some(2), Some(3)),
            (IntOrPercent::Percent(99), 2, Some(1), Some(2)),
            (IntOrPercent::Percent(100), 7, Some(7), Some(7)),
            (IntOrPercent::Percent(0), 7, Some(0), Some(0)),
            (IntOrPercent::Int(3), 2, Some(3), Some(3)),
            (IntOrPercent::Int(-3), 2, Some(0), Some(0)),
            (IntOrPercent::Absent, 2, Some(0), Some(0)),
            (IntOrPercent::Odd, 2, None, None),
            (IntOrPercent::Percent(i64::MAX), i64::MAX, None, None),
        ] {
            assert_eq!(scaled(value, of, false), down, "{value:?} of {of}, down");
            assert_eq!(scaled(value, of, true), up, "{value:?} of {of}, up");
        }
    }
}
