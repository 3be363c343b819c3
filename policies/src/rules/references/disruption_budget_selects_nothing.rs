//! A PodDisruptionBudget that protects no pod.

use sluice_api::{Action, Certainty, WorkloadKind};

use super::named::needs;
use crate::{
    facts::{DisruptionBudget, FactKind},
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Anchor, Kind, Read},
};

const SELECTOR: Read = Read::object("spec.selector");
const FACTS: &[FactKind] = &[
    FactKind::PodTemplates(WorkloadKind::Deployment),
    FactKind::PodTemplates(WorkloadKind::StatefulSet),
    FactKind::PodTemplates(WorkloadKind::DaemonSet),
];

static INFO: RuleInfo = RuleInfo {
    code: "SLU4012",
    name: "disruption-budget-selects-nothing",
    title: "a PodDisruptionBudget selects no pod, so nothing is protected",
    category: Category::References,
    severity: Action::Warn,
    kinds: &[Kind::PodDisruptionBudget],
    parameters: &[],
    ordered: &[],
    facts: FACTS,
    reads: &[SELECTOR],
    document: include_str!("disruption_budget_selects_nothing.md"),
};

struct DisruptionBudgetSelectsNothing;

pub(in crate::rules) const RULE: &dyn Rule = &DisruptionBudgetSelectsNothing;

impl Rule for DisruptionBudgetSelectsNothing {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let path = case.view.path(SELECTOR);
        let Some(object) = case.view.part(Anchor::Object) else {
            return;
        };
        let budget = DisruptionBudget::of(object);
        if budget.selector.is_none() {
            report.add(RawFinding::at(
                path,
                format!("{}, which selects no pod", case.field(SELECTOR).found()),
                "a selector of the pods to protect",
            ));
            return;
        }
        let namespace = case.namespace;
        let any = case
            .facts
            .pod_templates
            .any(|template| budget.selects(&template.labels));
        match any {
            Some(true) => {}
            Some(false) => report.add(RawFinding::at(
                path,
                format!("selects the pods of no Deployment, StatefulSet or DaemonSet in namespace {namespace}"),
                "labels that pods there have",
            )),
            None => report.add(RawFinding {
                certainty: Certainty::Unknown,
                ..RawFinding::at(
                    path,
                    format!("whether any pod in namespace {namespace} is selected"),
                    needs(FACTS),
                )
            }),
        }
    }
}
