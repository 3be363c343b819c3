//! An image that somebody with access to the registry may replace.

use sluice_api::Action;

use super::reference::{Reference, of_container, text};
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU5002",
    name: "image-without-digest",
    title: "nothing says that every node runs the image that was tested",
    category: Category::Images,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].image"),
        Read::pod("initContainers[*].image"),
    ],
    document: include_str!("image_without_digest.md"),
};

struct ImageWithoutDigest;

pub(in crate::rules) const RULE: &dyn Rule = &ImageWithoutDigest;

impl Rule for ImageWithoutDigest {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for container in case.view.containers() {
            let found = match of_container(&container) {
                Ok(image) if Reference::parse(image).digest.is_some() => continue,
                Ok(image) => text(image),
                Err(found) => found,
            };
            let passes = "a digest: name@sha256:…";
            report.container(case.view, &container, "image", &found, passes);
        }
    }
}
