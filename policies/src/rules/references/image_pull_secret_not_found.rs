//! A pod whose image cannot be pulled because the Secret with the credentials is not there.

use sluice_api::Action;

use super::named::{look_up, of_pod, texts};
use crate::{
    facts::{FactKind, Named},
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU4008",
    name: "image-pull-secret-not-found",
    title: "the Secret with the credentials of a registry is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Names(Named::Secret)],
    reads: &[Read::pod("imagePullSecrets")],
    document: include_str!("image_pull_secret_not_found.md"),
};

struct ImagePullSecretNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &ImagePullSecretNotFound;

impl Rule for ImagePullSecretNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let references = texts(of_pod(case, "imagePullSecrets"), "name");
        look_up(
            case,
            report,
            Named::Secret,
            references,
            "a Secret that is there",
        );
    }
}
