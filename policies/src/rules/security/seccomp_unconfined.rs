//! A container that may make every system call.

use sluice_api::Action;
use sluice_tree::Value;

use super::context;
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, field_text},
};

const TYPE: &str = "seccompProfile.type";

static INFO: RuleInfo = RuleInfo {
    code: "SLU6009",
    name: "seccomp-unconfined",
    title: "a container may make every system call of the kernel",
    category: Category::Security,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: context::READS,
    document: include_str!("seccomp_unconfined.md"),
};

struct SeccompUnconfined;

pub(in crate::rules) const RULE: &dyn Rule = &SeccompUnconfined;

impl Rule for SeccompUnconfined {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        if context::on_windows(case.view) {
            return;
        }
        for container in case.view.containers() {
            let profile = context::effective(case.view, &container, TYPE);
            let found = match profile.value {
                None => "absent".to_owned(),
                Some(Value::String(kind)) if kind == "RuntimeDefault" || kind == "Localhost" => {
                    continue;
                }
                Some(other) if profile.of_pod => format!("{}, set by the pod", field_text(other)),
                Some(other) => field_text(other),
            };
            report.container(
                case.view,
                &container,
                &format!("securityContext.{TYPE}"),
                &found,
                "RuntimeDefault or Localhost, here or for the pod",
            );
        }
    }
}
