//! A Deployment whose pods get traffic before they can serve it.

use serde_json::Value;
use sluice_api::Action;

use crate::{
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Anchor, Container, Kind, Read, Role},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU3001",
    name: "deployment-without-readiness-probe",
    title: "nobody can tell when a pod of the Deployment is ready",
    category: Category::RolloutSafety,
    severity: Action::Deny,
    kinds: &[Kind::Deployment],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].ports"),
        Read::pod("containers[*].readinessProbe"),
    ],
    document: include_str!("deployment_without_readiness_probe.md"),
};

struct DeploymentWithoutReadinessProbe;

pub(in crate::rules) const RULE: &dyn Rule = &DeploymentWithoutReadinessProbe;

const PROBE: &str = "readinessProbe";
const PASSES: &str = "a readinessProbe that asks whether the container can serve";

impl Rule for DeploymentWithoutReadinessProbe {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
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
                    report.container(case.view, &container, PROBE, "absent", PASSES);
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
}

fn probed(container: &Container<'_>) -> bool {
    container.get(PROBE).is_some_and(Value::is_object)
}
