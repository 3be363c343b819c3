//! A container with more of root's powers than it starts with.

use serde_json::Value;
use sluice_api::Action;

use super::context;
use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Kind, field_text},
};

/// What the Pod Security Standard `restricted` lets a container add.
const ALLOWED: [&str; 1] = ["NET_BIND_SERVICE"];
const ADD: &str = "securityContext.capabilities.add";

static INFO: RuleInfo = RuleInfo {
    code: "SLU6002",
    name: "container-adds-capabilities",
    title: "a container takes powers of root that it does not start with",
    category: Category::Security,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: context::READS,
    document: include_str!("container_adds_capabilities.md"),
};

struct ContainerAddsCapabilities;

pub(in crate::rules) const RULE: &dyn Rule = &ContainerAddsCapabilities;

impl Rule for ContainerAddsCapabilities {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for container in case.view.containers() {
            let Some(added) = container.get(ADD).and_then(Value::as_array) else {
                continue;
            };
            for (index, capability) in added.iter().enumerate() {
                // runtimes take both spellings
                let name = capability
                    .as_str()
                    .map(|name| name.strip_prefix("CAP_").unwrap_or(name));
                if name.is_some_and(|name| ALLOWED.contains(&name)) {
                    continue;
                }
                let path = format!("{ADD}[{index}]");
                let found = field_text(capability);
                let finding = RawFinding::of_container(
                    case.view,
                    &container,
                    &path,
                    &found,
                    format!("none but {}", ALLOWED.join(", ")),
                );
                report.add(finding.known_as(&path, &format!("{ADD} {found}")));
            }
        }
    }
}
