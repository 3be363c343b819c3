//! Several replicas that a drain of nodes may stop all at once.

use sluice_api::Action;

use super::beside::{LABELS, REPLICAS, cannot_tell, labels, replicas};
use crate::{
    facts::FactKind,
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::Kind,
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3053",
    name: "disruption-budget-missing",
    title: "drains of nodes may stop all replicas at once",
    category: Category::RolloutSafety,
    severity: Action::Warn,
    kinds: &[Kind::Deployment, Kind::StatefulSet],
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::DisruptionBudgets],
    reads: &[REPLICAS, LABELS],
    document: include_str!("disruption_budget_missing.md"),
};

struct DisruptionBudgetMissing;

pub(in crate::rules) const RULE: &dyn Rule = &DisruptionBudgetMissing;

impl Rule for DisruptionBudgetMissing {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let Some(replicas @ 2..) = replicas(case) else {
            return;
        };
        let labels = labels(case);
        let path = case.view.path(REPLICAS);
        match case
            .facts
            .disruption_budgets
            .any(|budget| budget.selects(&labels))
        {
            Some(true) => {}
            Some(false) => report.add(RawFinding::at(
                path,
                format!("{replicas} replicas that no PodDisruptionBudget selects"),
                "a PodDisruptionBudget for these pods, such as maxUnavailable: 1",
            )),
            None => cannot_tell(
                report,
                path,
                format!("whether a PodDisruptionBudget selects the {replicas} replicas"),
                &[FactKind::DisruptionBudgets],
            ),
        }
    }
}
