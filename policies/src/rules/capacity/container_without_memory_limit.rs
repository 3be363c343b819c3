//! A container that may take the memory of its node.

use sluice_api::Action;

use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read, View},
};

const LIMIT: &str = "resources.limits.memory";
const POD_LIMIT: Read = Read::pod(LIMIT);

static INFO: RuleInfo = RuleInfo {
    code: "SLU2001",
    name: "container-without-memory-limit",
    title: "a container may take all the memory of its node",
    category: Category::Capacity,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].resources.limits.memory"),
        Read::pod("initContainers[*].resources.limits.memory"),
        POD_LIMIT,
    ],
    document: include_str!("container_without_memory_limit.md"),
};

struct ContainerWithoutMemoryLimit;

pub(in crate::rules) const RULE: &dyn Rule = &ContainerWithoutMemoryLimit;

impl Rule for ContainerWithoutMemoryLimit {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        if pod_bounded(case.view) {
            return;
        }
        for container in case.view.containers() {
            if container.get(LIMIT).is_none() {
                let passes = "a memory limit, such as 256Mi";
                report.container(case.view, &container, LIMIT, "absent", passes);
            }
        }
    }
}

/// A limit of the pod as a whole bounds every container in it.
fn pod_bounded(view: &View<'_>) -> bool {
    view.written(POD_LIMIT).is_some()
}
