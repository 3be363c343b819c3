//! A `PodDisruptionBudget` that lets no pod go.

use sluice_api::{Action, WorkloadKind};

use super::beside::cannot_tell;
use crate::{
    facts::{DisruptionBudget, FactKind, PodTemplate},
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Anchor, IntOrPercent, Kind, Read},
};

const MIN: Read = Read::object("spec.minAvailable");
const MAX: Read = Read::object("spec.maxUnavailable");
const TEMPLATES: [FactKind; 3] = [
    FactKind::PodTemplates(WorkloadKind::Deployment),
    FactKind::PodTemplates(WorkloadKind::StatefulSet),
    FactKind::PodTemplates(WorkloadKind::DaemonSet),
];

static INFO: RuleInfo = RuleInfo {
    code: "SLU3050",
    name: "disruption-budget-blocks-drains",
    title: "a PodDisruptionBudget lets no pod go, so no node can be drained",
    category: Category::RolloutSafety,
    severity: Action::Warn,
    kinds: &[Kind::PodDisruptionBudget],
    parameters: &[],
    ordered: &[],
    facts: &[
        TEMPLATES[0],
        TEMPLATES[1],
        TEMPLATES[2],
        FactKind::Autoscalers,
    ],
    reads: &[MIN, MAX, Read::object("spec.selector")],
    document: include_str!("disruption_budget_blocks_drains.md"),
};

struct DisruptionBudgetBlocksDrains;

pub(in crate::rules) const RULE: &dyn Rule = &DisruptionBudgetBlocksDrains;

const PASSES: &str = "maxUnavailable: 1";

impl Rule for DisruptionBudgetBlocksDrains {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let Some(object) = case.view.part(Anchor::Object) else {
            return;
        };
        let budget = DisruptionBudget::of(object);
        if budget.selector.is_none() {
            return;
        }
        let never = |read: Read| {
            let found = format!("{}: no pod may ever be evicted", case.field(read).found());
            RawFinding::at(case.view.path(read), found, PASSES)
        };
        match (budget.max_unavailable, budget.min_available) {
            (IntOrPercent::Int(0) | IntOrPercent::Percent(0), _) => report.add(never(MAX)),
            (IntOrPercent::Absent, IntOrPercent::Percent(100..)) => report.add(never(MIN)),
            (
                IntOrPercent::Absent,
                stay @ (IntOrPercent::Int(1..) | IntOrPercent::Percent(1..)),
            ) => of_pods(case, report, &budget, stay),
            // a maxUnavailable above nothing is rounded up, so one pod may always go
            _ => {}
        }
    }
}

/// Whether as many pods must stay as there are.
fn of_pods(case: &Case<'_>, report: &mut Report, budget: &DisruptionBudget, stay: IntOrPercent) {
    let templates = &case.facts.pod_templates;
    let mut pods = 0_i64;
    for template in templates
        .items()
        .filter(|template| budget.selects(&template.labels))
    {
        // a DaemonSet has as many as there are nodes
        let Some(replicas) = replicas(case, template) else {
            return;
        };
        pods = pods.saturating_add(replicas);
    }
    // the disruption controller rounds up
    let must = match stay {
        IntOrPercent::Int(number) => number,
        IntOrPercent::Percent(percent) => {
            i64::try_from((i128::from(percent) * i128::from(pods) + 99) / 100).unwrap_or(i64::MAX)
        }
        IntOrPercent::Absent | IntOrPercent::Odd => return,
    };
    if must < pods {
        return;
    }
    let path = case.view.path(MIN);
    if !templates.is_whole() {
        let what = format!(
            "whether more pods are selected than the {} that must stay",
            case.field(MIN).found()
        );
        cannot_tell(report, path, what, &TEMPLATES);
    } else if pods > 0 {
        let found = format!(
            "{} of {pods} selected: none may go",
            case.field(MIN).found()
        );
        report.add(RawFinding::at(
            path,
            found,
            format!("{PASSES}; or more replicas"),
        ));
    }
}

/// How many pods a workload has at least: an autoscaler that is known keeps it above its least.
fn replicas(case: &Case<'_>, template: &PodTemplate) -> Option<i64> {
    let replicas = template.replicas?;
    let autoscaled = case
        .facts
        .autoscalers
        .items()
        .iter()
        .find(|autoscaler| autoscaler.scales(template.kind.as_str(), &template.name));
    Some(match autoscaled {
        Some(autoscaler) if replicas > 0 => replicas.max(autoscaler.min),
        _ => replicas.max(0),
    })
}
