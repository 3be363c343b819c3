//! A pod that cannot start because a Secret it takes something from is not there.

use sluice_api::Action;

use super::named::{Sources, look_up, of_sources, source_reads};
use crate::{
    facts::{FactKind, Named},
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU4002",
    name: "secret-not-found",
    title: "a pod takes something from a Secret that is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Names(Named::Secret)],
    reads: source_reads!(),
    document: include_str!("secret_not_found.md"),
};

struct SecretNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &SecretNotFound;

impl Rule for SecretNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let sources = Sources {
            variable: "secretKeyRef",
            environment: "secretRef",
            volume: ("secret", "secretName"),
            projected: "secret",
        };
        let passes = "a Secret that is there, or `optional: true`";
        look_up(
            case,
            report,
            Named::Secret,
            of_sources(case, &sources),
            passes,
        );
    }
}
