//! A StatefulSet whose pods have no names, because the headless Service they get them from is not there.

use sluice_api::Action;
use sluice_tree::Value;

use super::named::{Missing, add};
use crate::{
    facts::FactKind,
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Kind, Read},
};

const SERVICE: Read = Read::object("spec.serviceName");

static INFO: RuleInfo = RuleInfo {
    code: "SLU4015",
    name: "statefulset-without-headless-service",
    title: "the headless Service that gives the pods of a StatefulSet their names is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &[Kind::StatefulSet],
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Services],
    reads: &[SERVICE],
    document: include_str!("statefulset_without_headless_service.md"),
};

struct StatefulsetWithoutHeadlessService;

pub(in crate::rules) const RULE: &dyn Rule = &StatefulsetWithoutHeadlessService;

impl Rule for StatefulsetWithoutHeadlessService {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let written = case.view.written(SERVICE).and_then(Value::as_str);
        // without a name nobody counts on names of the pods
        let Some(name) = written.filter(|name| !name.is_empty()) else {
            return;
        };
        let services = case.facts.services;
        match services.items().iter().find(|known| known.name == name) {
            Some(service) if service.headless => {}
            Some(_) => report.add(RawFinding::at(
                case.view.path(SERVICE),
                format!("Service {name} is not headless"),
                "a Service with `clusterIP: None`",
            )),
            None => add(
                case,
                report,
                &Missing {
                    path: case.view.path(SERVICE),
                    kind: FactKind::Services,
                    name,
                    there: services.is_whole().then_some(false),
                    passes: "a Service with `clusterIP: None` that is there",
                },
            ),
        }
    }
}
