//! A pod that reads or writes files of its node.

use sluice_api::Action;
use sluice_tree::Value;

use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Kind, Read, field_text, lookup},
};

const VOLUMES: Read = Read::pod("volumes");

static INFO: RuleInfo = RuleInfo {
    code: "SLU6005",
    name: "host-path-volume",
    title: "a pod reads or writes files of its node",
    category: Category::Security,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[Read::pod("volumes[*].hostPath")],
    document: include_str!("host_path_volume.md"),
};

struct HostPathVolume;

pub(in crate::rules) const RULE: &dyn Rule = &HostPathVolume;

impl Rule for HostPathVolume {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let Some(Value::Array(volumes)) = case.view.written(VOLUMES) else {
            return;
        };
        for (index, volume) in volumes.iter().enumerate() {
            let Some(host) = lookup(volume, "hostPath") else {
                continue;
            };
            let list = case.view.path(VOLUMES);
            let path = lookup(host, "path").map_or_else(|| "absent".to_owned(), field_text);
            let name = lookup(volume, "name").map(field_text).unwrap_or_default();
            let mut finding = RawFinding::at(
                format!("{list}[{index}].hostPath"),
                format!("{path} of the node (volume {name})"),
                "a volume that belongs to the pod: emptyDir, configMap, a claim",
            );
            finding.identity = format!("{list}[{name}].hostPath {path}");
            report.add(finding);
        }
    }
}
