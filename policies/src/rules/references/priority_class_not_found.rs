//! A workload whose pods are refused because their PriorityClass is not there.

use sluice_api::Action;

use super::named::{look_up, texts};
use crate::{
    facts::{FactKind, Named},
    rule::{Case, Category, Report, Rule, RuleInfo},
    view::{Anchor, Kind, Read},
};

static INFO: RuleInfo = RuleInfo {
    code: "SLU4005",
    name: "priority-class-not-found",
    title: "the PriorityClass of the pods is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &Kind::ALL,
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Names(Named::PriorityClass)],
    reads: &[Read::pod("priorityClassName")],
    document: include_str!("priority_class_not_found.md"),
};

struct PriorityClassNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &PriorityClassNotFound;

impl Rule for PriorityClassNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let pod = case.view.part(Anchor::Pod);
        let prefix = case.view.prefix(Anchor::Pod).unwrap_or_default();
        let mut references = texts(pod.map(|pod| (prefix.to_owned(), pod)), "priorityClassName");
        // the API server makes these two by itself
        references.retain(|reference| {
            !["system-cluster-critical", "system-node-critical"].contains(&reference.name)
        });
        look_up(
            case,
            report,
            Named::PriorityClass,
            references,
            "a PriorityClass that is there",
        );
    }
}
