//! A workload that is switched off while a Service still sends requests to it.

use sluice_api::{Action, WorkloadKind};

use super::beside::{LABELS, REPLICAS, cannot_tell, labels, name, replicas};
use crate::{
    facts::{FactKind, Service},
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::Kind,
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3052",
    name: "scaled-to-zero-with-service",
    title: "a Service is left without a pod",
    category: Category::RolloutSafety,
    severity: Action::Warn,
    kinds: &[Kind::Deployment, Kind::StatefulSet],
    parameters: &[],
    ordered: &[],
    facts: &[
        FactKind::Services,
        FactKind::PodTemplates(WorkloadKind::Deployment),
        FactKind::PodTemplates(WorkloadKind::StatefulSet),
        FactKind::PodTemplates(WorkloadKind::DaemonSet),
    ],
    reads: &[REPLICAS, LABELS],
    document: include_str!("scaled_to_zero_with_service.md"),
};

struct ScaledToZeroWithService;

pub(in crate::rules) const RULE: &dyn Rule = &ScaledToZeroWithService;

impl Rule for ScaledToZeroWithService {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        if replicas(case) != Some(0) {
            return;
        }
        let (labels, path) = (labels(case), case.view.path(REPLICAS));
        let services = case.facts.services;
        for service in services.items() {
            if service.selects(&labels) && !others_serve(case, service) {
                let mut finding = RawFinding::at(
                    path.clone(),
                    format!("0, and Service {} is left without a pod", service.name),
                    "at least 1; or remove the Service first",
                );
                finding.identity = format!("{path} {}", service.name);
                report.add(finding);
            }
        }
        if !services.is_whole() && report.is_empty() {
            let what = "whether a Service is left without a pod".to_owned();
            cannot_tell(report, path, what, &[FactKind::Services]);
        }
    }
}

/// Whether another workload that is known has pods behind the Service.
fn others_serve(case: &Case<'_>, service: &Service) -> bool {
    let (kind, own) = (case.view.kind().as_str(), name(case));
    case.facts.pod_templates.items().any(|template| {
        let itself = template.kind.as_str() == kind && Some(template.name.as_str()) == own;
        !itself && template.replicas != Some(0) && service.selects(&template.labels)
    })
}
