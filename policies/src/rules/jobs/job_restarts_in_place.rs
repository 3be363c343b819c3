//! A Job that restarts its containers where `backoffLimit` does not count them.

use sluice_api::Action;
use sluice_tree::Value;

use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read, Role, field_text},
};

const POLICY: Read = Read::pod("restartPolicy");
const OWN_POLICY: &str = "restartPolicy";
const OWN_RULES: &str = "restartPolicyRules";

static INFO: RuleInfo = RuleInfo {
    code: "SLU1016",
    name: "job-restarts-in-place",
    title: "a Job restarts its containers where backoffLimit does not count them",
    category: Category::Jobs,
    severity: Action::Warn,
    kinds: &[Kind::Job, Kind::CronJob],
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        POLICY,
        Read::pod("containers[*].restartPolicy"),
        Read::pod("containers[*].restartPolicyRules"),
        Read::pod("initContainers[*].restartPolicy"),
        Read::pod("initContainers[*].restartPolicyRules"),
    ],
    document: include_str!("job_restarts_in_place.md"),
};

struct JobRestartsInPlace;

pub(in crate::rules) const RULE: &dyn Rule = &JobRestartsInPlace;

impl Rule for JobRestartsInPlace {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let policy = case.field(POLICY);
        if policy.text() != Some("Never") {
            report.field(case.view, POLICY, &policy, "Never");
            return;
        }
        for container in case.view.containers() {
            // a sidecar is there to be restarted, and ends with the pod
            if container.role == Role::Sidecar {
                continue;
            }
            if let Some(own) = container.get(OWN_POLICY)
                && own.as_str() != Some("Never")
            {
                let found = field_text(own);
                report.container(case.view, &container, OWN_POLICY, &found, "Never, or none");
            }
            let rules = container.get(OWN_RULES).and_then(Value::as_array);
            for (index, rule) in rules.into_iter().flatten().enumerate() {
                let Some(action) = rule.get("action").filter(|action| !action.is_null()) else {
                    continue;
                };
                let path = format!("{OWN_RULES}[{index}].action");
                let passes = "no rule that restarts";
                report.container(case.view, &container, &path, &field_text(action), passes);
            }
        }
    }
}
