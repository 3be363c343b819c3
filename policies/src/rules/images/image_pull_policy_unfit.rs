//! A pull policy that leaves nodes with different images under one name, or with none.

use sluice_api::Action;

use super::reference::{Reference, of_container, text};
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

const POLICY: &str = "imagePullPolicy";

static INFO: RuleInfo = RuleInfo {
    code: "SLU5004",
    name: "image-pull-policy-unfit",
    title: "nodes run what they happen to have, or cannot start the container at all",
    category: Category::Images,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].image"),
        Read::pod("containers[*].imagePullPolicy"),
        Read::pod("initContainers[*].image"),
        Read::pod("initContainers[*].imagePullPolicy"),
    ],
    document: include_str!("image_pull_policy_unfit.md"),
};

struct ImagePullPolicyUnfit;

pub(in crate::rules) const RULE: &dyn Rule = &ImagePullPolicyUnfit;

impl Rule for ImagePullPolicyUnfit {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for container in case.view.containers() {
            // what is no image is found by other rules, and has no policy worth a word
            let Ok(image) = of_container(&container) else {
                continue;
            };
            let field = case.view.container_field(&container, POLICY);
            let (found, passes) = match field.text() {
                Some("Never") => (
                    format!(
                        "Never: a node that has not got {} cannot start it",
                        text(image)
                    ),
                    "IfNotPresent with a fixed image, or Always",
                ),
                Some("IfNotPresent") if Reference::parse(image).floats() => (
                    format!("IfNotPresent: nodes keep the {} they have", text(image)),
                    "Always, or a tag or digest that stays",
                ),
                _ => continue,
            };
            report.container(case.view, &container, POLICY, &found, passes);
        }
    }
}
