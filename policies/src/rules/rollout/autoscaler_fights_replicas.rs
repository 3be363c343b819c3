//! A number of replicas in the manifest beside an autoscaler that sets it too.

use sluice_api::Action;

use super::beside::{REPLICAS, cannot_tell, name, replicas};
use crate::{
    facts::FactKind,
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Int, Kind},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3051",
    name: "autoscaler-fights-replicas",
    title: "every apply throws away what the autoscaler has set",
    category: Category::RolloutSafety,
    severity: Action::Warn,
    kinds: &[Kind::Deployment, Kind::StatefulSet],
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Autoscalers],
    reads: &[REPLICAS],
    document: include_str!("autoscaler_fights_replicas.md"),
};

struct AutoscalerFightsReplicas;

pub(in crate::rules) const RULE: &dyn Rule = &AutoscalerFightsReplicas;

impl Rule for AutoscalerFightsReplicas {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let (Some(replicas), Some(name)) = (replicas(case), name(case)) else {
            return;
        };
        // 1 is what the API server fills in where nobody says a number; as an update of another number it is said
        let changed = case
            .old
            .is_some_and(|old| old.field(REPLICAS).int() != Int::Is(replicas));
        if replicas < 1 || (replicas == 1 && !changed) {
            return;
        }
        let kind = case.view.kind().as_str();
        let autoscalers = case.facts.autoscalers;
        let scaling = autoscalers
            .items()
            .iter()
            .find(|autoscaler| autoscaler.scales(kind, name));
        let path = case.view.path(REPLICAS);
        match scaling {
            Some(autoscaler) => report.add(RawFinding::at(
                path,
                format!(
                    "{replicas}, which HorizontalPodAutoscaler {} sets too, from {} to {}",
                    autoscaler.name, autoscaler.min, autoscaler.max
                ),
                "no replicas in the manifest",
            )),
            None if autoscalers.is_whole() => {}
            None => cannot_tell(
                report,
                path,
                format!("whether an autoscaler sets the {replicas} replicas too"),
                &[FactKind::Autoscalers],
            ),
        }
    }
}
