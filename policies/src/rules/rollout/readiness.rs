//! Which containers must have a readiness probe: shared by the rules about it.

use sluice_tree::Value;

use crate::{
    rule::{Case, RawFinding, Report},
    view::{Anchor, Container, Read, Role},
};

use super::probe::READINESS;

pub(super) const READS: &[Read] = &[
    Read::pod("containers[*].ports"),
    Read::pod("containers[*].readinessProbe"),
];

const PASSES: &str = "a readinessProbe that asks whether the container can serve";

/// Reports the containers that serve and have no readiness probe: those that declare ports, or the only one.
pub(super) fn require(case: &Case<'_>, report: &mut Report) {
    let main = || {
        case.view
            .containers()
            .filter(|container| container.role == Role::Main)
    };
    let serves = |container: &Container<'_>| {
        container
            .get("ports")
            .and_then(Value::as_array)
            .is_some_and(|ports| !ports.is_empty())
    };
    let only = main().count() == 1;
    if only || main().any(|container| serves(&container)) {
        for container in main().filter(|container| only || serves(container)) {
            if !probed(&container) {
                report.container(case.view, &container, READINESS, "absent", PASSES);
            }
        }
    } else if main().count() > 1 && !main().any(|container| probed(&container)) {
        // nobody says which container serves, so one probe must be somewhere
        let prefix = case.view.prefix(Anchor::Pod).unwrap_or_default();
        report.add(RawFinding::at(
            format!("{prefix}.containers"),
            "several containers, none with ports or a readinessProbe",
            "a readinessProbe on the container that serves",
        ));
    }
}

fn probed(container: &Container<'_>) -> bool {
    container.get(READINESS).is_some_and(Value::is_object)
}
