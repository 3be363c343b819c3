//! Replicas that may all land on one node.

use sluice_api::Action;
use sluice_tree::Value;

use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Int, Kind, Read},
};

const REPLICAS: Read = Read::object("spec.replicas");
const SPREAD: Read = Read::pod("topologySpreadConstraints");
const APART: [Read; 2] = [
    Read::pod("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution"),
    Read::pod("affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution"),
];

static INFO: RuleInfo = RuleInfo {
    code: "SLU3011",
    name: "replicas-not-spread",
    title: "the replicas may all run on one node",
    category: Category::RolloutSafety,
    severity: Action::Warn,
    kinds: &[Kind::Deployment, Kind::StatefulSet],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[REPLICAS, SPREAD, APART[0], APART[1]],
    document: include_str!("replicas_not_spread.md"),
};

struct ReplicasNotSpread;

pub(in crate::rules) const RULE: &dyn Rule = &ReplicasNotSpread;

impl Rule for ReplicasNotSpread {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let Int::Is(replicas) = case.field(REPLICAS).int() else {
            return;
        };
        let says = |read| {
            case.view
                .written(read)
                .and_then(Value::as_array)
                .is_some_and(|list| !list.is_empty())
        };
        if replicas > 1 && !says(SPREAD) && !APART.into_iter().any(says) {
            report.add(RawFinding::at(
                case.view.path(SPREAD),
                format!("absent, nor is there a podAntiAffinity, for {replicas} replicas"),
                "a constraint with the topologyKey kubernetes.io/hostname or topology.kubernetes.io/zone",
            ));
        }
    }
}
