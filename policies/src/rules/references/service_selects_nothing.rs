//! A Service behind which there is no pod.

use sluice_api::{Action, Certainty, WorkloadKind};

use super::named::needs;
use crate::{
    facts::{FactKind, Service},
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Anchor, Kind, Read},
};

const SELECTOR: Read = Read::object("spec.selector");
const FACTS: &[FactKind] = &[
    FactKind::PodTemplates(WorkloadKind::Deployment),
    FactKind::PodTemplates(WorkloadKind::StatefulSet),
    FactKind::PodTemplates(WorkloadKind::DaemonSet),
];

static INFO: RuleInfo = RuleInfo {
    code: "SLU4013",
    name: "service-selects-nothing",
    title: "a Service selects no pod, so nobody answers",
    category: Category::References,
    severity: Action::Warn,
    kinds: &[Kind::Service],
    parameters: &[],
    ordered: &[],
    facts: FACTS,
    reads: &[SELECTOR, Read::object("spec.type")],
    document: include_str!("service_selects_nothing.md"),
};

struct ServiceSelectsNothing;

pub(in crate::rules) const RULE: &dyn Rule = &ServiceSelectsNothing;

impl Rule for ServiceSelectsNothing {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let Some(service) = case.view.part(Anchor::Object).map(Service::of) else {
            return;
        };
        if service.selector.is_empty() || service.external {
            // its endpoints are somebody else's business
            return;
        }
        let (path, namespace) = (case.view.path(SELECTOR), case.namespace);
        let any = case
            .facts
            .pod_templates
            .any(|template| service.selects(&template.labels));
        match any {
            Some(true) => {}
            Some(false) => report.add(RawFinding::at(
                path,
                format!("selects the pods of no Deployment, StatefulSet or DaemonSet in namespace {namespace}"),
                "labels that pods there have",
            )),
            None => report.add(RawFinding {
                certainty: Certainty::Unknown,
                ..RawFinding::at(
                    path,
                    format!("whether any pod in namespace {namespace} is selected"),
                    needs(FACTS),
                )
            }),
        }
    }
}
