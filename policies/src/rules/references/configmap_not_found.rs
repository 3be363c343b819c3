//! A pod that cannot start because a ConfigMap it takes something from is not there.

use sluice_api::Action;

use super::named::{Sources, look_up, of_sources, source_reads};
use crate::{
    facts::{FactKind, Named},
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU4001",
    name: "configmap-not-found",
    title: "a pod takes something from a ConfigMap that is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Names(Named::ConfigMap)],
    reads: source_reads!(),
    document: include_str!("configmap_not_found.md"),
};

struct ConfigmapNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &ConfigmapNotFound;

impl Rule for ConfigmapNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let sources = Sources {
            variable: "configMapKeyRef",
            environment: "configMapRef",
            volume: ("configMap", "name"),
            projected: "configMap",
        };
        let passes = "a ConfigMap that is there, or `optional: true`";
        look_up(
            case,
            report,
            Named::ConfigMap,
            of_sources(case, &sources),
            passes,
        );
    }
}
