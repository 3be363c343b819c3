//! A probe that asks a named port that its container does not have, and so always fails.

use std::collections::BTreeSet;

use sluice_api::Action;
use sluice_tree::Value;

use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read, field_text, lookup},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU4016",
    name: "probe-port-not-found",
    title: "a probe asks a named port that its container does not have",
    category: Category::References,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].ports"),
        Read::pod("containers[*].livenessProbe"),
        Read::pod("containers[*].readinessProbe"),
        Read::pod("containers[*].startupProbe"),
        Read::pod("containers[*].lifecycle"),
        Read::pod("initContainers[*].ports"),
        Read::pod("initContainers[*].livenessProbe"),
        Read::pod("initContainers[*].readinessProbe"),
        Read::pod("initContainers[*].startupProbe"),
        Read::pod("initContainers[*].lifecycle"),
    ],
    document: include_str!("probe_port_not_found.md"),
};

struct ProbePortNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &ProbePortNotFound;

/// Where a port may be named; gRPC probes take numbers only.
const FIELDS: [&str; 10] = [
    "livenessProbe.httpGet.port",
    "livenessProbe.tcpSocket.port",
    "readinessProbe.httpGet.port",
    "readinessProbe.tcpSocket.port",
    "startupProbe.httpGet.port",
    "startupProbe.tcpSocket.port",
    "lifecycle.postStart.httpGet.port",
    "lifecycle.postStart.tcpSocket.port",
    "lifecycle.preStop.httpGet.port",
    "lifecycle.preStop.tcpSocket.port",
];

impl Rule for ProbePortNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for container in case.view.containers() {
            let ports = container.get("ports").and_then(Value::as_array);
            let names: BTreeSet<&str> = ports
                .into_iter()
                .flatten()
                .filter_map(|port| lookup(port, "name")?.as_str())
                .collect();
            for field in FIELDS {
                let Some(port @ Value::String(name)) = container.get(field) else {
                    continue;
                };
                // a number in quotes is taken as a number
                if !names.contains(name.as_str()) && name.parse::<u16>().is_err() {
                    let passes = if names.is_empty() {
                        "a number, or a name in `ports` of the container".to_owned()
                    } else {
                        let names: Vec<&str> = names.iter().copied().take(10).collect();
                        format!(
                            "a number, or a name in `ports` of the container: {}",
                            names.join(", ")
                        )
                    };
                    report.container(case.view, &container, field, &field_text(port), passes);
                }
            }
        }
    }
}
