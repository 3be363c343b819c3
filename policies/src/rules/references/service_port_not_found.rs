//! A Service whose port leads to a named port that the pods behind it do not have.

use sluice_api::{Action, Certainty, WorkloadKind};

use super::named::needs;
use crate::{
    facts::{FactKind, Service, Target},
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Anchor, Kind, Read},
};

const PORTS: Read = Read::object("spec.ports");
const FACTS: &[FactKind] = &[
    FactKind::PodTemplates(WorkloadKind::Deployment),
    FactKind::PodTemplates(WorkloadKind::StatefulSet),
    FactKind::PodTemplates(WorkloadKind::DaemonSet),
];

static INFO: RuleInfo = RuleInfo {
    code: "SLU4014",
    name: "service-port-not-found",
    title: "a Service leads to a named port that its pods do not have",
    category: Category::References,
    severity: Action::Warn,
    kinds: &[Kind::Service],
    parameters: &[],
    ordered: &[],
    facts: FACTS,
    reads: &[PORTS, Read::object("spec.selector")],
    document: include_str!("service_port_not_found.md"),
};

struct ServicePortNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &ServicePortNotFound;

impl Rule for ServicePortNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let Some(service) = case.view.part(Anchor::Object).map(Service::of) else {
            return;
        };
        if service.selector.is_empty() || service.external {
            return;
        }
        let templates = case.facts.pod_templates;
        let mut selected = templates
            .items()
            .filter(|template| service.selects(&template.labels))
            .collect::<Vec<_>>();
        selected.sort_by_key(|template| (template.kind, &template.name));
        for (index, port) in service.ports.iter().enumerate() {
            let Target::Name(name) = &port.target else {
                continue;
            };
            let path = format!("{}[{index}].targetPort", case.view.path(PORTS));
            let short: String = name.chars().take(80).collect();
            for template in &selected {
                if !template.ports.iter().any(|port| port.name == *name) {
                    let workload = format!("{} {}", template.kind, template.name);
                    report.add(RawFinding {
                        identity: format!("{workload}/{name}"),
                        ..RawFinding::at(
                            path.clone(),
                            format!("{short}, which no container of {workload} has"),
                            "the name of a port of the pods, or its number",
                        )
                    });
                }
            }
            if selected.is_empty() && !templates.is_whole() {
                report.add(RawFinding {
                    certainty: Certainty::Unknown,
                    ..RawFinding::at(
                        path,
                        format!("whether the pods behind it have a port {short}"),
                        needs(FACTS),
                    )
                });
            }
        }
    }
}
