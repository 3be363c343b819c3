//! A pod that lives in the network, the processes or the shared memory of its node.

use sluice_api::Action;
use sluice_tree::Value;

use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

const HOST: [Read; 3] = [
    Read::pod("hostNetwork"),
    Read::pod("hostPID"),
    Read::pod("hostIPC"),
];

static INFO: RuleInfo = RuleInfo {
    code: "SLU6004",
    name: "host-namespace",
    title: "a pod shares the network, the processes or the memory of its node",
    category: Category::Security,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &HOST,
    document: include_str!("host_namespace.md"),
};

struct HostNamespace;

pub(in crate::rules) const RULE: &dyn Rule = &HostNamespace;

impl Rule for HostNamespace {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for read in HOST {
            if case.view.written(read) == Some(&Value::Bool(true)) {
                report.add(RawFinding::at(
                    case.view.path(read),
                    "true",
                    "false, or no such field",
                ));
            }
        }
    }
}
