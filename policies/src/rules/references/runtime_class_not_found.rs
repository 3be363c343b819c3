//! A workload whose pods are refused because their RuntimeClass is not there.

use sluice_api::Action;

use super::named::{look_up, texts};
use crate::{
    facts::{FactKind, Named},
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Anchor, Kind, Read},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU4006",
    name: "runtime-class-not-found",
    title: "the RuntimeClass of the pods is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Names(Named::RuntimeClass)],
    reads: &[Read::pod("runtimeClassName")],
    document: include_str!("runtime_class_not_found.md"),
};

struct RuntimeClassNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &RuntimeClassNotFound;

impl Rule for RuntimeClassNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let pod = case.view.part(Anchor::Pod);
        let prefix = case.view.prefix(Anchor::Pod).unwrap_or_default();
        let references = texts(pod.map(|pod| (prefix.to_owned(), pod)), "runtimeClassName");
        look_up(
            case,
            report,
            Named::RuntimeClass,
            references,
            "a RuntimeClass that is there",
        );
    }
}
