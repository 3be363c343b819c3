//! A container that is killed for not having started before the time that another probe grants it.

use sluice_api::Action;

use super::probe::{LIVENESS, Probe, READINESS, STARTUP};
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read, Role},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3003",
    name: "startup-shorter-than-delay",
    title: "a container is killed before the initial delay of its own probe is over",
    category: Category::RolloutSafety,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].startupProbe"),
        Read::pod("containers[*].livenessProbe"),
        Read::pod("containers[*].readinessProbe"),
        Read::pod("initContainers[*].startupProbe"),
        Read::pod("initContainers[*].livenessProbe"),
        Read::pod("initContainers[*].readinessProbe"),
        Read::pod("initContainers[*].restartPolicy"),
    ],
    document: include_str!("startup_shorter_than_delay.md"),
};

struct StartupShorterThanDelay;

pub(in crate::rules) const RULE: &dyn Rule = &StartupShorterThanDelay;

impl Rule for StartupShorterThanDelay {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for container in case.view.containers() {
            if container.role == Role::Init {
                continue;
            }
            let probe = |name| Probe::of(case.view, container, name);
            // whoever kills first: without a startup probe the liveness probe does
            let (killer, name, waiting) = match (probe(STARTUP), probe(LIVENESS)) {
                (Some(startup), _) => (startup, STARTUP, &[LIVENESS, READINESS][..]),
                (None, Some(liveness)) => (liveness, LIVENESS, &[READINESS][..]),
                (None, None) => continue,
            };
            let slowest = waiting
                .iter()
                .filter_map(|name| Some((probe(name)?.initial_delay()?, *name)))
                // the first of equals
                .rev()
                .max_by_key(|(delay, _)| *delay);
            let (Some(budget), Some((delay, waits))) = (killer.budget(), slowest) else {
                continue;
            };
            if budget >= delay {
                continue;
            }
            let first = killer.initial_delay().unwrap_or_default();
            let found = format!(
                "{}kills after {budget}s, {waits} asks after {delay}s for the first time",
                if first == 0 {
                    format!("{}: ", killer.patience_text())
                } else {
                    format!("{first}s + {}: ", killer.patience_text())
                }
            );
            let enough = (delay - first.min(delay) + killer.period() - 1) / killer.period();
            report.container(
                case.view,
                &container,
                &format!("{name}.failureThreshold"),
                &found,
                format!("{enough} or more, or a shorter initialDelaySeconds of {waits}"),
            );
        }
    }
}
