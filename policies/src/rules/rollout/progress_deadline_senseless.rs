//! A Deployment whose rollout is called failed too early, or never.

use sluice_api::Action;

use super::{
    probe::{Probe, READINESS, STARTUP},
    stepped::stepped,
};
use crate::{
    rule::{Case, Category, Parameter, RawFinding, Report, Rule, RuleInfo, SpanParameter},
    view::{Int, Kind, Read, Role},
};

const DEADLINE: Read = Read::object("spec.progressDeadlineSeconds");
const MIN_READY: Read = Read::object("spec.minReadySeconds");

static MOST: SpanParameter = SpanParameter {
    name: "maxProgressDeadline",
    default: 6 * 3600,
    least: 60,
    most: 30 * 24 * 3600,
    meaning: "the longest `progressDeadlineSeconds` that passes",
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3007",
    name: "progress-deadline-senseless",
    title: "a rollout is called failed while its pods may still start, or never",
    category: Category::RolloutSafety,
    severity: Action::Deny,
    kinds: &[Kind::Deployment],
    parameters: &[Parameter::Span(&MOST)],
    ordered: &[],
    facts: &[],
    reads: &[
        DEADLINE,
        MIN_READY,
        Read::pod("containers[*].startupProbe"),
        Read::pod("containers[*].readinessProbe"),
        Read::pod("initContainers[*].startupProbe"),
        Read::pod("initContainers[*].readinessProbe"),
        Read::pod("initContainers[*].restartPolicy"),
    ],
    document: include_str!("progress_deadline_senseless.md"),
};

struct ProgressDeadlineSenseless;

pub(in crate::rules) const RULE: &dyn Rule = &ProgressDeadlineSenseless;

impl Rule for ProgressDeadlineSenseless {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        if stepped(case.view) {
            return;
        }
        let field = case.field(DEADLINE);
        let Int::Is(deadline) = field.int() else {
            return;
        };
        let min_ready = match case.field(MIN_READY).int() {
            Int::Is(seconds) => seconds.max(0),
            Int::Absent => 0,
            Int::Odd => return,
        };
        let most = case.seconds(&MOST);
        let finding =
            |found: String, passes: String| RawFinding::at(case.view.path(DEADLINE), found, passes);
        if deadline <= min_ready {
            // the API server refuses it too
            report.add(finding(
                format!("{}, minReadySeconds is {min_ready}", field.found()),
                format!("more than {min_ready}"),
            ));
        } else if deadline > most {
            report.add(
                finding(
                    format!(
                        "{}: a rollout that stands still is hardly noticed",
                        field.found()
                    ),
                    format!("at most {most} seconds"),
                )
                .at_most_a_warning(),
            );
        } else if let Some((slowest, container)) = slowest(case) {
            let need = slowest.saturating_add(min_ready);
            if deadline < need {
                report.add(
                    finding(
                        format!(
                            "{}, but container {container} may take {slowest}s to be ready{}",
                            field.found(),
                            if min_ready > 0 {
                                format!(" and minReadySeconds is {min_ready}")
                            } else {
                                String::new()
                            }
                        ),
                        format!("at least {need}, and some room for scheduling and pulling"),
                    )
                    .at_most_a_warning(),
                );
            }
        }
    }
}

/// The container that may take the longest until it is asked whether it is ready, and how long.
fn slowest<'a>(case: &Case<'a>) -> Option<(i64, &'a str)> {
    case.view
        .containers()
        .filter(|container| container.role != Role::Init)
        .filter_map(|container| {
            let probe = |name| Probe::of(case.view, container, name);
            let startup = probe(STARTUP).and_then(|probe| probe.budget());
            let delay = probe(READINESS).and_then(|probe| probe.initial_delay());
            // both count from the start of the container
            Some((startup.max(delay)?, container.name()))
        })
        .max_by_key(|(seconds, _)| *seconds)
}
