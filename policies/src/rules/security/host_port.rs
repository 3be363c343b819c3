//! A container that takes a port of its node.

use sluice_api::Action;
use sluice_tree::Value;

use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Kind, Read, field_text, lookup},
};

const HOST_NETWORK: Read = Read::pod("hostNetwork");

static INFO: RuleInfo = RuleInfo {
    code: "SLU6006",
    name: "host-port",
    title: "a container takes a port of its node, and a second pod cannot run there",
    category: Category::Security,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        HOST_NETWORK,
        Read::pod("containers[*].ports"),
        Read::pod("initContainers[*].ports"),
    ],
    document: include_str!("host_port.md"),
};

struct HostPort;

pub(in crate::rules) const RULE: &dyn Rule = &HostPort;

impl Rule for HostPort {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        // there every port is one of the node: the API server fills hostPort in, and host-namespace says what there is to say
        if case.view.written(HOST_NETWORK) == Some(&Value::Bool(true)) {
            return;
        }
        for container in case.view.containers() {
            let ports = container.get("ports").and_then(Value::as_array);
            for (index, port) in ports.into_iter().flatten().enumerate() {
                // 0 is what the API server does not keep
                let Some(host) = lookup(port, "hostPort").filter(|host| host.as_i64() != Some(0))
                else {
                    continue;
                };
                let (path, found) = (format!("ports[{index}].hostPort"), field_text(host));
                let finding = RawFinding::of_container(
                    case.view,
                    &container,
                    &path,
                    &found,
                    "no hostPort: a Service reaches the containerPort",
                );
                report.add(finding.known_as(&path, &format!("hostPort {found}")));
            }
        }
    }
}
