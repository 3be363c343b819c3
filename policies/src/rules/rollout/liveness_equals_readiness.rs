//! A liveness probe that asks what the readiness probe asks, and has no more patience.

use sluice_api::Action;

use super::probe::{LIVENESS, Probe, READINESS};
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read, Role},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3002",
    name: "liveness-equals-readiness",
    title: "a container that cannot serve for a moment is killed instead of left alone",
    category: Category::RolloutSafety,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].livenessProbe"),
        Read::pod("containers[*].readinessProbe"),
        Read::pod("containers[*].ports"),
        Read::pod("initContainers[*].livenessProbe"),
        Read::pod("initContainers[*].readinessProbe"),
        Read::pod("initContainers[*].ports"),
        Read::pod("initContainers[*].restartPolicy"),
    ],
    document: include_str!("liveness_equals_readiness.md"),
};

struct LivenessEqualsReadiness;

pub(in crate::rules) const RULE: &dyn Rule = &LivenessEqualsReadiness;

impl Rule for LivenessEqualsReadiness {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for container in case.view.containers() {
            // the API server takes no probes on a plain init container
            if container.role == Role::Init {
                continue;
            }
            let probe = |name| Probe::of(case.view, container, name);
            let (Some(live), Some(ready)) = (probe(LIVENESS), probe(READINESS)) else {
                continue;
            };
            if !live.asks_the_same_as(&ready) {
                continue;
            }
            if let (Some(kills), Some(spares)) = (live.patience(), ready.patience())
                && kills <= spares
            {
                let found = format!(
                    "asks what readinessProbe asks and kills after {} = {kills}s, readinessProbe takes {} = {spares}s",
                    live.patience_text(),
                    ready.patience_text(),
                );
                let passes = format!(
                    "a question about the process alone, or more than {spares}s of patience: failureThreshold {} or more",
                    spares / live.period() + 1
                );
                report.container(case.view, &container, LIVENESS, &found, passes);
            }
        }
    }
}
