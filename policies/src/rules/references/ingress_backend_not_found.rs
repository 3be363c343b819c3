//! An Ingress that answers 503 because the Service behind it, or the port of that Service, is not there.

use sluice_api::Action;
use sluice_tree::Value;

use super::named::{Missing, add, inner, inner_items, list_items};
use crate::{
    facts::{FactKind, Service},
    rule::{Case, Category, RawFinding, Report, Rule, RuleInfo},
    view::{Kind, Read, field_text, lookup},
};

const RULES: Read = Read::object("spec.rules");
const DEFAULT: Read = Read::object("spec.defaultBackend");

static INFO: RuleInfo = RuleInfo {
    code: "SLU4009",
    name: "ingress-backend-not-found",
    title: "the Service behind an Ingress, or its port, is not there",
    category: Category::References,
    severity: Action::Warn,
    kinds: &[Kind::Ingress],
    parameters: &[],
    ordered: &[],
    facts: &[FactKind::Services],
    reads: &[RULES, DEFAULT],
    document: include_str!("ingress_backend_not_found.md"),
};

struct IngressBackendNotFound;

pub(in crate::rules) const RULE: &dyn Rule = &IngressBackendNotFound;

impl Rule for IngressBackendNotFound {
    fn info(&self) -> &'static RuleInfo {
        &INFO
    }

    fn judge(&self, case: &Case<'_>, report: &mut Report) {
        let rules = list_items(case.view.path(RULES), case.view.written(RULES));
        let mut backends = inner(&inner_items(&rules, "http.paths"), "backend.service");
        let default = case.view.written(DEFAULT);
        let default: Vec<_> = default
            .map(|value| (case.view.path(DEFAULT), value))
            .into_iter()
            .collect();
        backends.extend(inner(&default, "service"));
        for (path, backend) in backends {
            judge_backend(case, report, &path, backend);
        }
    }
}

fn judge_backend(case: &Case<'_>, report: &mut Report, path: &str, backend: &Value) {
    let Some(name) = lookup(backend, "name").and_then(Value::as_str) else {
        return;
    };
    let services = case.facts.services;
    let Some(service) = services.items().iter().find(|known| known.name == name) else {
        let missing = Missing {
            path: format!("{path}.name"),
            kind: FactKind::Services,
            name,
            there: services.is_whole().then_some(false),
            passes: "a Service that is there",
        };
        return add(case, report, &missing);
    };
    let Some(port) = lookup(backend, "port") else {
        return;
    };
    if let Some((field, found)) = missing_port(service, port) {
        let ports: Vec<String> = service
            .ports
            .iter()
            .map(|port| match port.name.as_str() {
                "" => port.port.to_string(),
                name => format!("{name} ({})", port.port),
            })
            .take(10)
            .collect();
        report.add(RawFinding::at(
            format!("{path}.port.{field}"),
            format!("{found}, which Service {name} does not have"),
            format!("a port of the Service: {}", ports.join(", ")),
        ));
    }
}

/// The field that names a port that the Service does not have, and what stands there.
fn missing_port(service: &Service, port: &Value) -> Option<(&'static str, String)> {
    if service.ports.is_empty() {
        // only a name for something outside, which has whatever ports it has
        return None;
    }
    if let Some(name) = lookup(port, "name").filter(|name| *name != "") {
        let has = service.ports.iter().any(|port| name == &port.name);
        return (!has).then(|| ("name", field_text(name)));
    }
    let number = lookup(port, "number").filter(|number| **number != 0)?;
    let has = service.ports.iter().any(|port| *number == port.port);
    (!has).then(|| ("number", field_text(number)))
}
