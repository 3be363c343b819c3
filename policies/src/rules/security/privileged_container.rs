//! A container that is root on its node.

use sluice_api::Action;
use sluice_tree::Value;

use super::context;
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::Kind,
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU6001",
    name: "privileged-container",
    title: "a container may do everything that its node may",
    category: Category::Security,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: context::READS,
    document: include_str!("privileged_container.md"),
};

struct PrivilegedContainer;

pub(in crate::rules) const RULE: &dyn Rule = &PrivilegedContainer;

impl Rule for PrivilegedContainer {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for container in case.view.containers() {
            if container.get("securityContext.privileged") == Some(&Value::Bool(true)) {
                let path = "securityContext.privileged";
                report.container(
                    case.view,
                    &container,
                    path,
                    "true",
                    "false, or no such field",
                );
            }
            // the same on Windows
            let host_process =
                context::effective(case.view, &container, "windowsOptions.hostProcess");
            if host_process.value == Some(&Value::Bool(true)) {
                let path = "securityContext.windowsOptions.hostProcess";
                let found = if host_process.of_pod {
                    "true, set by the pod"
                } else {
                    "true"
                };
                report.container(
                    case.view,
                    &container,
                    path,
                    found,
                    "false, or no such field",
                );
            }
        }
    }
}
