//! A Deployment whose pods get traffic before they can serve it.

use sluice_api::Action;

use super::readiness;
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::Kind,
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3001",
    name: "deployment-without-readiness-probe",
    title: "nobody can tell when a pod of the Deployment is ready",
    category: Category::RolloutSafety,
    severity: Action::Deny,
    kinds: &[Kind::Deployment],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: readiness::READS,
    document: include_str!("deployment_without_readiness_probe.md"),
};

struct DeploymentWithoutReadinessProbe;

pub(in crate::rules) const RULE: &dyn Rule = &DeploymentWithoutReadinessProbe;

impl Rule for DeploymentWithoutReadinessProbe {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        readiness::require(case, report);
    }
}
