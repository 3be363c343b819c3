//! An image that is another one tomorrow.

use sluice_api::Action;

use super::reference::{Reference, of_container, text};
use crate::{
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU5001",
    name: "image-tag-moves",
    title: "an image without a tag, or with the tag latest, is another one tomorrow",
    category: Category::Images,
    severity: Action::Deny,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[],
    reads: &[
        Read::pod("containers[*].image"),
        Read::pod("initContainers[*].image"),
    ],
    document: include_str!("image_tag_moves.md"),
};

struct ImageTagMoves;

pub(in crate::rules) const RULE: &dyn Rule = &ImageTagMoves;

impl Rule for ImageTagMoves {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        for container in case.view.containers() {
            let found = match of_container(&container) {
                Ok(image) if !Reference::parse(image).floats() => continue,
                Ok(image) => text(image),
                Err(found) => found,
            };
            let passes = "a tag that says which one, or a digest";
            report.container(case.view, &container, "image", &found, passes);
        }
    }
}
