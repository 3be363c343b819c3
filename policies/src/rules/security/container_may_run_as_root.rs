//! A container whose process may be root.

use sluice_api::Action;
use sluice_tree::Value;

use super::context::{self, Effective};
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, field_text},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU6007",
    name: "container-may-run-as-root",
    title: "the process of a container may be root",
    category: Category::Security,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: context::READS,
    document: include_str!("container_may_run_as_root.md"),
};

struct ContainerMayRunAsRoot;

pub(in crate::rules) const RULE: &dyn Rule = &ContainerMayRunAsRoot;

impl Rule for ContainerMayRunAsRoot {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        if context::on_windows(case.view) {
            return;
        }
        for container in case.view.containers() {
            let non_root = context::effective(case.view, &container, "runAsNonRoot");
            let user = context::effective(case.view, &container, "runAsUser");
            let number = user.value.and_then(Value::as_i64);
            if let Some(0) = number {
                let path = "securityContext.runAsUser";
                let found = said("0", user);
                report.container(case.view, &container, path, &found, "a user other than 0");
            } else if non_root.value != Some(&Value::Bool(true)) && number.is_none() {
                let found = non_root.value.map_or_else(
                    || "absent".to_owned(),
                    |value| said(&field_text(value), non_root),
                );
                let passes = "true, or a runAsUser other than 0";
                let path = "securityContext.runAsNonRoot";
                report.container(case.view, &container, path, &found, passes);
            }
        }
    }
}

fn said(value: &str, by: Effective<'_>) -> String {
    if by.of_pod {
        format!("{value}, set by the pod")
    } else {
        value.to_owned()
    }
}
