//! A `StatefulSet` or `DaemonSet` that rolls on before its new pods can serve.

use sluice_api::Action;

use super::readiness;
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::Kind,
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3012",
    name: "set-without-readiness-probe",
    title: "nobody can tell when a pod of the StatefulSet or DaemonSet is ready",
    category: Category::RolloutSafety,
    severity: Action::Warn,
    kinds: &[Kind::StatefulSet, Kind::DaemonSet],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: readiness::READS,
    document: include_str!("set_without_readiness_probe.md"),
};

struct SetWithoutReadinessProbe;

pub(in crate::rules) const RULE: &dyn Rule = &SetWithoutReadinessProbe;

impl Rule for SetWithoutReadinessProbe {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        readiness::require(case, report);
    }
}
