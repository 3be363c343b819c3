//! A workload that is down whenever its one pod is.

use sluice_api::Action;

use crate::{
    rule::{Case, Category, IntParameter, Parameter, Report, Rule, RuleInfo},
    view::{Int, Kind, Read},
};

const REPLICAS: Read = Read::object("spec.replicas");

static LEAST: IntParameter = IntParameter {
    name: "minReplicas",
    default: 2,
    least: 2,
    most: 100,
    meaning: "the fewest replicas that pass, beside none at all",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3010",
    name: "single-replica",
    title: "the loss of one node takes the workload down",
    category: Category::RolloutSafety,
    severity: Action::Warn,
    kinds: &[Kind::Deployment, Kind::StatefulSet],
    parameters: &[Parameter::Int(&LEAST)],
    ordered: &[],
    facts: &[],
    reads: &[REPLICAS],
    document: include_str!("single_replica.md"),
};

struct SingleReplica;

pub(in crate::rules) const RULE: &dyn Rule = &SingleReplica;

impl Rule for SingleReplica {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let least = case.int(&LEAST);
        let field = case.field(REPLICAS);
        // 0 is meant: the workload is switched off
        if matches!(field.int(), Int::Is(replicas) if (1..least).contains(&replicas)) {
            report.field(case.view, REPLICAS, &field, format!("at least {least}"));
        }
    }
}
