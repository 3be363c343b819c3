//! A container that keeps the powers of root that every container starts with.

use sluice_api::Action;
use sluice_tree::Value;

use super::context;
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::Kind,
};

const DROP: &str = "securityContext.capabilities.drop";

static INFO: RuleInfo = RuleInfo {
    code: "SLU6003",
    name: "container-keeps-capabilities",
    title: "a container keeps powers of root that it was never asked about",
    category: Category::Security,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: context::READS,
    document: include_str!("container_keeps_capabilities.md"),
};

struct ContainerKeepsCapabilities;

pub(in crate::rules) const RULE: &dyn Rule = &ContainerKeepsCapabilities;

impl Rule for ContainerKeepsCapabilities {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        if context::on_windows(case.view) {
            return;
        }
        for container in case.view.containers() {
            let dropped = container
                .get(DROP)
                .and_then(Value::as_array)
                .unwrap_or_default();
            if dropped.iter().any(|name| name == "ALL") {
                continue;
            }
            let found = if dropped.is_empty() {
                "absent"
            } else {
                "a list without ALL"
            };
            let passes = "[ALL]; what the container needs goes to capabilities.add";
            report.container(case.view, &container, DROP, found, passes);
        }
    }
}
