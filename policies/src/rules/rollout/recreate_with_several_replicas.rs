//! A Deployment of several pods that are all stopped before the first new one starts.

use sluice_api::Action;

use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Int, Kind, Read},
};

const TYPE: Read = Read::object("spec.strategy.type");
const REPLICAS: Read = Read::object("spec.replicas");

static INFO: RuleInfo = RuleInfo {
    code: "SLU3006",
    name: "recreate-with-several-replicas",
    title: "every release stops all pods before the first new one starts",
    category: Category::RolloutSafety,
    severity: Action::Warn,
    kinds: &[Kind::Deployment],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[TYPE, REPLICAS],
    document: include_str!("recreate_with_several_replicas.md"),
};

struct RecreateWithSeveralReplicas;

pub(in crate::rules) const RULE: &dyn Rule = &RecreateWithSeveralReplicas;

impl Rule for RecreateWithSeveralReplicas {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        if case.field(TYPE).text() == Some("Recreate")
            && let Int::Is(replicas) = case.field(REPLICAS).int()
            && replicas > 1
        {
            report.add(RawFinding::at(
                case.view.path(TYPE),
                format!("Recreate with {replicas} replicas"),
                "RollingUpdate, or one replica",
            ));
        }
    }
}
