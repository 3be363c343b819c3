//! A container that the scheduler believes to need nothing.

use sluice_api::Action;

use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

/// Each resource: where a container asks for it, where it limits it, where the pod as a whole does either, and an example.
const RESOURCES: [(&str, &str, Read, Read, &str); 2] = [
    (
        "resources.requests.cpu",
        "resources.limits.cpu",
        Read::pod("resources.requests.cpu"),
        Read::pod("resources.limits.cpu"),
        "a cpu request, such as 100m",
    ),
    (
        "resources.requests.memory",
        "resources.limits.memory",
        Read::pod("resources.requests.memory"),
        Read::pod("resources.limits.memory"),
        "a memory request, such as 128Mi",
    ),
];

static INFO: RuleInfo = RuleInfo {
    code: "SLU2002",
    name: "container-without-requests",
    title: "the scheduler places a container as if it needed nothing",
    category: Category::Capacity,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].resources"),
        Read::pod("initContainers[*].resources"),
        Read::pod("resources"),
    ],
    document: include_str!("container_without_requests.md"),
};

struct ContainerWithoutRequests;

pub(in crate::rules) const RULE: &dyn Rule = &ContainerWithoutRequests;

impl Rule for ContainerWithoutRequests {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for (request, limit, pod_request, pod_limit, passes) in RESOURCES {
            // a limit without a request becomes the request, of a container as of a pod
            let by_pod =
                case.view.written(pod_request).is_some() || case.view.written(pod_limit).is_some();
            if by_pod {
                continue;
            }
            for container in case.view.containers() {
                if container.get(request).is_none() && container.get(limit).is_none() {
                    report.container(case.view, &container, request, "absent", passes);
                }
            }
        }
    }
}
