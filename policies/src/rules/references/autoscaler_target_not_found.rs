//! A HorizontalPodAutoscaler that scales nothing, because what it names is not there.

use sluice_api::{Action, Certainty, WorkloadKind};

use super::named::{Missing, add};
use crate::{
    facts::FactKind,
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

const TARGET: Read = Read::object("spec.scaleTargetRef");

static INFO: RuleInfo = RuleInfo {
    code: "SLU4011",
    name: "autoscaler-target-not-found",
    title: "what a HorizontalPodAutoscaler scales is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &[Kind::HorizontalPodAutoscaler],
    parameters: &[],
    ordered: &[],
    facts: &[
        FactKind::PodTemplates(WorkloadKind::Deployment),
        FactKind::PodTemplates(WorkloadKind::StatefulSet),
    ],
    reads: &[TARGET],
    document: include_str!("autoscaler_target_not_found.md"),
};

struct AutoscalerTargetNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &AutoscalerTargetNotFound;

impl Rule for AutoscalerTargetNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let text = |path: &'static str| {
            let written = case.view.written(Read::object(path));
            written
                .and_then(sluice_tree::Value::as_str)
                .unwrap_or_default()
        };
        let (kind, name) = (
            text("spec.scaleTargetRef.kind"),
            text("spec.scaleTargetRef.name"),
        );
        let version = text("spec.scaleTargetRef.apiVersion");
        if kind.is_empty() || name.is_empty() {
            return;
        }
        let known = [WorkloadKind::Deployment, WorkloadKind::StatefulSet]
            .into_iter()
            .find(|known| known.as_str() == kind && version.split('/').next() == Some("apps"));
        let Some(known) = known else {
            let short = |text: &str| text.chars().take(80).collect::<String>();
            report.add(RawFinding {
                certainty: Certainty::Unknown,
                ..RawFinding::at(
                    case.view.path(TARGET),
                    format!(
                        "whether {} {} of {} is there",
                        short(kind),
                        short(name),
                        short(version)
                    ),
                    "a Deployment or a StatefulSet of apps/v1: nothing else is looked up",
                )
            });
            return;
        };
        let missing = Missing {
            path: case.view.path(Read::object("spec.scaleTargetRef.name")),
            kind: FactKind::PodTemplates(known),
            name,
            there: case
                .facts
                .pod_templates
                .of(known)
                .any(|template| template.name == name),
            passes: "a workload that is there",
        };
        add(case, report, &missing);
    }
}
