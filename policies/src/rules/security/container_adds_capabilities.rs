//! A container with more of root's powers than it starts with.

use sluice_api::Action;
use sluice_tree::Value;

use super::context;
use crate::{
    rule::{
        Case, Category, Parameter, RawFinding, Report, Rule, RuleInfo, TextForm, TextsParameter,
    },
    view::{Kind, field_text},
};

static ALLOWED: TextsParameter = TextsParameter {
    name: "allowed",
    // what the Pod Security Standard `restricted` lets a container add
    default: &["NET_BIND_SERVICE"],
    least: 1,
    most: 50,
    form: TextForm {
        passes: "a capability in capitals without CAP_, such as NET_BIND_SERVICE",
        holds: |text| {
            !text.starts_with("CAP_") && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        },
    },
    meaning: "the capabilities that a container may add",
};
const ADD: &str = "securityContext.capabilities.add";

static INFO: RuleInfo = RuleInfo {
    code: "SLU6002",
    name: "container-adds-capabilities",
    title: "a container takes powers of root that it does not start with",
    category: Category::Security,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[Parameter::Texts(&ALLOWED)],
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
        let allowed = case.texts(&ALLOWED);
        for container in case.view.containers() {
            let Some(added) = container.get(ADD).and_then(Value::as_array) else {
                continue;
            };
            for (index, capability) in added.iter().enumerate() {
                // runtimes take both spellings
                let name = capability
                    .as_str()
                    .map(|name| name.strip_prefix("CAP_").unwrap_or(name));
                if name.is_some_and(|name| allowed.contains(&name)) {
                    continue;
                }
                let path = format!("{ADD}[{index}]");
                let found = field_text(capability);
                let finding = RawFinding::of_container(
                    case.view,
                    &container,
                    &path,
                    &found,
                    format!("none but {}", allowed.join(", ")),
                );
                report.add(finding.known_as(&path, &format!("{ADD} {found}")));
            }
        }
    }
}
