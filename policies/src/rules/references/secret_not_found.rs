//! A pod that cannot start because a Secret it takes something from is not there.

use sluice_api::Action;

use super::sources::{KEYS, Sources, source_reads};
use crate::{
    facts::{FactKind, Keyed, Named},
    rule::{Case, Category, Parameter, ParameterValue, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU4002",
    name: "secret-not-found",
    title: "a pod takes something from a Secret that is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[Parameter::Bool(&KEYS)],
    ordered: &[],
    facts: &[FactKind::Names(Named::Secret)],
    reads: source_reads!(),
    document: include_str!("secret_not_found.md"),
};

static SOURCES: Sources = Sources {
    kind: Keyed::Secret,
    variable: "secretKeyRef",
    environment: "secretRef",
    volume: ("secret", "secretName"),
    projected: "secret",
};

struct SecretNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &SecretNotFound;

impl Rule for SecretNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn needs(&self, set: &[(&'static str, ParameterValue)]) -> Vec<FactKind> {
        SOURCES.needs(set)
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        SOURCES.judge(case, report);
    }
}
