//! A container whose process may gain more rights than it was started with.

use sluice_api::Action;
use sluice_tree::Value;

use super::context;
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, field_text},
};

const ESCALATION: &str = "securityContext.allowPrivilegeEscalation";

static INFO: RuleInfo = RuleInfo {
    code: "SLU6012",
    name: "container-may-escalate",
    title: "the process of a container may gain more rights than it was started with",
    category: Category::Security,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: context::READS,
    document: include_str!("container_may_escalate.md"),
};

struct ContainerMayEscalate;

pub(in crate::rules) const RULE: &dyn Rule = &ContainerMayEscalate;

impl Rule for ContainerMayEscalate {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        if context::on_windows(case.view) {
            return;
        }
        for container in case.view.containers() {
            let value = container.get(ESCALATION);
            if value != Some(&Value::Bool(false)) {
                let found = value.map_or_else(|| "absent".to_owned(), field_text);
                report.container(case.view, &container, ESCALATION, &found, "false");
            }
        }
    }
}
